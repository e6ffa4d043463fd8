//go:build !wasip1

package postgres

import (
	"context"

	"github.com/sickbay/sickbay/sdk/go/internal/lent"
)

// Backend asks the server where no host does: in a test.
type Backend interface {
	Ask(ctx context.Context, source Source, statement Statement) (*Rows, error)
}

func (source Source) ask(ctx context.Context, _ string, statements ...Statement) ([]*Rows, error) {
	backend, err := lent.Get[Backend](ctx, "postgres")
	if err != nil {
		return nil, err
	}
	var all []*Rows
	for _, statement := range statements {
		rows, err := backend.Ask(ctx, source, statement)
		if err != nil {
			return nil, err
		}
		all = append(all, rows)
	}
	return all, nil
}
