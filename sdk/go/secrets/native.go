//go:build !wasip1

package secrets

import (
	"context"

	"github.com/sickbay/sickbay/sdk/go/internal/lent"
)

// Backend has the secrets where no host has: in a test.
type Backend interface {
	Inspect(secret string) (Info, error)
	Sign(secret string, algorithm Algorithm, prefix string, data []byte) ([][]byte, error)
	Encode(text string, encoding Encoding) (string, error)
}

func inspect(ctx context.Context, secret string) (Info, error) {
	backend, err := lent.Get[Backend](ctx, "secrets")
	if err != nil {
		return Info{}, err
	}
	return backend.Inspect(secret)
}

func sign(ctx context.Context, secret string, algorithm Algorithm, prefix string, data []byte) ([][]byte, error) {
	backend, err := lent.Get[Backend](ctx, "secrets")
	if err != nil {
		return nil, err
	}
	return backend.Sign(secret, algorithm, prefix, data)
}

func encode(ctx context.Context, text string, encoding Encoding) (string, error) {
	backend, err := lent.Get[Backend](ctx, "secrets")
	if err != nil {
		return "", err
	}
	return backend.Encode(text, encoding)
}
