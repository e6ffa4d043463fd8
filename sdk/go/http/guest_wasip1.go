package http

import (
	"context"
	"maps"
	"slices"

	"github.com/sickbay/sickbay/sdk/go/internal/abi"
	contract "github.com/sickbay/sickbay/sdk/go/internal/contract/http"
	"github.com/sickbay/sickbay/sdk/go/internal/guest"
	"github.com/sickbay/sickbay/sdk/go/internal/wire"
)

func send(ctx context.Context, request *Request) (*Response, error) {
	options, err := wireOptions(ctx, request.Options)
	if err != nil {
		return nil, err
	}
	answer := answerHere(contract.Send(wireRequest(request), options))
	return answer.Response, answer.Err
}

func sendMany(ctx context.Context, options Options, requests []*Request) ([]Answer, error) {
	told, err := wireOptions(ctx, options)
	if err != nil {
		return nil, err
	}
	return wire.Each(contract.SendMany(wire.Each(requests, wireRequest), told), answerHere), nil
}

func answerHere(answer abi.Result[contract.Response, contract.HttpError]) Answer {
	if answer.Err != nil {
		return Answer{Err: guest.Error(answer.Err.Case.String(), answer.Err.Value)}
	}
	return Answer{Response: response(answer.Value)}
}

func wireRequest(request *Request) contract.Request {
	told := contract.Request{Method: request.Method, Url: request.URL}
	for _, name := range slices.Sorted(maps.Keys(request.Header)) {
		for _, value := range request.Header[name] {
			told.Headers = append(told.Headers, contract.Header{Name: name, Value: value})
		}
	}
	if request.Body != nil {
		told.Body = &request.Body
	}
	return told
}

func wireOptions(ctx context.Context, options Options) (contract.Options, error) {
	timeout, err := guest.Deadline(ctx)
	told := contract.Options{
		TimeoutMs:       timeout,
		RedirectsMax:    uint8(options.redirects()),
		Reuse:           options.Reuse,
		AcceptUntrusted: options.AcceptUntrusted,
		ConnectTo:       wire.Optional(options.ConnectTo),
	}
	if options.BodyBytesMax > 0 {
		bytes := uint32(options.BodyBytesMax)
		told.BodyBytesMax = &bytes
	}
	return told, err
}

func response(told contract.Response) *Response {
	return &Response{
		Status:    int(told.Status),
		Version:   told.Version,
		Header:    header(told.Headers),
		Body:      told.Body,
		Truncated: told.Truncated,
		URL:       told.Url,
		Redirects: wire.Each(told.Redirects, redirect),
		Timings:   guest.Timings(told.Timings),
		Peer:      wire.Text(told.Peer),
		TLS:       guest.TLSSession(told.Tls),
		Extras:    wire.Map(told.Extras),
	}
}

func redirect(told contract.Redirect) Redirect {
	return Redirect{Status: int(told.Status), URL: told.Url, Header: header(told.Headers)}
}

func header(told []contract.Header) Header {
	all := Header{}
	for _, one := range told {
		all.Add(one.Name, one.Value)
	}
	return all
}
