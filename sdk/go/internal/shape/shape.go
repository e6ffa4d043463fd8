// Package shape reads the configuration of a kind out of the tags of a struct: the JSON Schema that the host validates against before
// anything starts, and the value that a run gets, both come from them.
//
//	type Config struct {
//		URL   string        `json:"url" doc:"Where to look" pattern:"^https?://"`
//		Limit int           `json:"limit" doc:"How many may wait" min:"0" default:"100"`
//		Level string        `json:"level" enum:"low,high" default:"low"`
//		Every time.Duration `json:"every,omitempty"`
//	}
//
// A field without a default is required, unless it is a pointer or has `omitempty` or `omitzero`. A key that no field has is a mistake.
package shape

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// depthMax is how many structs may be inside each other; none may be inside itself, for the schema has no references.
const depthMax = 16

type kind uint8

const (
	anything kind = iota
	truth
	integer
	number
	text
	// A time.Time, a time.Duration, and what reads itself from text.
	moment
	span
	parsed
	list
	table
	object
)

// A Shape is what one type is as JSON.
type Shape struct {
	kind kind
	of   reflect.Type
	// Of a list or table.
	element *Shape
	// Of an object.
	fields []field
	// A pointer: absent or `null` is nil.
	isPointer bool
	bounds
}

type field struct {
	name     string
	index    []int
	doc      string
	required bool
	// As JSON has it; nil without one.
	fallback any
	shape    *Shape
}

// What the tags `min`, `max`, `pattern`, `format` and `enum` say: of a number its value, of a text its length, of a list its items.
type bounds struct {
	min, max        *float64
	pattern, format string
	choices         []any
}

var shapes sync.Map

// Of answers the shape of a configuration, which is a struct or a map.
func Of(of reflect.Type) (*Shape, error) {
	if found, is := shapes.Load(of); is {
		return found.(*Shape), nil
	}
	made, err := build(of, nil)
	if err == nil && made.kind != object && made.kind != table {
		err = fmt.Errorf("%s is no configuration; hint: use a struct, `struct{}` where there is nothing to configure", of)
	}
	if err != nil {
		return nil, err
	}
	shapes.Store(of, made)
	return made, nil
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	rawType      = reflect.TypeFor[json.RawMessage]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func build(of reflect.Type, inside []reflect.Type) (*Shape, error) {
	made := &Shape{of: of}
	switch {
	case of == timeType:
		made.kind = moment
		return made, nil
	case of == durationType:
		made.kind = span
		return made, nil
	case of == rawType:
		return made, nil
	case of.Kind() != reflect.Pointer && reflect.PointerTo(of).Implements(textType):
		made.kind = parsed
		return made, nil
	}
	switch of.Kind() {
	case reflect.Pointer:
		inner, err := build(of.Elem(), inside)
		if err != nil {
			return nil, err
		}
		inner.isPointer = true
		return inner, nil
	case reflect.Interface:
		if of.NumMethod() == 0 {
			return made, nil
		}
	case reflect.Bool:
		made.kind = truth
		return made, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		made.kind = integer
		return made, nil
	case reflect.Float32, reflect.Float64:
		made.kind = number
		return made, nil
	case reflect.String:
		made.kind = text
		return made, nil
	case reflect.Slice:
		made.kind = list
		return made, made.buildElement(inside)
	case reflect.Map:
		if of.Key().Kind() == reflect.String {
			made.kind = table
			return made, made.buildElement(inside)
		}
	case reflect.Struct:
		made.kind = object
		return made, made.buildFields(inside)
	}
	return nil, fmt.Errorf("%s cannot be read from JSON; hint: use bool, numbers, string, time.Time, time.Duration, slices, maps and structs", of)
}

func (made *Shape) buildElement(inside []reflect.Type) (err error) {
	made.element, err = build(made.of.Elem(), inside)
	return err
}

func (made *Shape) buildFields(inside []reflect.Type) error {
	if slices.Contains(inside, made.of) || len(inside) == depthMax {
		return fmt.Errorf("%s holds itself, or is more than %d structs deep; hint: use json.RawMessage for the inner part", made.of, depthMax)
	}
	inside = append(slices.Clip(inside), made.of)
	for _, one := range reflect.VisibleFields(made.of) {
		tag, isTagged := one.Tag.Lookup("json")
		name, options, _ := strings.Cut(tag, ",")
		if one.Anonymous && !isTagged && one.Type.Kind() == reflect.Pointer {
			return fmt.Errorf("%s embeds a pointer; hint: embed the struct itself", made.of)
		}
		if !one.IsExported() || name == "-" || one.Anonymous && !isTagged {
			continue
		}
		if name == "" {
			return fmt.Errorf("%s.%s has no name in the configuration; hint: add the tag `json:\"%s\"`", made.of, one.Name, strings.ToLower(one.Name))
		}
		inner, err := build(one.Type, inside)
		if err != nil {
			return fmt.Errorf("%s.%s: %w", made.of, one.Name, err)
		}
		isOptional := inner.isPointer || slices.Contains(strings.Split(options, ","), "omitempty") || slices.Contains(strings.Split(options, ","), "omitzero")
		made.fields = append(made.fields, field{name: name, index: one.Index, doc: one.Tag.Get("doc"), required: !isOptional, shape: inner})
		if err := made.fields[len(made.fields)-1].readTags(one.Tag); err != nil {
			return fmt.Errorf("%s.%s: %w", made.of, one.Name, err)
		}
	}
	return nil
}

// readTags reads what bounds a field, and its default.
func (one *field) readTags(tag reflect.StructTag) error {
	shape := one.shape
	for name, into := range map[string]**float64{"min": &shape.min, "max": &shape.max} {
		if told, is := tag.Lookup(name); is {
			bound, err := strconv.ParseFloat(told, 64)
			if err != nil || !slices.Contains([]kind{integer, number, text, list}, shape.kind) {
				return fmt.Errorf("the tag `%s:%q` bounds nothing; hint: a number, for a number, a text or a list", name, told)
			}
			*into = &bound
		}
	}
	shape.pattern, shape.format = tag.Get("pattern"), tag.Get("format")
	if (shape.pattern != "" || shape.format != "") && shape.kind != text && shape.kind != parsed {
		return errors.New("only a text has a `pattern` or `format`")
	}
	if told, is := tag.Lookup("enum"); is {
		var choices []any
		for choice := range strings.SplitSeq(told, ",") {
			value, err := shape.fromTag(choice)
			if err != nil {
				return fmt.Errorf("the tag `enum:%q`: %w", told, err)
			}
			choices = append(choices, value)
		}
		shape.choices = choices
	}
	if told, is := tag.Lookup("default"); is {
		value, err := shape.fromTag(told)
		if err != nil {
			return fmt.Errorf("the tag `default:%q`: %w", told, err)
		}
		one.fallback, one.required = value, false
	}
	return nil
}

// fromTag reads a value of this shape as a tag writes it: a text as it is, everything else as JSON.
func (shape *Shape) fromTag(told string) (any, error) {
	var value any = told
	switch shape.kind {
	case text, moment, span, parsed:
	default:
		decoded, err := decode([]byte(told))
		if err != nil {
			return nil, err
		}
		value = decoded
	}
	return value, shape.read(value, reflect.New(shape.of).Elem(), "it")
}
