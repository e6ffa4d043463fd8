//go:build !wasip1

package net

import (
	"context"

	"github.com/sickbay/sickbay/sdk/go/internal/lent"
)

// Backend connects and looks names up where no host does: in a test.
type Backend interface {
	Dial(ctx context.Context, target Target) (Wire, error)
	Resolve(ctx context.Context, name, kind string) (*Records, error)
}

// Wire is an open connection of a backend.
type Wire = wire

func dial(ctx context.Context, target Target) (wire, error) {
	backend, err := lent.Get[Backend](ctx, "net")
	if err != nil {
		return nil, err
	}
	return backend.Dial(ctx, target)
}

func resolve(ctx context.Context, name, kind string) (*Records, error) {
	backend, err := lent.Get[Backend](ctx, "net")
	if err != nil {
		return nil, err
	}
	return backend.Resolve(ctx, name, kind)
}
