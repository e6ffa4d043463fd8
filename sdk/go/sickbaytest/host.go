//go:build !wasip1

// Package sickbaytest is a scripted host, so that `go test` runs a kind without WebAssembly.
//
//	host := sickbaytest.New(t)
//	host.HTTP.Reply(200, "12")
//	report, err := host.Run(queue, Config{URL: "https://example.com/queue.json"})
//	if err != nil || report.Status != sickbay.StatusOK {
//		t.Fatal(report, err)
//	}
//	if host.HTTP.Sent[0].URL != "https://example.com/queue.json" { ... }
//
// A [Host] holds what the host would answer and keeps what the plugin did; nothing is sent anywhere. Its clock stands still until an answer
// takes time or the test moves it. What a test did not script is denied, as on a real host without grants; a call without an answer left
// fails the test. Each test has its own host, so tests may run in parallel.
package sickbaytest

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"testing"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/check"
	"github.com/sickbay/sickbay/sdk/go/files"
	"github.com/sickbay/sickbay/sdk/go/http"
	"github.com/sickbay/sickbay/sdk/go/internal/lent"
	"github.com/sickbay/sickbay/sdk/go/internal/shape"
	"github.com/sickbay/sickbay/sdk/go/net"
	"github.com/sickbay/sickbay/sdk/go/postgres"
	"github.com/sickbay/sickbay/sdk/go/recovery"
	"github.com/sickbay/sickbay/sdk/go/redis"
	"github.com/sickbay/sickbay/sdk/go/secrets"
	"github.com/sickbay/sickbay/sdk/go/sink"
	"github.com/sickbay/sickbay/sdk/go/state"
	"github.com/sickbay/sickbay/sdk/go/system"
)

// timeout is that of a run, unless the test says otherwise.
const timeout = 5 * time.Second

// Host is what the host answers, and what the plugin did.
type Host struct {
	Clock    *Clock
	HTTP     *HTTP
	Postgres *Postgres
	Redis    *Redis
	Net      *Net
	Secrets  *Secrets
	Files    *Files
	System   *System
	State    *State
	Log      *Log
	// What Plan, Act and Follow are about, and the key that the last two have.
	Incident       recovery.Incident
	IdempotencyKey string

	t testing.TB
}

// New is a host of one test.
func New(t testing.TB) *Host {
	clock := &Clock{now: begin}
	return &Host{
		Clock:          clock,
		HTTP:           &HTTP{script: script[*http.Response]{t: t, clock: clock}},
		Postgres:       &Postgres{script: script[*postgres.Rows]{t: t, clock: clock}},
		Redis:          &Redis{script: script[redis.Reply]{t: t, clock: clock}},
		Net:            &Net{dialogues: script[*Dialogue]{t: t, clock: clock}, lookups: script[*net.Records]{t: t, clock: clock}},
		Secrets:        &Secrets{Known: map[string]secrets.Info{}},
		Files:          &Files{clock: clock, ByPath: map[string]*File{}},
		System:         &System{},
		State:          &State{Values: map[string][]byte{}},
		Log:            &Log{},
		Incident:       Incident(),
		IdempotencyKey: "test-key",
		t:              t,
	}
}

// Context is a context to which all of the host is lent, for functions that are tested outside of a run.
func (host *Host) Context() context.Context {
	ctx := lent.With[lent.Clock](host.t.Context(), host.Clock)
	ctx = lent.With[lent.Log](ctx, host.Log)
	ctx = lent.With[http.Backend](ctx, host.HTTP)
	ctx = lent.With[postgres.Backend](ctx, host.Postgres)
	ctx = lent.With[redis.Backend](ctx, host.Redis)
	ctx = lent.With[net.Backend](ctx, host.Net)
	ctx = lent.With[secrets.Backend](ctx, host.Secrets)
	ctx = lent.With[files.Backend](ctx, host.Files)
	ctx = lent.With[system.Backend](ctx, host.System)
	return lent.With[state.Backend](ctx, host.State)
}

// Run runs a check with this configuration: a value of its own type, a map, JSON as text, or nil for its example.
//
// What the service did is in the report. What the plugin or its configuration did is the error, and changes no state.
func (host *Host) Run(kind sickbay.Kind, config any) (*sickbay.Report, error) {
	host.t.Helper()
	return host.RunAs(kind, config, check.Run{})
}

// RunAs is [Host.Run] with what else a run may be asked: target, labels, attempt, the report before. What is not told is usual.
func (host *Host) RunAs(kind sickbay.Kind, config any, told check.Run) (*sickbay.Report, error) {
	host.t.Helper()
	asked := expect[interface {
		Answer(*check.Run, []byte) (*sickbay.Report, error)
	}](host, kind)
	run := &told
	run.Kind = host.describe(kind).Name
	run.Attempt = max(1, run.Attempt)
	if run.Check == "" {
		run.Check = "test"
	}
	if run.ScheduledAt.IsZero() {
		run.ScheduledAt = host.Clock.now
	}
	before := maps.Clone(host.State.Values)
	document := host.document(kind, config)
	report, err := call(host, run.Timeout, &run.Call, func() (*sickbay.Report, error) { return asked.Answer(run, document) })
	if err != nil {
		host.State.Values = before
		return nil, err
	}
	report.Fit()
	return report, nil
}

// Plan asks a recovery for its steps. It keeps no state.
func (host *Host) Plan(kind sickbay.Kind, config any) ([]recovery.Action, error) {
	host.t.Helper()
	asked := expect[interface {
		AnswerPlan(*recovery.Run, []byte) ([]recovery.Action, error)
	}](host, kind)
	run, document := host.recovery(kind, config)
	run.IdempotencyKey = ""
	before := maps.Clone(host.State.Values)
	defer func() { host.State.Values = before }()
	return call(host, 0, &run.Call, func() ([]recovery.Action, error) { return asked.AnswerPlan(run, document) })
}

// Act takes one step of a recovery.
func (host *Host) Act(kind sickbay.Kind, config any, action recovery.Action) (recovery.Progress, error) {
	host.t.Helper()
	asked := expect[interface {
		AnswerAct(*recovery.Run, []byte, recovery.Action) (recovery.Progress, error)
	}](host, kind)
	run, document := host.recovery(kind, config)
	return call(host, 0, &run.Call, func() (recovery.Progress, error) { return asked.AnswerAct(run, document, action) })
}

// Follow asks a recovery how a step is doing.
func (host *Host) Follow(kind sickbay.Kind, config any, action recovery.Action, token json.RawMessage) (recovery.Progress, error) {
	host.t.Helper()
	asked := expect[interface {
		AnswerFollow(*recovery.Run, []byte, recovery.Action, json.RawMessage) (recovery.Progress, error)
	}](host, kind)
	run, document := host.recovery(kind, config)
	return call(host, 0, &run.Call, func() (recovery.Progress, error) { return asked.AnswerFollow(run, document, action, token) })
}

// Deliver has a sink tell something. The error is a sink.RetryableError or a sink.PermanentError.
func (host *Host) Deliver(kind sickbay.Kind, config any, notification sink.Notification) (sink.Receipt, error) {
	host.t.Helper()
	asked := expect[interface {
		Answer(*sink.Run, []byte) (sink.Receipt, error)
	}](host, kind)
	run := &sink.Run{Sink: "test", Kind: host.describe(kind).Name, Notification: notification}
	document := host.document(kind, config)
	return call(host, 0, &run.Call, func() (sink.Receipt, error) { return asked.Answer(run, document) })
}

func (host *Host) recovery(kind sickbay.Kind, config any) (*recovery.Run, []byte) {
	host.t.Helper()
	run := &recovery.Run{Recovery: "test", Kind: host.describe(kind).Name, Incident: host.Incident, IdempotencyKey: host.IdempotencyKey}
	return run, host.document(kind, config)
}

// call begins a call, asks, and ends it.
func call[Answer any](host *Host, long time.Duration, into *sickbay.Call, ask func() (Answer, error)) (Answer, error) {
	if long == 0 {
		long = timeout
	}
	begun, cancel := sickbay.NewCall(host.Context(), long)
	defer cancel()
	*into = begun
	host.Clock.begin(long)
	defer host.Clock.end()
	return ask()
}

func expect[Wanted any](host *Host, kind sickbay.Kind) Wanted {
	host.t.Helper()
	wanted, is := kind.(Wanted)
	if !is {
		host.t.Fatalf("%T cannot be called so; hint: Run is for checks, Plan, Act and Follow for recoveries, Deliver for sinks", kind)
	}
	return wanted
}

func (host *Host) describe(kind sickbay.Kind) sickbay.Description {
	host.t.Helper()
	told, err := kind.Describe()
	if err != nil {
		host.t.Fatalf("%s: %v", told.Name, err)
	}
	return told
}

// document is a configuration as a host would hand it over.
func (host *Host) document(kind sickbay.Kind, config any) []byte {
	host.t.Helper()
	switch told := config.(type) {
	case nil:
		return host.describe(kind).Example
	case string:
		return []byte(told)
	}
	var document []byte
	var err error
	if of := reflect.TypeOf(config); of.Kind() == reflect.Struct {
		var found *shape.Shape
		if found, err = shape.Of(of); err == nil {
			document, err = found.Write(reflect.ValueOf(config))
		}
	} else {
		document, err = json.Marshal(config)
	}
	if err != nil {
		host.t.Fatalf("%T is no configuration: %v", config, err)
	}
	return document
}
