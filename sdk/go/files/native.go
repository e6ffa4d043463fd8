//go:build !wasip1

package files

import (
	"context"
	"io/fs"

	"github.com/sickbay/sickbay/sdk/go/internal/lent"
)

// Backend reads and changes files where no host does: in a test.
type Backend interface {
	Stat(path string) (Info, error)
	// By name, from the first name after `after`; none at the end.
	ReadDirectory(path, after string) ([]Info, error)
	Read(path string, offset uint64, size uint32) ([]byte, error)
	ReadSpace(path string) (Space, error)
	CreateDirectory(path string) error
	Remove(path string) error
	SetMode(path string, mode fs.FileMode) error
}

func stat(ctx context.Context, path string) (Info, error) {
	backend, err := lent.Get[Backend](ctx, "files")
	if err != nil {
		return Info{}, err
	}
	return backend.Stat(path)
}

func readDirectory(ctx context.Context, path, after string) ([]Info, error) {
	backend, err := lent.Get[Backend](ctx, "files")
	if err != nil {
		return nil, err
	}
	return backend.ReadDirectory(path, after)
}

func readBytes(ctx context.Context, path string, offset uint64, size uint32) ([]byte, error) {
	backend, err := lent.Get[Backend](ctx, "files")
	if err != nil {
		return nil, err
	}
	return backend.Read(path, offset, size)
}

func readSpace(ctx context.Context, path string) (Space, error) {
	backend, err := lent.Get[Backend](ctx, "files")
	if err != nil {
		return Space{}, err
	}
	return backend.ReadSpace(path)
}

func createDirectory(ctx context.Context, path string) error {
	backend, err := lent.Get[Backend](ctx, "files")
	if err != nil {
		return err
	}
	return backend.CreateDirectory(path)
}

func remove(ctx context.Context, path string) error {
	backend, err := lent.Get[Backend](ctx, "files")
	if err != nil {
		return err
	}
	return backend.Remove(path)
}

func setMode(ctx context.Context, path string, mode fs.FileMode) error {
	backend, err := lent.Get[Backend](ctx, "files")
	if err != nil {
		return err
	}
	return backend.SetMode(path, mode)
}
