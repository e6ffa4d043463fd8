//go:build !wasip1

package sickbaytest

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/files"
	"github.com/sickbay/sickbay/sdk/go/system"
)

// System is what the machine tells; what is nil is denied.
type System struct {
	CPU       *system.CPU
	Memory    *system.Memory
	Load      *system.Load
	Disks     []system.Disk
	DiskIO    []system.DiskIO
	Processes []system.Process
	Listeners []system.Listener
	OpenFiles *system.OpenFiles
}

func granted[Answer any](answer *Answer, grant string) (told Answer, err error) {
	if answer == nil {
		return told, denied(grant, `system = ["`+grant+`"]`)
	}
	return *answer, nil
}

func grantedList[Element any](list []Element, grant string) ([]Element, error) {
	if list == nil {
		return nil, denied(grant, `system = ["`+grant+`"]`)
	}
	return list, nil
}

func (fake *System) ReadCPU() (system.CPU, error)         { return granted(fake.CPU, "cpu") }
func (fake *System) ReadMemory() (system.Memory, error)   { return granted(fake.Memory, "memory") }
func (fake *System) ReadLoad() (system.Load, error)       { return granted(fake.Load, "load") }
func (fake *System) ReadDisks() ([]system.Disk, error)    { return grantedList(fake.Disks, "disk") }
func (fake *System) ReadDiskIO() ([]system.DiskIO, error) { return grantedList(fake.DiskIO, "io") }

func (fake *System) ReadListeners() ([]system.Listener, error) {
	return grantedList(fake.Listeners, "listeners")
}

func (fake *System) ReadOpenFiles() (system.OpenFiles, error) {
	return granted(fake.OpenFiles, "files")
}

func (fake *System) ReadProcesses(name string) ([]system.Process, error) {
	all, err := grantedList(fake.Processes, "processes:"+name)
	return slices.DeleteFunc(slices.Clone(all), func(process system.Process) bool { return process.Name != name }), err
}

// Files are files by their whole path, in which directories are what the paths have in common.
type Files struct {
	ByPath map[string]*File
	// Room on the file system, whatever the path; nil where the test tells of none.
	Space *files.Space
	clock *Clock
}

// File is one file or directory.
type File struct {
	Content    string
	ModifiedAt time.Time
	// `file` where it is empty.
	Kind     string
	Mode     fs.FileMode
	Writable bool
}

// pageLen is how many names of one listing there are, as on a real host.
const pageLen = 1000

// Add adds a file that changes now, or another in its place.
func (fake *Files) Add(path, content string) *File {
	file := &File{Content: content, ModifiedAt: fake.clock.now, Kind: "file", Mode: 0o644}
	fake.ByPath[path] = file
	return file
}

func (fake *Files) Stat(path string) (files.Info, error) {
	file, err := fake.find(path)
	if err != nil {
		return files.Info{}, err
	}
	name := path[strings.LastIndexByte(path, '/')+1:]
	return files.Info{
		Name: name, Kind: file.Kind, Size: int64(len(file.Content)), ModifiedAt: file.ModifiedAt, Mode: file.Mode, Writable: file.Writable, Identity: path,
	}, nil
}

func (fake *Files) ReadDirectory(path, after string) ([]files.Info, error) {
	start := strings.TrimSuffix(path, "/") + "/"
	names := map[string]bool{}
	for other := range fake.ByPath {
		if rest, is := strings.CutPrefix(other, start); is {
			name, _, _ := strings.Cut(rest, "/")
			names[name] = true
		}
	}
	if len(names) == 0 {
		_, err := fake.find(path)
		return nil, err
	}
	var page []files.Info
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if name <= after || len(page) == pageLen {
			continue
		}
		info, err := fake.Stat(start + name)
		if err != nil {
			info = files.Info{Name: name, Kind: "directory", ModifiedAt: fake.clock.now, Mode: 0o755, Identity: start + name}
		}
		page = append(page, info)
	}
	return page, nil
}

func (fake *Files) Read(path string, offset uint64, size uint32) ([]byte, error) {
	file, err := fake.find(path)
	if err != nil || offset >= uint64(len(file.Content)) {
		return nil, err
	}
	rest := file.Content[offset:]
	return []byte(rest[:min(uint64(size), uint64(len(rest)))]), nil
}

func (fake *Files) ReadSpace(path string) (files.Space, error) {
	if fake.Space == nil {
		return files.Space{}, sickbay.ServiceErrorf(sickbay.FailureMissing, "%s: the test tells of no file system", path)
	}
	return *fake.Space, nil
}

func (fake *Files) CreateDirectory(path string) error {
	fake.ByPath[path] = &File{ModifiedAt: fake.clock.now, Kind: "directory", Mode: 0o755, Writable: true}
	return nil
}

func (fake *Files) Remove(path string) error {
	_, err := fake.find(path)
	delete(fake.ByPath, path)
	return err
}

func (fake *Files) SetMode(path string, mode fs.FileMode) error {
	file, err := fake.find(path)
	if err == nil {
		file.Mode = mode
	}
	return err
}

func (fake *Files) find(path string) (*File, error) {
	file, is := fake.ByPath[path]
	if !is {
		return nil, sickbay.ServiceErrorf(sickbay.FailureMissing, "%s: no such file", path)
	}
	return file, nil
}
