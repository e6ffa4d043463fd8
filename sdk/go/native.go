//go:build !wasip1

package sickbay

import (
	"context"
	"log/slog"
	"time"

	"github.com/sickbay/sickbay/sdk/go/internal/lent"
)

// install does nothing here: there is no host but the one that a test lends.
func install() {}

func now(ctx context.Context) time.Time {
	if clock, is := lent.Find[lent.Clock](ctx); is {
		return clock.Now()
	}
	return time.Now()
}

func writeLog(ctx context.Context, level slog.Level, message string, fields []field) {
	if log, is := lent.Find[lent.Log](ctx); is {
		told := map[string]string{}
		for _, field := range fields {
			told[field.name] = field.value
		}
		log.Write(level, message, told)
	}
}
