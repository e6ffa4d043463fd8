package sickbay

import (
	"context"
	"log/slog"
	"time"

	"github.com/sickbay/sickbay/sdk/go/internal/deadline"
)

// Call is what every call of the host has in common. It is a context, which ends when the calls that the plugin makes of the host end: a
// little before the run does, so that there is time to report. Hand it to whatever takes a context.
type Call struct {
	context.Context
	// The call is ended this long after it began.
	Timeout time.Duration
}

// NewCall begins a call on a context. The SDK does it before each run.
func NewCall(ctx context.Context, timeout time.Duration) (Call, context.CancelFunc) {
	ctx, cancel := deadline.Begin(ctx, timeout)
	return Call{Context: ctx, Timeout: timeout}, cancel
}

// Now is the time of day. It is time.Now in a component, and what the test says in a test.
func (call Call) Now() time.Time { return now(call.Context) }

// Logger logs to the host, which adds the check's name and the run's id and decides what is shown. In a component slog's default logger
// does the same; a test sees only what this one logs.
func (call Call) Logger() *slog.Logger { return slog.New(handler{ctx: call.Context}) }
