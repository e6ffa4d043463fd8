package system

import (
	"context"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/internal/abi"
	contract "github.com/sickbay/sickbay/sdk/go/internal/contract/system"
	"github.com/sickbay/sickbay/sdk/go/internal/guest"
	"github.com/sickbay/sickbay/sdk/go/internal/wire"
)

func readCPU(context.Context) (CPU, error) {
	told, err := value(contract.ReadCpu())
	return CPU{
		BusyRatio: told.BusyRatio, IOWaitRatio: told.IowaitRatio, Cores: int(told.Cores), Window: wire.Milliseconds(told.WindowMs),
	}, err
}

func readMemory(context.Context) (Memory, error) {
	told, err := value(contract.ReadMemory())
	return Memory(told), err
}

func readLoad(context.Context) (Load, error) {
	told, err := value(contract.ReadLoad())
	return Load(told), err
}

func readDisks(context.Context) ([]Disk, error) {
	told, err := value(contract.ReadDisks())
	return wire.Each(told, func(told contract.Disk) Disk { return Disk(told) }), err
}

func readDiskIO(context.Context) ([]DiskIO, error) {
	told, err := value(contract.ReadDiskIo())
	return wire.Each(told, func(told contract.DiskIo) DiskIO { return DiskIO(told) }), err
}

func readProcesses(_ context.Context, name string) ([]Process, error) {
	told, err := value(contract.ReadProcesses(name))
	return wire.Each(told, func(told contract.Process) Process {
		return Process{
			PID: int(told.Pid), Name: told.Name, ResidentBytes: told.ResidentBytes, CPUSeconds: told.CpuSeconds, StartedAt: wire.Time(told.StartedAt),
		}
	}), err
}

func readListeners(context.Context) ([]Listener, error) {
	told, err := value(contract.ReadListeners())
	return wire.Each(told, func(told contract.Listener) Listener {
		return Listener{Protocol: told.Protocol, Address: told.Address, Port: int(told.Port), Process: wire.Text(told.Process)}
	}), err
}

func readOpenFiles(context.Context) (OpenFiles, error) {
	told, err := value(contract.ReadOpenFiles())
	return OpenFiles(told), err
}

// The machine is no service that could refuse: what cannot be read cannot be judged.
func value[Value any](answer abi.Result[Value, contract.SystemError]) (Value, error) {
	if answer.Err == nil {
		return answer.Value, nil
	}
	if answer.Err.Case == contract.SystemErrorOther {
		return answer.Value, sickbay.InternalErrorf("%v", answer.Err.Value)
	}
	return answer.Value, guest.Error(answer.Err.Case.String(), answer.Err.Value)
}
