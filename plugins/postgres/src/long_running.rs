//! `long-running`: the oldest statement, the oldest transaction, and who idles in one.
//!
//! Left out are the session of this check, replication, and what the server runs for itself; autovacuum unless it is asked for. Of a
//! statement its text is told without the values in it.

use sickbay_sdk::limit::{Limit, span};
use sickbay_sdk::postgres::{Row, Rows};
use sickbay_sdk::prelude::*;

use crate::{READ_GRANT, ask, rights_hint, statement};

/// Who is told in the details.
const SESSIONS_MAX: usize = 10;

/// The oldest ones, each beside what is the most of all.
const SESSIONS: &str = "WITH seen AS ( \
    SELECT a.pid, coalesce(a.application_name, '') AS application, coalesce(a.datname, '') AS database, coalesce(a.state, '') AS state, \
    coalesce(left(a.query, 1000), '') AS query, a.backend_type IS NULL AS is_hidden, \
    CASE WHEN a.state = 'active' THEN extract(epoch FROM clock_timestamp() - a.query_start)::float8 END AS query_seconds, \
    extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS transaction_seconds, \
    CASE WHEN a.state IN ('idle in transaction', 'idle in transaction (aborted)') \
    THEN extract(epoch FROM clock_timestamp() - a.state_change)::float8 END AS idle_seconds \
    FROM pg_stat_activity a WHERE a.pid <> pg_backend_pid() AND a.datid IS NOT NULL \
    AND (a.backend_type IS NULL OR a.backend_type = 'client backend' OR ($1 AND a.backend_type = 'autovacuum worker')) \
    AND coalesce(a.application_name, '') <> ALL ($2::text[])) \
    SELECT s.*, quote_ident(current_user) AS role, max(s.query_seconds) OVER () AS longest_query, max(s.transaction_seconds) OVER () AS longest_transaction, \
    max(s.idle_seconds) OVER () AS longest_idle, count(*) FILTER (WHERE s.is_hidden) OVER () AS hidden, count(*) OVER () AS sessions \
    FROM seen s ORDER BY greatest(s.query_seconds, s.transaction_seconds, s.idle_seconds) DESC NULLS LAST LIMIT 10";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// Warning when a statement runs for longer.
    #[serde(default = "default_query_warning_seconds")]
    #[schemars(range(min = 0))]
    query_warning_seconds: f64,
    /// Critical when a statement runs for longer.
    #[serde(default = "default_query_critical_seconds")]
    #[schemars(range(min = 0))]
    query_critical_seconds: f64,
    /// Warning when a transaction is open for longer.
    #[serde(default = "default_transaction_warning_seconds")]
    #[schemars(range(min = 0))]
    transaction_warning_seconds: f64,
    /// Critical when a transaction is open for longer. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    transaction_critical_seconds: Option<f64>,
    /// Warning when a session idles in a transaction for longer.
    #[serde(default = "default_idle_in_transaction_warning_seconds")]
    #[schemars(range(min = 0))]
    idle_in_transaction_warning_seconds: f64,
    /// Critical when a session idles in a transaction for longer. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    idle_in_transaction_critical_seconds: Option<f64>,
    /// Judge the workers of autovacuum too.
    #[serde(default)]
    autovacuum: bool,
    /// Leave out sessions with one of these as their application_name, such as "pg_dump".
    #[serde(default)]
    #[schemars(length(max = 64))]
    exclude: Vec<String>,
}

fn default_query_warning_seconds() -> f64 {
    60.0
}

fn default_query_critical_seconds() -> f64 {
    300.0
}

fn default_transaction_warning_seconds() -> f64 {
    900.0
}

fn default_idle_in_transaction_warning_seconds() -> f64 {
    300.0
}

pub(crate) struct LongRunning;

impl Check for LongRunning {
    const NAME: &'static str = "long-running";
    const SUMMARY: &'static str = "The oldest statement, the oldest transaction, and who idles in one";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "main" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("postgres", "reads pg_stat_activity", READ_GRANT)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("query_seconds", "seconds", "the statement that runs for longest; 0 without any"),
            MetricInfo::gauge("transaction_seconds", "seconds", "the transaction that is open for longest; 0 without any"),
            MetricInfo::gauge(
                "idle_in_transaction_seconds",
                "seconds",
                "the session that idles in a transaction for longest; 0 without any",
            ),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &[
            "connection",
            "authentication",
            "timeout",
            "unavailable",
            "memory",
            "disk",
            "too-many-connections",
            "capacity",
            "file-system",
            "latency",
            "transaction",
            "content",
        ]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let exclude = postgres::Value::ListJson(json!(config.exclude).to_string());
        judge(config, &ask(&config.source, SESSIONS, &[config.autovacuum.into(), exclude])?)
    }
}

fn judge(config: &Config, rows: &Rows) -> Result<Report, Error> {
    let [query, transaction, idle] = match rows.first() {
        Some(row) => [most(row, "longest_query")?, most(row, "longest_transaction")?, most(row, "longest_idle")?],
        None => [0.0; 3],
    };
    let sessions = rows.iter().take(SESSIONS_MAX).map(session).collect::<Result<Vec<Value>, Error>>()?;
    let report = Report::ok(format!("the oldest statement runs for {}, the oldest transaction for {}", span(query), span(transaction)));
    let report = match hidden(rows)? {
        Some(told) => Report { status: Status::Unknown, summary: told, ..report },
        None => report,
    };
    let report = report
        .metric("query_seconds", query, "seconds")
        .metric("transaction_seconds", transaction, "seconds")
        .metric("idle_in_transaction_seconds", idle, "seconds")
        .details(&json!({ "sessions": sessions }));
    let (warning, critical) = (Some(config.query_warning_seconds), Some(config.query_critical_seconds));
    let limit = Limit { metric: "query_seconds", unit: "seconds", failure: "latency", warning, critical };
    let report = limit.at_most(report, query, || format!("a statement runs for {}{}", span(query), pid(rows, "query_seconds", query)));
    let (warning, critical) = (Some(config.idle_in_transaction_warning_seconds), config.idle_in_transaction_critical_seconds);
    let limit = Limit { metric: "idle_in_transaction_seconds", unit: "seconds", failure: "transaction", warning, critical };
    let report =
        limit.at_most(report, idle, || format!("a session idles in a transaction for {}{}", span(idle), pid(rows, "idle_seconds", idle)));
    let (warning, critical) = (Some(config.transaction_warning_seconds), config.transaction_critical_seconds);
    let limit = Limit { metric: "transaction_seconds", unit: "seconds", failure: "transaction", warning, critical };
    Ok(limit.at_most(report, transaction, || {
        format!("a transaction is open for {}{}", span(transaction), pid(rows, "transaction_seconds", transaction))
    }))
}

/// A statement may have begun after the clock was read.
fn most(row: Row<'_>, column: &str) -> Result<f64, Error> {
    Ok(row.optional_number(column)?.unwrap_or(0.0).max(0.0))
}

/// What to say where sessions do not show what they do.
fn hidden(rows: &Rows) -> Result<Option<String>, Error> {
    let Some(row) = rows.first() else { return Ok(None) };
    let (hidden, sessions) = (row.number("hidden")?, row.number("sessions")?);
    Ok((hidden > 0.0).then(|| format!("what {hidden} of {sessions} sessions do is hidden; {}", rights_hint(&row))))
}

/// Who it is, where it is among those that are told.
fn pid(rows: &Rows, column: &str, seconds: f64) -> String {
    let found = rows.iter().find(|row| row.number(column) == Ok(seconds));
    found.and_then(|row| row.int("pid").ok()).map_or_else(String::new, |pid| format!(" (pid {pid})"))
}

fn session(row: Row<'_>) -> Result<Value, Error> {
    Ok(json!({
        "pid": row.int("pid")?,
        "application": row.text("application")?,
        "database": row.text("database")?,
        "state": row.text("state")?,
        "query_seconds": row.optional_number("query_seconds")?,
        "transaction_seconds": row.optional_number("transaction_seconds")?,
        "idle_in_transaction_seconds": row.optional_number("idle_seconds")?,
        "query": statement::without_values(row.text("query")?),
    }))
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described, rows};

    use super::*;

    /// Seconds of the statement, of the transaction, and of idling in it.
    type Ages = (Option<f64>, Option<f64>, Option<f64>);

    fn value(number: Option<f64>) -> postgres::Value {
        number.map_or(postgres::Value::Null, postgres::Value::from)
    }

    fn answer(sessions: &[Ages], hidden: i64) -> Rows {
        let most = |pick: fn(&Ages) -> Option<f64>| value(sessions.iter().filter_map(pick).reduce(f64::max));
        let (query, transaction, idle) = (most(|ages| ages.0), most(|ages| ages.1), most(|ages| ages.2));
        let columns = [
            "pid",
            "application",
            "database",
            "state",
            "query",
            "query_seconds",
            "transaction_seconds",
            "idle_seconds",
            "longest_query",
            "longest_transaction",
            "longest_idle",
            "hidden",
            "sessions",
        ];
        let values = |ages: &Ages| -> Vec<postgres::Value> {
            let [application, database, state, text] = ["psql", "app", "active", "SELECT 'secret'"].map(postgres::Value::from);
            let ages = [value(ages.0), value(ages.1), value(ages.2), query.clone(), transaction.clone(), idle.clone()];
            let known = [postgres::Value::Int(7), application, database, state, text];
            known.into_iter().chain(ages).chain([hidden.into(), postgres::Value::Int(3)]).collect()
        };
        rows(&columns, sessions.iter().map(values).collect())
    }

    fn run(host: &mut FakeHost, sessions: &[Ages], hidden: i64) -> Report {
        host.rows.push_back(Ok(answer(sessions, hidden)));
        let report = host.run::<LongRunning>(json!({ "source": "main", "exclude": ["pg_dump"] })).expect("a report");
        assert_as_described::<LongRunning>(&report);
        report
    }

    #[test]
    fn a_statement_that_runs_for_long_is_told_until_it_ends() {
        let mut host = FakeHost::default();
        let mut status = |seconds| run(&mut host, &[(Some(seconds), Some(seconds), None)], 0).status;
        assert_eq!([status(10.0), status(61.0), status(301.0), status(1.0)], [Status::Ok, Status::Warning, Status::Critical, Status::Ok]);
        assert_eq!(run(&mut host, &[], 0).status, Status::Ok);
        let report = run(&mut host, &[(Some(400.0), Some(400.0), None)], 0);
        assert_eq!((report.summary.as_str(), report.failure.as_deref()), ("a statement runs for 6 min 40 s (pid 7)", Some("latency")));
        let details = report.details.expect("details");
        assert!(details.contains("SELECT ?") && !details.contains("secret"), "{details}");
        let exclude = postgres::Value::ListJson("[\"pg_dump\"]".to_owned());
        assert_eq!(host.queries[0].params, [postgres::Value::Boolean(false), exclude]);
    }

    #[test]
    fn a_transaction_that_stays_open_is_told_idle_or_not() {
        let mut host = FakeHost::default();
        let report = run(&mut host, &[(None, Some(310.0), Some(305.0)), (None, None, None)], 0);
        assert_eq!((report.status, report.failure.as_deref()), (Status::Warning, Some("transaction")));
        assert_eq!(report.summary, "a session idles in a transaction for 5 min 5 s (pid 7)");
        let report = run(&mut host, &[(Some(1.0), Some(901.0), None)], 0);
        assert_eq!(report.summary, "a transaction is open for 15 min 1 s (pid 7)");
    }

    #[test]
    fn sessions_that_are_hidden_cannot_be_judged() {
        let report = run(&mut FakeHost::default(), &[(None, None, None)], 2);
        assert_eq!(report.status, Status::Unknown);
        assert!(report.summary.starts_with("what 2 of 3 sessions do is hidden; hint: GRANT pg_monitor"), "{}", report.summary);
        assert_eq!(run(&mut FakeHost::default(), &[(Some(400.0), None, None)], 2).status, Status::Critical);
    }
}
