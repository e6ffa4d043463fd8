package postgres

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
)

// Scan copies the values into what the pointers point to, one for each column: bool, any integer or float (also from a number that came as
// text), string (from anything that came as text), []byte, json.RawMessage, time.Time, time.Duration, or any. A pointer to a pointer is nil
// for `NULL`. A value that is not what was asked for is what the service did: a failure `content`.
func (row Row) Scan(into ...any) error {
	if len(into) != len(row) {
		return sickbay.InternalErrorf("a row of %d columns is read into %d values", len(row), len(into))
	}
	for at, pointer := range into {
		target := reflect.ValueOf(pointer)
		if target.Kind() != reflect.Pointer || target.IsNil() {
			return sickbay.InternalErrorf("column %d is read into %T; hint: a pointer", at+1, pointer)
		}
		if err := scan(row[at], target.Elem()); err != nil {
			return sickbay.ServiceErrorf(sickbay.FailureContent, "column %d: %w", at+1, err)
		}
	}
	return nil
}

func scan(value any, into reflect.Value) error {
	if into.Kind() == reflect.Pointer {
		if value == nil {
			into.SetZero()
			return nil
		}
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	if value != nil && reflect.TypeOf(value).AssignableTo(into.Type()) {
		into.Set(reflect.ValueOf(value))
		return nil
	}
	text, isText := Text(value)
	switch into.Interface().(type) {
	case []byte, time.Time, time.Duration:
		return mismatch(value, into)
	case json.RawMessage:
		if isText {
			into.SetBytes([]byte(text))
			return nil
		}
	}
	switch {
	case into.Kind() == reflect.String && isText:
		into.SetString(text)
		return nil
	case into.Kind() == reflect.Bool:
		if is, known := truths[text]; known {
			into.SetBool(is)
			return nil
		}
	case into.CanFloat():
		if number, is := Number(value); is {
			into.SetFloat(number)
			return nil
		}
	case into.CanInt(), into.CanUint():
		return scanWhole(value, into)
	}
	return mismatch(value, into)
}

var truths = map[string]bool{"t": true, "true": true, "on": true, "f": false, "false": false, "off": false}

func scanWhole(value any, into reflect.Value) error {
	whole, is := value.(int64)
	if text, isText := Text(value); isText {
		parsed, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		whole, is = parsed, err == nil
	}
	switch {
	case is && into.CanInt() && !into.OverflowInt(whole):
		into.SetInt(whole)
		return nil
	case is && into.CanUint() && whole >= 0 && !into.OverflowUint(uint64(whole)):
		into.SetUint(uint64(whole))
		return nil
	}
	return mismatch(value, into)
}

func mismatch(value any, into reflect.Value) error {
	if value == nil {
		return fmt.Errorf("it is NULL, not a %s; hint: a pointer to a pointer takes NULL", into.Type())
	}
	return fmt.Errorf("%v is no %s", value, into.Type())
}

// Number is a value as a number, also one that came as text; none of what is not finite.
func Number(value any) (number float64, is bool) {
	switch told := value.(type) {
	case int64:
		return float64(told), true
	case float64:
		number = told
	case Numeric, string:
		text, _ := Text(told)
		parsed, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			return 0, false
		}
		number = parsed
	default:
		return 0, false
	}
	return number, !math.IsNaN(number) && !math.IsInf(number, 0)
}

// Text is a value that came as text: also a UUID, a date, a number beyond 64 bits, JSON, and every type that has none of its own.
func Text(value any) (text string, is bool) {
	switch told := value.(type) {
	case string:
		return told, true
	case Numeric:
		return string(told), true
	case UUID:
		return string(told), true
	case Date:
		return string(told), true
	case Clock:
		return string(told), true
	case List:
		return string(told), true
	case json.RawMessage:
		return string(told), true
	case Other:
		return told.Text, true
	}
	return "", false
}
