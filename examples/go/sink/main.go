// Chat is a sink that posts alerts to a chat as one message for each group, and edits that message when things change.
//
// What it shows: a delivery with its key, a reference that comes back, a secret that the plugin never sees, and which refusals are for good.
package main

import (
	"fmt"
	"strconv"
	"strings"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/http"
	"github.com/sickbay/sickbay/sdk/go/sink"
)

const alertsToldMax = 10

var signs = map[sink.Phase]string{sink.Firing: "🔴", sink.Acknowledged: "🟡", sink.Resolved: "🟢"}

type Config struct {
	URL   string `json:"url" doc:"Of the channel's messages" pattern:"^https?://"`
	Token string `json:"token,omitempty" doc:"Sent as a bearer token; write {{secret:NAME}}"`
}

type Message struct {
	ID string `json:"id"`
}

var chat = sink.Kind[Config]{
	Name:    "chat",
	Summary: "Posts alerts to a chat",
	Example: Config{URL: "https://chat.example.com/channels/1/messages", Token: "{{secret:chat-token}}"},
	Needs: []sickbay.Need{
		{Reason: "posts and edits messages", Grant: `http = ["POST {url}", "PUT {url}/*"]`},
		{Reason: "logs in", Grant: `secrets = [{ name = "chat-token", to = ["{url}*"] }]`},
	},
	Deliver: deliver,
}

func deliver(run *sink.Run, config Config) (sink.Receipt, error) {
	told := run.Notification
	if told.Phase == sink.Other {
		return sink.Receipt{}, nil
	}
	method, url := "POST", config.URL
	if told.Reference != "" {
		method, url = "PUT", config.URL+"/"+told.Reference
	}
	request, err := http.WithJSON(method, url, map[string]string{"text": text(told)})
	if err != nil {
		return sink.Receipt{}, err
	}
	request.Header.Set("idempotency-key", told.IdempotencyKey)
	if config.Token != "" {
		request.Header.Set("authorization", "Bearer "+config.Token)
	}
	answer, err := http.Do(run, request)
	if err == nil {
		err = answer.Expect()
	}
	var message Message
	if err == nil {
		err = answer.JSON(&message)
	}
	return sink.Receipt{Reference: message.ID}, err
}

// text is one line for each alert.
func text(told sink.Notification) string {
	var lines []string
	for _, alert := range told.Alerts[:min(len(told.Alerts), alertsToldMax)] {
		lines = append(lines, fmt.Sprintf("%s %s: %s", signs[alert.Phase], alert.Check, alert.Summary))
	}
	// Absent where all of them are here.
	more, _ := strconv.Atoi(told.Extras["more"])
	if more += len(told.Alerts) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

var plugin = sickbay.Plugin{
	Name:    "chat",
	Version: "0.1.0",
	Summary: "Posts alerts to a chat",
	Licence: "Apache-2.0",
	Kinds:   []sickbay.Kind{chat},
}

func init() { sickbay.Register(plugin) }

func main() {}
