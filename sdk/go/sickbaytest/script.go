//go:build !wasip1

package sickbaytest

import (
	"context"
	"math"
	"testing"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/internal/deadline"
)

// usually is what an answer takes, unless the test says otherwise.
const usually = time.Millisecond

var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Clock is a clock that moves when the test, or a scripted answer, moves it.
type Clock struct {
	now time.Time
	// When calls of the run end; the zero time outside of one.
	callsEnd time.Time
}

// Now is what run.Now tells.
func (clock *Clock) Now() time.Time { return clock.now }

// Advance makes it that much later.
func (clock *Clock) Advance(span time.Duration) { clock.now = clock.now.Add(span) }

func (clock *Clock) begin(timeout time.Duration) {
	clock.callsEnd = clock.now.Add(deadline.CallsEnd(timeout))
}

func (clock *Clock) end() { clock.callsEnd = time.Time{} }

// mayTake is how long a call that begins now may take.
func (clock *Clock) mayTake(ctx context.Context) time.Duration {
	left := time.Duration(math.MaxInt64)
	if !clock.callsEnd.IsZero() {
		left = max(0, clock.callsEnd.Sub(clock.now))
	}
	if narrower, is := deadline.Left(ctx); is {
		left = min(left, max(0, narrower))
	}
	return left
}

// Scripted is one answer to come.
type Scripted[Answer any] struct {
	Answer Answer
	// Comes instead of the answer, unless it is nil.
	Err  error
	long time.Duration
}

// Takes says how long the answer takes. Where that is longer than the call or the run may take, it is a timeout, as on a real host.
func (scripted *Scripted[Answer]) Takes(long time.Duration) *Scripted[Answer] {
	scripted.long = long
	return scripted
}

// A script is what is answered next.
type script[Answer any] struct {
	t       testing.TB
	clock   *Clock
	answers []*Scripted[Answer]
}

func (script *script[Answer]) add(answer Answer, err error) *Scripted[Answer] {
	one := &Scripted[Answer]{Answer: answer, Err: err, long: usually}
	script.answers = append(script.answers, one)
	return one
}

// next answers what was asked, and how long it took.
func (script *script[Answer]) next(ctx context.Context, asked string) (answer Answer, long time.Duration, err error) {
	if len(script.answers) == 0 {
		script.t.Errorf("the test scripted no answer to %s", asked)
		return answer, 0, sickbay.InternalErrorf("the test scripted no answer to %s", asked)
	}
	one := script.answers[0]
	script.answers = script.answers[1:]
	if mayTake := script.clock.mayTake(ctx); one.long > mayTake {
		script.clock.Advance(mayTake)
		return answer, mayTake, sickbay.ServiceErrorf(sickbay.FailureTimeout, "no answer to %s within %s", asked, mayTake.Round(time.Millisecond))
	}
	script.clock.Advance(one.long)
	if one.Err != nil {
		return answer, one.long, one.Err
	}
	return one.Answer, one.long, nil
}
