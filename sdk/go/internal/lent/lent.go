//go:build !wasip1

// Package lent is how a native test lends a run what a host would: each capability finds its backend in the context of the call.
package lent

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

type key[Backend any] struct{}

// With lends a backend to everything that is called with the answered context.
func With[Backend any](ctx context.Context, backend Backend) context.Context {
	return context.WithValue(ctx, key[Backend]{}, backend)
}

// Find answers the backend that is lent.
func Find[Backend any](ctx context.Context) (Backend, bool) {
	backend, is := ctx.Value(key[Backend]{}).(Backend)
	return backend, is
}

// Clock tells the time.
type Clock interface{ Now() time.Time }

// Log takes lines.
type Log interface {
	Write(level slog.Level, message string, fields map[string]string)
}

// Get answers the backend of a capability, or says that there is none.
func Get[Backend any](ctx context.Context, capability string) (Backend, error) {
	backend, is := Find[Backend](ctx)
	if !is {
		return backend, fmt.Errorf("nobody lends `%s` to this context; hint: call it within a run of a sickbaytest.Host", capability)
	}
	return backend, nil
}
