//go:build !wasip1

package redis

import (
	"context"
	"errors"

	"github.com/sickbay/sickbay/sdk/go/internal/lent"
)

// Backend asks the server where no host does: in a test.
type Backend interface {
	Ask(ctx context.Context, source Source, command [][]byte) Reply
}

func ask(ctx context.Context, source Source, command [][]byte) Reply {
	backend, err := lent.Get[Backend](ctx, "redis")
	if err != nil {
		return Failed(err)
	}
	return backend.Ask(ctx, source, command)
}

func askMany(ctx context.Context, source Source, commands [][][]byte) ([]Reply, error) {
	var replies []Reply
	for _, command := range commands {
		reply := ask(ctx, source, command)
		var refused *RefusalError
		if reply.err != nil && !errors.As(reply.err, &refused) {
			return nil, reply.err
		}
		replies = append(replies, reply)
	}
	return replies, nil
}
