package shape_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sickbay/sickbay/sdk/go/internal/shape"
)

type Limit struct {
	Warning  float64 `json:"warning" min:"0" default:"0.8"`
	Critical float64 `json:"critical,omitempty"`
}

type Shared struct {
	Note string `json:"note,omitempty"`
}

type Config struct {
	Shared
	URL     string            `json:"url" doc:"Where to <look>" pattern:"^https?://"`
	Count   uint16            `json:"count" default:"7" max:"1000"`
	Level   string            `json:"level" enum:"low,high" default:"low"`
	Every   time.Duration     `json:"every" default:"1m30s"`
	Since   *time.Time        `json:"since"`
	Limits  map[string]Limit  `json:"limits,omitempty"`
	Names   []string          `json:"names" min:"1"`
	Network netip.Addr        `json:"network,omitzero"`
	Any     json.RawMessage   `json:"any,omitempty"`
	Labels  map[string]string `json:"labels,omitempty"`
	Hidden  chan int          `json:"-"`
}

func (config Config) Validate() error {
	if config.Note == "refuse" {
		return errors.New("it refuses itself")
	}
	return nil
}

var example = Config{URL: "https://example.com", Names: []string{"a"}}

func TestASchemaSaysWhatTheTagsSay(t *testing.T) {
	schema, written, err := shape.Config(example)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"note":{"type":"string"},"url":`,
		`"url":{"description":"Where to <look>","type":"string","pattern":"^https?://"}`,
		`"count":{"type":"integer","minimum":0,"maximum":1000,"default":7}`,
		`"level":{"type":"string","enum":["low","high"],"default":"low"}`,
		`"default":"1m30s"`,
		`"since":{"type":"string","format":"date-time"}`,
		`"additionalProperties":{"type":"object","properties":{"warning":{"type":"number","minimum":0,"default":0.8}`,
		`"names":{"type":"array","items":{"type":"string"},"minItems":1}`,
		`"any":{}`,
		`"required":["url","names"],"additionalProperties":false}`,
	} {
		if !strings.Contains(string(schema), part) {
			t.Errorf("the schema has no %s:\n%s", part, schema)
		}
	}
	if string(written) != `{"url":"https://example.com","names":["a"]}` {
		t.Errorf("the example is %s", written)
	}
}

func TestWhatIsLeftOutHasItsDefaultAtAnyDepth(t *testing.T) {
	config, err := shape.ReadConfig[Config]([]byte(`{
		"url": "http://a", "names": ["x"], "limits": {"cpu": {}, "io": {"warning": 1, "critical": 2.5}}, "network": "10.0.0.1",
		"since": "2026-01-31T12:00:00Z", "any": {"b": [1]}, "count": 1e2, "note": "n"
	}`))
	if err != nil {
		t.Fatal(err)
	}
	since := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	expected := Config{
		Shared: Shared{"n"}, URL: "http://a", Count: 100, Level: "low", Every: 90 * time.Second, Since: &since,
		Limits: map[string]Limit{"cpu": {Warning: 0.8}, "io": {1, 2.5}}, Names: []string{"x"}, Network: netip.MustParseAddr("10.0.0.1"),
		Any: json.RawMessage(`{"b":[1]}`),
	}
	if !reflect.DeepEqual(config, expected) {
		t.Errorf("read %+v\nexpected %+v", config, expected)
	}
}

func TestAnErrorNamesTheKey(t *testing.T) {
	for document, told := range map[string]string{
		`{"names": ["a"]}`:                                                     "`config.url` is missing",
		`{"url": 7, "names": ["a"]}`:                                           "`config.url` is 7; hint: a text",
		`{"url": "ftp://", "names": ["a"]}`:                                    "must match `^https?://`",
		`{"url": "http://", "names": []}`:                                      "`config.names` is []; hint: its length is at least 1",
		`{"url": "http://", "names": [1]}`:                                     "`config.names[0]` is 1",
		`{"url": "http://", "names": ["a"], "count": 1001}`:                    "at most 1000",
		`{"url": "http://", "names": ["a"], "count": -1}`:                      "a whole number of type uint16",
		`{"url": "http://", "names": ["a"], "count": 1.5}`:                     "a whole number",
		`{"url": "http://", "names": ["a"], "level": "middle"}`:                `one of ["low","high"]`,
		`{"url": "http://", "names": ["a"], "every": "soon"}`:                  "a span such as `1m30s`",
		`{"url": "http://", "names": ["a"], "limits": {"x": {"warning": -1}}}`: "`config.limits.x.warning` is -1",
		`{"url": "http://", "names": ["a"], "network": "x"}`:                   "`config.network` is \"x\"",
		`{"url": "http://", "names": ["a"], "ulr": 1}`:                         "`config.ulr` is not known; hint: keys are note, url, count",
		`{"url": "http://", "names": ["a"], "note": "refuse"}`:                 "it refuses itself",
		`{"url": "http://", "names": ["a"]} {}`:                                "something follows",
		`[]`:                                                                   "`config` is []; hint: a table",
	} {
		if _, err := shape.ReadConfig[Config]([]byte(document)); err == nil || !strings.Contains(err.Error(), told) {
			t.Errorf("%s is %v, expected %q", document, err, told)
		}
	}
}

type untagged struct{ URL string }
type inside struct {
	Inner []inside `json:"inner,omitempty"`
}
type channel struct {
	C chan int `json:"c"`
}
type bounded struct {
	B bool `json:"b" min:"1"`
}
type defaulted struct {
	N int `json:"n" default:"many"`
}
type patterned struct {
	N int `json:"n" pattern:"x"`
}

func TestAMistakeInAStructIsToldWithTheFix(t *testing.T) {
	problem := func(_, _ json.RawMessage, err error) error { return err }
	for told, err := range map[string]error{
		"add the tag `json:\"url\"`":      problem(shape.Config(untagged{})),
		"holds itself":                    problem(shape.Config(inside{})),
		"channel.C: chan int cannot be":   problem(shape.Config(channel{})),
		"bounds nothing":                  problem(shape.Config(bounded{})),
		"the tag `default:\"many\"`":      problem(shape.Config(defaulted{})),
		"only a text has a `pattern`":     problem(shape.Config(patterned{})),
		"int is no configuration":         problem(shape.Config(7)),
		"its example is no configuration": problem(shape.Config(Config{})),
	} {
		if err == nil || !strings.Contains(err.Error(), told) {
			t.Errorf("%v, expected %q", err, told)
		}
	}
}

func TestNothingToConfigureIsAnEmptyTable(t *testing.T) {
	schema, written, err := shape.Config(struct{}{})
	if err != nil || string(written) != "{}" || !strings.HasSuffix(string(schema), `"properties":{},"required":[],"additionalProperties":false}`) {
		t.Errorf("%s %s %v", schema, written, err)
	}
}
