//! Statements of PostgreSQL and commands of Redis.

use serde_json::Value as Json;
use sickbay_sdk::bindings::sickbay::plugin::postgres::{self, PostgresError, Query, RowSet, Value};
use sickbay_sdk::bindings::sickbay::plugin::redis::{self, Node, RedisError};

use crate::{bytes, denied, milliseconds, shown, text};

const ROWS_SHOWN_MAX: usize = 8;
const NODES_SHOWN_MAX: usize = 40;

/// `{ source, sql, params, timeout_ms }`
pub(crate) fn postgres(asked: &Json) -> String {
    match postgres::run(&text(&asked["source"]), &query(asked)) {
        Ok(set) => told_rows(&set),
        Err(error) => told_postgres(error),
    }
}

/// `{ source, queries = [{ sql, params, timeout_ms }] }`
pub(crate) fn postgres_many(asked: &Json) -> String {
    let queries: Vec<Query> = asked["queries"].as_array().into_iter().flatten().map(query).collect();
    match postgres::run_many(&text(&asked["source"]), &queries) {
        Ok(sets) => sets.iter().map(told_rows).collect::<Vec<_>>().join(" & "),
        Err(error) => told_postgres(error),
    }
}

/// `{ source, sql, timeout_ms }`
pub(crate) fn postgres_simple(asked: &Json) -> String {
    match postgres::run_simple(&text(&asked["source"]), &text(&asked["sql"]), milliseconds(&asked["timeout_ms"])) {
        Ok(set) => told_rows(&set),
        Err(error) => told_postgres(error),
    }
}

fn query(asked: &Json) -> Query {
    Query {
        sql: text(&asked["sql"]),
        params: asked["params"].as_array().into_iter().flatten().map(parameter).collect(),
        timeout_ms: milliseconds(&asked["timeout_ms"]),
    }
}

fn parameter(written: &Json) -> Value {
    match written {
        Json::Null => Value::Null,
        Json::Bool(is_so) => Value::Boolean(*is_so),
        Json::Number(number) => number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap_or_default()), Value::Int),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(_) => Value::ListJson(written.to_string()),
        Json::Object(_) => Value::Bytes(bytes(written)),
    }
}

fn told_rows(set: &RowSet) -> String {
    let row = |row: &Vec<Value>| row.iter().map(told_value).collect::<Vec<_>>().join(" | ");
    let rows: Vec<String> = set.rows.iter().take(ROWS_SHOWN_MAX).map(row).collect();
    let truncated = if set.truncated { " truncated" } else { "" };
    let affected = if set.affected > 0 { format!(" affected {}", set.affected) } else { String::new() };
    format!("ok {}{truncated}{affected}: {}", set.rows.len(), rows.join("; "))
}

fn told_value(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(is_so) => is_so.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bytes(bytes) => shown(bytes),
        Value::TimestampUs(us) | Value::IntervalUs(us) => format!("{us} us"),
        Value::Numeric(text)
        | Value::Text(text)
        | Value::Json(text)
        | Value::Uuid(text)
        | Value::Date(text)
        | Value::Time(text)
        | Value::ListJson(text) => text.clone(),
        Value::Other(other) => other.text.clone(),
    }
}

fn told_postgres(error: PostgresError) -> String {
    match error {
        PostgresError::Denied(denial) => denied(&denial),
        PostgresError::Invalid(why) => format!("invalid: {why}"),
        PostgresError::Quota(why) => format!("quota: {why}"),
        PostgresError::Connect(why) => format!("connect: {why}"),
        PostgresError::Authentication(why) => format!("authentication: {why}"),
        PostgresError::TooManyConnections(why) => format!("too-many-connections: {why}"),
        PostgresError::Timeout(why) => format!("timeout: {why}"),
        PostgresError::Server(error) => format!("server {}: {} {}", error.sqlstate, error.message, error.detail.unwrap_or_default()),
        PostgresError::Other(why) => format!("other: {why}"),
    }
}

/// `{ source, command = ["GET", "a"], timeout_ms }`
pub(crate) fn redis(asked: &Json) -> String {
    match redis::run(&text(&asked["source"]), &command(&asked["command"]), milliseconds(&asked["timeout_ms"])) {
        Ok(reply) => told_reply(&reply),
        Err(error) => told_redis(error),
    }
}

/// `{ source, commands = [["GET", "a"], ...], timeout_ms }`
pub(crate) fn redis_many(asked: &Json) -> String {
    let commands: Vec<Vec<Vec<u8>>> = asked["commands"].as_array().into_iter().flatten().map(command).collect();
    match redis::run_many(&text(&asked["source"]), &commands, milliseconds(&asked["timeout_ms"])) {
        Ok(replies) => replies.iter().map(|reply| told_reply(reply)).collect::<Vec<_>>().join(" & "),
        Err(error) => told_redis(error),
    }
}

fn command(parts: &Json) -> Vec<Vec<u8>> {
    parts.as_array().into_iter().flatten().map(bytes).collect()
}

fn told_reply(reply: &[Node]) -> String {
    let nodes: Vec<String> = reply.iter().take(NODES_SHOWN_MAX).map(told_node).collect();
    format!("ok: {}", nodes.join(" "))
}

fn told_node(node: &Node) -> String {
    match node {
        Node::Nil => "_".to_owned(),
        Node::Int(number) => format!(":{number}"),
        Node::Float(number) => format!(",{number}"),
        Node::Boolean(is_so) => format!("#{is_so}"),
        Node::Simple(text) => format!("+{text}"),
        Node::Bulk(bytes) => format!("${}", shown(bytes)),
        Node::Failed(text) => format!("-{text}"),
        Node::ArrayOf(count) => format!("*{count}"),
        Node::MapOf(count) => format!("%{count}"),
        Node::SetOf(count) => format!("~{count}"),
        Node::BigNumber(digits) => format!("({digits}"),
        Node::Other(text) => format!("?{text}"),
    }
}

fn told_redis(error: RedisError) -> String {
    match error {
        RedisError::Denied(denial) => denied(&denial),
        RedisError::Invalid(why) => format!("invalid: {why}"),
        RedisError::Quota(why) => format!("quota: {why}"),
        RedisError::Connect(why) => format!("connect: {why}"),
        RedisError::Authentication(why) => format!("authentication: {why}"),
        RedisError::Timeout(why) => format!("timeout: {why}"),
        RedisError::Other(why) => format!("other: {why}"),
    }
}
