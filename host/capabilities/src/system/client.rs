//! Reading the machine, off the scheduler's threads and never past the run's deadline.
//!
//! Invariant: a file system that hangs holds up only those who ask for disks, and at most [`DISK_READS_MAX`] threads.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::cpu::{CpuReading, Sampler};
use super::parse::{self, DiskIo, Memory, Mount};

/// Reads of disks at once: asking a file system that hangs takes as long as it hangs.
const DISK_READS_MAX: usize = 4;
/// Other reads at once.
const READS_MAX: usize = 16;
/// The longest text of `/proc` that is read.
const TEXT_BYTES_MAX: u64 = 4 << 20;
/// Lines looked through for listening sockets; the kernel lists those first.
const SOCKET_LINES_MAX: usize = 100_000;

/// Why something could not be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    Unsupported(String),
    Other(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Disk {
    pub(super) mount: Mount,
    pub(super) total_bytes: f64,
    pub(super) available_bytes: f64,
    pub(super) inodes_total: f64,
    pub(super) inodes_free: f64,
    pub(super) read_only: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) resident_bytes: f64,
    pub(super) cpu_seconds: f64,
    /// Milliseconds since 1970.
    pub(super) started_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) protocol: &'static str,
    pub(super) socket: parse::Listener,
}

/// The machine, as all runs share it.
pub(crate) struct Machine {
    sampler: Sampler,
    reads: Arc<Semaphore>,
    disk_reads: Arc<Semaphore>,
}

impl Machine {
    pub(crate) fn new() -> Machine {
        Machine {
            sampler: Sampler::default(),
            reads: Arc::new(Semaphore::new(READS_MAX)),
            disk_reads: Arc::new(Semaphore::new(DISK_READS_MAX)),
        }
    }

    pub(super) async fn cpu(&self, deadline: Instant) -> Result<CpuReading, ReadError> {
        within(deadline, "the CPU", self.sampler.read()).await
    }

    pub(super) async fn memory(&self, deadline: Instant) -> Result<Memory, ReadError> {
        self.read(deadline, "memory", || read_text("/proc/meminfo", parse::memory)).await
    }

    pub(super) async fn load(&self, deadline: Instant) -> Result<[f64; 3], ReadError> {
        self.read(deadline, "the load", || read_text("/proc/loadavg", parse::load)).await
    }

    pub(super) async fn open_files(&self, deadline: Instant) -> Result<[f64; 2], ReadError> {
        self.read(deadline, "open files", || read_text("/proc/sys/fs/file-nr", parse::open_files)).await
    }

    pub(super) async fn disks(&self, deadline: Instant) -> Result<Vec<Disk>, ReadError> {
        bounded(&self.disk_reads, deadline, "disks (does a file system hang?)", read_disks).await
    }

    pub(super) async fn disk_io(&self, deadline: Instant) -> Result<Vec<DiskIo>, ReadError> {
        let is_whole = |device: &str| Path::new("/sys/block").join(device.replace('/', "!")).exists();
        let work = move || read_text("/proc/diskstats", |text| Some(parse::disk_io(text, is_whole)));
        self.read(deadline, "disk transfers", work).await
    }

    pub(super) async fn processes(&self, deadline: Instant, name: String) -> Result<Vec<Process>, ReadError> {
        self.read(deadline, "processes", move || read_processes(&name)).await
    }

    pub(super) async fn listeners(&self, deadline: Instant) -> Result<Vec<Listener>, ReadError> {
        self.read(deadline, "listening sockets", read_listeners).await
    }

    async fn read<T, W>(&self, deadline: Instant, what: &str, work: W) -> Result<T, ReadError>
    where
        T: Send + 'static,
        W: FnOnce() -> Result<T, ReadError> + Send + 'static,
    {
        bounded(&self.reads, deadline, what, work).await
    }
}

async fn within<T>(deadline: Instant, what: &str, reading: impl Future<Output = Result<T, ReadError>>) -> Result<T, ReadError> {
    timeout_at(deadline, reading).await.unwrap_or_else(|_| Err(ReadError::Other(format!("reading {what} took longer than the run may"))))
}

/// The place is given back when the work is done, not when nobody waits for it any more.
async fn bounded<T, W>(places: &Arc<Semaphore>, deadline: Instant, what: &str, work: W) -> Result<T, ReadError>
where
    T: Send + 'static,
    W: FnOnce() -> Result<T, ReadError> + Send + 'static,
{
    let reading = async {
        let place = Arc::clone(places).acquire_owned().await.map_err(|_| ReadError::Other("the host is shutting down".to_owned()))?;
        off_thread(move || {
            let _place = place;
            work()
        })
        .await
    };
    within(deadline, what, reading).await
}

pub(super) async fn off_thread<T, W>(work: W) -> Result<T, ReadError>
where
    T: Send + 'static,
    W: FnOnce() -> Result<T, ReadError> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(ReadError::Other("the reading ended unexpectedly".to_owned())))
}

/// Reads a text of `/proc` and what `parse` finds in it.
pub(super) fn read_text<T>(path: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, ReadError> {
    let text = text_of(Path::new(path)).map_err(|error| failed(path, &error))?;
    parse(&text).ok_or_else(|| ReadError::Other(format!("`{path}` has an unknown form")))
}

fn text_of(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(TEXT_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn failed(path: &str, error: &io::Error) -> ReadError {
    match error.kind() {
        io::ErrorKind::NotFound => ReadError::Unsupported(format!("this machine has no `{path}`")),
        kind => ReadError::Other(format!("`{path}` cannot be read: {kind}")),
    }
}

fn read_disks() -> Result<Vec<Disk>, ReadError> {
    let mounts = read_text("/proc/self/mounts", |text| Some(parse::mounts(text)))?;
    Ok(mounts.into_iter().filter_map(measure).collect())
}

/// None for a place that is no folder (files are mounted into containers one by one), cannot be asked, or holds nothing.
fn measure(mount: Mount) -> Option<Disk> {
    if !fs::metadata(&mount.point).is_ok_and(|place| place.is_dir()) {
        return None;
    }
    let space = rustix::fs::statvfs(mount.point.as_str()).ok()?;
    if space.f_blocks == 0 {
        return None;
    }
    let block = space.f_frsize as f64;
    Some(Disk {
        total_bytes: space.f_blocks as f64 * block,
        available_bytes: space.f_bavail as f64 * block,
        inodes_total: space.f_files as f64,
        inodes_free: space.f_ffree as f64,
        read_only: space.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
        mount,
    })
}

fn read_processes(name: &str) -> Result<Vec<Process>, ReadError> {
    let boot_seconds = read_text("/proc/stat", parse::boot_seconds)?;
    let entries = fs::read_dir("/proc").map_err(|error| failed("/proc", &error))?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    Ok(pids.filter_map(|pid| read_process(pid, name, boot_seconds)).take(parse::PROCESSES_MAX).collect())
}

/// None for a process of another name, or one that has ended meanwhile.
fn read_process(pid: u32, name: &str, boot_seconds: u64) -> Option<Process> {
    let folder = Path::new("/proc").join(pid.to_string());
    let text = text_of(&folder.join("stat")).ok()?;
    let stat = parse::process_stat(&text)?;
    if stat.name != name && !is_cut_from(stat.name, name, &folder) {
        return None;
    }
    let started_ms = (boot_seconds as f64 + stat.started_seconds) * 1000.0;
    Some(Process {
        pid,
        resident_bytes: text_of(&folder.join("status")).map_or(0.0, |status| parse::resident_bytes(&status)),
        cpu_seconds: stat.cpu_seconds,
        started_ms: started_ms as u64,
    })
}

/// The kernel keeps 15 bytes of a name; the whole one is the file name of what was started.
fn is_cut_from(short: &str, name: &str, folder: &Path) -> bool {
    const KEPT: usize = 15;
    if short.len() != KEPT || !name.starts_with(short) {
        return false;
    }
    let Ok(command) = text_of(&folder.join("cmdline")) else { return false };
    let program = command.split('\0').next().unwrap_or_default();
    program.rsplit('/').next() == Some(name)
}

fn read_listeners() -> Result<Vec<Listener>, ReadError> {
    let mut found = Vec::new();
    let mut seen = false;
    for (protocol, path) in [("tcp", "/proc/net/tcp"), ("tcp", "/proc/net/tcp6"), ("udp", "/proc/net/udp"), ("udp", "/proc/net/udp6")] {
        let file = match File::open(path) {
            Ok(file) => file,
            // A machine without IPv6 has no table of it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(path, &error)),
        };
        seen = true;
        let lines = BufReader::new(file).lines().take(SOCKET_LINES_MAX).map_while(Result::ok);
        let listeners = lines.filter_map(|line| parse::listener(&line)).map(|socket| Listener { protocol, socket });
        found.extend(listeners.take(parse::LISTENERS_MAX - found.len()));
    }
    if seen { Ok(found) } else { Err(ReadError::Unsupported("this machine has no `/proc/net/tcp`".to_owned())) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_is_read_is_this_machine() {
        let machine = Machine::new();
        let memory = machine.memory(soon()).await.expect("memory");
        assert!(memory.available_bytes > 0.0 && memory.available_bytes <= memory.total_bytes, "{memory:?}");
        machine.load(soon()).await.expect("load");
        let disks = machine.disks(soon()).await.expect("disks");
        assert!(disks.iter().all(|disk| disk.available_bytes <= disk.total_bytes), "{disks:?}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn this_process_is_found_by_its_name() {
        let name = fs::read_to_string("/proc/self/comm").expect("a name").trim_end().to_owned();
        let found = Machine::new().processes(soon(), name).await.expect("processes");
        let own = found.iter().find(|process| process.pid == std::process::id()).expect("this process");
        assert!(own.resident_bytes > 0.0 && own.started_ms > 0, "{own:?}");
        let none = Machine::new().processes(soon(), "no such process".to_owned()).await.expect("processes");
        assert!(none.is_empty(), "{none:?}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_socket_that_listens_is_found() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket");
        let port = socket.local_addr().expect("an address").port();
        let found = Machine::new().listeners(soon()).await.expect("listeners");
        assert!(found.iter().any(|listener| listener.protocol == "tcp" && listener.socket.port == port), "{found:?}");
        drop(socket);
    }

    #[tokio::test]
    async fn a_read_that_hangs_ends_with_the_run_and_keeps_its_place() {
        let places = Arc::new(Semaphore::new(1));
        let (release, hangs) = std::sync::mpsc::sync_channel::<()>(1);
        let outcome = bounded(&places, Instant::now() + Duration::from_millis(20), "a disk", move || {
            // Until the test lets go.
            let _ = hangs.recv();
            Ok(())
        });
        assert!(matches!(outcome.await, Err(ReadError::Other(message)) if message.contains("a disk")));
        assert_eq!(places.available_permits(), 0, "the thread is still busy");
        drop(release);
        let place = places.acquire().await.expect("given back when the work is done");
        drop(place);
    }

    #[test]
    fn what_is_not_there_is_unsupported() {
        assert!(matches!(read_text("/proc/no/such/file", |_| Some(())), Err(ReadError::Unsupported(_))));
    }
}
