package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/sickbaytest"
)

var config = Config{URL: "https://example.com/feed.json", WarningSeconds: 60, CriticalSeconds: 600}

type object = map[string]any

func script(host *sickbaytest.Host, age time.Duration, total int) *sickbaytest.Host {
	host.HTTP.ReplyJSON(200, object{"total": total, "entries": []object{{"published_at": host.Clock.Now().Add(-age)}}})
	return host
}

func value(t *testing.T, report *sickbay.Report, name string) float64 {
	for _, metric := range report.Metrics {
		if metric.Name == name {
			return metric.Value
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func TestThePluginIsDescribedAsTheHostWantsIt(t *testing.T) { sickbaytest.AssertValid(t, plugin) }

func TestAnEntryIsJudgedByItsAge(t *testing.T) {
	for age, status := range map[time.Duration]sickbay.Status{
		30 * time.Second: sickbay.StatusOK, 61 * time.Second: sickbay.StatusWarning, 601 * time.Second: sickbay.StatusCritical,
	} {
		report, err := script(sickbaytest.New(t), age, 1).Run(feedAge, config)
		if err != nil {
			t.Fatal(err)
		}
		if report.Status != status {
			t.Errorf("an entry of %s is %s, not %s", age, report.Status, status)
		}
		sickbaytest.AssertDescribed(t, feedAge, report)
	}
}

func TestEntriesSinceTheRunBeforeAreCounted(t *testing.T) {
	host := sickbaytest.New(t)
	for _, step := range []struct {
		total int
		added float64
	}{{10, 0}, {13, 3}} {
		report, err := script(host, 0, step.total).Run(feedAge, config)
		if err != nil {
			t.Fatal(err)
		}
		if added := value(t, report, "entries_new"); added != step.added {
			t.Errorf("%v entries are new, not %v", added, step.added)
		}
	}
}

func TestWhatTheServiceDidIsCritical(t *testing.T) {
	host := sickbaytest.New(t)
	host.HTTP.Fail(sickbay.ServiceErrorf(sickbay.FailureRefused, "connection refused"))
	host.HTTP.Reply(503, "")
	host.HTTP.Reply(200, "<html>")
	host.HTTP.ReplyJSON(200, object{"total": 1, "entries": []object{}})
	host.HTTP.Reply(200, "{}").Takes(time.Minute)
	for _, failure := range []string{"refused", "content", "content", "content", "timeout"} {
		report, err := host.Run(feedAge, config)
		if err != nil {
			t.Fatal(err)
		}
		if report.Status != sickbay.StatusCritical || report.Failure != failure {
			t.Errorf("%s with %q, expected %q: %s", report.Status, report.Failure, failure, report.Summary)
		}
	}
}

func TestWhatTheServiceDidNotDoIsNoReport(t *testing.T) {
	host := sickbaytest.New(t)
	host.HTTP.Fail(&sickbay.PluginError{Kind: sickbay.Denied, Message: "not granted", Hint: `http = ["GET https://example.com/feed.json"]`})
	_, err := host.Run(feedAge, config)
	var denied *sickbay.PluginError
	if !errors.As(err, &denied) || denied.Kind != sickbay.Denied {
		t.Errorf("a denial became %v", err)
	}
	wrong := config
	wrong.CriticalSeconds = 1
	if _, err := host.Run(feedAge, wrong); err == nil || !strings.Contains(err.Error(), "`critical_seconds` is below") {
		t.Errorf("a configuration that contradicts itself became %v", err)
	}
}
