// Package deadline is about when calls of the host end.
package deadline

import (
	"context"
	"time"
)

// CallsEnd is how long after the begin of a run the host ends its calls, so that there is time to report.
func CallsEnd(timeout time.Duration) time.Duration {
	margin := min(max(100*time.Millisecond, timeout/10), timeout/2)
	return timeout - margin
}

// Where a context keeps the end of calls that the host knows itself.
type key struct{}

// Begin answers the context of a run, which ends with its calls.
func Begin(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	end := time.Now().Add(CallsEnd(timeout))
	return context.WithDeadline(context.WithValue(ctx, key{}, end), end)
}

// Left is how long a call may take, where the plugin wants it to end before the host does.
func Left(ctx context.Context) (time.Duration, bool) {
	deadline, is := ctx.Deadline()
	if end, isRun := ctx.Value(key{}).(time.Time); !is || isRun && !deadline.Before(end) {
		return 0, false
	}
	return time.Until(deadline), true
}
