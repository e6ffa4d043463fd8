package main

import (
	"maps"
	"slices"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/check"
	"github.com/sickbay/sickbay/sdk/go/http"
	"github.com/sickbay/sickbay/sdk/go/net"
	"github.com/sickbay/sickbay/sdk/go/network"
)

const (
	// A longer body is told by its length and a digest.
	bodyBytesToldMax = 256
	lineBytesMax     = 1024
	behindTLSBytes   = 4
)

var phases = []sickbay.MetricInfo{
	sickbay.Gauge("dns_seconds", "looking the name up"),
	sickbay.Gauge("connect_seconds", "opening the connection"),
	sickbay.Gauge("tls_seconds", "the TLS handshake"),
	sickbay.Gauge("first_byte_seconds", "from the request to the first byte of the answer"),
	sickbay.Gauge("total_seconds", "the whole exchange"),
}

type httpConfig struct {
	URLs            []string `json:"urls" doc:"Where to"`
	Method          string   `json:"method" default:"GET"`
	Body            string   `json:"body" doc:"What is sent, as text/plain; nothing where it is empty" default:""`
	RedirectsMax    int      `json:"redirects_max" min:"0" max:"10" default:"5"`
	BodyBytesMax    int      `json:"body_bytes_max" doc:"0: as many as there are unless told otherwise" min:"0" default:"0"`
	AcceptUntrusted bool     `json:"accept_untrusted" default:"false"`
	Together        bool     `json:"together" doc:"In one call" default:"false"`
	TellErrors      bool     `json:"tell_errors" doc:"Whether an error is a line" default:"false"`
}

var askHTTP = check.Kind[httpConfig]{
	Name:    "http",
	Summary: "Tells what a web server answered",
	Example: httpConfig{URLs: []string{"http://127.0.0.1:9470/livez"}, Method: "GET", RedirectsMax: 5},
	Metrics: phases,
	Run: func(run *check.Run, config httpConfig) (*sickbay.Report, error) {
		var told lines
		var last *network.Timings
		options := http.Options{
			RedirectsMax: config.RedirectsMax, BodyBytesMax: config.BodyBytesMax, AcceptUntrusted: config.AcceptUntrusted,
		}
		if options.RedirectsMax == 0 {
			options.RedirectsMax = http.NoRedirects
		}
		requests := make([]*http.Request, len(config.URLs))
		for at, url := range config.URLs {
			requests[at] = &http.Request{Method: config.Method, URL: url, Options: options}
			if config.Body != "" {
				requests[at].Header, requests[at].Body = http.Header{"content-type": {"text/plain"}}, []byte(config.Body)
			}
		}
		tell := func(answer *http.Response, err error) error {
			if err == nil {
				tellResponse(&told, answer)
				last = &answer.Timings
			}
			return told.failed(err, config.TellErrors)
		}
		if config.Together {
			answers, err := http.DoMany(run, options, requests...)
			if err != nil {
				return nil, err
			}
			for _, answer := range answers {
				if err := tell(answer.Response, answer.Err); err != nil {
					return nil, err
				}
			}
		} else {
			for _, request := range requests {
				if err := tell(http.Do(run, request)); err != nil {
					return nil, err
				}
			}
		}
		return timings(told.report(), last), nil
	},
}

func tellResponse(told *lines, answer *http.Response) {
	told.add("status %d", answer.Status)
	told.add("version %s", text(answer.Version))
	told.add("url %s", text(answer.URL))
	tellHeader(told, "header", answer.Header)
	told.add("%s", body(answer.Body))
	told.add("truncated %t", answer.Truncated)
	for _, redirect := range answer.Redirects {
		told.add("redirect %d %s", redirect.Status, text(redirect.URL))
		tellHeader(told, "redirect-header", redirect.Header)
	}
	told.add("peer %s", optional(answer.Peer))
	session(told, answer.TLS)
}

// tellHeader tells headers by name; those of one name in their order.
func tellHeader(told *lines, word string, header http.Header) {
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			told.add("%s %s %s", word, text(name), text(value))
		}
	}
}

func body(told []byte) string {
	if len(told) <= bodyBytesToldMax {
		return "body " + byteString(told)
	}
	return "body " + float(float64(len(told))) + " " + digest(told)
}

type netConfig struct {
	Addresses       []string `json:"addresses" doc:"Where to connect"`
	TLS             bool     `json:"tls" doc:"From the first byte" default:"false"`
	ServerName      string   `json:"server_name" default:""`
	AcceptUntrusted bool     `json:"accept_untrusted" default:"false"`
	Say             string   `json:"say" doc:"What is sent, before a line is received; nothing where it is empty" default:""`
	StartTLS        bool     `json:"start_tls" doc:"TLS after that, and four bytes" default:"false"`
	TellErrors      bool     `json:"tell_errors" doc:"Whether an error is a line" default:"false"`
}

var connect = check.Kind[netConfig]{
	Name:    "net",
	Summary: "Tells of connections",
	Example: netConfig{Addresses: []string{"127.0.0.1:9470"}},
	Metrics: phases,
	Run: func(run *check.Run, config netConfig) (*sickbay.Report, error) {
		var told lines
		var last *network.Timings
		for _, address := range config.Addresses {
			opened, err := talk(run, config, address, &told)
			if err := told.failed(err, config.TellErrors); err != nil {
				return nil, err
			}
			if err == nil {
				last = opened
			}
		}
		return timings(told.report(), last), nil
	},
}

func talk(run *check.Run, config netConfig, address string, told *lines) (*network.Timings, error) {
	target := net.Target{Address: address, TLS: config.TLS, ServerName: config.ServerName, AcceptUntrusted: config.AcceptUntrusted}
	connection, err := target.Dial(run)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	told.add("peer %s", text(connection.Peer))
	session(told, connection.TLS)
	if config.Say != "" {
		if err := connection.Send(run, []byte(config.Say)); err != nil {
			return nil, err
		}
		line, err := connection.ReceiveUntil(run, []byte("\n"), lineBytesMax)
		if err != nil {
			return nil, err
		}
		told.add("received %s", byteString(line))
	}
	if config.StartTLS {
		agreed, err := connection.StartTLS(run)
		if err != nil {
			return nil, err
		}
		session(told, agreed)
		behind, err := connection.Receive(run, behindTLSBytes)
		if err != nil {
			return nil, err
		}
		told.add("received %s", byteString(behind))
	}
	return &connection.Timings, nil
}

type dnsConfig struct {
	Names      []string `json:"names" doc:"What is looked up"`
	Record     string   `json:"record" doc:"A, AAAA, CNAME, MX, TXT, SRV, NS, ..." default:"A"`
	TellErrors bool     `json:"tell_errors" doc:"Whether an error is a line" default:"false"`
}

var resolve = check.Kind[dnsConfig]{
	Name:    "dns",
	Summary: "Tells what a name resolves to",
	Example: dnsConfig{Names: []string{"localhost"}, Record: "A"},
	Metrics: []sickbay.MetricInfo{sickbay.Gauge("elapsed_seconds", "the last lookup")},
	Run: func(run *check.Run, config dnsConfig) (*sickbay.Report, error) {
		var told lines
		var last *net.Records
		for _, name := range config.Names {
			found, err := net.Resolve(run, name, config.Record)
			if err != nil {
				if err := told.failed(err, config.TellErrors); err != nil {
					return nil, err
				}
				continue
			}
			last = found
			for _, record := range found.Records {
				told.add("record %s", text(record))
			}
			ttl := "null"
			if found.TTL > 0 {
				ttl = float(found.TTL.Seconds())
			}
			told.add("ttl %s", ttl)
		}
		report := told.report()
		if last != nil {
			report.AddGauge("elapsed_seconds", last.Elapsed.Seconds())
		}
		return report, nil
	},
}
