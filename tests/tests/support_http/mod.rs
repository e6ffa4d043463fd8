//! What the tests of HTTP and of other languages share: a folder with a configuration, the program run on it, and its API.
//!
//! Who is who: a [`Place`] is a folder with plugins and a configuration, a [`Check`] is one `[[check]]` of it, a [`Served`] is the
//! daemon that serves it. Real servers are in `nginx.rs` and `raw.rs`, their certificates in `certificates.rs`; `resolver.rs` gives one
//! program host names of its own; `rows.rs` runs a table of checks, `pages.rs` has an nginx for it.
//!
//! Limits: what is waited for comes within [`WAIT_MAX`] or the test fails; what is started ends when its value is dropped.

pub(crate) mod certificates;
pub(crate) mod nginx;
pub(crate) mod pages;
pub(crate) mod raw;
pub(crate) mod resolver;
pub(crate) mod rows;

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// Compiling a guest of 18 MB for the first time takes most of it.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(180);
/// Between two looks at what is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The timeout of a check that says no other: host calls end 300 ms earlier.
pub(crate) const TIMEOUT_SECONDS: f64 = 3.0;
const CONFIG: &str = "sickbay.toml";

/// Waits until `look` finds something.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < WAIT_MAX, "waited {} s for {what}", WAIT_MAX.as_secs());
        thread::sleep(LOOK_EVERY);
    }
}

fn from_environment(name: &str) -> PathBuf {
    let Some(path) = std::env::var_os(name).map(PathBuf::from) else {
        panic!("the variable {name} is not set; hint: ./tests/run e2e builds what the tests need and sets it");
    };
    assert!(path.exists(), "{name} is {}, which does not exist; hint: ./tests/run e2e", path.display());
    path
}

/// The component of a plugin.
pub(crate) fn guest(name: &str) -> PathBuf {
    let path = from_environment("SICKBAY_TEST_GUESTS").join(format!("{name}.wasm"));
    assert!(path.exists(), "{} does not exist; hint: ./tests/run guests builds it", path.display());
    path
}

/// The program, without arguments.
pub(crate) fn program() -> Command {
    with_clean_environment(Command::new(from_environment("SICKBAY_BIN")))
}

fn with_clean_environment(mut command: Command) -> Command {
    command.env("NO_COLOR", "1").env_remove("RUST_LOG").env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR").stdin(Stdio::null());
    command
}

/// One `[[check]]`. It is due once a day, so that a test decides when it runs, except for its first run within 10 s of the start.
#[derive(Clone)]
pub(crate) struct Check {
    pub(crate) name: String,
    plugin: &'static str,
    kind: &'static str,
    /// The inside of an inline table.
    config: String,
    grants: Vec<String>,
    every: &'static str,
    timeout: String,
    lines: Vec<String>,
}

impl Check {
    /// `config` is the inside of an inline table: `url = "http://..."`.
    pub(crate) fn new(name: &str, plugin: &'static str, kind: &'static str, config: &str) -> Check {
        Check {
            name: name.to_owned(),
            plugin,
            kind,
            config: config.to_owned(),
            grants: Vec::new(),
            every: "24h",
            timeout: format!("{TIMEOUT_SECONDS}s"),
            lines: Vec::new(),
        }
    }

    /// A check of `url` by the plugin `http`, with a grant of exactly that.
    pub(crate) fn http(name: &str, url: &str) -> Check {
        Check::new(name, "http", "http", &format!("url = \"{url}\"")).grant(&format!("GET {url}"))
    }

    /// More of the inside of the inline table.
    pub(crate) fn config(mut self, more: &str) -> Check {
        self.config = format!("{}, {more}", self.config);
        self
    }

    pub(crate) fn grant(mut self, grant: &str) -> Check {
        self.grants.push(grant.to_owned());
        self
    }

    pub(crate) fn without_grants(mut self) -> Check {
        self.grants.clear();
        self
    }

    pub(crate) fn every(mut self, every: &'static str, timeout: &str) -> Check {
        self.every = every;
        self.timeout = timeout.to_owned();
        self
    }

    /// A further line, as it is written: `critical = ["..."]`.
    pub(crate) fn line(mut self, line: &str) -> Check {
        self.lines.push(line.to_owned());
        self
    }

    fn to_toml(&self) -> String {
        let Check { name, plugin, kind, config, every, timeout, .. } = self;
        let grants: Vec<String> = self.grants.iter().map(|grant| format!("\"{grant}\"")).collect();
        let grants = grants.join(", ");
        let lines = self.lines.join("\n");
        format!(
            "\n[[check]]\nname = \"{name}\"\nplugin = \"{plugin}\"\nkind = \"{kind}\"\nevery = \"{every}\"\ntimeout = \"{timeout}\"\n\
             config = {{ {config} }}\ngrants = {{ http = [{grants}] }}\n{lines}\n"
        )
    }
}

/// A folder with plugins and a configuration, removed in the end.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new(plugins: &[&str]) -> Place {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let into = folder.path().join("plugins");
        fs::create_dir(&into).expect("the plugin folder");
        for name in plugins {
            fs::copy(guest(name), into.join(format!("{name}.wasm"))).expect("a copy of the plugin");
        }
        Place { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file in the folder");
    }

    /// Writes the configuration: a free port, `tables` as they are written, and the checks.
    pub(crate) fn configure(&self, tables: &str, checks: &[Check]) {
        let checks: String = checks.iter().map(Check::to_toml).collect();
        self.write(CONFIG, &format!("[server]\nlisten = \"127.0.0.1:0\"\n{tables}\n{checks}"));
    }

    pub(crate) fn validate(&self) -> Ended {
        let mut command = program();
        command.args(["validate", "--config"]).arg(self.path(CONFIG));
        Ended::of(command)
    }

    pub(crate) fn probe(&self, name: &str) -> Ended {
        self.probe_by(program(), name)
    }

    /// `program` is the program as the caller wants it started.
    pub(crate) fn probe_by(&self, mut program: Command, name: &str) -> Ended {
        program.args(["probe", name, "--config"]).arg(self.path(CONFIG));
        Ended::of(program)
    }
}

/// A program that was run to its end.
#[derive(Debug)]
pub(crate) struct Ended {
    /// None where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn of(mut command: Command) -> Ended {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = Started(command.spawn().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}")));
        let stdout = read_aside(child.0.stdout.take().expect("its output"));
        let stderr = read_aside(child.0.stderr.take().expect("its errors"));
        let status = eventually("the end of a program", || child.0.try_wait().expect("its status"));
        Ended { code: status.code(), stdout: stdout.join().expect("its output"), stderr: stderr.join().expect("its errors") }
    }
}

fn read_aside(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("what a program wrote");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A process that does not outlive its test.
pub(crate) struct Started(pub(crate) Child);

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An answer of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// The daemon, serving the configuration of a [`Place`].
pub(crate) struct Served {
    process: Started,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Served {
    pub(crate) fn start(place: &Place) -> Served {
        Served::start_by(program(), place)
    }

    /// `program` is the program as the caller wants it started. Returns once it listens, which is after the first scan of the folder.
    pub(crate) fn start_by(mut program: Command, place: &Place) -> Served {
        program.args(["serve", "--config"]).arg(place.path(CONFIG)).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = Started(program.spawn().unwrap_or_else(|error| panic!("{program:?} cannot be started: {error}")));
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = process.0.stderr.take().expect("its log");
        thread::spawn({
            let log = Arc::clone(&log);
            move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    let mut log = log.lock().expect("the log");
                    log.push_str(&line);
                    log.push('\n');
                }
            }
        });
        let address = eventually("the daemon to listen", || {
            let told = log.lock().expect("the log").clone();
            let ended = process.0.try_wait().expect("its status");
            assert!(ended.is_none(), "the daemon ended with {ended:?}:\n{told}");
            let (_, rest) = told.split_once("listening on http://")?;
            rest.split_whitespace().next()?.parse().ok()
        });
        Served { process, address, log }
    }

    /// All that it logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        ask(self.address, "GET", path).unwrap_or_else(|error| panic!("GET {path}: {error}\n{}", self.log()))
    }

    /// What a path answers with 200.
    pub(crate) fn json(&self, path: &str) -> Value {
        well(path, &self.get(path))
    }

    /// Runs a check and answers with its recorded result.
    pub(crate) fn run_now(&self, name: &str) -> Value {
        let path = format!("/api/v1/checks/{name}/run");
        let answer = ask(self.address, "POST", &path).unwrap_or_else(|error| panic!("POST {path}: {error}\n{}", self.log()));
        well(&path, &answer)
    }

    /// All recorded results of a check, oldest first.
    pub(crate) fn results(&self, name: &str) -> Vec<Value> {
        let page = self.json(&format!("/api/v1/checks/{name}/results?limit=1000"));
        let mut results = page["items"].as_array().expect("a list").clone();
        results.reverse();
        results
    }

    /// The sum of the series of `name` that carry all of `labels`.
    pub(crate) fn series(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let scrape = self.get("/metrics").body;
        let lines = scrape.lines().filter_map(|line| line.rsplit_once(' '));
        let wanted = lines
            .filter(|(series, _)| series.split('{').next() == Some(name) && labels.iter().all(|label| series.contains(label.as_str())));
        wanted.filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn stop(mut self) {
        kill_process(Pid::from_child(&self.process.0), Signal::TERM).expect("a signal");
        let status = eventually("the daemon to stop", || self.process.0.try_wait().expect("its status"));
        assert!(status.success(), "asked to stop, the daemon ended with {status}:\n{}", self.log());
    }
}

fn well(path: &str, answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{path}: {error}: {}", answer.body))
}

fn ask(address: SocketAddr, method: &str, path: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(WAIT_MAX))?;
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let unreadable = || io::Error::other(format!("no answer of HTTP: {text:?}"));
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(unreadable)?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(unreadable)?;
    Ok(Answer { status, body: body.to_owned() })
}
