package sink

import (
	"context"
	"errors"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/internal/abi"
	"github.com/sickbay/sickbay/sdk/go/internal/bounds"
	contract "github.com/sickbay/sickbay/sdk/go/internal/contract/sink"
	"github.com/sickbay/sickbay/sdk/go/internal/guest"
	"github.com/sickbay/sickbay/sdk/go/internal/registry"
	"github.com/sickbay/sickbay/sdk/go/internal/wire"
)

func init() { contract.Exported.Deliver = exported }

// answering is a kind of sink with any configuration.
type answering interface {
	isNamed(name string) bool
	Answer(run *Run, document []byte) (Receipt, error)
}

func exported(request contract.Request) abi.Result[contract.Receipt, contract.DeliveryError] {
	receipt, err := guest.Guarded(func() (Receipt, error) {
		kind, is := registry.Find(func(kind answering) bool { return kind.isNamed(request.Kind) })
		if !is {
			return Receipt{}, sickbay.InternalErrorf("this plugin has no kind of sink named %s", request.Kind)
		}
		call, cancel := sickbay.NewCall(context.Background(), wire.Milliseconds(request.TimeoutMs))
		defer cancel()
		return kind.Answer(asked(call, request), []byte(request.Config))
	})
	if err != nil {
		return abi.Failed[contract.Receipt](deliveryError(err))
	}
	return abi.OK[contract.DeliveryError](contract.Receipt{Reference: wire.Optional(receipt.Reference), Extras: wire.Labels(receipt.Extras)})
}

// deliveryError has everything tried again but what the receiver refused for good; a defect too, for the next version may mend it.
func deliveryError(err error) contract.DeliveryError {
	message := bounds.Cut(err.Error(), bounds.FailureMessageBytesMax)
	var permanent *PermanentError
	if errors.As(err, &permanent) {
		return contract.DeliveryError{Case: contract.DeliveryErrorPermanent, Value: message}
	}
	retry := contract.Retry{Message: message}
	var retryable *RetryableError
	if errors.As(err, &retryable) && retryable.After > 0 {
		after := bounds.Milliseconds(retryable.After)
		retry.AfterMs = &after
	}
	return contract.DeliveryError{Case: contract.DeliveryErrorRetryable, Value: retry}
}

func asked(call sickbay.Call, request contract.Request) *Run {
	told := request.Notification
	return &Run{
		Call: call,
		Sink: request.Sink,
		Kind: request.Kind,
		Notification: Notification{
			IdempotencyKey: told.IdempotencyKey,
			Group:          told.Group,
			Phase:          Phase(told.Phase),
			Severity:       told.Severity,
			Alerts:         wire.Each(told.Alerts, alert),
			Reference:      wire.Text(told.Reference),
			Attempt:        int(told.Attempt),
			Extras:         wire.Map(told.Extras),
		},
		Extras: wire.Map(request.Extras),
	}
}

func alert(told contract.Alert) Alert {
	return Alert{
		IncidentID: told.IncidentId,
		Check:      told.Check,
		Target:     wire.Text(told.Target),
		Phase:      Phase(told.Phase),
		Status:     sickbay.Status(told.Status),
		Failure:    wire.Text(told.Failure),
		Severity:   told.Severity,
		Summary:    told.Summary,
		Reason:     told.Reason,
		Labels:     wire.Map(told.Labels),
		StartedAt:  wire.Time(told.StartedAt),
		EndedAt:    wire.OptionalTime(told.EndedAt),
		Evidence:   wire.Each(told.Evidence, guest.EvidenceHere),
		URL:        wire.Text(told.Url),
		Extras:     wire.Map(told.Extras),
	}
}
