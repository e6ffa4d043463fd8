// Package nethttp has code that is written for net/http work in a plugin, as far as `grants = { http = [...] }` allows.
//
//	client := nethttp.Client()
//	request, err := http.NewRequestWithContext(run, "GET", config.URL, nil)
//	response, err := client.Do(request)
//
// `http.DefaultTransport = nethttp.Transport{}` in an init function does the same for code that brings no client of its own; hand a context of
// the run to whatever takes one. What the host tells beyond net/http (phases, certificate) is in [Details]. Errors are those of package http,
// wrapped as net/http wraps them: `errors.As` finds them, and so does the SDK when a run returns one.
//
// net/http makes a component about three times as large. A check that needs no more than requests does better with package http.
package nethttp

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	capability "github.com/sickbay/sickbay/sdk/go/http"
)

// Transport sends requests through the host. It is an http.RoundTripper; redirects and cookies are the client's.
type Transport struct {
	// RedirectsMax of the options is not looked at.
	Options capability.Options
}

// Client is a client whose requests go through the host.
func Client() *http.Client { return &http.Client{Transport: Transport{}} }

// requestBodyBytesMax is the contract's.
const requestBodyBytesMax = 1 << 20

// RoundTrip sends one request.
func (transport Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	asked, err := transport.asked(request)
	if err != nil {
		return nil, err
	}
	answer, err := capability.Do(request.Context(), asked)
	if err != nil {
		return nil, err
	}
	response := &http.Response{
		Status:        strings.TrimSpace(strconv.Itoa(answer.Status) + " " + http.StatusText(answer.Status)),
		StatusCode:    answer.Status,
		Proto:         answer.Version,
		Header:        http.Header{},
		Body:          newBody(answer),
		ContentLength: int64(len(answer.Body)),
		Request:       request,
	}
	if answer.Truncated {
		response.ContentLength = -1
	}
	response.ProtoMajor, response.ProtoMinor, _ = http.ParseHTTPVersion(answer.Version)
	for name, values := range answer.Header {
		for _, value := range values {
			response.Header.Add(name, value)
		}
	}
	return response, nil
}

func (transport Transport) asked(request *http.Request) (*capability.Request, error) {
	asked := &capability.Request{Method: request.Method, URL: request.URL.String(), Header: capability.Header{}, Options: transport.Options}
	asked.RedirectsMax = capability.NoRedirects
	for name, values := range request.Header {
		for _, value := range values {
			asked.Header.Add(name, value)
		}
	}
	if request.Host != "" && request.Host != request.URL.Host {
		return nil, sickbay.ConfigurationErrorf("the host sets `host` itself; hint: ask %s through ConnectTo, with the name in the URL", request.URL.Host)
	}
	if request.Body == nil {
		return asked, nil
	}
	defer request.Body.Close()
	body, err := io.ReadAll(io.LimitReader(request.Body, requestBodyBytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("the body of the request cannot be read: %w", err)
	}
	if len(body) > requestBodyBytesMax {
		return nil, sickbay.ConfigurationErrorf("the body of the request is longer than %d bytes", requestBodyBytesMax)
	}
	if len(body) > 0 {
		asked.Body = body
	}
	return asked, nil
}

// body is what was read of the answer. One that went on is an error at its end, so that half of it is not taken for the whole.
type body struct {
	*bytes.Reader
	answer *capability.Response
}

func newBody(answer *capability.Response) *body { return &body{bytes.NewReader(answer.Body), answer} }

var errTruncated = sickbay.ServiceErrorf(sickbay.FailureContent, "the answer is longer than the bytes that were read of it")

func (body *body) Read(into []byte) (int, error) {
	count, err := body.Reader.Read(into)
	if err == io.EOF && body.answer.Truncated {
		err = errTruncated
	}
	return count, err
}

// WriteTo writes the rest, as io.Copy asks for it.
func (body *body) WriteTo(writer io.Writer) (int64, error) {
	count, err := body.Reader.WriteTo(writer)
	if err == nil && body.answer.Truncated {
		err = errTruncated
	}
	return count, err
}

func (body *body) Close() error { return nil }

// Details are what the host told of an answer: phases, certificate, who answered. There are none where something else has replaced the body.
func Details(response *http.Response) (details *capability.Response, isThere bool) {
	if body, is := response.Body.(*body); is {
		return body.answer, true
	}
	return nil, false
}
