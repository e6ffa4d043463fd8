// Package redis asks Redis by the name of a source, as far as `grants = { redis = [...] }` allows: commands and key patterns.
//
//	waiting, err := redis.Source("cache").Do(run, "LLEN", "celery").Number()
//
// The host connects, authenticates and keeps the credentials. The context says how long a call may take.
package redis

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	sickbay "github.com/sickbay/sickbay/sdk/go"
)

// Source is a source of the configuration, by its name.
type Source string

// Do runs one command with its arguments: texts, []byte, or anything else as fmt.Sprint writes it.
func (source Source) Do(ctx context.Context, command ...any) Reply {
	return ask(ctx, source, arguments(command))
}

// DoMany runs at most 256 commands in one round trip and answers in their order. What the server refused stands in its place.
func (source Source) DoMany(ctx context.Context, commands ...[]any) ([]Reply, error) {
	all := make([][][]byte, len(commands))
	for at, command := range commands {
		all[at] = arguments(command)
	}
	return askMany(ctx, source, all)
}

// Info is what `INFO` says in these sections, in one round trip.
func (source Source) Info(ctx context.Context, sections ...string) (Info, error) {
	commands := make([][]any, len(sections))
	for at, section := range sections {
		commands[at] = []any{"INFO", section}
	}
	replies, err := source.DoMany(ctx, commands...)
	if err != nil {
		return nil, err
	}
	info := Info{}
	for _, reply := range replies {
		text, err := reply.Text()
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(text) {
			if name, value, is := strings.Cut(strings.TrimSpace(line), ":"); is && !strings.HasPrefix(line, "#") {
				info[name] = value
			}
		}
	}
	return info, nil
}

// Info is what `INFO` says, by the name of the field.
type Info map[string]string

// Number is a number that every server tells: without it the answer is not what `INFO` answers.
func (info Info) Number(name string) (float64, error) {
	number, err := strconv.ParseFloat(info[name], 64)
	if err != nil || math.IsNaN(number) || math.IsInf(number, 0) {
		return 0, sickbay.ServiceErrorf(sickbay.FailureContent, "INFO tells no number %s", name)
	}
	return number, nil
}

// Reply is what one command came to. Its methods answer the error of the call, what the server refused, or what the reply is not: that is
// what the service did, a failure `content`.
type Reply struct {
	// Nil, int64, float64, bool, string (a status), []byte, []Reply, or Pairs.
	Value any
	err   error
}

// Pairs are keys and values in turn.
type Pairs []Reply

// Failed is a reply with an error.
func Failed(err error) Reply { return Reply{err: err} }

// Err is why there is no reply, or what the server refused; nil without either.
func (reply Reply) Err() error { return reply.err }

// IsNil says whether there is no value: no such key.
func (reply Reply) IsNil() bool { return reply.err == nil && reply.Value == nil }

// Number is a number, also one that came as text.
func (reply Reply) Number() (float64, error) {
	switch told := reply.Value.(type) {
	case int64:
		return float64(told), reply.err
	case float64:
		return told, reply.err
	case string, []byte:
		text, _ := reply.Text()
		if number, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err == nil && !math.IsNaN(number) && !math.IsInf(number, 0) {
			return number, reply.err
		}
	}
	return 0, reply.isNo("number")
}

// Text is a status or a string, with U+FFFD for what is not UTF-8.
func (reply Reply) Text() (string, error) {
	bytes, err := reply.Bytes()
	return strings.ToValidUTF8(string(bytes), "\uFFFD"), err
}

// Bytes is a status or a string as it came.
func (reply Reply) Bytes() ([]byte, error) {
	switch told := reply.Value.(type) {
	case string:
		return []byte(told), reply.err
	case []byte:
		return told, reply.err
	}
	return nil, reply.isNo("text")
}

// List is the elements of an array or a set; of a map its keys and values in turn, as older servers send it.
func (reply Reply) List() ([]Reply, error) {
	switch told := reply.Value.(type) {
	case []Reply:
		return told, reply.err
	case Pairs:
		return told, reply.err
	}
	return nil, reply.isNo("list")
}

// Map is a map, also one that came as keys and values in turn.
func (reply Reply) Map() (map[string]Reply, error) {
	list, err := reply.List()
	if err != nil {
		return nil, err
	}
	if len(list)%2 != 0 {
		return nil, reply.isNo("map")
	}
	all := map[string]Reply{}
	for at := 0; at < len(list); at += 2 {
		key, err := list[at].Text()
		if err != nil {
			return nil, err
		}
		all[key] = list[at+1]
	}
	return all, nil
}

func (reply Reply) isNo(what string) error {
	if reply.err != nil {
		return reply.err
	}
	return sickbay.ServiceErrorf(sickbay.FailureContent, "the reply is no %s but %v", what, reply)
}

func (reply Reply) String() string {
	switch told := reply.Value.(type) {
	case nil:
		if reply.err != nil {
			return reply.err.Error()
		}
		return "nil"
	case []byte:
		return strconv.Quote(string(told[:min(len(told), 64)]))
	case []Reply:
		return fmt.Sprintf("a list of %d", len(told))
	case Pairs:
		return fmt.Sprintf("a map of %d", len(told)/2)
	}
	return fmt.Sprint(reply.Value)
}

// RefusalError is what the server refused: `WRONGTYPE ...`. Its state (`LOADING`, `OOM`, ...) is what the service did; anything else is the
// command, and so the configuration. `errors.As` finds either behind it.
type RefusalError struct{ Message string }

func (err *RefusalError) Error() string { return err.Message }

// Unwrap says whose mistake it was.
func (err *RefusalError) Unwrap() error {
	word, _, _ := strings.Cut(err.Message, " ")
	failure, is := serverStates[word]
	if !is && strings.Contains(err.Message, "max number of clients") {
		failure, is = sickbay.FailureTooManyConnections, true
	}
	if is {
		return &sickbay.ServiceError{Failure: failure, Message: err.Message}
	}
	return &sickbay.PluginError{Kind: sickbay.Configuration, Message: err.Message}
}

// By the first word of the refusal.
var serverStates = map[string]string{
	"NOAUTH":      sickbay.FailureAuthentication,
	"WRONGPASS":   sickbay.FailureAuthentication,
	"LOADING":     "unavailable",
	"BUSY":        "unavailable",
	"MASTERDOWN":  "unavailable",
	"CLUSTERDOWN": "unavailable",
	"TRYAGAIN":    "unavailable",
	"MISCONF":     "unavailable",
	"OOM":         "memory",
}

func arguments(command []any) [][]byte {
	all := make([][]byte, len(command))
	for at, argument := range command {
		switch told := argument.(type) {
		case []byte:
			all[at] = told
		case string:
			all[at] = []byte(told)
		default:
			all[at] = fmt.Append(nil, told)
		}
	}
	return all
}
