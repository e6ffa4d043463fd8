// Bench-go reads its configuration and reports one metric.
package main

import (
	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/check"
)

type Config struct {
	Waiting float64 `json:"waiting" doc:"How many wait"`
	Limit   float64 `json:"limit" doc:"How many may wait"`
}

var backlog = check.Kind[Config]{
	Name:    "backlog",
	Summary: "How many jobs wait",
	Example: Config{Waiting: 7, Limit: 10},
	Metrics: []sickbay.MetricInfo{sickbay.Gauge("waiting", "jobs that wait")},
	Run: func(_ *check.Run, config Config) (*sickbay.Report, error) {
		return sickbay.OKf("%v of at most %v jobs wait", config.Waiting, config.Limit).AddGauge("waiting", config.Waiting), nil
	},
}

func init() {
	sickbay.Register(sickbay.Plugin{
		Name: "bench-go", Version: "0.1.0", Summary: "What a run costs of a plugin in Go", Kinds: []sickbay.Kind{backlog},
	})
}

func main() {}
