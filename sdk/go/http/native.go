//go:build !wasip1

package http

import (
	"context"

	"github.com/sickbay/sickbay/sdk/go/internal/lent"
)

// Backend sends requests where no host does: in a test.
type Backend interface {
	Send(ctx context.Context, request *Request) (*Response, error)
}

func send(ctx context.Context, request *Request) (*Response, error) {
	backend, err := lent.Get[Backend](ctx, "http")
	if err != nil {
		return nil, err
	}
	return backend.Send(ctx, request)
}

func sendMany(ctx context.Context, options Options, requests []*Request) ([]Answer, error) {
	var answers []Answer
	for _, request := range requests {
		request.Options = options
		response, err := send(ctx, request)
		answers = append(answers, Answer{response, err})
	}
	return answers, nil
}
