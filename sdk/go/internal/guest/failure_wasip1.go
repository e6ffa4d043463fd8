package guest

import (
	"fmt"
	"log/slog"
	"path"
	"runtime"
	"runtime/debug"
	"strings"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/internal/bounds"
	"github.com/sickbay/sickbay/sdk/go/internal/contract/types"
)

// Guarded calls a function of the plugin. A panic is an error that names the line, with the stack in the log.
func Guarded[Answer any](call func() (Answer, error)) (answer Answer, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			told := fmt.Sprintf("panic: %v%s", problem, place())
			slog.Error(told, "stack", bounds.Cut(string(debug.Stack()), 1<<10))
			err = sickbay.InternalErrorf("%s", told)
		}
	}()
	return call()
}

// place is the line of the plugin that panicked: the first behind the panic that is neither the runtime's nor the SDK's.
func place() string {
	callers := make([]uintptr, 32)
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers)])
	for isMore := true; isMore; {
		var frame runtime.Frame
		frame, isMore = frames.Next()
		if !strings.HasPrefix(frame.Function, "runtime.") && !strings.HasPrefix(frame.Function, "github.com/sickbay/sickbay/sdk/go") {
			return fmt.Sprintf(" (%s:%d)", path.Base(frame.File), frame.Line)
		}
	}
	return ""
}

// Failure is why there is no answer, as the host gets it.
func Failure(err error) types.Failure {
	service, plugin := sickbay.Meaning(err)
	kind := string(sickbay.Internal)
	switch {
	case service != nil:
		kind = service.Failure
	case plugin != nil:
		kind = string(plugin.Kind)
	}
	return types.Failure{Kind: kind, Message: bounds.Cut(err.Error(), bounds.FailureMessageBytesMax)}
}
