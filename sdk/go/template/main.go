// Command plugin-name tells how long ago it ran before, and warns when that is too long.
//
// A place to begin: it needs no grant. README.md tells how to test, build and run it.
package main

import (
	"fmt"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/check"
	"github.com/sickbay/sickbay/sdk/go/state"
)

// Config is what the operator writes as `config = { ... }`.
type Config struct {
	Limit time.Duration `json:"limit" doc:"Warning when the run before is longer ago" default:"1h"`
}

var pluginCheck = check.Kind[Config]{
	Name:    "plugin-name",
	Summary: "Warns when it has not run for too long",
	Example: Config{Limit: time.Hour},
	// For a check that asks a service: Needs: []sickbay.Need{{Reason: "asks the service", Grant: `http = ["GET {url}"]`}},
	Metrics:  []sickbay.MetricInfo{sickbay.Gauge("idle_seconds", "since the run before")},
	Failures: []string{"latency"},
	Run:      run,
}

func run(run *check.Run, config Config) (*sickbay.Report, error) {
	now := run.Now()
	before, isThere := state.GetJSON[time.Time](run, "ran_at")
	if !isThere {
		before = now
	}
	if err := state.PutJSON(run, "ran_at", now); err != nil {
		return nil, err
	}
	idle := now.Sub(before).Round(time.Second)
	run.Logger().Debug("compared", "idle", idle)

	report := sickbay.OKf("the run before was %s ago", idle).AddGauge("idle_seconds", idle.Seconds())
	if idle > config.Limit {
		report.AddEvidence("idle_seconds", idle.Seconds(), fmt.Sprintf("at most %g", config.Limit.Seconds()))
		report.Warningf("latency", "the run before was %s ago, more than %s", idle, config.Limit)
	}
	return report, nil
}

var plugin = sickbay.Plugin{
	Name:    "plugin-name",
	Version: "0.1.0",
	Summary: "Warns when it has not run for too long",
	Kinds:   []sickbay.Kind{pluginCheck},
}

func init() { sickbay.Register(plugin) }

// A component has no main; the compiler wants one.
func main() {}
