// Package recovery is for plugins that heal: a function that plans, one that acts, and one that follows what goes on.
//
// The plan changes nothing: it runs with grants that only read, and is shown to who approves it. A component that imports this package
// exports the contract's `recovery`.
package recovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/internal/bounds"
	"github.com/sickbay/sickbay/sdk/go/internal/shape"
)

// Run is what a recovery is asked, and the context of everything it does.
type Run struct {
	sickbay.Call
	// Name of the recovery in the configuration.
	Recovery string
	Kind     string
	Incident Incident
	// The same key means the same step: an orchestrator may drop the second. Empty in a plan.
	IdempotencyKey string
	Extras         map[string]string
}

// Incident is what is to be healed.
type Incident struct {
	// Stable for one firing episode.
	ID string
	// Name of the check in the configuration.
	Check string
	// The target, where the check fans out over several; otherwise empty.
	Target string
	// The failure kind of the last report that had one, or empty.
	Failure string
	// `P0` (worst) to `P3`, or the word that a foreign alert came with.
	Severity string
	// When the check became bad for good.
	Since time.Time
	// Failed runs in a row, this one included.
	ConsecutiveFailures int
	Labels              map[string]string
	// The report that the incident rests on, without its details.
	LastReport *sickbay.Report
	Extras     map[string]string
}

// Action is one step that would be taken. Dry runs and approvals show it as it is.
type Action struct {
	// Stable for the same step on the same target: the host never starts it twice for one incident unless it is idempotent.
	ID string
	// One line for a person who approves it.
	Title string
	// What it acts on: a process id, a service, a pod.
	Target string
	// Doing it twice does no more than doing it once.
	Idempotent bool
	// Handed back to Act unchanged: [JSON] makes it, json.Unmarshal reads it. Nil is `null`.
	Parameters json.RawMessage
	Extras     map[string]string
}

// JSON is a value for the parameters of an [Action] or the token of [Running]. One that JSON cannot hold is a mistake of the plugin: it
// panics, and the call becomes a failure `internal`.
func JSON(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("%T cannot be written as JSON: %v", value, err))
	}
	return text
}

// Progress is how far a step is: an [Outcome] or [Running].
type Progress interface{ isProgress() }

// Outcome is how a step ended.
type Outcome struct {
	// The step did what it was to do; whether the check is well again is for the check to say.
	Success bool
	// One line for a person.
	Reason string
	// What was really done, one line each.
	Actions []string
	// What a person should do next; may be empty.
	Recommendation string
	// A map or a struct, as JSON at most 64 KiB.
	Details any
	Extras  map[string]string
}

// Running is a step that has not ended.
type Running struct {
	// Handed back to Follow, also after a restart of the host. At most 4 KiB.
	Token json.RawMessage
	// One line for a person.
	Summary string
	// Until the host asks again, 1 second to 1 hour.
	AgainAfter time.Duration
}

func (Outcome) isProgress() {}
func (Running) isProgress() {}

// Kind is one kind of recovery, with what its configuration looks like as a struct: see check.Kind.
type Kind[Config any] struct {
	Name    string
	Summary string
	Example Config
	Needs   []sickbay.Need
	// The failure kinds that it can heal.
	Failures []string
	// The steps that would be taken, at most 16.
	Plan func(run *Run, config Config) ([]Action, error)
	// One step, as it was planned and approved. A service that refuses it, or does not answer, has not done it.
	Act func(run *Run, config Config, action Action) (Progress, error)
	// How a step that is Running is doing; may be called any number of times. Nil where no step goes on.
	Follow func(run *Run, config Config, action Action, token json.RawMessage) (Progress, error)
}

// Describe says what the host wants to know of the kind.
func (kind Kind[Config]) Describe() (sickbay.Description, error) {
	told := sickbay.Description{Role: sickbay.RoleRecovery, Name: kind.Name, Summary: kind.Summary, Needs: kind.Needs, Failures: kind.Failures}
	if kind.Plan == nil || kind.Act == nil {
		return told, errors.New("it cannot plan or cannot act; hint: set Plan and Act")
	}
	var err error
	told.ConfigSchema, told.Example, err = shape.Config(kind.Example)
	return told, err
}

// AnswerPlan are the steps that would be taken, on a configuration as JSON has it: what a host calls.
func (kind Kind[Config]) AnswerPlan(run *Run, document []byte) ([]Action, error) {
	config, err := kind.config(document)
	if err != nil {
		return nil, err
	}
	actions, err := kind.Plan(run, config)
	if err == nil && len(actions) > bounds.ActionsMax {
		err = sickbay.InternalErrorf("the plan has %d steps; hint: at most %d", len(actions), bounds.ActionsMax)
	}
	return actions, err
}

// AnswerAct is one step. What the service did is an outcome without success; what the plugin did is an error.
func (kind Kind[Config]) AnswerAct(run *Run, document []byte, action Action) (Progress, error) {
	config, err := kind.config(document)
	if err != nil {
		return nil, err
	}
	progress, err := kind.Act(run, config, action)
	if service, _ := sickbay.Meaning(err); service != nil {
		return Outcome{Reason: service.Failure + ": " + service.Message}, nil
	}
	return kind.told(progress, err)
}

// AnswerFollow is how a step is doing. A service that does not answer says nothing about it: that is an error, and the host asks again.
func (kind Kind[Config]) AnswerFollow(run *Run, document []byte, action Action, token json.RawMessage) (Progress, error) {
	if kind.Follow == nil {
		return nil, sickbay.InternalErrorf("the recovery %q cannot follow; hint: set Follow", kind.Name)
	}
	config, err := kind.config(document)
	if err != nil {
		return nil, err
	}
	return kind.told(kind.Follow(run, config, action, token))
}

func (kind Kind[Config]) told(progress Progress, err error) (Progress, error) {
	if err == nil && progress == nil {
		err = sickbay.InternalErrorf("the recovery %q returned neither progress nor an error", kind.Name)
	}
	return progress, err
}

func (kind Kind[Config]) config(document []byte) (Config, error) {
	config, err := shape.ReadConfig[Config](document)
	if err != nil {
		err = sickbay.ConfigurationErrorf("%w", err)
	}
	return config, err
}

func (kind Kind[Config]) isNamed(name string) bool { return kind.Name == name }
