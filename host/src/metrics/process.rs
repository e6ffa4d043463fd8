//! What the kernel knows of this process, under the names that every exporter uses.
//!
//! Read from `/proc/self` at each scrape. Where it cannot be read (another system, a hardened container) the family is left out
//! rather than written as zero.

use std::fs;

use sickbay_core::Timestamp;

use super::exposition::{Exposition, MetricType};

/// Ticks of `/proc/PID/stat` in a second: `USER_HZ`, which Linux fixes at 100 for what it shows to programs.
const TICKS_PER_SECOND: u64 = 100;

/// Writes the `process_*` families.
pub fn write(out: &mut Exposition, started_at: Timestamp) {
    if let Some(ticks) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(cpu_ticks) {
        const NAME: &str = "process_cpu_seconds_total";
        out.family(NAME, MetricType::Counter, "CPU time of this process in user and kernel mode, in seconds.");
        out.series(NAME).microseconds_as_seconds(ticks.saturating_mul(1_000_000 / TICKS_PER_SECOND));
    }
    if let Some(bytes) = fs::read_to_string("/proc/self/status").ok().as_deref().and_then(resident_bytes) {
        const NAME: &str = "process_resident_memory_bytes";
        out.family(NAME, MetricType::Gauge, "Memory of this process that is resident, in bytes.");
        out.series(NAME).integer(bytes);
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        const NAME: &str = "process_open_fds";
        out.family(NAME, MetricType::Gauge, "Open file descriptors of this process.");
        // The listing itself holds one.
        out.series(NAME).integer(entries.count().saturating_sub(1) as u64);
    }
    const NAME: &str = "process_start_time_seconds";
    out.family(NAME, MetricType::Gauge, "When this process started, in seconds since 1970-01-01T00:00:00Z.");
    out.series(NAME).timestamp_as_seconds(started_at);
}

/// User and kernel time of `/proc/PID/stat`. The name of the program may hold spaces and parentheses, so fields count from the last `)`.
fn cpu_ticks(stat: &str) -> Option<u64> {
    /// Fields 14 and 15 of proc(5); the first one after `)` is field 3.
    const USER_TIME_AFTER_NAME: usize = 14 - 3;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(USER_TIME_AFTER_NAME);
    let user: u64 = fields.next()?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    user.checked_add(kernel)
}

/// `VmRSS` of `/proc/PID/status`, which is in KiB.
fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_a_hostile_program_name() {
        let stat = "7 (a) R 1 2) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 12345 1000 200";
        assert_eq!(cpu_ticks(stat), Some(300));
    }

    #[test]
    fn a_short_or_strange_stat_is_no_cpu_time() {
        for stat in ["", "7 (a)", "7 (a) S 1 7 7", "7 a S 1 7 7 0 -1 4194304 100 0 0 0 250 50", "7 (a) S 1 7 7 0 -1 0 100 0 0 0 x 50"] {
            assert_eq!(cpu_ticks(stat), None, "{stat}");
        }
    }

    #[test]
    fn resident_memory_is_in_bytes() {
        assert_eq!(resident_bytes("Name:\tsickbay\nVmRSS:\t    2048 kB\nThreads:\t4\n"), Some(2048 * 1024));
        assert_eq!(resident_bytes("Name:\tVmRSS: 1 kB\n"), None);
        assert_eq!(resident_bytes("VmRSS:\tmany kB\n"), None);
    }
}
