//! The kinds `files`, `secrets` and `system`.

use sickbay_sdk::files::{FileError, FileInfo};
use sickbay_sdk::prelude::*;
use sickbay_sdk::secrets::SecretError;

use crate::told::{Lines, bytes, float, optional, string, text};

const READ_BYTES_MAX: u32 = 4096;
const ENTRIES_MAX: usize = 100;
/// 0o640
const MODE: u32 = 416;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FilesConfig {
    paths: Vec<String>,
    /// What is done with each.
    #[serde(default)]
    what: Work,
    /// Whether an error is a line.
    #[serde(default)]
    tell_errors: bool,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Work {
    #[default]
    Info,
    Directory,
    Read,
    Space,
    Create,
    Remove,
    Mode,
}

pub(crate) struct Files;

impl Check for Files {
    const NAME: &'static str = "files";
    const SUMMARY: &'static str = "Tells of files";
    type Config = FilesConfig;

    fn example() -> Value {
        json!({ "paths": ["/etc/hostname"] })
    }

    fn run(request: &Request<FilesConfig>) -> Result<Report, Error> {
        let config = &request.config;
        let mut lines = Lines::default();
        for path in &config.paths {
            if let Err(error) = work(&config.what, path, &mut lines) {
                lines.failed(error.into(), config.tell_errors)?;
            }
        }
        Ok(lines.report())
    }
}

fn work(what: &Work, path: &str, lines: &mut Lines) -> Result<(), FileError> {
    match what {
        Work::Info => file(lines, &files::info(path)?),
        Work::Directory => files::whole_directory(path, ENTRIES_MAX)?.iter().for_each(|info| file(lines, info)),
        Work::Read => lines.push(format!("read {}", string(&files::read(path, 0, READ_BYTES_MAX)?))),
        Work::Space => {
            let space = files::space(path)?;
            let told = [space.total_bytes, space.available_bytes, space.inodes_total, space.inodes_free].map(float);
            lines.push(format!("space {}", told.join(" ")));
        }
        Work::Create => {
            files::create_directory(path)?;
            lines.push("done");
        }
        Work::Remove => {
            files::remove(path)?;
            lines.push("done");
        }
        Work::Mode => {
            files::set_mode(path, MODE)?;
            lines.push("done");
        }
    }
    Ok(())
}

fn file(lines: &mut Lines, info: &FileInfo) {
    let [name, kind, identity] = [&info.name, &info.kind, &info.identity].map(|part| text(part));
    let (size, at, mode, writable) = (info.size_bytes, info.modified_at, info.mode, info.writable);
    lines.push(format!("file {name} {kind} {size} ms:{at} {mode} {writable} {identity}"));
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretsConfig {
    /// Names of secrets; of `encode` what is encoded.
    secrets: Vec<String>,
    /// What is done with each.
    #[serde(default)]
    what: Use,
    /// Whether an error is a line.
    #[serde(default)]
    tell_errors: bool,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Use {
    #[default]
    Inspect,
    Sign,
    Encode,
}

pub(crate) struct Secrets;

impl Check for Secrets {
    const NAME: &'static str = "secrets";
    const SUMMARY: &'static str = "Uses secrets";
    type Config = SecretsConfig;

    fn example() -> Value {
        json!({ "secrets": ["api"] })
    }

    fn run(request: &Request<SecretsConfig>) -> Result<Report, Error> {
        let config = &request.config;
        let mut lines = Lines::default();
        for secret in &config.secrets {
            if let Err(error) = used(&config.what, secret, &mut lines) {
                lines.failed(error.into(), config.tell_errors)?;
            }
        }
        Ok(lines.report())
    }
}

fn used(what: &Use, secret: &str, lines: &mut Lines) -> Result<(), SecretError> {
    match what {
        Use::Inspect => {
            let info = secrets::inspect(secret)?;
            let changed = info.changed_at.map_or_else(|| "null".to_owned(), |at| format!("ms:{at}"));
            lines.push(format!("secret {changed} {}", info.versions));
        }
        Use::Sign => {
            for signature in secrets::sign(secret, "hmac-sha256", "AWS4", b"data")? {
                lines.push(format!("signature {}", bytes(&signature)));
            }
        }
        Use::Encode => lines.push(format!("encoded {}", text(&secrets::encode(secret, "base64")?))),
    }
    Ok(())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SystemConfig {
    /// `cpu`, `memory`, `load`, `disks`, `io`, `processes`, `listeners`, `files`
    what: Vec<String>,
    /// Of which name.
    #[serde(default = "process")]
    process: String,
    /// Whether an error is a line.
    #[serde(default)]
    tell_errors: bool,
}

fn process() -> String {
    "nginx".to_owned()
}

pub(crate) struct System;

impl Check for System {
    const NAME: &'static str = "system";
    const SUMMARY: &'static str = "Tells of the machine";
    type Config = SystemConfig;

    fn example() -> Value {
        json!({ "what": ["memory"] })
    }

    fn run(request: &Request<SystemConfig>) -> Result<Report, Error> {
        let config = &request.config;
        let mut lines = Lines::default();
        for what in &config.what {
            if let Err(error) = read(what, &config.process, &mut lines) {
                lines.failed(error, config.tell_errors)?;
            }
        }
        Ok(lines.report())
    }
}

fn read(what: &str, process: &str, lines: &mut Lines) -> Result<(), Error> {
    match what {
        "cpu" => {
            let cpu = system::cpu()?;
            lines.push(format!("cpu {} {} {} {}", float(cpu.busy_ratio), float(cpu.iowait_ratio), cpu.cores, cpu.window_ms));
        }
        "memory" => {
            let memory = system::memory()?;
            let told = [memory.total_bytes, memory.available_bytes, memory.swap_total_bytes, memory.swap_used_bytes].map(float);
            lines.push(format!("memory {}", told.join(" ")));
        }
        "load" => {
            let load = system::load()?;
            lines.push(format!("load {}", [load.one, load.five, load.fifteen].map(float).join(" ")));
        }
        "disks" => {
            for disk in system::disks()? {
                let words = [&disk.mount, &disk.device, &disk.file_system].map(|word| text(word)).join(" ");
                let room = [disk.total_bytes, disk.available_bytes, disk.inodes_total, disk.inodes_free].map(float).join(" ");
                lines.push(format!("disk {words} {room} {}", disk.read_only));
            }
        }
        "io" => {
            for device in system::disk_io()? {
                let told = [device.read_bytes, device.written_bytes, device.busy_seconds].map(float).join(" ");
                lines.push(format!("io {} {told}", text(&device.device)));
            }
        }
        "processes" => {
            for process in system::processes(process)? {
                let told = [process.resident_bytes, process.cpu_seconds].map(float).join(" ");
                lines.push(format!("process {} {} {told} ms:{}", process.pid, text(&process.name), process.started_at));
            }
        }
        "listeners" => {
            for listener in system::listeners()? {
                let (protocol, address) = (text(&listener.protocol), text(&listener.address));
                lines.push(format!("listener {protocol} {address} {} {}", listener.port, optional(listener.process.as_deref())));
            }
        }
        "files" => {
            let files = system::open_files()?;
            lines.push(format!("open-files {} {}", float(files.open), float(files.maximum)));
        }
        other => return Err(Error::configuration(format!("there is no topic {other}"))),
    }
    Ok(())
}
