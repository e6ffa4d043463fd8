//! PostgreSQL of the scripted host: one answer for each statement, in order.

use super::HOST;
use crate::postgres::{Column, PostgresError, Query, Rows, ServerError, Value};

/// An answer with these columns. Their types have no names.
pub fn rows(columns: &[&str], rows: Vec<Vec<Value>>) -> Rows {
    let columns = columns.iter().map(|name| Column { name: (*name).to_owned(), type_name: String::new() }).collect();
    Rows { columns, rows, truncated: false, affected: 0, elapsed_us: 1_000 }
}

/// An answer of one row.
pub fn row(values: &[(&str, Value)]) -> Rows {
    let (columns, values): (Vec<&str>, Vec<Value>) = values.iter().cloned().unzip();
    rows(&columns, vec![values])
}

/// What the server refused.
pub fn refused(sqlstate: &str, message: &str) -> PostgresError {
    let (sqlstate, severity, message) = (sqlstate.to_owned(), "ERROR".to_owned(), message.to_owned());
    PostgresError::Server(ServerError { sqlstate, severity, message, detail: None })
}

pub(crate) fn run(_source: &str, query: &Query) -> Result<Rows, PostgresError> {
    let answer = HOST.with(|host| {
        let mut host = host.borrow_mut();
        host.queries.push(query.clone());
        host.rows.pop_front()
    });
    match answer {
        Some(answer) => answer,
        None => panic!("the test scripted no answer to {}", query.sql),
    }
}

pub(crate) fn run_many(source: &str, queries: &[Query]) -> Result<Vec<Rows>, PostgresError> {
    queries.iter().map(|query| run(source, query)).collect()
}

pub(crate) fn run_simple(source: &str, sql: &str, timeout_ms: Option<u32>) -> Result<Rows, PostgresError> {
    run(source, &Query { sql: sql.to_owned(), params: Vec::new(), timeout_ms })
}
