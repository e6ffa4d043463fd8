// Package check is for plugins that check: a function that is asked and reports.
//
// A component that imports it exports the contract's `check`.
package check

import (
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/internal/shape"
)

// Run is what one run is asked, and the context of everything it does.
type Run struct {
	sickbay.Call
	// Name of the check in the configuration.
	Check string
	Kind  string
	// When this run was due. It may have begun later: Now tells the time of day.
	ScheduledAt time.Time
	// 1 for the first try at this state, 2 for the next, ...
	Attempt int
	// The target, where the check fans out over several; otherwise empty.
	Target string
	Labels map[string]string
	// The last run that gave a report; nil without one.
	Previous *Earlier
	Extras   map[string]string
}

// Earlier is an earlier run of the same check and target.
type Earlier struct {
	// When it was due.
	ScheduledAt time.Time
	// What it found, without its details.
	Report *sickbay.Report
}

// Kind is one kind of check, with what its configuration looks like as a struct.
//
// The tags of the struct become the JSON Schema that the host validates against before anything starts: `json` names a key, `doc` says
// what it is, `default`, `min`, `max`, `pattern`, `format` and `enum` bound it. A field without a default is required, unless it is a
// pointer or has `omitempty`. A struct with a method `Validate() error` refuses what no schema can say.
type Kind[Config any] struct {
	// What the configuration writes as `kind = "..."`: lower-case letters, digits and `-`.
	Name string
	// One line for a person.
	Summary string
	// A small configuration that works: `sickbay probe --plugin` runs it.
	Example  Config
	Needs    []sickbay.Need
	Metrics  []sickbay.MetricInfo
	Failures []string
	// One run. A secret in the configuration is a placeholder, which the host replaces on the way out. The error says whose mistake it was:
	// see [sickbay.ServiceError] and [sickbay.PluginError].
	Run func(run *Run, config Config) (*sickbay.Report, error)
}

// Describe says what the host wants to know of the kind.
func (kind Kind[Config]) Describe() (sickbay.Description, error) {
	told := sickbay.Description{
		Role: sickbay.RoleCheck, Name: kind.Name, Summary: kind.Summary, Needs: kind.Needs, Metrics: kind.Metrics, Failures: kind.Failures,
	}
	var err error
	told.ConfigSchema, told.Example, err = shape.Config(kind.Example)
	return told, err
}

// Answer is one run on a configuration as JSON has it: what a host calls. What the service did is a report; what the plugin did is an error.
func (kind Kind[Config]) Answer(run *Run, document []byte) (*sickbay.Report, error) {
	config, err := shape.ReadConfig[Config](document)
	if err != nil {
		return nil, sickbay.ConfigurationErrorf("%w", err)
	}
	report, err := kind.Run(run, config)
	if service, plugin := sickbay.Meaning(err); service != nil {
		return sickbay.OK("").Critical(service.Failure, service.Message), nil
	} else if plugin != nil {
		return nil, plugin
	}
	if report == nil {
		return nil, sickbay.InternalErrorf("the check %q returned neither a report nor an error", kind.Name)
	}
	return report, nil
}

func (kind Kind[Config]) isNamed(name string) bool { return kind.Name == name }
