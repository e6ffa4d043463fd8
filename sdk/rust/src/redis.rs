//! Redis by the name of a source, as far as `grants = { redis = [...] }` allows: commands and key patterns.
//!
//! The host connects, authenticates and keeps the credentials. An answer is a tree; an error that the server answered is an
//! [`Error`] from [`Source::run`] and an [`Answer::Failed`] from [`Source::run_many`].
//!
//! ```
//! # use sickbay_sdk::prelude::*;
//! # fn run() -> Result<Report, Error> {
//! let length = redis::source("cache").run(["LLEN", "celery"])?.number().unwrap_or(0.0);
//! # Ok(Report::ok("").metric("length", length, ""))
//! # }
//! ```

use std::borrow::Cow;
use std::ops::Range;
use std::vec;

pub use crate::bindings::sickbay::plugin::redis::{Node, RedisError};

#[cfg(target_family = "wasm")]
use crate::bindings::sickbay::plugin::redis as wire;
#[cfg(not(target_family = "wasm"))]
use crate::testing::redis as wire;

use crate::Error;

/// Arrays in arrays; no command answers deeper.
const DEPTH_MAX: usize = 32;

/// The failure kinds that a call may end with, by the mapping of errors.
pub const CALL_FAILURES: [&str; 6] = ["connection", "authentication", "timeout", "unavailable", "memory", "too-many-connections"];

/// A source of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    name: String,
    timeout_ms: Option<u32>,
}

/// The source that the configuration calls so.
pub fn source(name: impl Into<String>) -> Source {
    Source { name: name.into(), timeout_ms: None }
}

impl Source {
    /// Bounds one call; the run's deadline bounds it too.
    pub fn timeout_ms(mut self, timeout_ms: u32) -> Source {
        self.timeout_ms = Some(timeout_ms);
        self
    }

    /// One command with its arguments. What the server refused is an error.
    pub fn run<A: AsRef<[u8]>>(&self, command: impl IntoIterator<Item = A>) -> Result<Answer, Error> {
        let command: Vec<Vec<u8>> = command.into_iter().map(|argument| argument.as_ref().to_vec()).collect();
        Answer::read(wire::run(&self.name, &command, self.timeout_ms)?)?.accepted()
    }

    /// At most 256 commands in one round trip, answers in order. What the server refused is [`Answer::Failed`].
    pub fn run_many<A: AsRef<[u8]>>(&self, commands: &[Vec<A>]) -> Result<Vec<Answer>, Error> {
        let bytes = |command: &Vec<A>| -> Vec<Vec<u8>> { command.iter().map(|argument| argument.as_ref().to_vec()).collect() };
        let commands: Vec<Vec<Vec<u8>>> = commands.iter().map(bytes).collect();
        wire::run_many(&self.name, &commands, self.timeout_ms)?.into_iter().map(Answer::read).collect()
    }

    /// What `INFO` says in these sections, in one round trip.
    pub fn info(&self, sections: &[&str]) -> Result<Info, Error> {
        let commands: Vec<Vec<&str>> = sections.iter().map(|section| vec!["INFO", *section]).collect();
        let mut text = String::new();
        for answer in self.run_many(&commands)? {
            text.push_str(&answer.accepted()?.text().unwrap_or_default());
            text.push('\n');
        }
        Ok(Info::of(text))
    }
}

/// One answer. A map is the list of its keys and values in turn, as older servers send it.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Nil,
    Int(i64),
    Float(f64),
    /// A truth, as newer servers tell it.
    Boolean(bool),
    /// A status or a string, bytes of any encoding.
    Text(Vec<u8>),
    /// What the server refused: `WRONGTYPE ...`.
    Failed(String),
    List(Vec<Answer>),
}

impl Answer {
    fn read(nodes: Vec<Node>) -> Result<Answer, Error> {
        let mut nodes = nodes.into_iter();
        match (next(&mut nodes, 0), nodes.len()) {
            (Some(answer), 0) => Ok(answer),
            _ => Err(Error::internal("the reply is not a tree of at most 32 levels")),
        }
    }

    /// What the server refused as an error: its state is the service's, everything else the command's and so the configuration's.
    pub fn accepted(self) -> Result<Answer, Error> {
        match self {
            Answer::Failed(message) => Err(refusal(message)),
            answer => Ok(answer),
        }
    }

    /// A number, also one that came as text.
    pub fn number(&self) -> Option<f64> {
        match self {
            Answer::Int(number) => Some(*number as f64),
            Answer::Float(number) => Some(*number),
            Answer::Boolean(is_so) => Some(f64::from(u8::from(*is_so))),
            Answer::Text(_) => self.text()?.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            Answer::Nil | Answer::Failed(_) | Answer::List(_) => None,
        }
    }

    /// Text, with U+FFFD for what is not UTF-8.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            // Nearly all is UTF-8, and to look for that alone is quicker.
            Answer::Text(bytes) => Some(std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)),
            _ => None,
        }
    }

    /// The elements of a list; none of anything else.
    pub fn items(&self) -> &[Answer] {
        match self {
            Answer::List(items) => items,
            _ => &[],
        }
    }
}

fn next(nodes: &mut vec::IntoIter<Node>, depth: usize) -> Option<Answer> {
    if depth > DEPTH_MAX {
        return None;
    }
    Some(match nodes.next()? {
        Node::Nil => Answer::Nil,
        Node::Int(number) => Answer::Int(number),
        Node::Float(number) => Answer::Float(number),
        Node::Boolean(is_so) => Answer::Boolean(is_so),
        Node::Simple(text) | Node::BigNumber(text) | Node::Other(text) => Answer::Text(text.into_bytes()),
        Node::Bulk(bytes) => Answer::Text(bytes),
        Node::Failed(message) => Answer::Failed(message),
        Node::ArrayOf(count) | Node::SetOf(count) => Answer::List(list(nodes, u64::from(count), depth)?),
        Node::MapOf(count) => Answer::List(list(nodes, 2 * u64::from(count), depth)?),
    })
}

fn list(nodes: &mut vec::IntoIter<Node>, count: u64, depth: usize) -> Option<Vec<Answer>> {
    (0..count).map(|_| next(nodes, depth + 1)).collect()
}

fn refusal(message: String) -> Error {
    let failure = match message.split(' ').next().unwrap_or_default() {
        "NOAUTH" | "WRONGPASS" => Some("authentication"),
        "LOADING" | "BUSY" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "MISCONF" => Some("unavailable"),
        "OOM" => Some("memory"),
        _ if message.contains("max number of clients") => Some("too-many-connections"),
        _ => None,
    };
    match failure {
        Some(failure) => Error::service(failure, message),
        None => Error::configuration(message),
    }
}

/// What a line of `INFO` takes, about.
const FIELD_BYTES: usize = 24;

/// What `INFO` says, by the name of the field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    text: String,
    /// Where in the text each name and its value stand. A server tells some two hundred, and a check asks for a few of them.
    fields: Vec<(Range<usize>, Range<usize>)>,
}

impl Info {
    /// From the lines `name:value`; a line with `#` is a title.
    pub fn parse(text: &str) -> Info {
        Info::of(text.to_owned())
    }

    fn of(text: String) -> Info {
        let mut fields = Vec::with_capacity(text.len() / FIELD_BYTES);
        let (mut begin, mut colon) = (0, None);
        // Byte by byte: lines are short, and there are hundreds.
        for (at, byte) in text.bytes().chain([b'\n']).enumerate() {
            match byte {
                b':' if colon.is_none() => colon = Some(at),
                b'\n' => {
                    let line = text[begin..at].trim_end();
                    if let Some(colon) = colon.filter(|_| !line.starts_with('#')) {
                        fields.push((begin..colon, colon + 1..begin + line.len()));
                    }
                    (begin, colon) = (at + 1, None);
                }
                _ => {}
            }
        }
        Info { text, fields }
    }

    /// Of several the last.
    pub fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.fields.iter().rfind(|(field, _)| self.text.as_bytes().get(field.clone()) == Some(name.as_bytes()))?;
        Some(&self.text[value.clone()])
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        self.text(name)?.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// A number that every server tells: without it the answer is not what `INFO` answers.
    pub fn expect_number(&self, name: &str) -> Result<f64, Error> {
        self.number(name).ok_or_else(|| Error::service("content", format!("INFO tells no number {name}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeHost, bulk};

    #[test]
    fn an_answer_is_read_as_a_tree() {
        let nodes = vec![Node::ArrayOf(3), Node::MapOf(1), Node::Bulk(b"a".to_vec()), Node::Int(1), Node::Nil, Node::Boolean(true)];
        let inner = Answer::List(vec![Answer::Text(b"a".to_vec()), Answer::Int(1)]);
        assert_eq!(Answer::read(nodes), Ok(Answer::List(vec![inner, Answer::Nil, Answer::Boolean(true)])));
        assert_eq!(Answer::Boolean(true).number(), Some(1.0));
    }

    #[test]
    fn a_reply_that_is_no_tree_is_a_failure() {
        for nodes in [vec![], vec![Node::ArrayOf(2), Node::Nil], vec![Node::Nil, Node::Nil], vec![Node::ArrayOf(1); 1000]] {
            assert!(matches!(Answer::read(nodes), Err(Error::Plugin { kind: "internal", .. })));
        }
    }

    #[test]
    fn the_servers_state_is_the_services_and_a_wrong_command_the_configurations() {
        let failed = |text: &str| Answer::Failed(text.into()).accepted().expect_err("refused");
        assert!(matches!(failed("LOADING Redis is loading"), Error::Service { failure: "unavailable", .. }));
        assert!(matches!(failed("NOAUTH Authentication required."), Error::Service { failure: "authentication", .. }));
        assert!(matches!(failed("WRONGTYPE Operation"), Error::Plugin { kind: "configuration", .. }));
    }

    #[test]
    fn info_is_read_by_field_from_all_sections() {
        let mut host = FakeHost::default().redis(Ok(bulk("# Memory\r\nused_memory:10\r\n"))).redis(Ok(bulk("role:master\r\n")));
        let info = host.serve(|| source("cache").info(&["memory", "replication"])).expect("an answer");
        assert_eq!((info.number("used_memory"), info.text("role")), (Some(10.0), Some("master")));
        assert_eq!(host.commands, ["INFO memory", "INFO replication"]);
    }
}
