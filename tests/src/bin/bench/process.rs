//! What the kernel counts of a process, and processes that end with the bench.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rustix::time::{ClockId, clock_gettime};

/// The unit of times in `/proc/PID/stat`: fixed by the interface, whatever the kernel's own tick is.
const TICK: Duration = Duration::from_millis(10);

/// A process that is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Running> {
        let child = command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Running { child })
    }

    pub(crate) fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Fails when the process has ended.
    pub(crate) fn still_runs(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("it ended with {status}"),
            None => Ok(()),
        }
    }

    /// Processor time of all its threads since it began, also of those that have ended. In steps of 10 ms.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let times = Times::of(&self.child.id().to_string())?;
        Ok(times.own)
    }

    /// Resident memory, in bytes.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        resident_bytes_of(&self.child.id().to_string())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Resident memory of this process, in bytes.
pub(crate) fn own_resident_bytes() -> anyhow::Result<u64> {
    resident_bytes_of("self")
}

fn resident_bytes_of(process: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("the process is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in its status")?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().context("VmRSS is not a number")?;
    Ok(kibibytes * 1024)
}

/// The first of `names` that is there: a path as it is, a name on the path for programs.
pub(crate) fn program(names: &[&str]) -> Option<PathBuf> {
    let folders: Vec<PathBuf> = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let mut candidates = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    // Joined to a folder, an absolute path stays what it is.
    candidates.find(|candidate| candidate.is_file())
}

/// Microseconds of processor time for each time that `command` is started and waited for: its own, together with what the starting and
/// the collecting of a process costs the one that starts it.
pub(crate) fn cpu_us_per_start(command: &mut Command, starts: u32) -> anyhow::Result<f64> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    start_and_wait(command, starts.div_ceil(20))?;
    let (children_before, own_before) = (ended_children_cpu()?, thread_cpu());
    start_and_wait(command, starts)?;
    let children = ended_children_cpu()? - children_before;
    let own = thread_cpu() - own_before;
    Ok((children + own).as_secs_f64() * 1e6 / f64::from(starts))
}

fn start_and_wait(command: &mut Command, times: u32) -> anyhow::Result<()> {
    for _ in 0..times {
        let status = command.status().with_context(|| format!("cannot start {}", command.get_program().display()))?;
        ensure!(status.success(), "{} ended with {status}", command.get_program().display());
    }
    Ok(())
}

/// Processor time of the children of this process that have ended.
fn ended_children_cpu() -> anyhow::Result<Duration> {
    Ok(Times::of("self")?.ended_children)
}

/// Processor time of the calling thread.
pub(crate) fn thread_cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}

/// Pages that the calling thread touched first, without reading from a disk.
pub(crate) fn minor_faults() -> anyhow::Result<u64> {
    let stat = fs::read_to_string("/proc/thread-self/stat").context("no /proc")?;
    faults(&stat).context("/proc/thread-self/stat is not as proc(5) says")
}

/// The tenth field.
fn faults(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    behind_name.split_whitespace().nth(7)?.parse().ok()
}

#[derive(Debug, PartialEq, Eq)]
struct Times {
    own: Duration,
    ended_children: Duration,
}

impl Times {
    fn of(process: &str) -> anyhow::Result<Times> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).context("the process is gone")?;
        Times::parse(&stat).with_context(|| format!("/proc/{process}/stat is not as proc(5) says"))
    }

    /// utime, stime, cutime and cstime are the fields 14 to 17; the second is a name in brackets that may hold anything.
    fn parse(stat: &str) -> Option<Times> {
        let (_, behind_name) = stat.rsplit_once(')')?;
        let ticks: Vec<u32> = behind_name.split_whitespace().skip(11).take(4).map_while(|field| field.parse().ok()).collect();
        let [user, system, children_user, children_system] = ticks.as_slice() else { return None };
        Some(Times { own: TICK * (user + system), ended_children: TICK * (children_user + children_system) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_with_spaces_and_brackets() {
        let stat = "42 (a) (b c) S 1 42 42 0 -1 4194304 100 0 0 0 150 50 7 3 20 0 4 0 12345 1000000 500 18446744073709551615";
        let times = Times { own: Duration::from_secs(2), ended_children: Duration::from_millis(100) };
        assert_eq!(Times::parse(stat), Some(times));
        assert_eq!(faults(stat), Some(100));
        assert_eq!(Times::parse("42 (a) S 1 42"), None);
    }
}
