//! The program under test and the guests that it runs, both built by `./tests/run`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

/// A verb that takes longer hangs.
const RUN_TIME_MAX: Duration = Duration::from_secs(60);

/// The program.
///
/// # Panics
/// When `SICKBAY_BIN` does not say where it is.
pub fn sickbay() -> PathBuf {
    required("SICKBAY_BIN")
}

/// The component of a guest.
///
/// # Panics
/// When `SICKBAY_TEST_GUESTS` does not say where it is, or it was not built.
pub fn guest(name: &str) -> PathBuf {
    let file = required("SICKBAY_TEST_GUESTS").join(format!("{name}.wasm"));
    assert!(file.is_file(), "there is no {}; hint: `./tests/run guests` builds it", file.display());
    file
}

/// The bytes of a guest's component.
pub fn guest_bytes(name: &str) -> Vec<u8> {
    std::fs::read(guest(name)).expect("a guest can be read")
}

fn required(variable: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(path) if !path.is_empty() => PathBuf::from(path),
        _ => {
            panic!("{variable} is not set; hint: run these tests with `./tests/run e2e`, which builds what they need and says where it is")
        }
    }
}

/// The program in `folder`, with nothing of the machine's own settings. It compiles each component anew, unless `SICKBAY_TEST_CACHE` names a
/// cache that tests share.
pub fn command(folder: &Path, arguments: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(sickbay());
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    let cache = std::env::var_os("SICKBAY_TEST_CACHE").map_or_else(|| folder.join("cache"), PathBuf::from);
    command.env("SICKBAY_CACHE_DIR", cache).env("NO_COLOR", "1");
    for variable in ["SICKBAY_URL", "SICKBAY_TOKEN", "SICKBAY_CA_FILE", "SICKBAY_LOG", "SICKBAY_WORKER", "PYTHONPATH"] {
        command.env_remove(variable);
    }
    command
}

/// `command` in a mount namespace of its own, behind `mounts`: lines of shell. Needs root, or a kernel that lets everyone have a namespace.
pub fn with_mounts(command: &std::process::Command, mounts: &str) -> std::process::Command {
    let mut outer = std::process::Command::new("unshare");
    outer.arg("--mount").stdin(Stdio::null());
    if !rustix::process::geteuid().is_root() {
        outer.arg("--map-root-user");
    }
    // Each becomes the next, so that the child is the program itself.
    outer.args(["sh", "-c", &format!("set -e\n{mounts}\nexec \"$@\""), "sh"]).arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        outer.current_dir(folder);
    }
    for (variable, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(variable, value),
            None => outer.env_remove(variable),
        };
    }
    outer
}

/// A line of shell among the mounts of a process that was started [`with_mounts`], and in its folder.
pub fn among_mounts_of(process: u32, line: &str) -> std::process::Command {
    let mut command = std::process::Command::new("nsenter");
    command.arg("--target").arg(process.to_string()).args(["--mount", "--wd"]).stdin(Stdio::null());
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--preserve-credentials"]);
    }
    command.args(["--", "sh", "-c", line]);
    command
}

/// How a program ended.
#[derive(Debug)]
pub struct Ran {
    /// -1 where a signal ended it.
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs a verb of the program to its end.
pub async fn run(folder: &Path, arguments: &[&str]) -> Ran {
    run_within(RUN_TIME_MAX, command(folder, arguments)).await
}

/// Runs a command to its end, which takes no longer than `time_max`.
pub async fn run_within(time_max: Duration, command: std::process::Command) -> Ran {
    let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
    let what = format!("{} {}", command.get_program().to_string_lossy(), arguments.join(" "));
    finish(tokio::process::Command::from(command), &what, "", time_max).await
}

/// Runs another program with `input` on its standard input.
pub async fn pipe(program: &str, arguments: &[&str], input: &str) -> Ran {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(Stdio::piped());
    finish(command, program, input, RUN_TIME_MAX).await
}

async fn finish(mut command: tokio::process::Command, what: &str, input: &str, time_max: Duration) -> Ran {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{what} cannot be started: {error}; hint: `./tests/run e2e` installs what is missing"));
    let ended = async {
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).await.expect("it reads its input");
        }
        child.wait_with_output().await.expect("it can be waited for")
    };
    let output = tokio::time::timeout(time_max, ended).await.unwrap_or_else(|_| panic!("{what} did not end in {} s", time_max.as_secs()));
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
