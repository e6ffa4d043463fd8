//! A scripted host, so that a plugin runs under `cargo test` without WebAssembly.
//!
//! A [`FakeHost`] holds what the host would answer and keeps what the plugin did. While [`FakeHost::run`] runs a check, it serves
//! every call of the thread; nothing is sent anywhere. What a test did not script is denied, as on a real host without grants;
//! a request without an answer left fails the test.
//!
//! [`FakeHost::plan`], [`FakeHost::act`] and [`FakeHost::follow`] ask a recovery, [`FakeHost::deliver`] a sink. [`incident`], [`alert`] and
//! [`notification`] are usual ones, to change in part: `Incident { check: "api".to_owned(), ..incident() }`.
//!
//! ```
//! # use sickbay_sdk::prelude::*;
//! # use sickbay_sdk::testing::{FakeHost, response};
//! # #[derive(Deserialize, JsonSchema)] struct Config { url: String }
//! # struct Ping;
//! # impl Check for Ping {
//! #     const NAME: &'static str = "ping";
//! #     const SUMMARY: &'static str = "";
//! #     type Config = Config;
//! #     fn example() -> Value { json!({}) }
//! #     fn run(request: &Request<Config>) -> Result<Report, Error> {
//! #         http::get(&request.config.url).send()?;
//! #         Ok(Report::ok("pong"))
//! #     }
//! # }
//! let mut host = FakeHost::default().http(Ok(response(200, "hello")));
//! let report = host.run::<Ping>(json!({ "url": "http://localhost/" })).unwrap();
//! assert_eq!(report.status, Status::Ok);
//! assert_eq!(host.sent[0].request.url, "http://localhost/");
//! ```

mod described;
pub(crate) mod files;
pub(crate) mod net;
pub(crate) mod postgres;
pub(crate) mod recovery;
pub(crate) mod redis;
pub(crate) mod secrets;
pub(crate) mod sink;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::mem;

use serde_json::Value;

pub use self::described::{assert_as_described, assert_recovery_well_described, assert_sink_well_described, assert_well_described};
pub use self::files::FakeFile;
pub use self::net::{Dialogue, tls_until};
pub use self::postgres::{refused, row, rows};
pub use self::recovery::incident;
pub use self::redis::bulk;
pub use self::sink::{alert, notification, severe};
use crate::bindings::exports::sickbay::plugin::check as wire;
use crate::files::Space;
use crate::http::{Call, HttpError, Options, Request, Response};
use crate::log::Level;
use crate::net::{DnsAnswer, NetError, Target};
use crate::postgres::{PostgresError, Query, Rows};
use crate::redis::{Node, RedisError};
use crate::secrets::SecretInfo;
use crate::system::{Cpu, Disk, DiskIo, Listener, Load, Memory, OpenFiles, Process, SystemError};
use crate::{Check, Denial, Failure, Label, Report, Timings};

const STATE_KEYS_MAX: usize = 64;
const STATE_KEY_BYTES_MAX: usize = 128;
const STATE_BYTES_MAX: usize = 16 << 10;

/// What a call is ended after.
const TIMEOUT_MS: u32 = 5_000;

/// What the host answers, and what the plugin did.
#[derive(Clone, Debug, Default)]
pub struct FakeHost {
    /// What the clock says, in milliseconds since 1970.
    pub now_ms: u64,
    /// Answers to HTTP requests, in order.
    pub responses: VecDeque<Result<Response, HttpError>>,
    pub machine: Machine,
    /// Answers to statements of PostgreSQL, in order.
    pub rows: VecDeque<Result<Rows, PostgresError>>,
    /// Answers to Redis commands, in order.
    pub replies: VecDeque<Result<Vec<Node>, RedisError>>,
    /// What connections answer, in the order in which they are opened.
    pub dialogues: VecDeque<Result<Dialogue, NetError>>,
    /// Answers to lookups, in order.
    pub names: VecDeque<Result<DnsAnswer, NetError>>,
    /// Files by their whole path.
    pub files: BTreeMap<String, FakeFile>,
    /// Room on the file system, whatever the path.
    pub space: Option<Space>,
    /// Secrets by name; others are denied.
    pub secrets: BTreeMap<String, SecretInfo>,
    /// Kept between runs; a run that fails changes nothing.
    pub state: BTreeMap<String, Vec<u8>>,
    /// Every request that the plugin sent.
    pub sent: Vec<Call>,
    /// Every statement of PostgreSQL with its parameters.
    pub queries: Vec<Query>,
    /// Every Redis command, its arguments with a space between.
    pub commands: Vec<String>,
    /// Every connection that was asked for.
    pub targets: Vec<Target>,
    /// What was sent over connections.
    pub said: Vec<Vec<u8>>,
    /// Every lookup, as `NAME KIND`.
    pub lookups: Vec<String>,
    /// Every line that the plugin logged.
    pub lines: Vec<Line>,
}

/// What `system` answers.
#[derive(Clone, Debug)]
pub struct Machine {
    pub cpu: Result<Cpu, SystemError>,
    pub memory: Result<Memory, SystemError>,
    pub load: Result<Load, SystemError>,
    pub disks: Result<Vec<Disk>, SystemError>,
    pub disk_io: Result<Vec<DiskIo>, SystemError>,
    /// All of them; the plugin sees those with the name that it asks for.
    pub processes: Result<Vec<Process>, SystemError>,
    pub listeners: Result<Vec<Listener>, SystemError>,
    pub open_files: Result<OpenFiles, SystemError>,
}

/// One log line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub level: Level,
    pub message: String,
    pub fields: Vec<Label>,
}

impl Default for Machine {
    fn default() -> Machine {
        fn denied<T>(what: &str) -> Result<T, SystemError> {
            Err(SystemError::Denied(Denial { reason: format!("no grant for {what}"), hint: format!("system = [\"{what}\"]") }))
        }
        Machine {
            cpu: denied("cpu"),
            memory: denied("memory"),
            load: denied("load"),
            disks: denied("disk"),
            disk_io: denied("io"),
            processes: denied("processes:NAME"),
            listeners: denied("listeners"),
            open_files: denied("files"),
        }
    }
}

impl FakeHost {
    /// Adds the answer to the next HTTP request.
    pub fn http(mut self, answer: Result<Response, HttpError>) -> FakeHost {
        self.responses.push_back(answer);
        self
    }

    /// Adds the answer to the next statement of PostgreSQL.
    pub fn postgres(mut self, answer: Result<Rows, PostgresError>) -> FakeHost {
        self.rows.push_back(answer);
        self
    }

    /// Adds the answer to the next Redis command.
    pub fn redis(mut self, answer: Result<Vec<Node>, RedisError>) -> FakeHost {
        self.replies.push_back(answer);
        self
    }

    /// Adds what the next connection answers.
    pub fn net(mut self, answer: Result<Dialogue, NetError>) -> FakeHost {
        self.dialogues.push_back(answer);
        self
    }

    /// Adds the answer to the next lookup.
    pub fn dns(mut self, answer: Result<DnsAnswer, NetError>) -> FakeHost {
        self.names.push_back(answer);
        self
    }

    /// Adds a file, or puts another in its place.
    pub fn file(mut self, path: &str, bytes: &[u8], modified_at: u64) -> FakeHost {
        self.files.insert(path.to_owned(), FakeFile::new(path, bytes, modified_at));
        self
    }

    /// Runs a check with this configuration, exactly as a component would.
    pub fn run<C: Check>(&mut self, config: Value) -> Result<Report, Failure> {
        let before = self.state.clone();
        let mut request = wire_request(C::NAME, &config);
        request.scheduled_at = self.now_ms;
        let answer = self.serve(|| crate::check::run::<C>(request));
        if answer.is_err() {
            self.state = before;
        }
        answer
    }

    /// Serves every call that the closure makes.
    pub fn serve<T>(&mut self, calls: impl FnOnce() -> T) -> T {
        self.serve_lending(Lending::Whole, calls)
    }

    fn serve_lending<T>(&mut self, lending: Lending, calls: impl FnOnce() -> T) -> T {
        LENDING.set(lending);
        HOST.with(|host| mem::swap(&mut *host.borrow_mut(), self));
        let answer = calls();
        HOST.with(|host| mem::swap(&mut *host.borrow_mut(), self));
        answer
    }
}

/// An answer with that status and body and no more.
pub fn response(status: u16, body: &str) -> Response {
    Response {
        status,
        version: "HTTP/1.1".to_owned(),
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
        truncated: false,
        url: String::new(),
        redirects: Vec::new(),
        timings: Timings { dns_us: None, connect_us: Some(200), tls_us: None, first_byte_us: Some(900), total_us: 1_000 },
        peer: None,
        tls: None,
        extras: Vec::new(),
    }
}

pub(crate) fn wire_request(kind: &str, config: &Value) -> wire::Request {
    wire::Request {
        check: "test".to_owned(),
        kind: kind.to_owned(),
        config: config.to_string(),
        scheduled_at: 0,
        timeout_ms: TIMEOUT_MS,
        attempt: 1,
        target: None,
        labels: Vec::new(),
        previous: None,
        extras: Vec::new(),
    }
}

/// How much of the grants a call has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lending {
    Whole,
    /// What changes something is denied: HTTP other than `GET` and `HEAD`, `net`, changes of `files`. Of statements and commands the
    /// scripted host does not know whether they only read.
    Reading,
}

thread_local! {
    static HOST: RefCell<FakeHost> = RefCell::new(FakeHost::default());
    static LENDING: Cell<Lending> = const { Cell::new(Lending::Whole) };
}

/// Before a call that may change something.
fn expect_whole_lending(call: &str) -> Result<(), Denial> {
    match LENDING.get() {
        Lending::Whole => Ok(()),
        Lending::Reading => {
            Err(Denial { reason: format!("{call}: while a recovery plans or follows a step it only reads"), hint: String::new() })
        }
    }
}

pub(crate) fn now_ms() -> u64 {
    HOST.with(|host| host.borrow().now_ms)
}

pub(crate) fn http_send(request: &Request, options: &Options) -> Result<Response, HttpError> {
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        expect_whole_lending(&format!("{} {}", request.method, request.url)).map_err(HttpError::Denied)?;
    }
    let answer = HOST.with(|host| {
        let mut host = host.borrow_mut();
        host.sent.push(Call { request: request.clone(), options: options.clone() });
        host.responses.pop_front()
    });
    match answer {
        Some(answer) => answer,
        None => panic!("the test scripted no answer to {} {}", request.method, request.url),
    }
}

pub(crate) fn http_send_many(requests: &[Request], options: &Options) -> Vec<Result<Response, HttpError>> {
    requests.iter().map(|request| http_send(request, options)).collect()
}

pub(crate) fn log_write(level: Level, message: &str, fields: &[Label]) {
    let line = Line { level, message: message.to_owned(), fields: fields.to_vec() };
    HOST.with(|host| host.borrow_mut().lines.push(line));
}

pub(crate) mod machine {
    use super::*;

    fn read<T>(pick: impl FnOnce(&Machine) -> T) -> T {
        HOST.with(|host| pick(&host.borrow().machine))
    }

    pub(crate) fn read_cpu() -> Result<Cpu, SystemError> {
        read(|machine| machine.cpu.clone())
    }

    pub(crate) fn read_memory() -> Result<Memory, SystemError> {
        read(|machine| machine.memory.clone())
    }

    pub(crate) fn read_load() -> Result<Load, SystemError> {
        read(|machine| machine.load.clone())
    }

    pub(crate) fn read_disks() -> Result<Vec<Disk>, SystemError> {
        read(|machine| machine.disks.clone())
    }

    pub(crate) fn read_disk_io() -> Result<Vec<DiskIo>, SystemError> {
        read(|machine| machine.disk_io.clone())
    }

    pub(crate) fn read_processes(name: &str) -> Result<Vec<Process>, SystemError> {
        let mut processes = read(|machine| machine.processes.clone())?;
        processes.retain(|process| process.name == name);
        Ok(processes)
    }

    pub(crate) fn read_listeners() -> Result<Vec<Listener>, SystemError> {
        read(|machine| machine.listeners.clone())
    }

    pub(crate) fn read_open_files() -> Result<OpenFiles, SystemError> {
        read(|machine| machine.open_files.clone())
    }
}

pub(crate) mod kept {
    use super::*;

    pub(crate) fn get(key: &str) -> Option<Vec<u8>> {
        HOST.with(|host| host.borrow().state.get(key).cloned())
    }

    pub(crate) fn put(key: &str, value: &[u8]) -> Result<(), String> {
        HOST.with(|host| {
            let state = &mut host.borrow_mut().state;
            if key.len() > STATE_KEY_BYTES_MAX {
                return Err(format!("a key has at most {STATE_KEY_BYTES_MAX} bytes"));
            }
            if !state.contains_key(key) && state.len() >= STATE_KEYS_MAX {
                return Err(format!("at most {STATE_KEYS_MAX} keys are kept"));
            }
            let others = state.iter().filter(|(other, _)| *other != key);
            let bytes: usize = others.map(|(key, value)| key.len() + value.len()).sum();
            if bytes + key.len() + value.len() > STATE_BYTES_MAX {
                return Err(format!("at most {STATE_BYTES_MAX} bytes are kept"));
            }
            state.insert(key.to_owned(), value.to_vec());
            Ok(())
        })
    }

    pub(crate) fn remove(key: &str) {
        HOST.with(|host| host.borrow_mut().state.remove(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state;

    #[test]
    fn state_passes_from_run_to_run() {
        let mut host = FakeHost::default();
        host.serve(|| state::put_json("count", &3)).expect("within bounds");
        assert_eq!(host.serve(|| state::get_json::<u32>("count")), Some(3));
        host.serve(|| state::remove("count"));
        assert_eq!(host.serve(|| state::get("count")), None);
    }

    #[test]
    fn state_beyond_a_bound_is_refused_and_names_it() {
        let mut host = FakeHost::default();
        let error = host.serve(|| state::put("big", &vec![0; STATE_BYTES_MAX])).expect_err("too big");
        assert!(error.to_string().contains("16384 bytes"), "{error}");
    }

    #[test]
    fn what_was_not_scripted_is_denied() {
        let mut host = FakeHost::default();
        assert!(matches!(host.serve(crate::system::cpu), Err(SystemError::Denied(_))));
    }
}
