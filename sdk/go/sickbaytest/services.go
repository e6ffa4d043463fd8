//go:build !wasip1

package sickbaytest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/http"
	"github.com/sickbay/sickbay/sdk/go/postgres"
	"github.com/sickbay/sickbay/sdk/go/redis"
)

// HTTP is what services answer, and what they were sent.
type HTTP struct {
	// Every request, in order.
	Sent   []*http.Request
	script script[*http.Response]
}

// Reply answers the next request. What else an answer has may be set on the Answer that is returned.
func (fake *HTTP) Reply(status int, body string) *Scripted[*http.Response] {
	return fake.script.add(&http.Response{Status: status, Version: "HTTP/1.1", Header: http.Header{}, Body: []byte(body), Peer: "127.0.0.1:1"}, nil)
}

// ReplyJSON answers the next request with a value as JSON.
func (fake *HTTP) ReplyJSON(status int, value any) *Scripted[*http.Response] {
	body, err := json.Marshal(value)
	if err != nil {
		fake.script.t.Fatalf("%T cannot be written as JSON: %v", value, err)
	}
	scripted := fake.Reply(status, string(body))
	scripted.Answer.Header.Set("content-type", "application/json")
	return scripted
}

// Fail fails the next request: `sickbay.ServiceErrorf(sickbay.FailureRefused, "connection refused")`.
func (fake *HTTP) Fail(err error) *Scripted[*http.Response] { return fake.script.add(nil, err) }

// Send is what package http calls.
func (fake *HTTP) Send(ctx context.Context, request *http.Request) (*http.Response, error) {
	fake.Sent = append(fake.Sent, request)
	answer, long, err := fake.script.next(ctx, request.Method+" "+request.URL)
	if err != nil {
		return nil, err
	}
	told := *answer
	if told.URL == "" {
		told.URL = request.URL
	}
	if told.Timings.Total == 0 {
		told.Timings.Total = long
	}
	return &told, nil
}

// Postgres is what statements answer, and which were asked.
type Postgres struct {
	// Every statement, and the source of each.
	Asked   []postgres.Statement
	Sources []postgres.Source
	script  script[*postgres.Rows]
}

// Reply answers the next statement with these rows; integers and floats of any size may stand in them.
func (fake *Postgres) Reply(columns []string, rows ...[]any) *Scripted[*postgres.Rows] {
	told := &postgres.Rows{}
	for _, name := range columns {
		told.Columns = append(told.Columns, postgres.Column{Name: name, TypeName: "text"})
	}
	for _, row := range rows {
		if len(row) != len(columns) {
			fake.script.t.Fatalf("a row of %d values has %d columns", len(row), len(columns))
		}
		var values postgres.Row
		for _, value := range row {
			values = append(values, widened(value))
		}
		told.Rows = append(told.Rows, values)
	}
	return fake.script.add(told, nil)
}

// Fail fails the next statement: `&postgres.ServerError{SQLState: "42P01", Message: "no such table"}`.
func (fake *Postgres) Fail(err error) *Scripted[*postgres.Rows] { return fake.script.add(nil, err) }

// Ask is what package postgres calls.
func (fake *Postgres) Ask(ctx context.Context, source postgres.Source, statement postgres.Statement) (*postgres.Rows, error) {
	fake.Asked = append(fake.Asked, statement)
	fake.Sources = append(fake.Sources, source)
	rows, long, err := fake.script.next(ctx, fmt.Sprintf("%q on %s", statement.SQL, source))
	if err != nil {
		return nil, err
	}
	told := *rows
	told.Elapsed = long
	return &told, nil
}

// widened is a plain integer or float as a host tells it.
func widened(value any) any {
	switch told := reflect.ValueOf(value); {
	case value == nil || told.Type().PkgPath() != "":
		return value
	case told.CanInt():
		return told.Int()
	case told.CanUint():
		return int64(told.Uint())
	case told.CanFloat():
		return told.Float()
	}
	return value
}

// Redis is what commands reply, and which were asked.
type Redis struct {
	// Every command with its arguments, a space between them, and the source of each.
	Commands []string
	Sources  []redis.Source
	script   script[redis.Reply]
}

// Reply replies to the next command: nil, a number, a text, []any or map[string]any.
func (fake *Redis) Reply(value any) *Scripted[redis.Reply] {
	return fake.script.add(reply(value), nil)
}

// Refuse has the server refuse the next command: `LOADING ...`, `WRONGTYPE ...`.
func (fake *Redis) Refuse(message string) *Scripted[redis.Reply] {
	return fake.script.add(redis.Failed(&redis.RefusalError{Message: message}), nil)
}

// Fail fails the next call: `sickbay.ServiceErrorf(sickbay.FailureConnection, "...")`.
func (fake *Redis) Fail(err error) *Scripted[redis.Reply] {
	return fake.script.add(redis.Reply{}, err)
}

// Ask is what package redis calls.
func (fake *Redis) Ask(ctx context.Context, source redis.Source, command [][]byte) redis.Reply {
	text := string(bytes.Join(command, []byte(" ")))
	fake.Commands = append(fake.Commands, text)
	fake.Sources = append(fake.Sources, source)
	answer, _, err := fake.script.next(ctx, fmt.Sprintf("%q on %s", text, source))
	if err != nil {
		return redis.Failed(err)
	}
	return answer
}

func reply(value any) redis.Reply {
	switch told := value.(type) {
	case redis.Reply:
		return told
	case string:
		return redis.Reply{Value: []byte(told)}
	case []any:
		list := []redis.Reply{}
		for _, one := range told {
			list = append(list, reply(one))
		}
		return redis.Reply{Value: list}
	case map[string]any:
		pairs := redis.Pairs{}
		for _, key := range slices.Sorted(maps.Keys(told)) {
			pairs = append(pairs, reply(key), reply(told[key]))
		}
		return redis.Reply{Value: pairs}
	}
	return redis.Reply{Value: widened(value)}
}

func denied(what, hint string) error {
	return &sickbay.PluginError{Kind: sickbay.Denied, Message: "no grant for " + what, Hint: hint}
}
