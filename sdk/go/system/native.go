//go:build !wasip1

package system

import (
	"context"

	"github.com/sickbay/sickbay/sdk/go/internal/lent"
)

// Backend reads the machine where no host does: in a test.
type Backend interface {
	ReadCPU() (CPU, error)
	ReadMemory() (Memory, error)
	ReadLoad() (Load, error)
	ReadDisks() ([]Disk, error)
	ReadDiskIO() ([]DiskIO, error)
	ReadProcesses(name string) ([]Process, error)
	ReadListeners() ([]Listener, error)
	ReadOpenFiles() (OpenFiles, error)
}

func ask[Answer any](ctx context.Context, question func(Backend) (Answer, error)) (answer Answer, err error) {
	backend, err := lent.Get[Backend](ctx, "system")
	if err != nil {
		return answer, err
	}
	return question(backend)
}

func readCPU(ctx context.Context) (CPU, error)         { return ask(ctx, Backend.ReadCPU) }
func readMemory(ctx context.Context) (Memory, error)   { return ask(ctx, Backend.ReadMemory) }
func readLoad(ctx context.Context) (Load, error)       { return ask(ctx, Backend.ReadLoad) }
func readDisks(ctx context.Context) ([]Disk, error)    { return ask(ctx, Backend.ReadDisks) }
func readDiskIO(ctx context.Context) ([]DiskIO, error) { return ask(ctx, Backend.ReadDiskIO) }
func readListeners(ctx context.Context) ([]Listener, error) {
	return ask(ctx, Backend.ReadListeners)
}
func readOpenFiles(ctx context.Context) (OpenFiles, error) { return ask(ctx, Backend.ReadOpenFiles) }

func readProcesses(ctx context.Context, name string) ([]Process, error) {
	return ask(ctx, func(backend Backend) ([]Process, error) { return backend.ReadProcesses(name) })
}
