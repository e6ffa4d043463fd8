// Package http sends HTTP requests, as far as `grants = { http = [...] }` allows.
//
// The host sends them: it authorises the URL and every address that it resolves to, measures the phases, reports the certificate, and ends
// the call before the run's own deadline, so that a hung service is seen as a timeout of the service.
//
//	jobs, err := http.GetJSON[[]Job](run, "https://api.internal/queue")
//
// Any status is an answer; only [Response.Expect] makes an error of one. Code that is written for net/http works through nethttp, at the
// price of a component that is three times as large.
package http

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/network"
)

const (
	// RedirectsMaxDefault is how many redirects a request follows unless told otherwise.
	RedirectsMaxDefault = 5
	// NoRedirects has a request answer the redirect itself.
	NoRedirects = -1
)

// Header is headers by name in lower case.
type Header map[string][]string

// Get is the first value of a name, whatever its case; empty without one.
func (header Header) Get(name string) string {
	if values := header.Values(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Values are all values of a name, in order.
func (header Header) Values(name string) []string {
	if values, is := header[strings.ToLower(name)]; is {
		return values
	}
	for other, values := range header {
		if strings.EqualFold(other, name) {
			return values
		}
	}
	return nil
}

// Set puts one value in place of others.
func (header Header) Set(name, value string) { header[strings.ToLower(name)] = []string{value} }

// Add puts one more value under a name.
func (header Header) Add(name, value string) {
	header[strings.ToLower(name)] = append(header.Values(name), value)
}

// Request is one request. Placeholders of secrets in the URL, a header or the body are filled in by the host.
type Request struct {
	// In capitals; empty is `GET`.
	Method string
	// At most 8 KiB.
	URL string
	// At most 64, 32 KiB in all.
	Header Header
	// At most 1 MiB.
	Body []byte
	Options
}

// Options say how an exchange goes. How long it may take is said by the context.
type Options struct {
	// 0 is [RedirectsMaxDefault]; [NoRedirects] answers the redirect itself. At most 10.
	RedirectsMax int
	// At most 1 MiB; 0 is 64 KiB. The rest is not read.
	BodyBytesMax int
	// Use a kept connection when there is one. Checks want none: they test the connection too.
	Reuse bool
	// Go on with a certificate that is not trusted; Untrusted of the answer's TLS says why it is not.
	AcceptUntrusted bool
	// Dial this instead of the URL's host: `10.0.0.7:443` (one backend), `unix:/run/docker.sock`. Needs its own `net` grant.
	ConnectTo string
}

// Redirect is one redirect that was followed.
type Redirect struct {
	Status int
	// The URL that answered with this redirect.
	URL string
	// No cookie is kept: what was set on the way is only here.
	Header Header
}

// Response is a whole answer.
type Response struct {
	Status int
	// `HTTP/1.1`
	Version string
	Header  Header
	// As it came: content codings (`gzip`) are left as they are.
	Body []byte
	// The body went on after BodyBytesMax.
	Truncated bool
	// The URL that gave this answer: after redirects the last one.
	URL       string
	Redirects []Redirect
	// The phases are those of the last request.
	Timings network.Timings
	// Address and port that answered; empty for a UNIX socket.
	Peer string
	// Nil without TLS.
	TLS    *network.TLSSession
	Extras map[string]string
}

// Get asks a URL.
func Get(ctx context.Context, url string) (*Response, error) { return Do(ctx, &Request{URL: url}) }

// GetJSON asks a URL, expects a status of 2xx and reads the JSON that came.
func GetJSON[Value any](ctx context.Context, url string) (value Value, err error) {
	response, err := Do(ctx, &Request{URL: url, Header: Header{"accept": {"application/json"}}})
	if err == nil {
		err = response.Expect()
	}
	if err == nil {
		err = response.JSON(&value)
	}
	return value, err
}

// WithJSON makes a request whose body is a value as JSON.
func WithJSON(method, url string, value any) (*Request, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, sickbay.InternalErrorf("%T cannot be written as JSON: %w", value, err)
	}
	return &Request{Method: method, URL: url, Header: Header{"content-type": {"application/json"}}, Body: body}, nil
}

// Do sends a request. The error is what the service did (dns, refused, connection, tls, timeout, protocol) or what the plugin did.
func Do(ctx context.Context, request *Request) (*Response, error) {
	asked := *request
	if asked.Method == "" {
		asked.Method = "GET"
	}
	if err := asked.Options.refuse(); err != nil {
		return nil, err
	}
	return send(ctx, &asked)
}

// Answer is what one of several requests came to.
type Answer struct {
	*Response
	Err error
}

// DoMany sends at most 16 requests, all at once, and answers in their order. The options are those of all of them.
func DoMany(ctx context.Context, options Options, requests ...*Request) ([]Answer, error) {
	asked := make([]*Request, len(requests))
	for at, request := range requests {
		one := *request
		if one.Method == "" {
			one.Method = "GET"
		}
		asked[at] = &one
	}
	if err := options.refuse(); err != nil {
		return nil, err
	}
	return sendMany(ctx, options, asked)
}

func (options *Options) refuse() error {
	if options.RedirectsMax < NoRedirects || options.RedirectsMax > 10 || options.BodyBytesMax < 0 || options.BodyBytesMax > 1<<20 {
		return sickbay.ConfigurationErrorf("RedirectsMax is %d and BodyBytesMax %d; hint: at most 10 and 1 MiB", options.RedirectsMax, options.BodyBytesMax)
	}
	return nil
}

// redirects is how many redirects are followed.
func (options *Options) redirects() int {
	switch options.RedirectsMax {
	case 0:
		return RedirectsMaxDefault
	case NoRedirects:
		return 0
	}
	return options.RedirectsMax
}

// IsSuccess says whether the status is 2xx.
func (response *Response) IsSuccess() bool { return response.Status/100 == 2 }

// Expect is a [StatusError] unless the status is one of these; without any, unless it is 2xx.
func (response *Response) Expect(statuses ...int) error {
	if len(statuses) == 0 && response.IsSuccess() || slices.Contains(statuses, response.Status) {
		return nil
	}
	return &StatusError{Status: response.Status, After: retryAfter(response.Header), cause: service("the answer is %d", response.Status)}
}

// JSON reads the body. One that is no JSON, or not what belongs into the value, is what the service did: a failure `content`.
func (response *Response) JSON(into any) error {
	if response.Truncated {
		return service("the answer is longer than the %d bytes that were read", len(response.Body))
	}
	decoder := json.NewDecoder(bytes.NewReader(response.Body))
	if err := decoder.Decode(into); err != nil {
		return service("the answer is not the JSON that was expected: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return service("something follows behind the JSON of the answer")
	}
	return nil
}

// Text is the body as text, with U+FFFD for what is not UTF-8.
func (response *Response) Text() string { return strings.ToValidUTF8(string(response.Body), "\uFFFD") }

func service(format string, values ...any) error {
	return sickbay.ServiceErrorf(sickbay.FailureContent, format, values...)
}

// StatusError is a status that was not expected: what the service did, with the failure kind `content`.
type StatusError struct {
	Status int
	// What the service asked for in `retry-after`, or 0.
	After time.Duration
	cause error
}

func (err *StatusError) Error() string { return err.cause.Error() }
func (err *StatusError) Unwrap() error { return err.cause }

// IsForGood says whether the same request would be refused again.
func (err *StatusError) IsForGood() bool {
	switch err.Status {
	case 401, 403, 407, 408, 425, 429: // With another credential, which can be mended, or later.
		return false
	}
	return err.Status/100 == 4
}

// RetryAfter is After, as sinks ask for it.
func (err *StatusError) RetryAfter() time.Duration { return err.After }

func retryAfter(header Header) time.Duration {
	seconds, err := strconv.ParseUint(header.Get("retry-after"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
