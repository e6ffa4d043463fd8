//go:build !wasip1

package sickbaytest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/recovery"
	"github.com/sickbay/sickbay/sdk/go/sink"
)

// Incident is that of a check `test` that is critical; change what matters.
func Incident() recovery.Incident {
	return recovery.Incident{
		ID:                  "01INCIDENT",
		Check:               "test",
		Failure:             sickbay.FailureConnection,
		Severity:            "P3",
		Since:               begin,
		ConsecutiveFailures: 1,
		LastReport:          sickbay.OK("").Critical(sickbay.FailureConnection, "the service does not answer"),
	}
}

// Alert is one of a check `test` that fires; change what matters.
func Alert() sink.Alert {
	return sink.Alert{
		IncidentID: "01INCIDENT",
		Check:      "test",
		Status:     sickbay.StatusCritical,
		Failure:    sickbay.FailureConnection,
		Severity:   "P3",
		Summary:    "the service does not answer",
		Reason:     "Reported",
		Labels:     map[string]string{"alertname": "test"},
		StartedAt:  begin,
	}
}

// Notification is one of these alerts, of one that fires where there are none; change what matters.
func Notification(alerts ...sink.Alert) sink.Notification {
	if len(alerts) == 0 {
		alerts = []sink.Alert{Alert()}
	}
	phase := alerts[0].Phase
	if slices.ContainsFunc(alerts, func(alert sink.Alert) bool { return alert.Phase == sink.Firing }) {
		phase = sink.Firing
	}
	return sink.Notification{IdempotencyKey: "test-key", Group: "test", Phase: phase, Severity: "P3", Alerts: alerts, Attempt: 1}
}

// AssertValid fails the test with the first thing in a plugin's description that the host would refuse.
func AssertValid(t testing.TB, plugin sickbay.Plugin) {
	t.Helper()
	if err := plugin.Validate(); err != nil {
		t.Error(err)
	}
}

// AssertDescribed fails the test with what of the report the check does not describe: a metric, a failure kind.
func AssertDescribed(t testing.TB, kind sickbay.Kind, report *sickbay.Report) {
	t.Helper()
	told, err := kind.Describe()
	if err == nil {
		err = undescribed(told, report)
	}
	if err != nil {
		t.Errorf("%s: %v", told.Name, err)
	}
}

func undescribed(told sickbay.Description, report *sickbay.Report) error {
	for _, metric := range report.Metrics {
		if !slices.ContainsFunc(told.Metrics, func(info sickbay.MetricInfo) bool { return describes(info, metric) }) {
			return fmt.Errorf("the metric %s (%q, %s) is not described", metric.Name, metric.Unit, metric.Kind)
		}
	}
	switch {
	case report.Failure != "" && !slices.Contains(told.Failures, report.Failure):
		return fmt.Errorf("the failure %s is not described", report.Failure)
	case report.Failure == "" && report.Status > sickbay.StatusOK:
		return fmt.Errorf("the report is %s and has no failure kind", report.Status)
	}
	return nil
}

func describes(info sickbay.MetricInfo, metric sickbay.Metric) bool {
	isNamed := metric.Name == info.Name
	if start, is := strings.CutSuffix(info.Name, "*"); is {
		isNamed = strings.HasPrefix(metric.Name, start)
	}
	return isNamed && metric.Unit == info.Unit && metric.Kind == info.Kind
}
