// Package guest turns what the SDK's packages share into the contract's types, and back.
package guest

import (
	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/internal/contract/types"
	"github.com/sickbay/sickbay/sdk/go/internal/wire"
)

// Report is a report as the host gets it.
func Report(report *sickbay.Report) types.Report {
	details := report.Fit()
	return types.Report{
		Status:   types.Status(report.Status),
		Summary:  report.Summary,
		Failure:  wire.Optional(report.Failure),
		Metrics:  wire.Each(report.Metrics, metric),
		Evidence: wire.Each(report.Evidence, evidence),
		Details:  wire.Optional(string(details)),
		Extras:   wire.Labels(report.Extras),
	}
}

func metric(metric sickbay.Metric) types.Metric {
	return types.Metric{
		Name:   metric.Name,
		Value:  metric.Value,
		Kind:   types.MetricKind(metric.Kind),
		Unit:   metric.Unit,
		Labels: wire.Labels(metric.Labels),
	}
}

func evidence(evidence sickbay.Evidence) types.Evidence {
	return types.Evidence{Metric: evidence.Metric, Actual: evidence.Actual, Expected: evidence.Expected, Unit: evidence.Unit}
}

// ReportHere is an earlier report, as the host tells it.
func ReportHere(report types.Report) *sickbay.Report {
	return &sickbay.Report{
		Status:   sickbay.Status(report.Status),
		Summary:  report.Summary,
		Failure:  wire.Text(report.Failure),
		Metrics:  wire.Each(report.Metrics, metricHere),
		Evidence: wire.Each(report.Evidence, EvidenceHere),
		Extras:   wire.Map(report.Extras),
	}
}

func metricHere(metric types.Metric) sickbay.Metric {
	return sickbay.Metric{
		Name:   metric.Name,
		Value:  metric.Value,
		Kind:   sickbay.MetricKind(metric.Kind),
		Unit:   metric.Unit,
		Labels: wire.Map(metric.Labels),
	}
}

// EvidenceHere is evidence as the host tells it.
func EvidenceHere(evidence types.Evidence) sickbay.Evidence {
	return sickbay.Evidence{Metric: evidence.Metric, Actual: evidence.Actual, Expected: evidence.Expected, Unit: evidence.Unit}
}
