package sickbay

import (
	"context"
	"log/slog"

	"github.com/sickbay/sickbay/sdk/go/internal/bounds"
)

// LevelTrace is for every step, for whoever writes the plugin.
const LevelTrace = slog.LevelDebug - 4

// A handler hands records to the host. Attributes become fields, a group is a prefix with a dot.
type handler struct {
	// Of the run that it logs for; nil in a component, which has one run at a time.
	ctx    context.Context
	prefix string
	fields []field
}

type field struct{ name, value string }

func (handler handler) Enabled(context.Context, slog.Level) bool { return true }

func (handler handler) Handle(_ context.Context, record slog.Record) error {
	fields := handler.fields[:len(handler.fields):len(handler.fields)]
	record.Attrs(func(attr slog.Attr) bool {
		fields = appendFields(fields, handler.prefix, attr)
		return len(fields) < bounds.LabelsMax
	})
	writeLog(handler.ctx, record.Level, record.Message, fields[:min(len(fields), bounds.LabelsMax)])
	return nil
}

func (handler handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	handler.fields = handler.fields[:len(handler.fields):len(handler.fields)]
	for _, attr := range attrs {
		handler.fields = appendFields(handler.fields, handler.prefix, attr)
	}
	return handler
}

func (handler handler) WithGroup(name string) slog.Handler {
	if name != "" {
		handler.prefix += name + "."
	}
	return handler
}

func appendFields(fields []field, prefix string, attr slog.Attr) []field {
	value := attr.Value.Resolve()
	if value.Kind() != slog.KindGroup {
		if attr.Key == "" {
			return fields
		}
		return append(fields, field{prefix + attr.Key, value.String()})
	}
	if attr.Key != "" {
		prefix += attr.Key + "."
	}
	for _, inner := range value.Group() {
		fields = appendFields(fields, prefix, inner)
	}
	return fields
}
