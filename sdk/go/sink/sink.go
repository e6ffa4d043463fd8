// Package sink is for plugins that tell: a function that tells someone, once.
//
// Only what the receiver refused for good is given up: a [PermanentError], or an http.StatusError of 400 to 499 other than 401, 403,
// 407, 408, 425 and 429. Everything else is tried again, for a duplicate is better than a miss. A component that imports this package
// exports the contract's `sink`.
package sink

import (
	"errors"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/internal/shape"
)

// Run is what a sink is asked, and the context of everything it does.
type Run struct {
	sickbay.Call
	// Name of the sink in the configuration.
	Sink         string
	Kind         string
	Notification Notification
	Extras       map[string]string
}

// Phase is where an alert is in its life.
type Phase uint8

const (
	// Firing means that it is bad, newly or still.
	Firing Phase = iota
	// Acknowledged means that a person has taken it.
	Acknowledged
	// Resolved means that it is well again.
	Resolved
	// Other is a later word, in the extra `phase`: return and do nothing.
	Other
)

func (phase Phase) String() string {
	return [...]string{"firing", "acknowledged", "resolved", "other"}[phase&3]
}

// Notification is what a sink is to tell, once.
type Notification struct {
	// The same key means the same notification: a receiver may drop the second.
	IdempotencyKey string
	// Key of the group that routing made.
	Group string
	// Firing while any of the alerts is.
	Phase Phase
	// The worst of the alerts.
	Severity string
	// At most 100; the extra `more` counts the rest.
	Alerts []Alert
	// From the receipt of this sink's last delivery for the group, to thread, edit or resolve it; or empty.
	Reference string
	// 1 for the first try at this delivery.
	Attempt int
	Extras  map[string]string
}

// Alert is one alert of a notification.
type Alert struct {
	// Stable for one firing episode: the receiver's key to thread or resolve by.
	IncidentID string
	// Name of the check in the configuration.
	Check string
	// The target, where the check fans out over several; otherwise empty.
	Target string
	// Of this alert; the notification has its own.
	Phase  Phase
	Status sickbay.Status
	// The failure kind of the last report that had one, or empty.
	Failure  string
	Severity string
	// One line for a person.
	Summary string
	// The named reason of the transition.
	Reason string
	// What routing matched.
	Labels    map[string]string
	StartedAt time.Time
	// The zero time while it is not resolved.
	EndedAt time.Time
	// What made it not ok, worst first.
	Evidence []sickbay.Evidence
	// Where to read more, or empty.
	URL    string
	Extras map[string]string
}

// Receipt says that the receiver has it.
type Receipt struct {
	// What the receiver called it: a message id, a dedup key. May be empty.
	Reference string
	Extras    map[string]string
}

// RetryableError says that the receiver could not take it now.
type RetryableError struct {
	Message string
	// What the receiver asked for, or 0.
	After time.Duration
}

func (err *RetryableError) Error() string { return err.Message }

// PermanentError says that the receiver refused it, and that trying again cannot help.
type PermanentError struct{ Message string }

func (err *PermanentError) Error() string { return err.Message }

// Kind is one kind of sink, with what its configuration looks like as a struct: see check.Kind.
type Kind[Config any] struct {
	Name    string
	Summary string
	Example Config
	Needs   []sickbay.Need
	// Tells once. No error says that the receiver has it.
	Deliver func(run *Run, config Config) (Receipt, error)
}

// Describe says what the host wants to know of the kind.
func (kind Kind[Config]) Describe() (sickbay.Description, error) {
	told := sickbay.Description{Role: sickbay.RoleSink, Name: kind.Name, Summary: kind.Summary, Needs: kind.Needs}
	var err error
	told.ConfigSchema, told.Example, err = shape.Config(kind.Example)
	return told, err
}

// Answer is one delivery, on a configuration as JSON has it: what a host calls. An error is a [RetryableError] or a [PermanentError].
func (kind Kind[Config]) Answer(run *Run, document []byte) (Receipt, error) {
	config, err := shape.ReadConfig[Config](document)
	if err != nil {
		return Receipt{}, &RetryableError{Message: err.Error()}
	}
	receipt, err := kind.Deliver(run, config)
	return receipt, delivery(err)
}

// refusal is what http.StatusError says of itself, whatever it is wrapped in.
type refusal interface {
	IsForGood() bool
	RetryAfter() time.Duration
}

func delivery(err error) error {
	var retryable *RetryableError
	var permanent *PermanentError
	var refused refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &permanent):
		return permanent
	case errors.As(err, &retryable):
		return retryable
	case errors.As(err, &refused):
		if refused.IsForGood() {
			return &PermanentError{err.Error()}
		}
		return &RetryableError{err.Error(), refused.RetryAfter()}
	}
	return &RetryableError{Message: err.Error()}
}

func (kind Kind[Config]) isNamed(name string) bool { return kind.Name == name }
