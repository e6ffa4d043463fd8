package main

import (
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"strings"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/check"
	"github.com/sickbay/sickbay/sdk/go/state"
)

const (
	// One more than a report may have.
	metrics           = 257
	evidence          = 9
	summaryCharacters = 300
	detailsBytes      = 70_000
	stateBytes        = 20_000
	blockBytes        = 1 << 20
)

// What needs no service: the kinds `request`, `report`, `end`, `state` and `log`.
var asked = check.Kind[struct{}]{
	Name:    "request",
	Summary: "Tells what it was asked",
	Run: func(run *check.Run, _ struct{}) (*sickbay.Report, error) {
		var told lines
		told.add("check %s", text(run.Check))
		told.add("kind %s", text(run.Kind))
		told.add("target %s", optional(run.Target))
		told.add("attempt %d", run.Attempt)
		told.add("timeout-ms %d", run.Timeout.Milliseconds())
		told.add("scheduled-at %s", milliseconds(run.ScheduledAt))
		labels(&told, "label", run.Labels)
		labels(&told, "extra", run.Extras)
		if run.Previous == nil {
			told.add("previous null")
		} else {
			earlier(&told, run.Previous.ScheduledAt, run.Previous.Report)
		}
		return told.report(), nil
	},
}

func earlier(told *lines, at time.Time, report *sickbay.Report) {
	told.add("previous %s %s %s %s", milliseconds(at), report.Status, text(report.Summary), optional(report.Failure))
	for _, metric := range report.Metrics {
		told.add("metric %s %s %s %s", text(metric.Name), float(metric.Value), metric.Kind, text(metric.Unit))
		labels(told, "metric-label", metric.Labels)
	}
	for _, one := range report.Evidence {
		told.add("evidence %s %s %s %s", text(one.Metric), text(one.Actual), text(one.Expected), text(one.Unit))
	}
	labels(told, "previous-extra", report.Extras)
}

type reportConfig struct {
	What string `json:"what" doc:"Which report" enum:"whole,findings,unknown,not-finite,too-much"`
}

var reports = check.Kind[reportConfig]{
	Name:    "report",
	Summary: "Reports everything that a report may hold",
	Example: reportConfig{What: "unknown"},
	Run: func(_ *check.Run, config reportConfig) (*sickbay.Report, error) {
		switch config.What {
		case "whole":
			return whole(), nil
		case "findings":
			report := sickbay.OK("fine").Warning("latency", "slow").Critical("content", "wrong")
			return report.Critical("certificate", "expired").Warning("capacity", "full"), nil
		case "unknown":
			return sickbay.Unknown("it cannot be judged yet"), nil
		case "not-finite":
			report := sickbay.OK("one number of three").AddGauge("not_a_number", math.NaN()).AddGauge("endless", math.Inf(1))
			return report.AddGauge("finite", 1), nil
		case "too-much":
			return tooMuch(), nil
		}
		return nil, sickbay.ConfigurationErrorf("no report is called %q", config.What)
	},
}

func whole() *sickbay.Report {
	report := sickbay.OK("é ☃ \"quoted\" \\").
		AddGauge("latency_seconds", 0.25).
		AddGauge("used_bytes", 1024).
		AddGauge("hit_ratio", 0.5).
		AddGauge("jobs", -3).
		AddCounter("served", 7).
		AddGauge("queue_jobs", 2, "queue", "é\"\\", "state", "waiting").
		AddGauge("queue_jobs", 4, "queue", "mail", "state", "waiting").
		AddEvidence("latency_seconds", "0.25", "at most 0.1").
		AddEvidence("", "é", "☃").
		Warning("capacity", "é ☃ it is too much").
		AddExtra("conformance.extra", "é")
	report.Details = map[string]any{"nested": map[string]any{"list": []any{1, true, "é\n"}}}
	return report
}

func tooMuch() *sickbay.Report {
	report := sickbay.OK(strings.Repeat("é", summaryCharacters))
	report.Details = map[string]any{"text": strings.Repeat("x", detailsBytes)}
	for count := range metrics {
		report.AddGauge(fmt.Sprintf("metric_%d", count), float64(count))
	}
	for count := range evidence {
		report.AddEvidence("", count, strings.Repeat("☃", 2*summaryCharacters))
	}
	return report
}

type endConfig struct {
	How string `json:"how" doc:"How the run ends" enum:"service,configuration,quota,internal,defect,trap,loop,memory"`
}

var end = check.Kind[endConfig]{
	Name:     "end",
	Summary:  "Ends in every way that is no report",
	Example:  endConfig{How: "service"},
	Failures: []string{"stale"},
	Run: func(_ *check.Run, config endConfig) (*sickbay.Report, error) {
		switch config.How {
		case "service":
			return nil, sickbay.ServiceErrorf("stale", "the newest entry is é old")
		case "configuration":
			return nil, sickbay.ConfigurationErrorf("it cannot be so")
		case "quota":
			return nil, sickbay.QuotaErrorf("it is too much")
		case "internal":
			return nil, sickbay.InternalErrorf("it is broken")
		case "defect":
			var none map[string]int
			none[config.How] = 1
		case "trap":
			// A panic becomes a failure. This is the instruction `unreachable`.
			runtime.Breakpoint()
		case "loop":
			for {
			}
		}
		return nil, exhaust()
	},
}

// blocks holds what exhaust takes, so that it is not freed.
var blocks [][]byte

// exhaust takes memory until there is none.
func exhaust() error {
	for len(blocks) < 4096 {
		block := make([]byte, blockBytes)
		for at := range block {
			block[at] = 1
		}
		blocks = append(blocks, block)
	}
	return sickbay.InternalErrorf("there is no end to its memory")
}

type stateConfig struct {
	What string `json:"what" doc:"What is kept" enum:"count,too-much" default:"count"`
}

var kept = check.Kind[stateConfig]{
	Name:    "state",
	Summary: "Counts its runs, and keeps bytes",
	Example: stateConfig{What: "count"},
	Run: func(run *check.Run, config stateConfig) (*sickbay.Report, error) {
		if config.What == "too-much" {
			if err := state.Put(run, "much", []byte(strings.Repeat("x", stateBytes))); err != nil {
				return nil, err
			}
		}
		var told lines
		runs, _ := state.GetJSON[int](run, "runs")
		runs++
		if err := state.PutJSON(run, "runs", runs); err != nil {
			return nil, err
		}
		told.add("runs %d", runs)
		told.add("before %s", bytesOrNull(state.Get(run, "raw")))
		if err := state.Put(run, "raw", []byte{0x00, 0xff}); err != nil {
			return nil, err
		}
		told.add("after %s", bytesOrNull(state.Get(run, "raw")))
		state.Remove(run, "gone")
		return told.report(), nil
	},
}

func bytesOrNull(value []byte, isThere bool) string {
	if !isThere {
		return "null"
	}
	return byteString(value)
}

var logged = check.Kind[struct{}]{
	Name:    "log",
	Summary: "Logs a line of each level",
	Run: func(run *check.Run, _ struct{}) (*sickbay.Report, error) {
		for _, line := range []struct {
			word  string
			level slog.Level
		}{
			{"trace", sickbay.LevelTrace},
			{"debug", slog.LevelDebug},
			{"info", slog.LevelInfo},
			{"warn", slog.LevelWarn},
			{"error", slog.LevelError},
		} {
			run.Logger().Log(run, line.level, "conformance "+line.word, "number", 7, "text", "é")
		}
		return sickbay.OK("logged"), nil
	},
}
