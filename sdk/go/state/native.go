//go:build !wasip1

package state

import (
	"context"

	"github.com/sickbay/sickbay/sdk/go/internal/lent"
)

// Backend keeps values where no host does: in a test. Without one nothing is there, and nothing is kept.
type Backend interface {
	Get(key string) (value []byte, isThere bool)
	Put(key string, value []byte) error
	Remove(key string)
}

func get(ctx context.Context, key string) ([]byte, bool) {
	if backend, is := lent.Find[Backend](ctx); is {
		return backend.Get(key)
	}
	return nil, false
}

func put(ctx context.Context, key string, value []byte) error {
	backend, err := lent.Get[Backend](ctx, "state")
	if err != nil {
		return err
	}
	return backend.Put(key, value)
}

func remove(ctx context.Context, key string) {
	if backend, is := lent.Find[Backend](ctx); is {
		backend.Remove(key)
	}
}
