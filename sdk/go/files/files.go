// Package files reads and changes files below the granted directories, by guest path, as far as `grants = { files = [...] }` allows. A link
// is never followed out of its grant.
//
// Package os sees the granted directories too; what it reads is not counted against the run's limits, and a run that used it cannot be
// replayed.
package files

import (
	"context"
	"io/fs"
	"strings"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
)

const (
	// ReadBytesMax is what one read answers at most.
	ReadBytesMax = 1 << 20
	// EntriesMax is how many entries of a directory [ReadDirectory] answers at most.
	EntriesMax = 10_000
)

// Info is one name and what is behind it. A link is not followed.
type Info struct {
	// The last part of the path.
	Name string
	// `file`, `directory`, `link`, or another word.
	Kind string
	// Bytes of a file; of anything else what the system says.
	Size int64
	// When its content last changed.
	ModifiedAt time.Time
	// Permission bits.
	Mode fs.FileMode
	// By the host's user.
	Writable bool
	// Another value when the name went to another file: the log was rotated.
	Identity string
}

// Space is room on a file system.
type Space struct {
	TotalBytes float64
	// That an ordinary user may still write.
	AvailableBytes float64
	// 0 where the file system does not count them.
	InodesTotal, InodesFree float64
}

// Stat tells of the name itself, not of what a link points to.
func Stat(ctx context.Context, path string) (Info, error) { return stat(ctx, path) }

// ReadDirectory answers all entries, by name. A directory with more than [EntriesMax] is refused: half of it would mislead.
func ReadDirectory(ctx context.Context, path string) ([]Info, error) {
	var entries []Info
	for after := ""; ; after = entries[len(entries)-1].Name {
		page, err := readDirectory(ctx, path, after)
		if err != nil || len(page) == 0 {
			return entries, err
		}
		if entries = append(entries, page...); len(entries) > EntriesMax {
			return nil, sickbay.QuotaErrorf("%s has more than %d entries", path, EntriesMax)
		}
	}
}

// Read answers at most size bytes from offset on, and at most [ReadBytesMax]; none at the end.
func Read(ctx context.Context, path string, offset int64, size int) ([]byte, error) {
	if offset < 0 || size < 0 {
		return nil, sickbay.ConfigurationErrorf("%s is read from %d on, %d bytes; hint: neither may be negative", path, offset, size)
	}
	return readBytes(ctx, path, uint64(offset), uint32(min(size, ReadBytesMax)))
}

// ReadText answers a whole file of at most [ReadBytesMax] as text, with U+FFFD for what is not UTF-8.
func ReadText(ctx context.Context, path string) (string, error) {
	content, err := Read(ctx, path, 0, ReadBytesMax)
	return strings.ToValidUTF8(string(content), "\uFFFD"), err
}

// ReadSpace tells of the file system that holds a path.
func ReadSpace(ctx context.Context, path string) (Space, error) { return readSpace(ctx, path) }

// CreateDirectory needs `mode = "rw"`.
func CreateDirectory(ctx context.Context, path string) error { return createDirectory(ctx, path) }

// Remove removes a file, a link, or an empty directory. It needs `mode = "rw"`.
func Remove(ctx context.Context, path string) error { return remove(ctx, path) }

// SetMode sets permission bits, and no others. It needs `mode = "rw"`.
func SetMode(ctx context.Context, path string, mode fs.FileMode) error {
	return setMode(ctx, path, mode.Perm())
}
