// Client-go asks for a page with net/http, as libraries do.
package main

import (
	"fmt"
	"io"
	"net/http"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/check"
	"github.com/sickbay/sickbay/sdk/go/nethttp"
)

type Config struct {
	URL string `json:"url" doc:"What is asked for"`
}

var page = check.Kind[Config]{
	Name:     "page",
	Summary:  "Whether a page is there",
	Example:  Config{URL: "https://example.com/"},
	Needs:    []sickbay.Need{{Reason: "asks for the page", Grant: `http = ["GET {url}"]`}},
	Metrics:  []sickbay.MetricInfo{sickbay.Gauge("status", "of the answer")},
	Failures: []string{"content", "dns", "refused", "connection", "tls", "timeout", "protocol"},
	Run:      run,
}

func run(run *check.Run, config Config) (*sickbay.Report, error) {
	request, err := http.NewRequestWithContext(run, http.MethodGet, config.URL, nil)
	if err != nil {
		return nil, err
	}
	response, err := nethttp.Client().Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	told := fmt.Sprintf("HTTP %d, %d bytes of %s", response.StatusCode, len(body), response.Request.URL)
	report := sickbay.OK(told).AddGauge("status", float64(response.StatusCode))
	if response.StatusCode >= 400 {
		report.Critical("content", told)
	}
	return report, nil
}

func init() {
	sickbay.Register(sickbay.Plugin{Name: "client-go", Version: "0.1.0", Summary: "Asks with net/http", Kinds: []sickbay.Kind{page}})
}

func main() {}
