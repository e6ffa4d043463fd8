//! A Redis of a test's own: a real server on free ports, in a folder of its own, gone with the test.
//!
//! It needs nothing of this crate but `process.rs`, so that the tests beside the code can take both files as modules of theirs.
//!
//! Invariant: a server does not outlive its test; where the program is missing a test fails.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Pid;
use tempfile::TempDir;

use crate::process::{Paused, free_port};

/// Far more than a server takes on a busy machine.
const START_MAX: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);
/// Another program may take a port before the server does.
const ATTEMPTS_MAX: usize = 5;

/// What the program is started as.
#[derive(Clone, Copy, Debug)]
enum Role {
    Server,
    Sentinel,
}

/// One server; killed when it is dropped.
#[derive(Debug)]
pub struct RedisServer {
    folder: TempDir,
    role: Role,
    port: u16,
    bus_port: u16,
    lines: String,
    /// None while it is stopped.
    child: Option<Child>,
}

impl RedisServer {
    /// A server with `lines` of configuration, in which `{port}`, `{bus}` (another free port) and `{folder}` are filled in. It takes
    /// connections on 127.0.0.1 and keeps nothing on disk where the lines do not say otherwise.
    ///
    /// # Panics
    /// When `redis-server` is not installed or does not start.
    pub fn start(lines: &str) -> RedisServer {
        RedisServer::start_as(Role::Server, lines)
    }

    /// As [`RedisServer::start`], a sentinel.
    ///
    /// # Panics
    /// When `redis-server` is not installed or does not start.
    pub fn start_sentinel(lines: &str) -> RedisServer {
        RedisServer::start_as(Role::Sentinel, lines)
    }

    fn start_as(role: Role, lines: &str) -> RedisServer {
        for _ in 0..ATTEMPTS_MAX {
            let folder = tempfile::tempdir().expect("a folder");
            let mut server = RedisServer { folder, role, port: free_port(), bus_port: free_port(), lines: lines.to_owned(), child: None };
            if server.launch() {
                return server;
            }
        }
        panic!("redis-server ended {ATTEMPTS_MAX} times while it started, with the configuration\n{lines}");
    }

    /// On 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port of a cluster's own traffic.
    pub fn bus_port(&self) -> u16 {
        self.bus_port
    }

    /// Where it was started.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `redis://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A connection on which an answer is not waited for without end.
    ///
    /// # Panics
    /// When it does not run.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("a connection");
        stream.set_read_timeout(Some(START_MAX)).expect("a time");
        stream
    }

    /// Says `lines` to it over one connection, each a command as a person types it whose answer is one line; gives the last answer.
    ///
    /// # Panics
    /// When it refuses a command.
    pub fn say(&self, lines: &str) -> String {
        let mut stream = BufReader::new(self.connect());
        let mut answer = String::new();
        for line in lines.lines() {
            stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).expect("it is sent");
            answer.clear();
            stream.read_line(&mut answer).expect("an answer");
            assert!(!answer.is_empty() && !answer.starts_with('-'), "{line}: {answer}");
        }
        answer
    }

    /// It stands still until the answer is dropped.
    pub fn pause(&self) -> Paused {
        Paused::new(Pid::from_child(self.child.as_ref().expect("it runs")))
    }

    /// What `redis-cli` prints for a command, entered as the URL of another user may say: `--user`, `--pass`, `-n`.
    ///
    /// # Panics
    /// When `redis-cli` is not installed, or the server does not answer.
    pub fn ask(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "--no-auth-warning"]).args(arguments).stdin(Stdio::null());
        let output = command.output().unwrap_or_else(|error| {
            panic!("redis-cli cannot be started: {error}; hint: install the Debian package `redis-server`");
        });
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Kills it; every connection breaks.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // One that has ended already cannot be killed.
            let _ = child.kill();
            child.wait().expect("the server ends");
        }
    }

    /// Starts it anew where it was.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.stop();
        assert!(self.launch(), "redis-server does not start again on port {}", self.port);
    }

    /// False where it ended before it took a connection.
    fn launch(&mut self) -> bool {
        let folder = self.folder.path();
        let defaults = match self.role {
            Role::Server => "save \"\"\nappendonly no\n",
            Role::Sentinel => "",
        };
        let text = format!("bind 127.0.0.1\nport {{port}}\ndir {{folder}}\nlogfile {{folder}}/redis.log\n{defaults}{}\n", self.lines);
        let text = text
            .replace("{port}", &self.port.to_string())
            .replace("{bus}", &self.bus_port.to_string())
            .replace("{folder}", &folder.display().to_string());
        let file = folder.join("redis.conf");
        fs::write(&file, text).expect("a configuration");
        let mut command = Command::new("redis-server");
        command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Role::Sentinel = self.role {
            command.arg("--sentinel");
        }
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("redis-server cannot be started: {error}; hint: install the Debian package `redis-server`");
        });
        let child = self.child.insert(child);
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            if child.try_wait().expect("a child").is_some() {
                return false;
            }
            assert!(began.elapsed() < START_MAX, "redis-server takes no connection after {} s", START_MAX.as_secs());
            std::thread::sleep(PAUSE);
        }
        true
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}
