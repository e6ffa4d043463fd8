// Package system tells of the machine that Sickbay runs on, as far as `grants = { system = [...] }` allows.
//
// Amounts are floats because they become metrics; they are exact to 8 PiB. What the machine does not tell is a failure of the plugin, for
// the machine is no service that could be down.
package system

import (
	"context"
	"time"
)

// CPU is how busy the processors are, all of them together.
type CPU struct {
	// 0 to 1, mean over the last whole window: the same answer for every reader.
	BusyRatio float64
	// 0 to 1, time in which a processor had nothing to do but wait for a disk.
	IOWaitRatio float64
	// Processors that are online.
	Cores int
	// What the ratios are means over.
	Window time.Duration
}

// Memory is memory of the machine.
type Memory struct {
	TotalBytes float64
	// That programs can still have without swapping; caches count as available.
	AvailableBytes float64
	SwapTotalBytes float64
	SwapUsedBytes  float64
}

// Load is processes that run or want to run, as means over 1, 5 and 15 minutes.
type Load struct{ One, Five, Fifteen float64 }

// Disk is one mounted file system.
type Disk struct {
	// Where it is mounted: `/var`.
	Mount string
	// What is mounted: `/dev/sda1`. Several mounts may share it.
	Device string
	// Its type: `ext4`, `tmpfs`.
	FileSystem string
	TotalBytes float64
	// That an ordinary user may still write.
	AvailableBytes float64
	// 0 where the file system does not count them.
	InodesTotal, InodesFree float64
	ReadOnly                bool
}

// DiskIO is traffic of one block device, counted since boot.
type DiskIO struct {
	Device                  string
	ReadBytes, WrittenBytes float64
	// In which it had at least one request to work on.
	BusySeconds float64
}

// Process is one process.
type Process struct {
	PID int
	// Its short name; Linux keeps 15 bytes.
	Name string
	// Shared pages included.
	ResidentBytes float64
	// User and system together.
	CPUSeconds float64
	StartedAt  time.Time
}

// Listener is one socket that waits for peers.
type Listener struct {
	// `tcp`, `udp`
	Protocol string
	Address  string
	Port     int
	// Where the host may see it, otherwise empty.
	Process string
}

// OpenFiles are open files of the whole machine.
type OpenFiles struct{ Open, Maximum float64 }

// ReadCPU tells of processor time, as the host sampled it. Grant: `cpu`.
func ReadCPU(ctx context.Context) (CPU, error) { return readCPU(ctx) }

// ReadMemory tells of memory and swap space. Grant: `memory`.
func ReadMemory(ctx context.Context) (Memory, error) { return readMemory(ctx) }

// ReadLoad tells of load averages. Grant: `load`.
func ReadLoad(ctx context.Context) (Load, error) { return readLoad(ctx) }

// ReadDisks tells of mounted file systems. Grant: `disk`.
func ReadDisks(ctx context.Context) ([]Disk, error) { return readDisks(ctx) }

// ReadDiskIO tells of disk traffic. Grant: `io`.
func ReadDiskIO(ctx context.Context) ([]DiskIO, error) { return readDiskIO(ctx) }

// ReadProcesses tells of processes with exactly this name, at most 1000. Grant: `processes:NAME`.
func ReadProcesses(ctx context.Context, name string) ([]Process, error) {
	return readProcesses(ctx, name)
}

// ReadListeners tells of sockets that listen. Grant: `listeners`.
func ReadListeners(ctx context.Context) ([]Listener, error) { return readListeners(ctx) }

// ReadOpenFiles tells of open files of the whole machine. Grant: `files`.
func ReadOpenFiles(ctx context.Context) (OpenFiles, error) { return readOpenFiles(ctx) }
