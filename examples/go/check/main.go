// Feed-age is a check of how old the newest entry of a JSON feed is.
//
// What it shows: a typed configuration, an answer read into a struct, metrics, evidence, a rate out of state, and whose mistake it was: a feed
// that does not answer, or answers something else, is critical without a line of code for it.
package main

import (
	"errors"
	"fmt"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/check"
	"github.com/sickbay/sickbay/sdk/go/http"
	"github.com/sickbay/sickbay/sdk/go/state"
)

type Config struct {
	URL             string  `json:"url" doc:"Where the feed is" pattern:"^https?://"`
	WarningSeconds  float64 `json:"warning_seconds" doc:"Warning when the newest entry is older" min:"0" default:"300"`
	CriticalSeconds float64 `json:"critical_seconds" doc:"Critical when the newest entry is older" min:"0" default:"3600"`
}

func (config Config) Validate() error {
	if config.CriticalSeconds < config.WarningSeconds {
		return errors.New("`critical_seconds` is below `warning_seconds`")
	}
	return nil
}

type Feed struct {
	Total   int `json:"total"`
	Entries []struct {
		PublishedAt time.Time `json:"published_at"`
	} `json:"entries"`
}

// Newest is when the newest entry came. A feed without one is the service's fault.
func (feed Feed) Newest() (time.Time, error) {
	var newest time.Time
	for _, entry := range feed.Entries {
		if entry.PublishedAt.After(newest) {
			newest = entry.PublishedAt
		}
	}
	if newest.IsZero() {
		return newest, sickbay.ServiceErrorf(sickbay.FailureContent, "the feed has no entry")
	}
	return newest, nil
}

var feedAge = check.Kind[Config]{
	Name:    "feed-age",
	Summary: "How old the newest entry of a JSON feed is",
	Example: Config{URL: "https://example.com/feed.json"},
	Needs:   []sickbay.Need{{Reason: "reads the feed", Grant: `http = ["GET {url}"]`}},
	Metrics: []sickbay.MetricInfo{
		sickbay.Gauge("age_seconds", "since the newest entry"),
		sickbay.Gauge("entries_new", "entries since the run before"),
		sickbay.Gauge("latency_seconds", "the whole exchange"),
	},
	Failures: []string{"content", "stale", "dns", "refused", "connection", "tls", "timeout", "protocol"},
	Run:      run,
}

func run(run *check.Run, config Config) (*sickbay.Report, error) {
	response, err := http.Get(run, config.URL)
	if err != nil {
		return nil, err
	}
	if err := response.Expect(); err != nil {
		return nil, err
	}
	var feed Feed
	if err := response.JSON(&feed); err != nil {
		return nil, err
	}
	newest, err := feed.Newest()
	if err != nil {
		return nil, err
	}
	age := run.Now().Sub(newest)
	added := 0
	if before, isThere := state.GetJSON[int](run, "total"); isThere {
		added = feed.Total - before
	}
	if err := state.PutJSON(run, "total", feed.Total); err != nil {
		return nil, err
	}
	run.Logger().Info("read the feed", "entries", len(feed.Entries), "age", age)

	report := sickbay.OKf("the newest entry is %s old", age.Round(time.Second)).
		AddGauge("age_seconds", age.Seconds()).
		AddGauge("entries_new", float64(added)).
		AddGauge("latency_seconds", response.Timings.Total.Seconds())
	for _, limit := range []struct {
		seconds float64
		finding func(failure, summary string) *sickbay.Report
	}{{config.CriticalSeconds, report.Critical}, {config.WarningSeconds, report.Warning}} {
		if age.Seconds() > limit.seconds {
			report.AddEvidence("age_seconds", age.Seconds(), fmt.Sprintf("at most %g", limit.seconds))
			return limit.finding("stale", fmt.Sprintf("the newest entry is %s old, more than %g s", age.Round(time.Second), limit.seconds)), nil
		}
	}
	return report, nil
}

var plugin = sickbay.Plugin{
	Name:    "feed-age",
	Version: "0.1.0",
	Summary: "How old the newest entry of a JSON feed is",
	Licence: "Apache-2.0",
	Kinds:   []sickbay.Kind{feedAge},
}

func init() { sickbay.Register(plugin) }

func main() {}
