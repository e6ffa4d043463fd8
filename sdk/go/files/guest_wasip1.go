package files

import (
	"context"
	"io/fs"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/internal/abi"
	contract "github.com/sickbay/sickbay/sdk/go/internal/contract/files"
	"github.com/sickbay/sickbay/sdk/go/internal/guest"
	"github.com/sickbay/sickbay/sdk/go/internal/wire"
)

func stat(_ context.Context, path string) (Info, error) {
	told, err := value(contract.ReadInfo(path))
	return info(told), err
}

func readDirectory(_ context.Context, path, after string) ([]Info, error) {
	told, err := value(contract.ReadDirectory(path, wire.Optional(after)))
	return wire.Each(told, info), err
}

func readBytes(_ context.Context, path string, offset uint64, size uint32) ([]byte, error) {
	return value(contract.ReadBytes(path, offset, size))
}

func readSpace(_ context.Context, path string) (Space, error) {
	told, err := value(contract.ReadSpace(path))
	return Space(told), err
}

func createDirectory(_ context.Context, path string) error {
	_, err := value(contract.CreateDirectory(path))
	return err
}

func remove(_ context.Context, path string) error {
	_, err := value(contract.Remove(path))
	return err
}

func setMode(_ context.Context, path string, mode fs.FileMode) error {
	_, err := value(contract.SetMode(path, uint32(mode)))
	return err
}

func info(told contract.FileInfo) Info {
	return Info{
		Name:       told.Name,
		Kind:       told.Kind,
		Size:       int64(told.SizeBytes),
		ModifiedAt: wire.Time(told.ModifiedAt),
		Mode:       fs.FileMode(told.Mode),
		Writable:   told.Writable,
		Identity:   told.Identity,
	}
}

// A file is what a check is about: one that is not there, or that the system does not give, is the target's state.
func value[Value any](answer abi.Result[Value, contract.FileError]) (Value, error) {
	if answer.Err == nil {
		return answer.Value, nil
	}
	switch answer.Err.Case {
	case contract.FileErrorNotFound:
		return answer.Value, sickbay.ServiceErrorf(sickbay.FailureMissing, "%v", answer.Err.Value)
	case contract.FileErrorRefused, contract.FileErrorOther:
		return answer.Value, sickbay.ServiceErrorf(sickbay.FailureFileSystem, "%v", answer.Err.Value)
	}
	return answer.Value, guest.Error(answer.Err.Case.String(), answer.Err.Value)
}
