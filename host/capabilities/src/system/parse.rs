//! The texts of `/proc`, understood.
//!
//! Invariant: this file performs no I/O, and a line that it does not understand is left out, never an error.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) const DISKS_MAX: usize = 256;
pub(super) const PROCESSES_MAX: usize = 1000;
pub(super) const LISTENERS_MAX: usize = 1000;

/// Ticks of a second in which the kernel counts CPU time for `/proc`: 100 on every architecture that Rust's std runs on under Linux.
pub(super) const TICKS_PER_SECOND: f64 = 100.0;
const SECTOR_BYTES: f64 = 512.0;

/// Ticks since boot, of all CPUs together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CpuTicks {
    pub(super) total: u64,
    pub(super) idle: u64,
    pub(super) iowait: u64,
    pub(super) cores: u32,
}

/// From `/proc/stat`.
pub(super) fn cpu_ticks(stat: &str) -> Option<CpuTicks> {
    let mut lines = stat.lines();
    let fields: Vec<u64> = lines.next()?.strip_prefix("cpu ")?.split_ascii_whitespace().map_while(|field| field.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; what guests of the machine used is in user and nice already.
    let [_, _, _, idle, iowait, ..] = fields[..] else { return None };
    let is_core = |line: &&str| line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    let cores = lines.filter(is_core).count();
    let total = fields.iter().take(8).fold(0, |sum: u64, ticks| sum.saturating_add(*ticks));
    Some(CpuTicks { total, idle, iowait, cores: u32::try_from(cores).unwrap_or(u32::MAX) })
}

/// Seconds since 1970 at which the machine was started, from `/proc/stat`.
pub(super) fn boot_seconds(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Memory {
    pub(super) total_bytes: f64,
    pub(super) available_bytes: f64,
    pub(super) swap_total_bytes: f64,
    pub(super) swap_used_bytes: f64,
}

/// From `/proc/meminfo`.
pub(super) fn memory(meminfo: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_ascii_whitespace().next()?.parse::<f64>().ok().map(|kibibytes| kibibytes * 1024.0)
    };
    let swap_total_bytes = bytes("SwapTotal").unwrap_or(0.0);
    Some(Memory {
        total_bytes: bytes("MemTotal")?,
        available_bytes: bytes("MemAvailable").or_else(|| bytes("MemFree"))?,
        swap_total_bytes,
        swap_used_bytes: (swap_total_bytes - bytes("SwapFree").unwrap_or(0.0)).max(0.0),
    })
}

/// One, five and fifteen minutes, from `/proc/loadavg`.
pub(super) fn load(loadavg: &str) -> Option<[f64; 3]> {
    let mut fields = loadavg.split_ascii_whitespace().map_while(|field| field.parse().ok());
    Some([fields.next()?, fields.next()?, fields.next()?])
}

/// Open and maximum, from `/proc/sys/fs/file-nr`.
pub(super) fn open_files(file_nr: &str) -> Option<[f64; 2]> {
    let mut fields = file_nr.split_ascii_whitespace().map(|field| field.parse::<f64>().ok());
    let (open, _free, maximum) = (fields.next()??, fields.next()??, fields.next()??);
    Some([open, maximum])
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) device: String,
    pub(super) point: String,
    pub(super) file_system: String,
}

/// File systems without a disk behind them. `overlay` (the root of a container) and `tmpfs` can fill up, so they are not here.
const NOT_DISKS: [&str; 26] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "fuse.portal",
    "fuse.lxcfs",
    "hugetlbfs",
    "iso9660",
    "mqueue",
    "nsfs",
    "proc",
    "pstore",
    "ramfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "squashfs",
    "sysfs",
    "tracefs",
];

/// From `/proc/self/mounts`: each disk once, at its shortest mount point.
pub(super) fn mounts(mounts: &str) -> Vec<Mount> {
    let mut found: Vec<Mount> = Vec::new();
    for line in mounts.lines() {
        let mut fields = line.split(' ');
        let (Some(device), Some(point), Some(file_system)) = (fields.next(), fields.next(), fields.next()) else { continue };
        if NOT_DISKS.contains(&file_system) || ["/dev", "/proc", "/sys"].iter().any(|folder| is_below(point, folder)) {
            continue;
        }
        let mount = Mount { device: unescape(device), point: unescape(point), file_system: file_system.to_owned() };
        let same = found.iter().position(|other| {
            // The same place again hides what was mounted there; a block device again is a bind mount.
            other.point == mount.point || (mount.device.starts_with("/dev/") && other.device == mount.device)
        });
        match same {
            Some(index) => {
                let other = &mut found[index];
                if other.point == mount.point || mount.point.len() < other.point.len() {
                    *other = mount;
                }
            }
            None if found.len() < DISKS_MAX => found.push(mount),
            None => {}
        }
    }
    found
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Blanks in a mount table are written as three octal digits: `\040`.
pub(crate) fn unescape(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut rest = field;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        match rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(letter) if letter.is_ascii() => {
                text.push(char::from(letter));
                rest = &rest[at + 4..];
            }
            _ => {
                text.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    text.push_str(rest);
    text
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct DiskIo {
    pub(super) device: String,
    pub(super) read_bytes: f64,
    pub(super) written_bytes: f64,
    pub(super) busy_seconds: f64,
}

/// From `/proc/diskstats`; `is_whole` tells a disk from its partitions.
pub(super) fn disk_io(diskstats: &str, is_whole: impl Fn(&str) -> bool) -> Vec<DiskIo> {
    let lines = diskstats.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, _, device, _, _, sectors_read, _, _, _, sectors_written, _, _, busy_ms, ..] = fields[..] else { return None };
        let number = |field: &str| field.parse::<f64>().ok();
        if device.starts_with("loop") || device.starts_with("ram") || !is_whole(device) {
            return None;
        }
        Some(DiskIo {
            device: device.to_owned(),
            read_bytes: number(sectors_read)? * SECTOR_BYTES,
            written_bytes: number(sectors_written)? * SECTOR_BYTES,
            busy_seconds: number(busy_ms)? / 1000.0,
        })
    });
    lines.take(DISKS_MAX).collect()
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct ProcessStat<'text> {
    /// Cut by the kernel to 15 bytes.
    pub(super) name: &'text str,
    pub(super) cpu_seconds: f64,
    /// After the machine was started.
    pub(super) started_seconds: f64,
}

/// From `/proc/PID/stat`. The name stands in brackets and may have brackets and blanks in it.
pub(super) fn process_stat(stat: &str) -> Option<ProcessStat<'_>> {
    let (_, rest) = stat.split_once('(')?;
    let (name, rest) = rest.rsplit_once(')')?;
    // The first field here is the third of the file.
    let mut fields = rest.split_ascii_whitespace().skip(14 - 3).map(|field| field.parse::<f64>().ok());
    let (user, system) = (fields.next()??, fields.next()??);
    let started = fields.nth(22 - 16)??;
    Some(ProcessStat { name, cpu_seconds: (user + system) / TICKS_PER_SECOND, started_seconds: started / TICKS_PER_SECOND })
}

/// From `/proc/PID/status`; a kernel thread has none.
pub(super) fn resident_bytes(status: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<f64>().ok()).map_or(0.0, |kibibytes| kibibytes * 1024.0)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) address: IpAddr,
    pub(super) port: u16,
}

/// One line of `/proc/net/{tcp,tcp6,udp,udp6}`; None where the socket does not listen.
pub(super) fn listener(line: &str) -> Option<Listener> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (local, remote, state) = (fields.next()?, fields.next()?, fields.next()?);
    // TCP listens in state 0A; UDP that is bound and not connected is in 07, without a remote port.
    let listens = state == "0A" || (state == "07" && remote.ends_with(":0000"));
    let (address, port) = local.split_once(':').filter(|_| listens)?;
    Some(Listener { address: address_of(address)?, port: u16::from_str_radix(port, 16).ok()? })
}

/// Words of 32 bits, each in the machine's own order.
fn address_of(digits: &str) -> Option<IpAddr> {
    let word = |at: usize| digits.get(at..at + 8).and_then(|digits| u32::from_str_radix(digits, 16).ok()).map(u32::to_ne_bytes);
    match digits.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut bytes = [0; 16];
            for (index, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(index * 8)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
