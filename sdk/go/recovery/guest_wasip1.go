package recovery

import (
	"context"
	"encoding/json"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/internal/abi"
	"github.com/sickbay/sickbay/sdk/go/internal/bounds"
	contract "github.com/sickbay/sickbay/sdk/go/internal/contract/recovery"
	"github.com/sickbay/sickbay/sdk/go/internal/contract/types"
	"github.com/sickbay/sickbay/sdk/go/internal/guest"
	"github.com/sickbay/sickbay/sdk/go/internal/registry"
	"github.com/sickbay/sickbay/sdk/go/internal/wire"
)

func init() {
	contract.Exported.Plan = exportedPlan
	contract.Exported.Act = exportedAct
	contract.Exported.Follow = exportedFollow
}

// answering is a kind of recovery with any configuration.
type answering interface {
	isNamed(name string) bool
	AnswerPlan(run *Run, document []byte) ([]Action, error)
	AnswerAct(run *Run, document []byte, action Action) (Progress, error)
	AnswerFollow(run *Run, document []byte, action Action, token json.RawMessage) (Progress, error)
}

func exportedPlan(request contract.Request) abi.Result[[]contract.Action, types.Failure] {
	return call(request, func(kind answering, run *Run, document []byte) ([]contract.Action, error) {
		actions, err := kind.AnswerPlan(run, document)
		return wire.Each(actions, actionThere), err
	})
}

func exportedAct(request contract.Request, action contract.Action) abi.Result[contract.Progress, types.Failure] {
	return call(request, func(kind answering, run *Run, document []byte) (contract.Progress, error) {
		progress, err := kind.AnswerAct(run, document, actionHere(action))
		return progressThere(progress), err
	})
}

func exportedFollow(request contract.Request, action contract.Action, token string) abi.Result[contract.Progress, types.Failure] {
	return call(request, func(kind answering, run *Run, document []byte) (contract.Progress, error) {
		progress, err := kind.AnswerFollow(run, document, actionHere(action), json.RawMessage(token))
		return progressThere(progress), err
	})
}

// call finds the kind that is asked, and asks it.
func call[Answer any](
	request contract.Request, ask func(kind answering, run *Run, document []byte) (Answer, error),
) abi.Result[Answer, types.Failure] {
	answer, err := guest.Guarded(func() (answer Answer, err error) {
		kind, is := registry.Find(func(kind answering) bool { return kind.isNamed(request.Kind) })
		if !is {
			return answer, sickbay.InternalErrorf("this plugin has no kind of recovery named %s", request.Kind)
		}
		call, cancel := sickbay.NewCall(context.Background(), wire.Milliseconds(request.TimeoutMs))
		defer cancel()
		return ask(kind, asked(call, request), []byte(request.Config))
	})
	if err != nil {
		return abi.Failed[Answer](guest.Failure(err))
	}
	return abi.OK[types.Failure](answer)
}

func asked(call sickbay.Call, request contract.Request) *Run {
	incident := request.Incident
	return &Run{
		Call:     call,
		Recovery: request.Recovery,
		Kind:     request.Kind,
		Incident: Incident{
			ID:                  incident.Id,
			Check:               incident.Check,
			Target:              wire.Text(incident.Target),
			Failure:             wire.Text(incident.Failure),
			Severity:            incident.Severity,
			Since:               wire.Time(incident.Since),
			ConsecutiveFailures: int(incident.ConsecutiveFailures),
			Labels:              wire.Map(incident.Labels),
			LastReport:          guest.ReportHere(incident.LastReport),
			Extras:              wire.Map(incident.Extras),
		},
		IdempotencyKey: request.IdempotencyKey,
		Extras:         wire.Map(request.Extras),
	}
}

func actionThere(action Action) contract.Action {
	return contract.Action{
		Id:         action.ID,
		Title:      bounds.Cut(action.Title, bounds.SummaryBytesMax),
		Target:     bounds.Cut(action.Target, bounds.SummaryBytesMax),
		Idempotent: action.Idempotent,
		Parameters: document(action.Parameters),
		Extras:     wire.Labels(action.Extras),
	}
}

func actionHere(action contract.Action) Action {
	return Action{
		ID:         action.Id,
		Title:      action.Title,
		Target:     action.Target,
		Idempotent: action.Idempotent,
		Parameters: json.RawMessage(action.Parameters),
		Extras:     wire.Map(action.Extras),
	}
}

func progressThere(progress Progress) contract.Progress {
	switch told := progress.(type) {
	case Running:
		again := min(max(told.AgainAfter, bounds.AgainAfterMin), bounds.AgainAfterMax)
		return contract.Progress{Case: contract.ProgressRunning, Value: contract.Running{
			Token: document(told.Token), Summary: bounds.Cut(told.Summary, bounds.SummaryBytesMax), AgainAfterMs: bounds.Milliseconds(again),
		}}
	case Outcome:
		return contract.Progress{Case: contract.ProgressDone, Value: outcomeThere(told)}
	}
	return contract.Progress{Case: contract.ProgressDone, Value: contract.Outcome{}}
}

func outcomeThere(outcome Outcome) contract.Outcome {
	cut := func(text string) string { return bounds.Cut(text, bounds.SummaryBytesMax) }
	// A report knows how to fit details.
	fitted := sickbay.Report{Details: outcome.Details, Extras: outcome.Extras}
	details := fitted.Fit()
	return contract.Outcome{
		Success:        outcome.Success,
		Reason:         cut(outcome.Reason),
		Actions:        wire.Each(outcome.Actions, cut),
		Recommendation: wire.Optional(cut(outcome.Recommendation)),
		Details:        wire.Optional(string(details)),
		Extras:         wire.Labels(fitted.Extras),
	}
}

func document(value json.RawMessage) string {
	if value == nil {
		return "null"
	}
	return string(value)
}
