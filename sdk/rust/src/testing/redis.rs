//! Redis of the scripted host: one answer for each command, in order.

use super::HOST;
use crate::redis::{Node, RedisError};

/// A reply that is one string.
pub fn bulk(text: &str) -> Vec<Node> {
    vec![Node::Bulk(text.as_bytes().to_vec())]
}

pub(crate) fn run(_source: &str, command: &[Vec<u8>], _timeout_ms: Option<u32>) -> Result<Vec<Node>, RedisError> {
    let arguments: Vec<_> = command.iter().map(|argument| String::from_utf8_lossy(argument)).collect();
    let text = arguments.join(" ");
    let answer = HOST.with(|host| {
        let mut host = host.borrow_mut();
        host.commands.push(text.clone());
        host.replies.pop_front()
    });
    match answer {
        Some(answer) => answer,
        None => panic!("the test scripted no answer to {text}"),
    }
}

pub(crate) fn run_many(source: &str, commands: &[Vec<Vec<u8>>], timeout_ms: Option<u32>) -> Result<Vec<Vec<Node>>, RedisError> {
    commands.iter().map(|command| run(source, command, timeout_ms)).collect()
}
