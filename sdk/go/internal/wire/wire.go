// Package wire turns small values of the contract into Go's own, and back.
package wire

import (
	"maps"
	"slices"
	"time"

	"github.com/sickbay/sickbay/sdk/go/internal/contract/types"
)

// Labels are the names and values as a list, by name.
func Labels(values map[string]string) []types.Label {
	var list []types.Label
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list = append(list, types.Label{Name: name, Value: values[name]})
	}
	return list
}

// Map is the list by name.
func Map(list []types.Label) map[string]string {
	values := make(map[string]string, len(list))
	for _, label := range list {
		values[label.Name] = label.Value
	}
	return values
}

// Optional is nil for an empty text.
func Optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// Text is empty for one that is absent.
func Text(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// Time is a time of the contract, in UTC.
func Time(milliseconds uint64) time.Time { return time.UnixMilli(int64(milliseconds)).UTC() }

// OptionalTime is the zero time for one that is absent.
func OptionalTime(milliseconds *uint64) time.Time {
	if milliseconds == nil {
		return time.Time{}
	}
	return Time(*milliseconds)
}

// Microseconds is a span of the contract.
func Microseconds(count uint32) time.Duration { return time.Duration(count) * time.Microsecond }

// OptionalMicroseconds is 0 for a span that is absent.
func OptionalMicroseconds(count *uint32) time.Duration {
	if count == nil {
		return 0
	}
	return Microseconds(*count)
}

// Milliseconds is a span of the contract.
func Milliseconds(count uint32) time.Duration { return time.Duration(count) * time.Millisecond }

// Each turns every element.
func Each[From, To any](list []From, turn func(From) To) []To {
	if list == nil {
		return nil
	}
	turned := make([]To, len(list))
	for at, one := range list {
		turned[at] = turn(one)
	}
	return turned
}
