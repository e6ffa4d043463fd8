//go:build !wasip1

package sickbay_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/check"
	"github.com/sickbay/sickbay/sdk/go/sickbaytest"
	"github.com/sickbay/sickbay/sdk/go/state"
)

func TestTheWorstFindingWinsAndTheFirstOfItsWeightSpeaks(t *testing.T) {
	report := sickbay.OK("fine").Warning("latency", "slow").Critical("content", "wrong").
		Criticalf("certificate", "expired %d days ago", 3).Warning("latency", "slower")
	if report.Status != sickbay.StatusCritical || report.Summary != "wrong" || report.Failure != "content" {
		t.Errorf("it became %+v", report)
	}
	if report := sickbay.Unknown("cannot tell").Warning("disk", "full"); report.Status != sickbay.StatusWarning {
		t.Errorf("a finding left %s", report.Status)
	}
}

func TestTheEndOfAMetricsNameIsItsUnit(t *testing.T) {
	report := sickbay.OK("").AddGauge("used_bytes", 1, "mount", "/").AddCounter("requests_total", 2).AddEvidence("wait_seconds", 1.00004, "at most 1")
	expected := []sickbay.Metric{
		{Name: "used_bytes", Value: 1, Unit: "bytes", Labels: map[string]string{"mount": "/"}},
		{Name: "requests_total", Value: 2, Kind: sickbay.KindCounter},
	}
	if !reflect.DeepEqual(report.Metrics, expected) || report.Evidence[0] != (sickbay.Evidence{"wait_seconds", "1", "at most 1", "seconds"}) {
		t.Errorf("added %+v %+v", report.Metrics, report.Evidence)
	}
	if info := sickbay.Gauge("phase_seconds*", ""); info.Unit != "seconds" {
		t.Errorf("described with %q", info.Unit)
	}
}

func TestANameThatTheHostWouldRefusePanicsInTheLineThatWroteIt(t *testing.T) {
	for what, wrong := range map[string]func(){
		"metric":  func() { sickbay.OK("").AddGauge("Latency", 1) },
		"digit":   func() { sickbay.OK("").AddGauge("1st", 1) },
		"labels":  func() { sickbay.OK("").AddGauge("latency", 1, "path") },
		"failure": func() { sickbay.OK("").Warning("too many", "x") },
		"error":   func() { _ = sickbay.ServiceErrorf("", "x") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", what)
				}
			}()
			wrong()
		}()
	}
}

func TestAReportIsFittedIntoTheBounds(t *testing.T) {
	report := sickbay.OK(strings.Repeat("é", 400))
	for range 300 {
		report.AddGauge("count", 1).AddEvidence("", strings.Repeat("x", 2000), "")
	}
	report.Details = map[string]string{"a": strings.Repeat("x", 64<<10)}
	details := report.Fit()
	if len(report.Summary) > 512 || !strings.HasSuffix(report.Summary, "é…") || len(report.Metrics) != 256 || len(report.Evidence) != 8 {
		t.Errorf("%d %d %d", len(report.Summary), len(report.Metrics), len(report.Evidence))
	}
	if len(report.Evidence[0].Actual) > 1024 || details != nil || report.Extras["sdk.details-dropped-bytes"] != "65544" {
		t.Errorf("%d %s %v", len(report.Evidence[0].Actual), details, report.Extras)
	}
	for value, told := range map[any]string{"text": "no JSON object", math.NaN(): "unsupported value"} {
		report := sickbay.OK("")
		report.Details = value
		if details := report.Fit(); details != nil || !strings.Contains(report.Extras["sdk.details-dropped"], told) {
			t.Errorf("%v became %s, %v", value, details, report.Extras)
		}
	}
	whole := sickbay.OK(strings.Repeat("x", 512))
	whole.Details = struct{ A int }{1}
	if details := whole.Fit(); string(details) != `{"A":1}` || strings.HasSuffix(whole.Summary, "…") {
		t.Errorf("%s %s", details, whole.Summary)
	}
}

func TestTheOutermostErrorSaysWhoseMistakeItWas(t *testing.T) {
	refused := sickbay.ServiceErrorf(sickbay.FailureRefused, "port closed")
	denied := &sickbay.PluginError{Kind: sickbay.Denied, Message: "not granted", Hint: "http = []"}
	for _, one := range []struct {
		err                    error
		service, plugin, words string
	}{
		{refused, "refused", "", "port closed"},
		{fmt.Errorf("asking: %w", refused), "refused", "", "asking: port closed"},
		{denied, "", "denied", "not granted; hint: http = []"},
		{fmt.Errorf("twice: %w", errors.Join(errors.New("x"), denied)), "", "denied", "twice: x\nnot granted; hint: http = []"},
		{sickbay.ServiceErrorf("stale", "old: %w", denied), "stale", "", "old: not granted; hint: http = []"},
		{sickbay.ConfigurationErrorf("wrong: %w", refused), "", "configuration", "wrong: port closed"},
		{sickbay.QuotaErrorf("much"), "", "quota", "much"},
		{errors.New("a defect"), "", "internal", "a defect"},
		{context.DeadlineExceeded, "", "internal", "context deadline exceeded"},
	} {
		service, plugin := sickbay.Meaning(one.err)
		switch {
		case (service == nil) == (plugin == nil):
			t.Errorf("%v is %v and %v", one.err, service, plugin)
		case service != nil && (service.Failure != one.service || service.Error() != one.words):
			t.Errorf("%v is %s: %s", one.err, service.Failure, service)
		case plugin != nil && (string(plugin.Kind) != one.plugin || plugin.Error() != one.words):
			t.Errorf("%v is %s: %s", one.err, plugin.Kind, plugin)
		}
	}
	if service, plugin := sickbay.Meaning(nil); service != nil || plugin != nil {
		t.Errorf("no error is %v and %v", service, plugin)
	}
}

func TestErrorsAreThoseOfTheStandardLibraryToo(t *testing.T) {
	timeout := sickbay.ServiceErrorf(sickbay.FailureTimeout, "no answer")
	missing := sickbay.ServiceErrorf(sickbay.FailureMissing, "no such file")
	denied := error(&sickbay.PluginError{Kind: sickbay.Denied})
	if !errors.Is(timeout, os.ErrDeadlineExceeded) || !errors.Is(missing, fs.ErrNotExist) || !errors.Is(denied, fs.ErrPermission) {
		t.Error("an error is not known by its other name")
	}
	if errors.Is(missing, os.ErrDeadlineExceeded) || errors.Is(timeout, fs.ErrNotExist) || errors.Is(sickbay.QuotaErrorf("x"), fs.ErrPermission) {
		t.Error("an error is known by the name of another")
	}
	var waited interface{ Timeout() bool }
	if !errors.As(fmt.Errorf("x: %w", timeout), &waited) || !waited.Timeout() {
		t.Error("a timeout is none")
	}
}

type Config struct {
	Fail string `json:"fail,omitempty"`
}

var kind = check.Kind[Config]{
	Name:    "one",
	Summary: "Does one thing",
	Needs:   []sickbay.Need{{Reason: "asks", Grant: `http = ["GET {url}"]`}},
	Metrics: []sickbay.MetricInfo{sickbay.Gauge("length", "jobs")},
	Run: func(run *check.Run, config Config) (*sickbay.Report, error) {
		switch config.Fail {
		case "service":
			return nil, sickbay.ServiceErrorf("stale", "old")
		case "defect":
			return nil, errors.New("defect")
		case "nothing":
			return nil, nil
		}
		logger := run.Logger().With("run", run.Check).WithGroup("more")
		logger.Debug("begun", "at", run.Now(), slog.Group("inner", "a", 1))
		logger.Log(run, sickbay.LevelTrace, "told", "b", time.Second)
		return sickbay.OKf("%s %d %s", run.Target, run.Attempt, run.Labels["a"]), nil
	},
}

func with(change func(*sickbay.Plugin, *check.Kind[Config])) error {
	changed, plugin := kind, sickbay.Plugin{Name: "p", Version: "0.1.0", Summary: "s"}
	change(&plugin, &changed)
	plugin.Kinds = append(plugin.Kinds, changed)
	return plugin.Validate()
}

func TestADescriptionThatTheHostWouldRefuseIsToldWithTheFix(t *testing.T) {
	if err := with(func(*sickbay.Plugin, *check.Kind[Config]) {}); err != nil {
		t.Errorf("a good one is %v", err)
	}
	for told, change := range map[string]func(*sickbay.Plugin, *check.Kind[Config]){
		`"P" is no name of a plugin`:    func(plugin *sickbay.Plugin, _ *check.Kind[Config]) { plugin.Name = "P" },
		"has no version":                func(plugin *sickbay.Plugin, _ *check.Kind[Config]) { plugin.Version = "" },
		"two kinds of check named":      func(plugin *sickbay.Plugin, _ *check.Kind[Config]) { plugin.Kinds = []sickbay.Kind{kind} },
		`"a b" is no name of a kind`:    func(_ *sickbay.Plugin, kind *check.Kind[Config]) { kind.Name = "a b" },
		"it has no summary":             func(_ *sickbay.Plugin, kind *check.Kind[Config]) { kind.Summary = "" },
		"names no capability":           func(_ *sickbay.Plugin, kind *check.Kind[Config]) { kind.Needs = []sickbay.Need{{Grant: "htp = []"}} },
		`"x y" is no name for a metric`: func(_ *sickbay.Plugin, kind *check.Kind[Config]) { kind.Metrics = []sickbay.MetricInfo{{Name: "x y"}} },
		`describes the metric "length" twice`: func(_ *sickbay.Plugin, kind *check.Kind[Config]) {
			kind.Metrics = append(kind.Metrics, kind.Metrics...)
		},
		`"X" is no failure kind`: func(_ *sickbay.Plugin, kind *check.Kind[Config]) { kind.Failures = []string{"X"} },
		"too many needs":         func(_ *sickbay.Plugin, kind *check.Kind[Config]) { kind.Failures = make([]string, 65) },
	} {
		if err := with(change); err == nil || !strings.Contains(err.Error(), told) {
			t.Errorf("%v, expected %q", err, told)
		}
	}
}

func TestARunKnowsWhatItIsAskedAndLogsWithItsContext(t *testing.T) {
	host := sickbaytest.New(t)
	report, err := host.RunAs(kind, nil, check.Run{Target: "db1", Attempt: 2, Labels: map[string]string{"a": "b"}})
	if err != nil || report.Summary != "db1 2 b" {
		t.Fatal(report, err)
	}
	expected := []sickbaytest.Line{
		{Level: slog.LevelDebug, Message: "begun", Fields: map[string]string{"run": "test", "more.at": "2026-01-01 00:00:00 +0000 UTC", "more.inner.a": "1"}},
		{Level: sickbay.LevelTrace, Message: "told", Fields: map[string]string{"run": "test", "more.b": "1s"}},
	}
	if !reflect.DeepEqual(host.Log.Lines, expected) {
		t.Errorf("logged %+v", host.Log.Lines)
	}
}

func TestARunThatFailsChangesNoState(t *testing.T) {
	counting := check.Kind[Config]{Name: "counting", Summary: "Counts", Run: func(run *check.Run, config Config) (*sickbay.Report, error) {
		count, _ := state.GetJSON[int](run, "count")
		if err := state.PutJSON(run, "count", count+1); err != nil || config.Fail != "" {
			return nil, errors.New("it failed")
		}
		return sickbay.OK(""), nil
	}}
	host := sickbaytest.New(t)
	for _, fail := range []string{"", "yes", ""} {
		if _, err := host.Run(counting, Config{Fail: fail}); (err != nil) != (fail != "") {
			t.Fatal(err)
		}
	}
	if kept := string(host.State.Values["count"]); kept != "2" {
		t.Errorf("kept %s", kept)
	}
}

func TestWhatTheServiceDidIsAReportAndEverythingElseAFailure(t *testing.T) {
	host := sickbaytest.New(t)
	report, err := host.Run(kind, Config{Fail: "service"})
	if err != nil || report.Status != sickbay.StatusCritical || report.Failure != "stale" || report.Summary != "old" {
		t.Error(report, err)
	}
	for config, told := range map[any]string{
		Config{Fail: "defect"}: "defect", Config{Fail: "nothing"}: "neither a report nor an error", `{"fial": "x"}`: "`config.fial` is not known",
	} {
		var plugin *sickbay.PluginError
		if _, err := host.Run(kind, config); !errors.As(err, &plugin) || !strings.Contains(err.Error(), told) {
			t.Errorf("%v became %v", config, err)
		}
	}
}
