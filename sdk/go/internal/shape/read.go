package shape

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Validator is a configuration that refuses what no schema can say.
type Validator interface{ Validate() error }

// Read reads a configuration as the host hands it over. An error names the key.
func (shape *Shape) Read(document []byte, into reflect.Value) error {
	value, err := decode(document)
	if err != nil {
		return fmt.Errorf("`config` is not JSON: %w", err)
	}
	if err := shape.read(value, into, "config"); err != nil {
		return err
	}
	if validator, is := into.Addr().Interface().(Validator); is {
		return validator.Validate()
	}
	return nil
}

// decode reads JSON with numbers as they are written.
func decode(document []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("something follows behind its end")
	}
	return value, nil
}

func (shape *Shape) read(value any, into reflect.Value, path string) error {
	if shape.isPointer && into.Kind() == reflect.Pointer {
		if value == nil {
			into.SetZero()
			return nil
		}
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	if err := shape.readInner(value, into, path); err != nil {
		return err
	}
	return shape.bounds.refuse(value, path)
}

func (shape *Shape) readInner(value any, into reflect.Value, path string) error {
	switch shape.kind {
	case anything:
		return shape.readAnything(value, into)
	case truth:
		if told, is := value.(bool); is {
			into.SetBool(told)
			return nil
		}
	case integer, number:
		if told, is := value.(json.Number); is {
			return readNumber(told, into, path)
		}
	case text, moment, span, parsed:
		if told, is := value.(string); is {
			return shape.readText(told, into, path)
		}
	case list:
		if told, is := value.([]any); is {
			return shape.readList(told, into, path)
		}
	case table:
		if told, is := value.(map[string]any); is {
			return shape.readTable(told, into, path)
		}
	case object:
		if told, is := value.(map[string]any); is {
			return shape.readObject(told, into, path)
		}
	}
	return fmt.Errorf("`%s` is %s; hint: %s", path, show(value), shape.expected())
}

// expected says in words what belongs there.
func (shape *Shape) expected() string {
	return [...]string{
		"anything", "true or false", "a whole number", "a number", "a text", "a time such as `2026-01-31T12:00:00Z`",
		"a span such as `1m30s`", "a text", "a list", "a table", "a table",
	}[shape.kind]
}

func (shape *Shape) readAnything(value any, into reflect.Value) error {
	if shape.of == rawType {
		raw, err := json.Marshal(value)
		into.SetBytes(raw)
		return err
	}
	if value != nil {
		into.Set(reflect.ValueOf(value))
	}
	return nil
}

func readNumber(told json.Number, into reflect.Value, path string) error {
	float, err := told.Float64()
	if into.CanFloat() {
		if err == nil {
			into.SetFloat(float)
			return nil
		}
		return fmt.Errorf("`%s` is %s, which is out of range", path, told)
	}
	// A whole number may be written as `1.0` or `1e3` too.
	if whole, err := strconv.ParseInt(told.String(), 10, 64); err == nil && into.CanInt() && !into.OverflowInt(whole) {
		into.SetInt(whole)
		return nil
	}
	if whole, err := strconv.ParseUint(told.String(), 10, 64); err == nil && into.CanUint() && !into.OverflowUint(whole) {
		into.SetUint(whole)
		return nil
	}
	if err == nil && float == float64(int64(float)) {
		if into.CanInt() && !into.OverflowInt(int64(float)) {
			into.SetInt(int64(float))
			return nil
		}
		if into.CanUint() && float >= 0 && !into.OverflowUint(uint64(float)) {
			into.SetUint(uint64(float))
			return nil
		}
	}
	return fmt.Errorf("`%s` is %s; hint: a whole number of type %s", path, told, into.Type())
}

func (shape *Shape) readText(told string, into reflect.Value, path string) (err error) {
	switch shape.kind {
	case text:
		into.SetString(told)
	case moment:
		var at time.Time
		if at, err = time.Parse(time.RFC3339, told); err == nil {
			into.Set(reflect.ValueOf(at))
		}
	case span:
		var long time.Duration
		if long, err = time.ParseDuration(told); err == nil {
			into.SetInt(int64(long))
		}
	case parsed:
		if err = into.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(told)); err != nil {
			return fmt.Errorf("`%s` is %q: %w", path, told, err)
		}
	}
	if err != nil {
		return fmt.Errorf("`%s` is %q; hint: %s", path, told, shape.expected())
	}
	return nil
}

func (shape *Shape) readList(told []any, into reflect.Value, path string) error {
	into.Set(reflect.MakeSlice(into.Type(), len(told), len(told)))
	for at, one := range told {
		if err := shape.element.read(one, into.Index(at), fmt.Sprintf("%s[%d]", path, at)); err != nil {
			return err
		}
	}
	return nil
}

func (shape *Shape) readTable(told map[string]any, into reflect.Value, path string) error {
	into.Set(reflect.MakeMapWithSize(into.Type(), len(told)))
	for name, one := range told {
		element := reflect.New(into.Type().Elem()).Elem()
		if err := shape.element.read(one, element, path+"."+name); err != nil {
			return err
		}
		into.SetMapIndex(reflect.ValueOf(name).Convert(into.Type().Key()), element)
	}
	return nil
}

func (shape *Shape) readObject(told map[string]any, into reflect.Value, path string) error {
	known := 0
	for _, field := range shape.fields {
		value, is := told[field.name]
		switch {
		case is:
			known++
		case field.required:
			return fmt.Errorf("`%s.%s` is missing", path, field.name)
		case field.fallback != nil:
			value = field.fallback
		default:
			continue
		}
		if err := field.shape.read(value, into.FieldByIndex(field.index), path+"."+field.name); err != nil {
			return err
		}
	}
	if known == len(told) {
		return nil
	}
	var names []string
	for _, field := range shape.fields {
		names = append(names, field.name)
		delete(told, field.name)
	}
	for name := range told {
		return fmt.Errorf("`%s.%s` is not known; hint: keys are %s", path, name, strings.Join(names, ", "))
	}
	return nil
}

func show(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}
