package shape

import (
	"bytes"
	"encoding"
	"encoding/json"
	"reflect"
	"time"
)

// An ordered object: a reader finds the keys where the struct has them.
type pairs []pair

type pair struct {
	name  string
	value any
}

func (pairs pairs) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer
	text.WriteByte('{')
	for at, one := range pairs {
		if at > 0 {
			text.WriteByte(',')
		}
		for number, part := range [...]any{one.name, one.value} {
			written, err := marshal(part)
			if err != nil {
				return nil, err
			}
			if number == 1 {
				text.WriteByte(':')
			}
			text.Write(written)
		}
	}
	text.WriteByte('}')
	return text.Bytes(), nil
}

// marshal writes JSON for people: `<` stays `<`.
func marshal(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSpace(text.Bytes()), err
}

// Schema is the JSON Schema (2020-12), without references.
func (shape *Shape) Schema() (json.RawMessage, error) {
	return marshal(append(pairs{{"$schema", "https://json-schema.org/draft/2020-12/schema"}}, shape.schema()...))
}

// What a time.Duration is written like.
const spanPattern = `^[+-]?(0|(([0-9]+[.]?[0-9]*|[.][0-9]+)(ns|us|µs|ms|s|m|h))+)$`

func (shape *Shape) schema() pairs {
	var schema pairs
	add := func(name string, value any) { schema = append(schema, pair{name, value}) }
	least, most := "minimum", "maximum"
	switch shape.kind {
	case truth:
		add("type", "boolean")
	case integer:
		add("type", "integer")
		if shape.min == nil && reflect.Zero(elem(shape.of)).CanUint() {
			add("minimum", 0)
		}
	case number:
		add("type", "number")
	case text, parsed:
		add("type", "string")
		least, most = "minLength", "maxLength"
	case moment:
		add("type", "string")
		add("format", "date-time")
	case span:
		add("type", "string")
		add("pattern", spanPattern)
	case list:
		add("type", "array")
		add("items", shape.element.schema())
		least, most = "minItems", "maxItems"
	case table:
		add("type", "object")
		add("additionalProperties", shape.element.schema())
	case object:
		schema = shape.objectSchema()
	}
	if shape.min != nil {
		add(least, *shape.min)
	}
	if shape.max != nil {
		add(most, *shape.max)
	}
	if shape.pattern != "" {
		add("pattern", shape.pattern)
	}
	if shape.format != "" {
		add("format", shape.format)
	}
	if shape.choices != nil {
		add("enum", shape.choices)
	}
	return schema
}

func elem(of reflect.Type) reflect.Type {
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	return of
}

func (shape *Shape) objectSchema() pairs {
	properties, required := pairs{}, []string{}
	for _, field := range shape.fields {
		var schema pairs
		if field.doc != "" {
			schema = append(schema, pair{"description", field.doc})
		}
		schema = append(schema, field.shape.schema()...)
		if field.fallback != nil {
			schema = append(schema, pair{"default", field.fallback})
		}
		properties = append(properties, pair{field.name, schema})
		if field.required {
			required = append(required, field.name)
		}
	}
	return pairs{{"type", "object"}, {"properties", properties}, {"required", required}, {"additionalProperties", false}}
}

// Write writes a configuration as an operator would: what is optional and has its zero value is left out.
func (shape *Shape) Write(value reflect.Value) (json.RawMessage, error) {
	return marshal(shape.write(value))
}

func (shape *Shape) write(value reflect.Value) any {
	if value.Kind() == reflect.Pointer && value.IsNil() {
		return nil
	}
	value = reflect.Indirect(value)
	switch shape.kind {
	case moment:
		return value.Interface().(time.Time).Format(time.RFC3339Nano)
	case span:
		return time.Duration(value.Int()).String()
	case parsed:
		if writer, is := value.Interface().(encoding.TextMarshaler); is {
			text, err := writer.MarshalText()
			if err == nil {
				return string(text)
			}
		}
		return value.Interface()
	case list:
		all := []any{}
		for at := range value.Len() {
			all = append(all, shape.element.write(value.Index(at)))
		}
		return all
	case table:
		all := map[string]any{}
		for entries := value.MapRange(); entries.Next(); {
			all[entries.Key().String()] = shape.element.write(entries.Value())
		}
		return all
	case object:
		all := pairs{}
		for _, field := range shape.fields {
			if one := value.FieldByIndex(field.index); field.required || !one.IsZero() {
				all = append(all, pair{field.name, field.shape.write(one)})
			}
		}
		return all
	}
	return value.Interface()
}
