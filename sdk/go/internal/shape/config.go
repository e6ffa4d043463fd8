package shape

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// Config is the configuration of a kind: its schema, and its example in the kind's own type.
func Config[C any](example C) (schema, written json.RawMessage, err error) {
	shape, err := Of(reflect.TypeFor[C]())
	if err != nil {
		return nil, nil, err
	}
	if schema, err = shape.Schema(); err != nil {
		return nil, nil, err
	}
	value := reflect.ValueOf(&example).Elem()
	if written, err = shape.Write(value); err != nil {
		return nil, nil, err
	}
	if err := shape.Read(written, reflect.New(value.Type()).Elem()); err != nil {
		return nil, nil, fmt.Errorf("its example is no configuration of it: %w", err)
	}
	return schema, written, nil
}

// ReadConfig reads what the host hands over.
func ReadConfig[C any](document []byte) (config C, err error) {
	shape, err := Of(reflect.TypeFor[C]())
	if err == nil {
		err = shape.Read(document, reflect.ValueOf(&config).Elem())
	}
	return config, err
}
