//! The kinds `postgres` and `redis`.

use sickbay_sdk::postgres::{PostgresError, Rows, Value as Sql};
use sickbay_sdk::prelude::*;

use crate::told::{Lines, digest, list, reply, sql, text};

/// More are told by the first, the last and a digest.
const ROWS_TOLD_MAX: usize = 20;
/// 2026-01-02T03:04:05.678901Z
const TIMESTAMP_US: i64 = 1_767_323_045_678_901;
const NO_PARAMS: &[Sql] = &[];

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostgresConfig {
    /// A source of the configuration.
    source: String,
    /// The statements.
    sql: Vec<String>,
    /// How they are run.
    #[serde(default)]
    how: How,
    /// Whether an error is a line.
    #[serde(default)]
    tell_errors: bool,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum How {
    #[default]
    Each,
    Params,
    Many,
    Simple,
}

pub(crate) struct Postgres;

impl Check for Postgres {
    const NAME: &'static str = "postgres";
    const SUMMARY: &'static str = "Tells what PostgreSQL answered";
    type Config = PostgresConfig;

    fn example() -> Value {
        json!({ "source": "main", "sql": ["SELECT 1 AS one"] })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("postgres", "runs the statements", "postgres = [{ source = \"{source}\" }]")]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![MetricInfo::gauge("elapsed_seconds", "seconds", "the last statement")]
    }

    fn run(request: &Request<PostgresConfig>) -> Result<Report, Error> {
        let config = &request.config;
        let source = postgres::source(&config.source);
        let mut run = Statements { lines: Lines::default(), elapsed_us: None, tell_errors: config.tell_errors };
        match config.how {
            How::Many => {
                let statements: Vec<(&str, &[Sql])> = config.sql.iter().map(|sql| (sql.as_str(), NO_PARAMS)).collect();
                match source.query_many(&statements) {
                    Ok(all) => all.iter().try_for_each(|rows| run.rows(rows))?,
                    Err(error) => run.failed(error)?,
                }
            }
            How::Simple => config.sql.iter().try_for_each(|sql| run.answered(source.simple(sql)))?,
            How::Each => config.sql.iter().try_for_each(|sql| run.answered(source.query(sql, NO_PARAMS)))?,
            How::Params => config.sql.iter().try_for_each(|sql| run.answered(source.query(sql, &params())))?,
        }
        let report = run.lines.report();
        Ok(match run.elapsed_us {
            Some(us) => report.metric("elapsed_seconds", http::seconds(us), "seconds"),
            None => report,
        })
    }
}

/// One of each type that every language has.
fn params() -> Vec<Sql> {
    vec![
        Sql::Null,
        true.into(),
        9_007_199_254_740_993_i64.into(),
        0.5.into(),
        "é☃".into(),
        Sql::Bytes(vec![0x00, 0xff]),
        Sql::TimestampUs(TIMESTAMP_US),
        Sql::Json("{}".to_owned()),
        Sql::ListJson("[1]".to_owned()),
    ]
}

struct Statements {
    lines: Lines,
    elapsed_us: Option<u32>,
    tell_errors: bool,
}

impl Statements {
    fn answered(&mut self, answer: Result<Rows, PostgresError>) -> Result<(), Error> {
        match answer {
            Ok(rows) => self.rows(&rows),
            Err(error) => self.failed(error),
        }
    }

    fn failed(&mut self, error: PostgresError) -> Result<(), Error> {
        let code = error.sqlstate().map(text);
        match (Error::from(error), code) {
            (Error::Service { failure, .. }, Some(code)) if self.tell_errors => {
                self.lines.push(format!("error service {failure} sqlstate {code}"));
            }
            (Error::Plugin { kind, .. }, Some(code)) if self.tell_errors => {
                self.lines.push(format!("error plugin {kind} sqlstate {code}"));
            }
            (error, _) => self.lines.failed(error, self.tell_errors)?,
        }
        Ok(())
    }

    fn rows(&mut self, rows: &Rows) -> Result<(), Error> {
        for column in &rows.columns {
            self.lines.push(format!("column {} {}", text(&column.name), text(&column.type_name)));
        }
        let told: Vec<String> = rows.rows.iter().map(|row| told(row)).collect::<Result<_, Error>>()?;
        match told.as_slice() {
            [first, .., last] if told.len() > ROWS_TOLD_MAX => {
                self.lines.push(format!("rows {}", told.len()));
                self.lines.push(format!("first {first}"));
                self.lines.push(format!("last {last}"));
                self.lines.push(digest(told.iter().map(String::as_bytes)));
            }
            all => all.iter().for_each(|row| self.lines.push(format!("row {row}"))),
        }
        self.lines.push(format!("truncated {}", rows.truncated));
        self.lines.push(format!("affected {}", rows.affected));
        self.elapsed_us = Some(rows.elapsed_us);
        Ok(())
    }
}

fn told(row: &[Sql]) -> Result<String, Error> {
    let values: Vec<String> = row.iter().map(sql).collect::<Result<_, Error>>()?;
    Ok(list(values))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedisConfig {
    /// A source of the configuration.
    source: String,
    /// The commands, each with its arguments.
    commands: Vec<Vec<String>>,
    /// In one round trip.
    #[serde(default)]
    together: bool,
    /// Whether an error is a line.
    #[serde(default)]
    tell_errors: bool,
}

pub(crate) struct Redis;

impl Check for Redis {
    const NAME: &'static str = "redis";
    const SUMMARY: &'static str = "Tells what Redis replied";
    type Config = RedisConfig;

    fn example() -> Value {
        json!({ "source": "cache", "commands": [["PING"]] })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("redis", "runs the commands", "redis = [{ source = \"{source}\", commands = [\"*\"], keys = [\"*\"] }]")]
    }

    fn run(request: &Request<RedisConfig>) -> Result<Report, Error> {
        let config = &request.config;
        let source = redis::source(&config.source);
        let mut lines = Lines::default();
        if config.together {
            match source.run_many(&config.commands) {
                Ok(answers) => answers.iter().for_each(|answer| lines.push(format!("reply {}", reply(answer)))),
                Err(error) => lines.failed(error, config.tell_errors)?,
            }
            return Ok(lines.report());
        }
        for command in &config.commands {
            match source.run(command) {
                Ok(answer) => lines.push(format!("reply {}", reply(&answer))),
                Err(error) => lines.failed(error, config.tell_errors)?,
            }
        }
        Ok(lines.report())
    }
}
