package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/network"
	"github.com/sickbay/sickbay/sdk/go/postgres"
	"github.com/sickbay/sickbay/sdk/go/redis"
)

// wholeMax is the largest whole number that every language has as a float.
const wholeMax = 1<<53 - 1

// lines are what a run tells, in `details.told`.
type lines []string

func (all *lines) add(format string, values ...any) {
	*all = append(*all, fmt.Sprintf(format, values...))
}

// failed takes what went wrong, if anything. Where errors are told, one is a line and the run goes on; otherwise it ends the run.
func (all *lines) failed(err error, tellErrors bool) error {
	if err == nil || !tellErrors {
		return err
	}
	all.add("%s", failure(err))
	return nil
}

func (all lines) report() *sickbay.Report {
	report := sickbay.OK("told")
	if all == nil {
		all = lines{}
	}
	report.Details = map[string]any{"told": []string(all)}
	return report
}

func failure(err error) string {
	service, plugin := sickbay.Meaning(err)
	var refused *postgres.ServerError
	isRefusal := errors.As(err, &refused)
	told := func(message string) string {
		if isRefusal {
			return "sqlstate " + text(refused.SQLState)
		}
		return text(message)
	}
	if service != nil {
		return fmt.Sprintf("error service %s %s", service.Failure, told(service.Message))
	}
	return fmt.Sprintf("error plugin %s %s", plugin.Kind, told(plugin.Error()))
}

func text(value string) string {
	var told strings.Builder
	told.WriteByte('"')
	for _, character := range value {
		switch {
		case character == '"' || character == '\\':
			told.WriteByte('\\')
			told.WriteRune(character)
		case character < ' ':
			fmt.Fprintf(&told, "\\u%04x", character)
		default:
			told.WriteRune(character)
		}
	}
	told.WriteByte('"')
	return told.String()
}

// optional is a text that the SDK has empty where it is absent.
func optional(value string) string {
	if value == "" {
		return "null"
	}
	return text(value)
}

func octets(value []byte) string { return "bytes:" + hex.EncodeToString(value) }

// byteString is text where the bytes are UTF-8.
func byteString(value []byte) string {
	if utf8.Valid(value) {
		return text(string(value))
	}
	return octets(value)
}

func float(value float64) string {
	isMinusZero := value == 0 && math.Signbit(value)
	switch {
	case math.IsNaN(value):
		return "float:nan"
	case math.Trunc(value) == value && math.Abs(value) <= wholeMax && !isMinusZero:
		return strconv.FormatInt(int64(value), 10)
	}
	return fmt.Sprintf("float:%016x", math.Float64bits(value))
}

func floats(values ...float64) string {
	told := make([]string, len(values))
	for at, value := range values {
		told[at] = float(value)
	}
	return strings.Join(told, " ")
}

func milliseconds(value time.Time) string { return fmt.Sprintf("ms:%d", value.UnixMilli()) }

func list(items []string) string { return "[" + strings.Join(items, ", ") + "]" }

// document is JSON that came as text. What cannot be read is what the service did.
func document(source []byte) (string, error) {
	decoder := json.NewDecoder(bytes.NewReader(source))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return "", sickbay.ServiceErrorf(sickbay.FailureContent, "%w", err)
	}
	return tellJSON(value), nil
}

func tellJSON(value any) string {
	switch told := value.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(told)
	case json.Number:
		if whole, err := told.Int64(); err == nil {
			return strconv.FormatInt(whole, 10)
		}
		number, _ := told.Float64()
		return float(number)
	case string:
		return text(told)
	case []any:
		items := make([]string, len(told))
		for at, item := range told {
			items[at] = tellJSON(item)
		}
		return list(items)
	case map[string]any:
		var fields []string
		for _, key := range slices.Sorted(maps.Keys(told)) {
			fields = append(fields, text(key)+": "+tellJSON(told[key]))
		}
		return "{" + strings.Join(fields, ", ") + "}"
	}
	return fmt.Sprintf("a %T", value)
}

// sqlValue is a value of PostgreSQL.
func sqlValue(value any) (string, error) {
	switch told := value.(type) {
	case int64:
		return strconv.FormatInt(told, 10), nil
	case float64:
		return float(told), nil
	case []byte:
		return octets(told), nil
	case time.Time:
		return fmt.Sprintf("us:%d", told.UnixMicro()), nil
	case time.Duration:
		return fmt.Sprintf("us:%d", told.Microseconds()), nil
	case json.RawMessage:
		return document(told)
	case postgres.List:
		return document(told)
	case postgres.Other:
		return fmt.Sprintf("other:%s %s", text(told.TypeName), text(told.Text)), nil
	}
	if told, is := postgres.Text(value); is {
		return text(told), nil
	}
	return tellJSON(value), nil
}

// reply is a reply of Redis. Of a map the keys and values in turn.
func reply(told redis.Reply) string {
	if err := told.Err(); err != nil {
		return "failed:" + text(err.Error())
	}
	if all, err := told.List(); err == nil {
		items := make([]string, len(all))
		for at, item := range all {
			items[at] = reply(item)
		}
		return list(items)
	}
	switch value := told.Value.(type) {
	case int64:
		return strconv.FormatInt(value, 10)
	case float64:
		return float(value)
	case []byte:
		return byteString(value)
	}
	return tellJSON(told.Value)
}

// digest tells which of several, without the whole of them: 32 bits of FNV-1a over the lines, each with a line's end.
func digest(all ...[]byte) string {
	hash := fnv.New32a()
	for _, line := range all {
		hash.Write(line)
		hash.Write([]byte{'\n'})
	}
	return fmt.Sprintf("fnv1a:%08x", binary.BigEndian.Uint32(hash.Sum(nil)))
}

func labels(told *lines, word string, values map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		told.add("%s %s %s", word, text(name), text(values[name]))
	}
}

func session(told *lines, session *network.TLSSession) {
	if session == nil {
		told.add("tls null")
		return
	}
	told.add("tls %s %s %s", text(session.Version), text(session.Cipher), optional(session.Untrusted))
	for _, one := range session.Chain {
		names := make([]string, len(one.DNSNames))
		for at, name := range one.DNSNames {
			names[at] = text(name)
		}
		valid := milliseconds(one.NotBefore) + " " + milliseconds(one.NotAfter)
		told.add("certificate %s %s %s %s %s", text(one.Subject), text(one.Issuer), list(names), valid, text(one.SHA256))
	}
}

// timings adds the phases that happened, as metrics.
func timings(report *sickbay.Report, told *network.Timings) *sickbay.Report {
	if told == nil {
		return report
	}
	for _, phase := range []struct {
		name string
		took time.Duration
	}{
		{"dns_seconds", told.DNS},
		{"connect_seconds", told.Connect},
		{"tls_seconds", told.TLS},
		{"first_byte_seconds", told.FirstByte},
		{"total_seconds", told.Total},
	} {
		if phase.took > 0 {
			report.AddGauge(phase.name, phase.took.Seconds())
		}
	}
	return report
}
