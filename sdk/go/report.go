package sickbay

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/sickbay/sickbay/sdk/go/internal/bounds"
)

// Status is one of the four states of a check.
type Status uint8

const (
	// StatusUnknown means that the target answered, and its answer cannot be judged (yet). It comes first, so that a report that nobody
	// filled in is not ok.
	StatusUnknown Status = iota
	// StatusOK means that the target answered as it should.
	StatusOK
	// StatusWarning means that it works and needs attention.
	StatusWarning
	// StatusCritical also means that it refused, timed out or answered wrongly.
	StatusCritical
)

func (status Status) String() string {
	return [...]string{"unknown", "ok", "warning", "critical"}[status&3]
}

// The order in which findings win.
func (status Status) weight() int { return [...]int{1, 0, 2, 3}[status&3] }

// MetricKind is how a number behaves over time.
type MetricKind uint8

const (
	// KindGauge may go up and down.
	KindGauge MetricKind = iota
	// KindCounter only grows, except when the thing counted restarts.
	KindCounter
)

func (kind MetricKind) String() string { return [...]string{"gauge", "counter"}[kind&1] }

// Metric is one number. The host drops one that is not finite.
type Metric struct {
	// Lower-case letters, digits and `_`, with the base unit last: `latency_seconds`.
	Name  string
	Value float64
	Kind  MetricKind
	// `seconds`, `bytes`, `ratio`, or empty for a plain count.
	Unit string
	// What tells series of one name apart.
	Labels map[string]string
}

// Evidence is what was measured against what was allowed.
type Evidence struct {
	// Empty where no metric is behind it.
	Metric, Actual, Expected, Unit string
}

// Report is what one run found. [OK] starts one.
//
// Findings only make it worse: Warning after Critical leaves it critical, and among findings of the same weight the first one gives the
// summary and the failure kind. Write the most telling one first. Every method returns the report itself.
//
// A name that no metric and no failure may have is a mistake of the plugin: the methods panic, and the run becomes a failure `internal`
// that names the line.
type Report struct {
	Status  Status
	Summary string
	// The word that recoveries are matched by; empty while the status is ok.
	Failure  string
	Metrics  []Metric
	Evidence []Evidence
	// What else is worth keeping with the result: a map or a struct, as JSON at most 64 KiB.
	Details any
	// Put a dot into a name (`mycompany.region`): names without one belong to the contract.
	Extras map[string]string
}

// OK starts a report: all is well until a finding says otherwise.
func OK(summary string) *Report { return &Report{Status: StatusOK, Summary: summary} }

// OKf is [OK] with a summary as fmt.Sprintf makes it.
func OKf(format string, values ...any) *Report { return OK(fmt.Sprintf(format, values...)) }

// Unknown starts a report on a target whose answer cannot be judged (yet).
func Unknown(summary string) *Report { return &Report{Status: StatusUnknown, Summary: summary} }

// Warning makes the report a warning, unless it is as bad already.
func (report *Report) Warning(failure, summary string) *Report {
	return report.worsen(StatusWarning, failure, summary)
}

// Warningf is Warning with a summary as fmt.Sprintf makes it.
func (report *Report) Warningf(failure, format string, values ...any) *Report {
	return report.Warning(failure, fmt.Sprintf(format, values...))
}

// Critical makes the report critical, unless it is already.
func (report *Report) Critical(failure, summary string) *Report {
	return report.worsen(StatusCritical, failure, summary)
}

// Criticalf is Critical with a summary as fmt.Sprintf makes it.
func (report *Report) Criticalf(failure, format string, values ...any) *Report {
	return report.Critical(failure, fmt.Sprintf(format, values...))
}

func (report *Report) worsen(status Status, failure, summary string) *Report {
	mustBeWord("failure kind", failure)
	if status.weight() > report.Status.weight() {
		report.Status, report.Failure, report.Summary = status, failure, summary
	}
	return report
}

// AddGauge adds a number that may go up and down. The end of its name is its unit: `_seconds`, `_bytes` or `_ratio`. Labels are names and
// values in turn; a name with its labels may occur once in a report.
func (report *Report) AddGauge(name string, value float64, labels ...string) *Report {
	return report.add(KindGauge, name, value, labels)
}

// AddCounter adds a number that only grows, except when the thing counted restarts.
func (report *Report) AddCounter(name string, value float64, labels ...string) *Report {
	return report.add(KindCounter, name, value, labels)
}

func (report *Report) add(kind MetricKind, name string, value float64, labels []string) *Report {
	if !bounds.IsMetricName(name) {
		panic(fmt.Sprintf("%q is no name for a metric; hint: %s", name, metricNameHint))
	}
	if len(labels)%2 != 0 {
		panic(fmt.Sprintf("the metric %s has a label without a value; hint: write names and values in turn", name))
	}
	metric := Metric{Name: name, Value: value, Kind: kind, Unit: unitOf(name)}
	for at := 0; at < len(labels); at += 2 {
		if metric.Labels == nil {
			metric.Labels = map[string]string{}
		}
		metric.Labels[labels[at]] = labels[at+1]
	}
	report.Metrics = append(report.Metrics, metric)
	return report
}

// AddEvidence adds what was measured against what was allowed. The metric may be empty. A number is told with at most four places.
func (report *Report) AddEvidence(metric string, actual, expected any) *Report {
	report.Evidence = append(report.Evidence, Evidence{metric, told(actual), told(expected), unitOf(metric)})
	return report
}

// AddExtra adds an extra. Put a dot into its name: names without one belong to the contract.
func (report *Report) AddExtra(name, value string) *Report {
	if report.Extras == nil {
		report.Extras = map[string]string{}
	}
	report.Extras[name] = value
	return report
}

// Fit fits the report into the contract's bounds, and answers its details as JSON. The SDK does it behind each run.
//
// Text for people is cut. What machines read is not mended: the host refuses a wrong label.
func (report *Report) Fit() (details json.RawMessage) {
	report.Summary = bounds.Cut(report.Summary, bounds.SummaryBytesMax)
	report.Metrics = report.Metrics[:min(len(report.Metrics), bounds.MetricsMax)]
	report.Evidence = report.Evidence[:min(len(report.Evidence), bounds.EvidenceMax)]
	for at := range report.Evidence {
		evidence := &report.Evidence[at]
		evidence.Actual = bounds.Cut(evidence.Actual, bounds.EvidenceTextBytesMax)
		evidence.Expected = bounds.Cut(evidence.Expected, bounds.EvidenceTextBytesMax)
	}
	if report.Details == nil {
		return nil
	}
	text, err := json.Marshal(report.Details)
	switch {
	case err != nil:
		report.AddExtra("sdk.details-dropped", bounds.Cut(err.Error(), 256))
	case len(text) > bounds.DetailsBytesMax:
		report.AddExtra("sdk.details-dropped-bytes", strconv.Itoa(len(text)))
	case text[0] != '{':
		report.AddExtra("sdk.details-dropped", "they are no JSON object")
	default:
		return text
	}
	report.Details = nil
	return nil
}

// Evidence is for people: four places are enough.
func told(value any) string {
	if number, is := value.(float64); is {
		return strconv.FormatFloat(math.Round(number*1e4)/1e4, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}

// unitOf is the base unit that a metric's name ends with.
func unitOf(name string) string {
	name = strings.TrimSuffix(name, "*")
	for _, unit := range [...]string{"seconds", "bytes", "ratio"} {
		if name == unit || strings.HasSuffix(name, "_"+unit) {
			return unit
		}
	}
	return ""
}

const (
	wordHint       = "lower-case letters, digits and `-`, at most 64, such as `too-many-connections`"
	metricNameHint = "lower-case letters, digits and `_`, at most 64, such as `latency_seconds`"
)

func mustBeWord(what, text string) {
	if !bounds.IsWord(text) {
		panic(fmt.Sprintf("%q is no %s; hint: %s", text, what, wordHint))
	}
}
