package sickbay

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sickbay/sickbay/sdk/go/internal/bounds"
	"github.com/sickbay/sickbay/sdk/go/internal/registry"
)

// Plugin is what the component offers.
type Plugin struct {
	// Lower-case letters, digits and `-`.
	Name string
	// Of the plugin itself, as semantic versioning has it.
	Version string
	// One line for a person.
	Summary string
	// Kinds of checks, recoveries and sinks, in any order.
	Kinds []Kind
	// Where to read more, and an SPDX expression such as `Apache-2.0`; both may be empty.
	Homepage, Licence string
	Extras            map[string]string
}

// Kind is one thing that a plugin can do: a check.Kind, a recovery.Kind or a sink.Kind.
type Kind interface {
	// Describe says what the host wants to know when the plugin is loaded.
	Describe() (Description, error)
}

// Role is what a kind is for.
type Role uint8

const (
	RoleCheck Role = iota
	RoleRecovery
	RoleSink
)

func (role Role) String() string { return [...]string{"check", "recovery", "sink"}[role%3] }

// Description is what a kind says of itself.
type Description struct {
	Role          Role
	Name, Summary string
	// JSON Schema (2020-12) of its configuration.
	ConfigSchema json.RawMessage
	// A small configuration that works.
	Example  json.RawMessage
	Needs    []Need
	Metrics  []MetricInfo
	Failures []string
}

// Need is a grant that a kind needs. Advice for the operator: every call is authorised regardless.
type Need struct {
	// For a person: "reads pg_stat_activity".
	Reason string
	// A line of TOML that grants it, with `{NAME}` for a key of the configuration: `http = ["GET {url}"]`.
	Grant string
}

// Capability is the word that the line of the grant begins with.
func (need Need) Capability() string {
	word, _, _ := strings.Cut(need.Grant, "=")
	return strings.TrimSpace(word)
}

// MetricInfo is one metric that a check may report; conditions are validated against it.
type MetricInfo struct {
	// Ends with `*` where the rest depends on the configuration.
	Name string
	Kind MetricKind
	Unit string
	// One line for a person.
	Summary string
}

// Gauge describes a number that may go up and down. The end of its name is its unit: `_seconds`, `_bytes` or `_ratio`.
func Gauge(name, summary string) MetricInfo {
	return MetricInfo{Name: name, Kind: KindGauge, Unit: unitOf(name), Summary: summary}
}

// Counter describes a number that only grows, except when the thing counted restarts.
func Counter(name, summary string) MetricInfo {
	return MetricInfo{Name: name, Kind: KindCounter, Unit: unitOf(name), Summary: summary}
}

var registered *Plugin

// Register has the component offer a plugin. Call it once, in an `init` function: the `main` of a component is never called.
func Register(plugin Plugin) {
	if registered != nil {
		panic(fmt.Sprintf("a second plugin, %q, is registered beside %q; hint: a component is one plugin with many kinds", plugin.Name, registered.Name))
	}
	registered = &plugin
	for _, kind := range plugin.Kinds {
		registry.Kinds = append(registry.Kinds, kind)
	}
	install()
}

// Validate says what in the plugin's description the host would refuse. sickbaytest.AssertValid asks it in a test.
func (plugin Plugin) Validate() error {
	_, err := plugin.describe()
	return err
}

// describe answers the descriptions of the kinds, once they are known to be fit.
func (plugin Plugin) describe() ([]Description, error) {
	if !bounds.IsWord(plugin.Name) {
		return nil, fmt.Errorf("%q is no name of a plugin; hint: %s", plugin.Name, wordHint)
	}
	if plugin.Version == "" || plugin.Summary == "" {
		return nil, fmt.Errorf("the plugin %q has no version or no summary; hint: `Version: \"0.1.0\"`, and in one line what it does", plugin.Name)
	}
	var all []Description
	counts := map[Role]int{}
	for _, kind := range plugin.Kinds {
		one, err := kind.Describe()
		if err == nil {
			err = one.validate()
		}
		if err != nil {
			return nil, fmt.Errorf("the %s %q: %w", one.Role, one.Name, err)
		}
		if slices.ContainsFunc(all, func(other Description) bool { return other.Role == one.Role && other.Name == one.Name }) {
			return nil, fmt.Errorf("the plugin has two kinds of %s named %q", one.Role, one.Name)
		}
		if counts[one.Role]++; counts[one.Role] > bounds.KindsMax {
			return nil, fmt.Errorf("the plugin has more than %d kinds of %s", bounds.KindsMax, one.Role)
		}
		all = append(all, one)
	}
	return all, nil
}

var capabilities = []string{"http", "postgres", "redis", "net", "secrets", "files", "system", "state", "log"}

func (kind Description) validate() error {
	switch {
	case !bounds.IsWord(kind.Name):
		return fmt.Errorf("%q is no name of a kind; hint: %s", kind.Name, wordHint)
	case kind.Summary == "":
		return errors.New("it has no summary; hint: say in one line what it does")
	case len(kind.Summary) > bounds.SummaryBytesMax:
		return fmt.Errorf("its summary has %d bytes; hint: at most %d", len(kind.Summary), bounds.SummaryBytesMax)
	case len(kind.Needs) > bounds.NeedsMax, len(kind.Metrics) > bounds.MetricInfosMax, len(kind.Failures) > bounds.FailuresMax:
		return fmt.Errorf("it has too many needs, metrics or failures; hint: at most %d, %d and %d", bounds.NeedsMax, bounds.MetricInfosMax, bounds.FailuresMax)
	case len(kind.ConfigSchema) > bounds.SchemaBytesMax:
		return fmt.Errorf("its schema has %d bytes; hint: at most %d", len(kind.ConfigSchema), bounds.SchemaBytesMax)
	}
	for _, need := range kind.Needs {
		if !slices.Contains(capabilities, need.Capability()) {
			const hint = "a line such as `http = [\"GET {url}\"]`; capabilities are"
			return fmt.Errorf("the grant %q names no capability; hint: %s %s", need.Grant, hint, strings.Join(capabilities, ", "))
		}
	}
	seen := map[string]bool{}
	for _, metric := range kind.Metrics {
		if name := strings.TrimSuffix(metric.Name, "*"); metric.Name != "*" && !bounds.IsMetricName(name) {
			return fmt.Errorf("%q is no name for a metric; hint: %s", metric.Name, metricNameHint)
		}
		if seen[metric.Name] {
			return fmt.Errorf("it describes the metric %q twice", metric.Name)
		}
		seen[metric.Name] = true
	}
	for _, failure := range kind.Failures {
		if !bounds.IsWord(failure) {
			return fmt.Errorf("%q is no failure kind; hint: %s", failure, wordHint)
		}
	}
	return nil
}
