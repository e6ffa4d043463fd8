//! A guest's statements, held against the contract's bounds and ready for the server.

use std::time::Duration;

use super::failure::Failure;
use super::statement::{Kind, Statement};
use super::value::{self, Parameter};
use crate::contract::postgres::Query;

/// Statements of one `run-many`.
pub(super) const QUERIES_MAX: usize = 32;
const SQL_BYTES_MAX: usize = 64 << 10;
const PARAMETERS_MAX: usize = 256;
/// Of one statement together.
const PARAMETERS_BYTES_MAX: usize = 1 << 20;

/// One statement with its parameters.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) statement: Statement,
    pub(super) sql: String,
    pub(super) parameters: Vec<Parameter>,
    pub(super) timeout: Option<Duration>,
}

impl Asked {
    pub(super) fn new(query: Query) -> Result<Asked, Failure> {
        let Query { sql, params, timeout_ms } = query;
        if params.len() > PARAMETERS_MAX {
            return Err(Failure::Invalid(format!("{} parameters, at most {PARAMETERS_MAX} are taken", params.len())));
        }
        let bytes = params.iter().map(value::bytes_of).fold(0, usize::saturating_add);
        if bytes > PARAMETERS_BYTES_MAX {
            return Err(Failure::Invalid(format!("parameters of {bytes} bytes, at most {PARAMETERS_BYTES_MAX} are taken")));
        }
        let statement = read(&sql)?;
        if statement.kind == Kind::Session {
            let word = &statement.word;
            return Err(Failure::Invalid(format!(
                "`{word}` changes the session or the transaction, or moves data beside it; hint: `run-many` is a transaction"
            )));
        }
        let parameters = params.into_iter().map(Parameter::new).collect::<Result<Vec<_>, _>>().map_err(Failure::Invalid)?;
        Ok(Asked { statement, sql, parameters, timeout: to_duration(timeout_ms) })
    }

    /// For the simple protocol, which knows no parameters, and where the server would run all that stands in one text.
    pub(super) fn simple(sql: String, timeout_ms: Option<u32>) -> Result<Asked, Failure> {
        let asked = Asked::new(Query { sql, params: Vec::new(), timeout_ms })?;
        if asked.statement.has_more {
            let word = &asked.statement.word;
            return Err(Failure::Invalid(format!(
                "more than one statement may be behind this `{word}`; hint: `run` lets the server count"
            )));
        }
        Ok(asked)
    }

    /// What goes over the wire because the guest asked for it.
    pub(super) fn bytes(&self) -> u64 {
        let texts = self.parameters.iter().filter_map(|parameter| parameter.text.as_deref());
        texts.chain([self.sql.as_str()]).map(|text| u64::try_from(text.len()).unwrap_or(u64::MAX)).fold(0, u64::saturating_add)
    }
}

fn read(sql: &str) -> Result<Statement, Failure> {
    if sql.len() > SQL_BYTES_MAX {
        return Err(Failure::Invalid(format!("a statement of {} bytes, at most {SQL_BYTES_MAX} are taken", sql.len())));
    }
    Statement::read(sql).map_err(|unfit| Failure::Invalid(unfit.message().to_owned()))
}

fn to_duration(timeout_ms: Option<u32>) -> Option<Duration> {
    timeout_ms.map(|timeout_ms| Duration::from_millis(timeout_ms.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::postgres::Value;

    fn asked(sql: &str, params: Vec<Value>) -> Result<Asked, Failure> {
        Asked::new(Query { sql: sql.to_owned(), params, timeout_ms: None })
    }

    fn refusal(sql: &str, params: Vec<Value>) -> String {
        match asked(sql, params) {
            Err(Failure::Invalid(message)) => message,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn what_is_beyond_the_bounds_of_the_contract_is_refused() {
        let long = format!("select '{}'", "x".repeat(SQL_BYTES_MAX));
        assert!(refusal(&long, Vec::new()).contains("at most 65536"));
        assert!(refusal("select 1", (0..257).map(Value::Int).collect()).contains("at most 256"));
        let large = || Value::Bytes(vec![0; PARAMETERS_BYTES_MAX / 2]);
        assert!(asked("select $1, $2", vec![large(), large()]).is_ok());
        assert!(refusal("select $1, $2, $3", vec![large(), large(), Value::Boolean(true)]).contains("at most 1048576"));
    }

    #[test]
    fn what_changes_the_session_is_refused_whoever_asks() {
        for sql in ["BEGIN", "commit;", "/* x */ set role postgres", "COPY t TO STDOUT", "listen x", "prepare x as select 1", "discard all"]
        {
            assert!(refusal(sql, Vec::new()).contains("changes the session"), "{sql}");
        }
        assert!(refusal("select 1; select 2", Vec::new()).contains("more than one"));
        let created = "create table t (a int); commit";
        assert!(asked(created, Vec::new()).is_ok(), "the server counts");
        assert!(matches!(Asked::simple(created.to_owned(), None), Err(Failure::Invalid(message)) if message.contains("`run`")));
        assert!(Asked::simple("create table t (a int);".to_owned(), None).is_ok());
    }

    #[test]
    fn the_text_and_its_parameters_are_what_goes_out() {
        let asked = asked("select $1, $2", vec![Value::Bytes(vec![1, 2]), Value::Null]).expect("fits");
        assert_eq!(asked.bytes(), 13 + 6);
    }
}
