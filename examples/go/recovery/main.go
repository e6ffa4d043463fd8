// Restart is a recovery that restarts a service through its orchestrator's HTTP interface.
//
// What it shows: a plan that only reads, a step with a key so that nothing is done twice, and a step that goes on after Act has returned.
package main

import (
	"encoding/json"
	"fmt"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/http"
	"github.com/sickbay/sickbay/sdk/go/recovery"
)

type Config struct {
	URL        string        `json:"url" doc:"Of the orchestrator, without a slash at the end" pattern:"^https?://.*[^/]$"`
	Service    string        `json:"service" doc:"What is restarted" pattern:"^[a-z0-9-]+$"`
	AgainAfter time.Duration `json:"again_after" doc:"How often to ask whether it is up" default:"5s"`
}

type Service struct {
	State    string `json:"state"`
	Replicas int    `json:"replicas"`
}

type Restart struct {
	ID     string `json:"id"`
	State  string `json:"state"`
	Reason string `json:"reason"`
}

var restart = recovery.Kind[Config]{
	Name:    "restart",
	Summary: "Restarts a service through its orchestrator",
	Example: Config{URL: "https://orchestrator.example.com", Service: "api"},
	Needs: []sickbay.Need{
		{Reason: "reads services and restarts", Grant: `http = ["GET {url}/*"]`},
		{Reason: "restarts the service", Grant: `http = ["POST {url}/services/{service}/restarts"]`},
	},
	Failures: []string{"connection", "refused", "timeout", "unavailable"},
	Plan:     plan,
	Act:      act,
	Follow:   follow,
}

func plan(run *recovery.Run, config Config) ([]recovery.Action, error) {
	service, err := http.GetJSON[Service](run, fmt.Sprintf("%s/services/%s", config.URL, config.Service))
	if err != nil || service.State == "restarting" {
		return nil, err
	}
	return []recovery.Action{{
		ID:         "restart-" + config.Service,
		Title:      fmt.Sprintf("Restart %s (%d replicas)", config.Service, service.Replicas),
		Target:     config.Service,
		Parameters: recovery.JSON(map[string]int{"replicas": service.Replicas}),
	}}, nil
}

func act(run *recovery.Run, config Config, action recovery.Action) (recovery.Progress, error) {
	answer, err := http.Do(run, &http.Request{
		Method: "POST",
		URL:    fmt.Sprintf("%s/services/%s/restarts", config.URL, config.Service),
		Header: http.Header{"content-type": {"application/json"}, "idempotency-key": {run.IdempotencyKey}},
		Body:   action.Parameters,
	})
	if err == nil {
		err = answer.Expect()
	}
	var told Restart
	if err == nil {
		err = answer.JSON(&told)
	}
	return progress(config, told), err
}

func follow(run *recovery.Run, config Config, _ recovery.Action, token json.RawMessage) (recovery.Progress, error) {
	var id string
	if err := json.Unmarshal(token, &id); err != nil {
		return nil, err
	}
	told, err := http.GetJSON[Restart](run, fmt.Sprintf("%s/services/%s/restarts/%s", config.URL, config.Service, id))
	return progress(config, told), err
}

func progress(config Config, told Restart) recovery.Progress {
	actions := []string{"restart " + told.ID}
	switch told.State {
	case "running":
		return recovery.Running{Token: recovery.JSON(told.ID), Summary: config.Service + " is restarting", AgainAfter: config.AgainAfter}
	case "done":
		return recovery.Outcome{Success: true, Reason: config.Service + " was restarted", Actions: actions}
	}
	return recovery.Outcome{
		Reason:         fmt.Sprintf("the restart is %s: %s", told.State, told.Reason),
		Actions:        actions,
		Recommendation: "look at the log of " + config.Service,
	}
}

var plugin = sickbay.Plugin{
	Name:    "restart",
	Version: "0.1.0",
	Summary: "Restarts a service through its orchestrator",
	Licence: "Apache-2.0",
	Kinds:   []sickbay.Kind{restart},
}

func init() { sickbay.Register(plugin) }

func main() {}
