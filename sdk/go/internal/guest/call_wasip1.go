package guest

import (
	"context"
	"errors"
	"fmt"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/internal/bounds"
	"github.com/sickbay/sickbay/sdk/go/internal/contract/types"
	"github.com/sickbay/sickbay/sdk/go/internal/deadline"
)

// The failure kinds that the cases of the contract's errors mean, the same in every interface but where its package says otherwise.
var failures = map[string]string{
	"dns":                  sickbay.FailureDNS,
	"refused":              sickbay.FailureRefused,
	"connect":              sickbay.FailureConnection,
	"other":                sickbay.FailureConnection,
	"tls":                  sickbay.FailureTLS,
	"timeout":              sickbay.FailureTimeout,
	"protocol":             sickbay.FailureProtocol,
	"closed":               sickbay.FailureProtocol,
	"authentication":       sickbay.FailureAuthentication,
	"too-many-connections": sickbay.FailureTooManyConnections,
}

// Error is a case of one of the contract's errors, by its name there.
func Error(name string, value any) error {
	if denial, is := value.(types.Denial); is {
		return &sickbay.PluginError{Kind: sickbay.Denied, Message: denial.Reason, Hint: denial.Hint}
	}
	message := fmt.Sprint(value)
	switch name {
	case "invalid", "unsupported":
		return &sickbay.PluginError{Kind: sickbay.Configuration, Message: message}
	case "quota":
		return &sickbay.PluginError{Kind: sickbay.Quota, Message: message}
	}
	if failure, is := failures[name]; is {
		return &sickbay.ServiceError{Failure: failure, Message: message}
	}
	return &sickbay.PluginError{Kind: sickbay.Internal, Message: name + ": " + message}
}

// Deadline is what is left of a context's time, as the contract has it; nil where the run's own end bounds the call. A context that is over
// already is an error.
func Deadline(ctx context.Context) (*uint32, error) {
	if err := ctx.Err(); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, sickbay.ServiceErrorf(sickbay.FailureTimeout, "no time is left for a call: %w", err)
		}
		return nil, fmt.Errorf("the call is not wanted any more: %w", err)
	}
	span, is := deadline.Left(ctx)
	if !is {
		return nil, nil
	}
	left := bounds.Milliseconds(span)
	return &left, nil
}
