package check

import (
	"context"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/internal/abi"
	contract "github.com/sickbay/sickbay/sdk/go/internal/contract/check"
	"github.com/sickbay/sickbay/sdk/go/internal/contract/types"
	"github.com/sickbay/sickbay/sdk/go/internal/guest"
	"github.com/sickbay/sickbay/sdk/go/internal/registry"
	"github.com/sickbay/sickbay/sdk/go/internal/wire"
)

func init() { contract.Exported.Run = exported }

// answering is a kind of check with any configuration.
type answering interface {
	isNamed(name string) bool
	Answer(run *Run, document []byte) (*sickbay.Report, error)
}

func exported(request contract.Request) abi.Result[types.Report, types.Failure] {
	told, err := guest.Guarded(func() (types.Report, error) {
		kind, is := registry.Find(func(kind answering) bool { return kind.isNamed(request.Kind) })
		if !is {
			return types.Report{}, sickbay.InternalErrorf("this plugin has no kind of check named %s", request.Kind)
		}
		call, cancel := sickbay.NewCall(context.Background(), wire.Milliseconds(request.TimeoutMs))
		defer cancel()
		report, err := kind.Answer(asked(call, request), []byte(request.Config))
		if err != nil {
			return types.Report{}, err
		}
		return guest.Report(report), nil
	})
	if err != nil {
		return abi.Failed[types.Report](guest.Failure(err))
	}
	return abi.OK[types.Failure](told)
}

func asked(call sickbay.Call, request contract.Request) *Run {
	run := &Run{
		Call:        call,
		Check:       request.Check,
		Kind:        request.Kind,
		ScheduledAt: wire.Time(request.ScheduledAt),
		Attempt:     int(request.Attempt),
		Target:      wire.Text(request.Target),
		Labels:      wire.Map(request.Labels),
		Extras:      wire.Map(request.Extras),
	}
	if earlier := request.Previous; earlier != nil {
		run.Previous = &Earlier{ScheduledAt: wire.Time(earlier.ScheduledAt), Report: guest.ReportHere(earlier.Report)}
	}
	return run
}
