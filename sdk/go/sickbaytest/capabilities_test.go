//go:build !wasip1

package sickbaytest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	nethttpstd "net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/files"
	"github.com/sickbay/sickbay/sdk/go/http"
	"github.com/sickbay/sickbay/sdk/go/net"
	"github.com/sickbay/sickbay/sdk/go/nethttp"
	"github.com/sickbay/sickbay/sdk/go/postgres"
	"github.com/sickbay/sickbay/sdk/go/redis"
	"github.com/sickbay/sickbay/sdk/go/secrets"
	"github.com/sickbay/sickbay/sdk/go/sickbaytest"
	"github.com/sickbay/sickbay/sdk/go/state"
	"github.com/sickbay/sickbay/sdk/go/system"
)

func expect(t *testing.T, found, expected any) {
	t.Helper()
	if !reflect.DeepEqual(found, expected) {
		t.Errorf("found    %#v\nexpected %#v", found, expected)
	}
}

// fails expects an error that is the service's with this failure kind, or the plugin's of this kind.
func fails(t *testing.T, err error, kind string) {
	t.Helper()
	service, plugin := sickbay.Meaning(err)
	switch {
	case service != nil && service.Failure == kind, plugin != nil && string(plugin.Kind) == kind:
	default:
		t.Errorf("%v is %v, %v, not %s", err, service, plugin, kind)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnAnswerIsReadAsJSONOrIsTheServicesFault(t *testing.T) {
	host := sickbaytest.New(t)
	ctx := host.Context()
	host.HTTP.ReplyJSON(200, []int{1, 2})
	list, err := http.GetJSON[[]int](ctx, "http://a")
	ok(t, err)
	expect(t, list, []int{1, 2})
	expect(t, host.HTTP.Sent[0].Header.Get("Accept"), "application/json")

	for _, body := range []string{"<html>", `{"a": 1}`, `[1] [2]`, ""} {
		host.HTTP.Reply(200, body)
		_, err = http.GetJSON[[]int](ctx, "http://a")
		fails(t, err, "content")
	}
	host.HTTP.Reply(200, "[1").Answer.Truncated = true
	_, err = http.GetJSON[[]int](ctx, "http://a")
	fails(t, err, "content")
}

func TestAnyStatusIsAnAnswerUntilAnotherIsExpected(t *testing.T) {
	host := sickbaytest.New(t)
	host.HTTP.Reply(503, "busy").Answer.Header.Set("Retry-After", "7")
	response, err := http.Get(host.Context(), "http://a")
	ok(t, err)
	ok(t, response.Expect(200, 503))
	err = response.Expect()
	fails(t, err, "content")
	var status *http.StatusError
	if !errors.As(err, &status) || status.Status != 503 || status.RetryAfter() != 7*time.Second || status.IsForGood() {
		t.Errorf("%#v", status)
	}
}

func TestHeadersAreFoundWhateverTheirCase(t *testing.T) {
	header := http.Header{"Set-Cookie": {"a"}}
	header.Add("set-cookie", "b")
	header.Set("X", "1")
	expect(t, header.Values("SET-COOKIE"), []string{"a", "b"})
	expect(t, header.Get("x"), "1")
	expect(t, header.Get("none"), "")
}

func TestOptionsBeyondTheBoundsAreRefusedBeforeTheyAreSent(t *testing.T) {
	host := sickbaytest.New(t)
	for _, options := range []http.Options{{RedirectsMax: 11}, {RedirectsMax: -2}, {BodyBytesMax: 2 << 20}, {BodyBytesMax: -1}} {
		_, err := http.Do(host.Context(), &http.Request{URL: "http://a", Options: options})
		fails(t, err, "configuration")
		_, err = http.DoMany(host.Context(), options, &http.Request{URL: "http://a"})
		fails(t, err, "configuration")
	}
	expect(t, len(host.HTTP.Sent), 0)
}

func TestSeveralRequestsAreAnsweredInTheirOrder(t *testing.T) {
	host := sickbaytest.New(t)
	host.HTTP.Reply(200, "a")
	host.HTTP.Fail(sickbay.ServiceErrorf(sickbay.FailureDNS, "no such name"))
	answers, err := http.DoMany(host.Context(), http.Options{Reuse: true}, &http.Request{URL: "http://a"}, &http.Request{URL: "http://b", Method: "HEAD"})
	ok(t, err)
	expect(t, answers[0].Text(), "a")
	fails(t, answers[1].Err, "dns")
	expect(t, []string{host.HTTP.Sent[0].Method, host.HTTP.Sent[1].Method}, []string{"GET", "HEAD"})
}

func TestACallEndsWithItsContextAndBeforeTheRun(t *testing.T) {
	host := sickbaytest.New(t)
	ctx, cancel := context.WithTimeout(host.Context(), time.Minute)
	defer cancel()
	host.HTTP.Reply(200, "").Takes(time.Hour)
	before := host.Clock.Now()
	_, err := http.Get(ctx, "http://a")
	fails(t, err, "timeout")
	if waited := host.Clock.Now().Sub(before).Round(time.Second); waited != time.Minute {
		t.Errorf("it waited for %s", waited)
	}
}

func TestCodeForNetHTTPWorks(t *testing.T) {
	host := sickbaytest.New(t)
	host.HTTP.Reply(302, "").Answer.Header.Set("location", "/there")
	host.HTTP.Reply(200, "hello").Answer.Peer = "10.0.0.1:80"
	request, err := nethttpstd.NewRequestWithContext(host.Context(), "POST", "http://a/here", strings.NewReader("body"))
	ok(t, err)
	request.Header.Set("X-Token", "{{secret:a}}")
	response, err := nethttp.Client().Do(request)
	ok(t, err)
	body, err := io.ReadAll(response.Body)
	ok(t, err)
	details, isThere := nethttp.Details(response)
	expect(t, []any{string(body), response.Status, response.Proto, response.ContentLength, isThere, details.Peer}, []any{"hello", "200 OK", "HTTP/1.1", int64(5), true, "10.0.0.1:80"})
	first, second := host.HTTP.Sent[0], host.HTTP.Sent[1]
	expect(t, []string{first.Method, string(first.Body), first.Header.Get("x-token"), second.Method, second.URL}, []string{"POST", "body", "{{secret:a}}", "GET", "http://a/there"})
	expect(t, first.RedirectsMax, http.NoRedirects)
}

func TestErrorsOfNetHTTPKeepTheirMeaning(t *testing.T) {
	host := sickbaytest.New(t)
	get := func() (*nethttpstd.Response, error) {
		request, err := nethttpstd.NewRequestWithContext(host.Context(), "GET", "http://a/", nil)
		ok(t, err)
		return nethttp.Client().Do(request)
	}
	host.HTTP.Fail(sickbay.ServiceErrorf(sickbay.FailureRefused, "port closed"))
	_, err := get()
	fails(t, err, "refused")
	host.HTTP.Reply(200, "half").Answer.Truncated = true
	response, err := get()
	ok(t, err)
	_, err = io.ReadAll(response.Body)
	fails(t, err, "content")
	_, err = nethttp.Client().Get("http://a/")
	fails(t, err, "internal")
}

func TestARowIsReadIntoTypedValues(t *testing.T) {
	host := sickbaytest.New(t)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	host.Postgres.Reply([]string{"a", "b", "c", "d", "e", "f", "g", "h"}, []any{7, postgres.Numeric("1.5"), "t", at, nil, postgres.List("[1]"), time.Second, postgres.Other{TypeName: "inet", Text: "::1"}})
	rows, err := postgres.Source("main").Query(host.Context(), "SELECT $1", 1)
	ok(t, err)
	var a uint8
	var b float64
	var c bool
	var d time.Time
	var e *int
	var f json.RawMessage
	var g time.Duration
	var h string
	ok(t, rows.ScanOne(&a, &b, &c, &d, &e, &f, &g, &h))
	expect(t, []any{a, b, c, d, e, string(f), g, h}, []any{uint8(7), 1.5, true, at, (*int)(nil), "[1]", time.Second, "::1"})
	value, err := rows.Get(rows.Rows[0], "b")
	ok(t, err)
	expect(t, value, postgres.Numeric("1.5"))
	expect(t, host.Postgres.Asked, []postgres.Statement{{SQL: "SELECT $1", Params: []any{1}}})
	_, err = rows.Get(rows.Rows[0], "z")
	fails(t, err, "content")
}

func TestAValueThatIsNotWhatWasAskedForIsTheServicesFault(t *testing.T) {
	row := postgres.Row{int64(300), nil, "text", 1.5}
	for at, into := range []any{new(uint8), new(string), new(float64), new(int)} {
		fails(t, row[at:at+1].Scan(into), "content")
	}
	fails(t, row.Scan(new(int)), "internal")
	fails(t, row[:1].Scan(7), "internal")
	_, err := (&postgres.Rows{}).One()
	fails(t, err, "content")
}

func TestARefusalOfPostgreSQLSaysWhoseMistakeItWas(t *testing.T) {
	host := sickbaytest.New(t)
	for state, kind := range map[string]string{
		"42P01": "configuration", "53300": "too-many-connections", "53400": "capacity", "28P01": "authentication", "57014": "timeout", "08006": "connection", "x": "configuration",
	} {
		host.Postgres.Fail(&postgres.ServerError{SQLState: state, Message: "no"})
		_, err := postgres.Source("main").Query(host.Context(), "SELECT 1")
		fails(t, err, kind)
	}
}

func TestARedisReplyIsReadAsWhatItIs(t *testing.T) {
	host := sickbaytest.New(t)
	cache, ctx := redis.Source("cache"), host.Context()
	host.Redis.Reply("12")
	number, err := cache.Do(ctx, "GET", "k").Number()
	ok(t, err)
	host.Redis.Reply(map[string]any{"a": 1, "b": []any{"x", nil}})
	values, err := cache.Do(ctx, "HGETALL", []byte("h")).Map()
	ok(t, err)
	list, err := values["b"].List()
	ok(t, err)
	expect(t, []any{number, values["a"].Value, list[1].IsNil(), len(list)}, []any{12.0, int64(1), true, 2})
	expect(t, host.Redis.Commands, []string{"GET k", "HGETALL h"})

	host.Redis.Reply(nil)
	nothing := cache.Do(ctx, "GET", 7)
	_, err = nothing.Number()
	fails(t, err, "content")
	expect(t, nothing.IsNil(), true)
}

func TestARefusalOfRedisSaysWhoseMistakeItWas(t *testing.T) {
	host := sickbaytest.New(t)
	cache, ctx := redis.Source("cache"), host.Context()
	for message, kind := range map[string]string{
		"LOADING Redis is loading": "unavailable", "OOM command not allowed": "memory", "WRONGTYPE Operation": "configuration", "NOAUTH x": "authentication",
		"ERR max number of clients reached": "too-many-connections",
	} {
		host.Redis.Refuse(message)
		fails(t, cache.Do(ctx, "GET", "k").Err(), kind)
	}
	host.Redis.Reply("# Memory\r\nused_memory:10\r\n")
	host.Redis.Reply("role:master")
	info, err := cache.Info(ctx, "memory", "replication")
	ok(t, err)
	used, err := info.Number("used_memory")
	ok(t, err)
	expect(t, []any{used, info["role"]}, []any{10.0, "master"})
	_, err = info.Number("role")
	fails(t, err, "content")

	host.Redis.Refuse("WRONGTYPE x")
	host.Redis.Reply(1)
	replies, err := cache.DoMany(ctx, []any{"LLEN", "a"}, []any{"LLEN", "b"})
	ok(t, err)
	fails(t, replies[0].Err(), "configuration")
	expect(t, replies[1].Value, int64(1))
	host.Redis.Fail(sickbay.ServiceErrorf(sickbay.FailureConnection, "gone"))
	_, err = cache.DoMany(ctx, []any{"PING"})
	fails(t, err, "connection")
}

func TestADialogueSaysItsPartAndThenCloses(t *testing.T) {
	host := sickbaytest.New(t)
	ctx := host.Context()
	scripted := host.Net.Dialogue("220 ready\r\n", "250 ok\r\n", "rest")
	scripted.Answer.AfterStartTLS = sickbaytest.TLSUntil(host.Clock.Now())
	connection, err := net.Dial(ctx, "mail:25")
	ok(t, err)
	line, err := connection.ReceiveLine(ctx)
	ok(t, err)
	ok(t, connection.SendLine(ctx, "EHLO a"))
	_, err = connection.ReceiveUntil(ctx, []byte("\n"), 100)
	ok(t, err)
	_, err = connection.StartTLS(ctx)
	ok(t, err)
	rest, err := connection.Receive(ctx, 100)
	ok(t, err)
	_, err = connection.ReceiveLine(ctx)
	fails(t, err, "protocol")
	connection.Close()
	expect(t, []any{line, string(rest), scripted.Answer.Said, connection.TLS.Version, scripted.Answer.IsClosed, host.Net.Targets[0].Address}, []any{"220 ready", "rest", []string{"EHLO a\r\n"}, "TLS 1.3", true, "mail:25"})

	host.Net.Records("10 mail.example.com")
	records, err := net.Resolve(ctx, "example.com", "MX")
	ok(t, err)
	host.Net.FailLookup(sickbay.ServiceErrorf(sickbay.FailureDNS, "no such name"))
	_, err = net.Resolve(ctx, "b", "A")
	fails(t, err, "dns")
	expect(t, []any{records.Records, host.Net.Lookups}, []any{[]string{"10 mail.example.com"}, []string{"MX example.com", "A b"}})
}

func TestFilesAreReadListedAndChanged(t *testing.T) {
	host := sickbaytest.New(t)
	ctx := host.Context()
	host.Files.Add("/data/a.txt", "hello")
	host.Files.Add("/data/sub/b.txt", "")
	text, err := files.ReadText(ctx, "/data/a.txt")
	ok(t, err)
	part, err := files.Read(ctx, "/data/a.txt", 3, 100)
	ok(t, err)
	entries, err := files.ReadDirectory(ctx, "/data")
	ok(t, err)
	expect(t, []any{text, string(part), entries[0].Name, entries[0].Size, entries[1].Kind, len(entries)}, []any{"hello", "lo", "a.txt", int64(5), "directory", 2})

	ok(t, files.SetMode(ctx, "/data/a.txt", 0o600))
	info, err := files.Stat(ctx, "/data/a.txt")
	ok(t, err)
	expect(t, info.Mode.Perm().String(), "-rw-------")
	ok(t, files.CreateDirectory(ctx, "/data/new"))
	ok(t, files.Remove(ctx, "/data/new"))
	fails(t, files.Remove(ctx, "/data/new"), "missing")
	_, err = files.Read(ctx, "/data/a.txt", -1, 1)
	fails(t, err, "configuration")
	_, err = files.ReadDirectory(ctx, "/none")
	fails(t, err, "missing")
}

func TestALargeDirectoryIsListedInPages(t *testing.T) {
	host := sickbaytest.New(t)
	for at := range 2500 {
		host.Files.Add("/data/"+strings.Repeat("x", at%7)+string(rune('a'+at%26))+time.Duration(at).String(), "")
	}
	entries, err := files.ReadDirectory(host.Context(), "/data")
	ok(t, err)
	expect(t, len(entries), len(host.Files.ByPath))
}

func TestWhatTheMachineTellsIsGrantedByTheTest(t *testing.T) {
	host := sickbaytest.New(t)
	ctx := host.Context()
	_, err := system.ReadCPU(ctx)
	fails(t, err, "denied")
	host.System.Load = &system.Load{One: 1}
	host.System.Processes = []system.Process{{Name: "a", PID: 1}, {Name: "b"}}
	load, err := system.ReadLoad(ctx)
	ok(t, err)
	processes, err := system.ReadProcesses(ctx, "a")
	ok(t, err)
	expect(t, []any{load.One, processes}, []any{1.0, []system.Process{{Name: "a", PID: 1}}})
}

func TestSecretsOnlyTellWhatWasDoneWithThem(t *testing.T) {
	host := sickbaytest.New(t)
	ctx := host.Context()
	_, err := secrets.Inspect(ctx, "key")
	fails(t, err, "denied")
	host.Secrets.Add("key")
	signed, err := secrets.SignPrefixed(ctx, "key", secrets.HMACSHA256, "AWS4", []byte("data"))
	ok(t, err)
	encoded, err := secrets.Encode(ctx, "a:b", secrets.Base64)
	ok(t, err)
	expect(t, []string{string(signed[0]), encoded}, []string{"hmac-sha256:AWS4key:0:data", "base64(a:b)"})
}

func TestStateIsKeptWithinItsBounds(t *testing.T) {
	host := sickbaytest.New(t)
	ctx := host.Context()
	if _, isThere := state.GetJSON[int](ctx, "n"); isThere {
		t.Error("something is there")
	}
	ok(t, state.PutJSON(ctx, "n", 7))
	number, isThere := state.GetJSON[int](ctx, "n")
	_, isText := state.GetJSON[string](ctx, "n")
	expect(t, []any{number, isThere, isText}, []any{7, true, false})
	fails(t, state.Put(ctx, "much", make([]byte, 17<<10)), "quota")
	fails(t, state.Put(ctx, strings.Repeat("k", 129), nil), "quota")
	state.Remove(ctx, "n")
	expect(t, len(host.State.Values), 0)
}

// deaf takes what would fail a test.
type deaf struct {
	testing.TB
	told []string
}

func (deaf *deaf) Errorf(format string, values ...any) { deaf.told = append(deaf.told, format) }

func TestACallThatATestDidNotScriptFailsIt(t *testing.T) {
	deaf := &deaf{TB: t}
	_, err := http.Get(sickbaytest.New(deaf).Context(), "http://a")
	fails(t, err, "internal")
	expect(t, len(deaf.told), 1)
	_, err = http.Get(t.Context(), "http://a")
	fails(t, err, "internal")
}
