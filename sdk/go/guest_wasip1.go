package sickbay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/sickbay/sickbay/sdk/go/internal/abi"
	"github.com/sickbay/sickbay/sdk/go/internal/contract/log"
	contract "github.com/sickbay/sickbay/sdk/go/internal/contract/plugin"
	"github.com/sickbay/sickbay/sdk/go/internal/contract/types"
	"github.com/sickbay/sickbay/sdk/go/internal/wire"
)

func init() { contract.Exported.Describe = describe }

// install has everything that is logged handed to the host.
func install() { slog.SetDefault(slog.New(handler{})) }

func now(context.Context) time.Time { return time.Now() }

func writeLog(_ context.Context, level slog.Level, message string, fields []field) {
	var told []types.Label
	for _, field := range fields {
		told = append(told, types.Label{Name: field.name, Value: field.value})
	}
	log.Write(wireLevel(level), message, told)
}

func wireLevel(level slog.Level) log.Level {
	switch {
	case level >= slog.LevelError:
		return log.LevelError
	case level >= slog.LevelWarn:
		return log.LevelWarn
	case level >= slog.LevelInfo:
		return log.LevelInfo
	case level >= slog.LevelDebug:
		return log.LevelDebug
	}
	return log.LevelTrace
}

// describe answers the host once, when the plugin is loaded. A mistake in the description ends it; what is the last line on standard error
// then, the host tells.
func describe() contract.Descriptor {
	var kinds []Description
	err := errors.New("no plugin is registered; hint: call sickbay.Register in an init function")
	if registered != nil {
		kinds, err = registered.describe()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		abi.Trap()
	}
	told := contract.Descriptor{
		Name:     registered.Name,
		Version:  registered.Version,
		Summary:  registered.Summary,
		Homepage: wire.Optional(registered.Homepage),
		Licence:  wire.Optional(registered.Licence),
		Extras:   wire.Labels(registered.Extras),
	}
	for _, kind := range kinds {
		into := map[Role]*[]contract.Kind{RoleCheck: &told.Checks, RoleRecovery: &told.Recoveries, RoleSink: &told.Sinks}[kind.Role]
		*into = append(*into, kind.wire())
	}
	return told
}

func (kind Description) wire() contract.Kind {
	told := contract.Kind{
		Name:         kind.Name,
		Summary:      kind.Summary,
		ConfigSchema: string(kind.ConfigSchema),
		Example:      string(kind.Example),
		Failures:     kind.Failures,
	}
	for _, need := range kind.Needs {
		told.Needs = append(told.Needs, contract.Need{Capability: need.Capability(), Reason: need.Reason, Grant: need.Grant})
	}
	for _, metric := range kind.Metrics {
		told.Metrics = append(told.Metrics, contract.MetricInfo{
			Name: metric.Name, Kind: types.MetricKind(metric.Kind), Unit: metric.Unit, Summary: metric.Summary,
		})
	}
	return told
}
