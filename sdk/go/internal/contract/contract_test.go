// Package contract_test lowers values into memory and lifts them again.
package contract_test

import (
	"reflect"
	"testing"

	"github.com/sickbay/sickbay/sdk/go/internal/abi"
	"github.com/sickbay/sickbay/sdk/go/internal/contract/check"
	"github.com/sickbay/sickbay/sdk/go/internal/contract/http"
	"github.com/sickbay/sickbay/sdk/go/internal/contract/net"
	"github.com/sickbay/sickbay/sdk/go/internal/contract/postgres"
	"github.com/sickbay/sickbay/sdk/go/internal/contract/recovery"
	"github.com/sickbay/sickbay/sdk/go/internal/contract/redis"
	"github.com/sickbay/sickbay/sdk/go/internal/contract/sink"
	"github.com/sickbay/sickbay/sdk/go/internal/contract/types"
)

// roomBytes is more than any of the values below has outside of its lists.
const roomBytes = 256

func expectSame[Value any](t *testing.T, lower func(*abi.Arena, uint32, Value), lift func(uint32) Value, value Value) {
	t.Helper()
	arena := abi.Begin()
	defer arena.End()
	at := arena.Allocate(roomBytes, 8)
	lower(arena, at, value)
	if lifted := lift(at); !reflect.DeepEqual(lifted, value) {
		t.Errorf("lowered %+v\nlifted  %+v", value, lifted)
	}
}

func of[Value any](value Value) *Value { return &value }

var labels = []types.Label{{Name: "a", Value: "1"}, {Name: "ü", Value: ""}}

var report = types.Report{
	Status:   types.StatusWarning,
	Summary:  "slow",
	Failure:  of("latency"),
	Metrics:  []types.Metric{{Name: "x", Value: -1.5, Kind: types.MetricKindCounter, Unit: "s", Labels: labels}, {Name: "y", Value: 1e300}},
	Evidence: []types.Evidence{{Metric: "x", Actual: "1", Expected: "2", Unit: "s"}},
	Details:  of(`{"a":1}`),
	Extras:   labels,
}

func TestARunIsTheSameOnBothSides(t *testing.T) {
	expectSame(t, types.LowerReport, types.LiftReport, report)
	expectSame(t, types.LowerReport, types.LiftReport, types.Report{})
	request := check.Request{
		Check: "c", Kind: "k", Config: "{}", ScheduledAt: 1 << 40, TimeoutMs: 5000, Attempt: 3, Target: of("t"), Labels: labels,
		Previous: &check.Earlier{ScheduledAt: 7, Report: report}, Extras: labels,
	}
	expectSame(t, check.LowerRequest, check.LiftRequest, request)
	result := abi.LowerResult(4, types.LowerReport, types.LowerFailure)
	back := abi.LiftResult(4, types.LiftReport, types.LiftFailure)
	expectSame(t, result, back, abi.OK[types.Failure](report))
	expectSame(t, result, back, abi.Failed[types.Report](types.Failure{Kind: "denied", Message: "no", Extras: labels}))
}

func TestEveryCaseOfAVariantIsTheSameOnBothSides(t *testing.T) {
	for _, value := range []postgres.Value{
		{Case: postgres.ValueNull}, {Case: postgres.ValueBoolean, Value: true}, {Case: postgres.ValueInt, Value: int64(-7)},
		{Case: postgres.ValueFloat, Value: 0.5}, {Case: postgres.ValueNumeric, Value: "1.50"}, {Case: postgres.ValueText, Value: ""},
		{Case: postgres.ValueBytes, Value: []byte{0, 255}}, {Case: postgres.ValueTimestampUs, Value: int64(1)},
		{Case: postgres.ValueOther, Value: postgres.OtherValue{TypeName: "inet", Text: "::1"}},
	} {
		expectSame(t, postgres.LowerValue, postgres.LiftValue, value)
	}
	for _, node := range []redis.Node{{Case: redis.NodeNil}, {Case: redis.NodeArrayOf, Value: uint32(2)}, {Case: redis.NodeBulk, Value: []byte("x")}} {
		expectSame(t, redis.LowerNode, redis.LiftNode, node)
	}
	for _, err := range []http.HttpError{
		{Case: http.HttpErrorDenied, Value: types.Denial{Reason: "r", Hint: "h"}}, {Case: http.HttpErrorOther, Value: "other"},
	} {
		expectSame(t, http.LowerHttpError, http.LiftHttpError, err)
	}
	if name := postgres.PostgresErrorTooManyConnections.String(); name != "too-many-connections" {
		t.Errorf("the case is called %s", name)
	}
}

func TestRecoveriesAndSinksAreTheSameOnBothSides(t *testing.T) {
	running := recovery.Progress{Case: recovery.ProgressRunning, Value: recovery.Running{Token: "{}", Summary: "goes on", AgainAfterMs: 9}}
	expectSame(t, recovery.LowerProgress, recovery.LiftProgress, running)
	done := recovery.Progress{Case: recovery.ProgressDone, Value: recovery.Outcome{
		Success: true, Reason: "r", Actions: []string{"a", "b"}, Recommendation: of("x"), Extras: labels,
	}}
	expectSame(t, recovery.LowerProgress, recovery.LiftProgress, done)
	alert := sink.Alert{
		IncidentId: "i", Phase: sink.PhaseResolved, Status: types.StatusCritical, StartedAt: 1, EndedAt: of(uint64(2)), Evidence: report.Evidence,
	}
	expectSame(t, sink.LowerRequest, sink.LiftRequest, sink.Request{
		Sink: "s", Notification: sink.Notification{IdempotencyKey: "k", Alerts: []sink.Alert{alert, {}}, Reference: of("m7"), Attempt: 2},
	})
}

func TestNetworksAreTheSameOnBothSides(t *testing.T) {
	session := &types.TlsSession{Version: "TLS 1.3", Untrusted: of("expired"), Chain: []types.Certificate{{Subject: "CN=a", NotAfter: 1 << 41}}}
	expectSame(t, net.LowerOpened, net.LiftOpened, net.Opened{Peer: "p", Timings: types.Timings{DnsUs: of(uint32(1)), TotalUs: 2}, Tls: session})
	expectSame(t, http.LowerResponse, http.LiftResponse, http.Response{
		Status: 599, Headers: []http.Header{{Name: "a", Value: "b"}}, Body: []byte("body"), Truncated: true, Tls: session,
		Redirects: []http.Redirect{{Status: 301, Url: "u"}},
	})
}

func TestTextThatIsNotUTF8BecomesText(t *testing.T) {
	arena := abi.Begin()
	defer arena.End()
	at := arena.Allocate(8, 4)
	abi.LowerString(arena, at, "a\xffb")
	if text := abi.LiftString(at); text != "a\uFFFDb" {
		t.Errorf("it became %q", text)
	}
}

func TestAValueLargerThanAChunkHasRoom(t *testing.T) {
	expectSame(t, abi.LowerBytes, abi.LiftBytes, make([]byte, 100_000))
	many := make([]types.Metric, 1000)
	for at := range many {
		many[at].Value = float64(at)
	}
	expectSame(t, abi.LowerList(40, 8, types.LowerMetric), abi.LiftList(40, types.LiftMetric), many)
}
