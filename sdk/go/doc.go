// Package sickbay is for writing plugins of Sickbay: WebAssembly components that check, heal and tell.
//
//	type Config struct {
//		URL string `json:"url" doc:"Where the queue tells its length"`
//	}
//
//	var queue = check.Kind[Config]{
//		Name:    "queue",
//		Summary: "How long the queue is",
//		Example: Config{URL: "https://example.com/queue.json"},
//		Needs:   []sickbay.Need{{Reason: "asks the queue", Grant: `http = ["GET {url}"]`}},
//		Metrics: []sickbay.MetricInfo{sickbay.Gauge("length", "jobs that wait")},
//		Run: func(run *check.Run, config Config) (*sickbay.Report, error) {
//			length, err := http.GetJSON[float64](run, config.URL)
//			if err != nil {
//				return nil, err
//			}
//			return sickbay.OKf("%v jobs wait", length).AddGauge("length", length), nil
//		},
//	}
//
//	func init() {
//		sickbay.Register(sickbay.Plugin{
//			Name: "queue", Version: "0.1.0", Summary: "How long the queue is", Kinds: []sickbay.Kind{queue},
//		})
//	}
//
//	func main() {}
//
// The packages that a plugin imports decide what its component exports: check, recovery and sink each add the interface of the contract
// that they are named after. The packages of the capabilities (http, net, postgres, redis, files, secrets, system, state) are what a run
// may use, as far as the operator granted it. sickbaytest is a scripted host, so that `go test` runs a kind without WebAssembly.
//
// An error that a run returns says whose mistake it was: see [ServiceError] and [PluginError].
//
// Invariant: outside of a component nothing here needs more than the standard library, and no run is begun by an import.
package sickbay

//go:generate go run ./internal/bindgen ../../wit internal/contract
