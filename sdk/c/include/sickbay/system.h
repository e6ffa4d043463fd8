/// The machine that Sickbay runs on, as far as `grants = { system = [...] }` allows. Amounts are floats because they become metrics; they
/// are exact to 8 PiB.
#pragma once

#include "error.h"
#include "types.h"

/// All processors together, as the host sampled them.
typedef struct {
    /// 0 to 1, mean over the last whole window.
    double busy_ratio;
    /// 0 to 1, time in which a processor had nothing to do but wait for a disk.
    double iowait_ratio;
    uint32_t cores;
    uint32_t window_ms;
} sb_cpu;

/// Memory of the machine, not of Sickbay.
typedef struct {
    double total_bytes;
    /// What programs can still have without swapping; caches count.
    double available_bytes;
    double swap_total_bytes;
    double swap_used_bytes;
} sb_memory;

/// Processes that run or want to run, as exponentially damped means over 1, 5 and 15 minutes.
typedef struct {
    double one;
    double five;
    double fifteen;
} sb_load;

/// One mounted file system.
typedef struct {
    /// Where it is mounted: `/var`.
    sb_text mount;
    /// What is mounted: `/dev/sda1`. Several mounts may share it.
    sb_text device;
    /// Its type: `ext4`.
    sb_text file_system;
    double total_bytes;
    /// Bytes that an ordinary user may still write.
    double available_bytes;
    /// 0 where the file system does not count them.
    double inodes_total;
    double inodes_free;
    bool read_only;
} sb_disk;

typedef struct {
    const sb_disk *items;
    size_t len;
} sb_disks;

/// Counted since boot.
typedef struct {
    sb_text device;
    double read_bytes;
    double written_bytes;
    /// Seconds in which it had at least one request to work on.
    double busy_seconds;
} sb_disk_io;

typedef struct {
    const sb_disk_io *items;
    size_t len;
} sb_disk_ios;

/// One process.
typedef struct {
    uint32_t pid;
    /// Linux keeps 15 bytes.
    sb_text name;
    double resident_bytes;
    double cpu_seconds;
    /// Milliseconds since 1970.
    uint64_t started_at_ms;
} sb_process;

typedef struct {
    const sb_process *items;
    size_t len;
} sb_processes;

/// One socket that waits for peers.
typedef struct {
    /// `tcp`, `udp`
    sb_text protocol;
    /// `0.0.0.0`, `::1`
    sb_text address;
    uint16_t port;
    /// Where the host may see it.
    sb_optional_text process;
} sb_listener;

typedef struct {
    const sb_listener *items;
    size_t len;
} sb_listeners;

/// Open files of the whole machine.
typedef struct {
    double open;
    double maximum;
} sb_open_files;

/// Grant: `cpu`.
SB_MUST_USE_ sb_error sb_system_cpu(sb_cpu *cpu);
/// Grant: `memory`.
SB_MUST_USE_ sb_error sb_system_memory(sb_memory *memory);
/// Grant: `load`.
SB_MUST_USE_ sb_error sb_system_load(sb_load *load);
/// Grant: `disk`. At most 256 mounts, pseudo file systems included.
SB_MUST_USE_ sb_error sb_system_disks(sb_disks *disks);
/// Grant: `io`. At most 256 devices.
SB_MUST_USE_ sb_error sb_system_disk_io(sb_disk_ios *devices);
/// Grant: `processes:NAME`. Processes with exactly this name, at most 1000.
SB_MUST_USE_ sb_error sb_system_processes(sb_text name, sb_processes *processes);
/// Grant: `listeners`. At most 1000.
SB_MUST_USE_ sb_error sb_system_listeners(sb_listeners *listeners);
/// Grant: `files`.
SB_MUST_USE_ sb_error sb_system_open_files(sb_open_files *files);
