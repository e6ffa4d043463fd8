//! `locks`: sessions that wait for a lock of another one, for how long, and who stands at the root; deadlocks since the last run.
//!
//! How long a session waits the server tells from version 14 on; before, it is how long its statement runs. Where nobody waits, one light
//! statement is all; otherwise a second one asks about those at the root. Of a statement its text is told without the values in it.

use std::collections::BTreeSet;

use sickbay_sdk::limit::{Limit, counted, span};
use sickbay_sdk::postgres::{Row, Rows};
use sickbay_sdk::prelude::*;
use sickbay_sdk::trend;

use crate::{READ_GRANT, ask, rights_hint, statement};

const STATE_KEY: &str = "deadlocks";
/// Who is told in the details.
const SESSIONS_MAX: usize = 10;

/// Always a row: the counters stand in each, beside a session that waits, where one does. The view of locks is looked at only for those. A
/// server before 14 has no `waitstart`, which is why it is asked for by its name in JSON.
const WAITING: &str = "WITH waiting AS MATERIALIZED ( \
    SELECT a.pid, coalesce(a.application_name, '') AS application, coalesce(left(a.query, 1000), '') AS query, a.query_start, \
    count(*) OVER () AS blocked \
    FROM pg_stat_activity a WHERE a.wait_event_type = 'Lock' AND a.pid <> pg_backend_pid() ORDER BY a.query_start LIMIT 50) \
    SELECT quote_ident(current_user) AS role, d.deadlocks, d.hidden, \
    coalesce(w.blocked, 0) AS blocked, w.pid, w.application, w.query, pg_blocking_pids(w.pid) AS blockers, \
    extract(epoch FROM clock_timestamp() - coalesce( \
    (SELECT min((to_jsonb(l) ->> 'waitstart')::timestamptz) FROM pg_locks l WHERE l.pid = w.pid AND NOT l.granted), \
    w.query_start))::float8 AS seconds \
    FROM (SELECT (SELECT sum(s.deadlocks) FROM pg_stat_database s) AS deadlocks, \
    (SELECT count(*) FROM pg_stat_activity h WHERE h.backend_type IS NULL AND h.datid IS NOT NULL) AS hidden) d \
    LEFT JOIN waiting w ON true ORDER BY seconds DESC NULLS LAST";
const ROOTS: &str = "SELECT a.pid, coalesce(a.application_name, '') AS application, coalesce(a.state, '') AS state, \
    coalesce(left(a.query, 1000), '') AS query, extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS transaction_seconds \
    FROM pg_stat_activity a WHERE a.pid = ANY ($1::int[]) ORDER BY a.xact_start LIMIT 10";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// Warning when a session waits for longer.
    #[serde(default = "default_warning_seconds")]
    #[schemars(range(min = 0))]
    warning_seconds: f64,
    /// Critical when a session waits for longer.
    #[serde(default = "default_critical_seconds")]
    #[schemars(range(min = 0))]
    critical_seconds: f64,
    /// Warning when more sessions wait. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    count_warning: Option<f64>,
    /// Critical when more sessions wait. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    count_critical: Option<f64>,
    /// Warning when there were more deadlocks since the last run.
    #[serde(default)]
    #[schemars(range(min = 0))]
    deadlocks_warning: f64,
}

fn default_warning_seconds() -> f64 {
    5.0
}

fn default_critical_seconds() -> f64 {
    30.0
}

pub(crate) struct Locks;

/// A session that waits.
struct Waiting<'rows> {
    pid: i64,
    application: &'rows str,
    query: &'rows str,
    seconds: f64,
    blockers: Vec<i64>,
}

impl Check for Locks {
    const NAME: &'static str = "locks";
    const SUMMARY: &'static str = "Sessions that wait for a lock, for how long, who holds them up; deadlocks";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "main" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("postgres", "reads pg_stat_activity, pg_locks and pg_stat_database", READ_GRANT)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("blocked", "", "sessions that wait for a lock"),
            MetricInfo::gauge("longest_seconds", "seconds", "how long the first of them waits; 0 without any"),
            MetricInfo::gauge("root_blockers", "", "sessions that hold others up and wait for nobody, as far as 50 that wait show"),
            MetricInfo::counter("deadlocks", "", "deadlocks of the whole server since its statistics were reset"),
            MetricInfo::gauge("new_deadlocks", "", "deadlocks since the last run; from the second run on"),
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
            "lock",
            "deadlock",
            "content",
        ]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let rows = ask(&config.source, WAITING, &[])?;
        let Some(first) = rows.first() else { return Err(Error::service("content", "the server told nothing of locks")) };
        let (hidden, blocked) = (first.number("hidden")?, first.number("blocked")?);
        let deadlocks = first.optional_number("deadlocks")?.unwrap_or(0.0);
        let earlier = trend::earlier::<f64>(STATE_KEY, &config.source).map(|mark| mark.noted);
        trend::keep(STATE_KEY, &config.source, clock::now_ms(), deadlocks)?;
        let waiting = waiting(&rows)?;
        let roots = roots(&waiting);
        let known = if roots.is_empty() { None } else { Some(ask(&config.source, ROOTS, &[list(&roots)])?) };
        let held_up_by =
            known.as_ref().map_or_else(|| Ok(Vec::new()), |rows| rows.iter().map(root).collect::<Result<Vec<Value>, Error>>())?;
        let report = if hidden > 0.0 {
            Report::unknown(format!("what {hidden} sessions wait for is hidden; {}", rights_hint(&first)))
        } else {
            Report::ok("no session waits for a lock")
        };
        let report = report.counter("deadlocks", deadlocks, "");
        // Statistics that were reset count from 0 again.
        let new_deadlocks = earlier.map(|earlier| deadlocks - earlier).filter(|new| *new >= 0.0);
        let report = judge(config, report, &waiting, blocked, &roots, held_up_by);
        Ok(judge_deadlocks(config, report, new_deadlocks))
    }
}

fn waiting(rows: &Rows) -> Result<Vec<Waiting<'_>>, Error> {
    let mut waiting = Vec::new();
    for row in rows.iter() {
        let Some(pid) = row.value("pid")?.int() else { continue };
        let seconds = row.optional_number("seconds")?.unwrap_or(0.0).max(0.0);
        let (application, query) = (row.text("application")?, row.text("query")?);
        waiting.push(Waiting { pid, application, query, seconds, blockers: row.json("blockers")? });
    }
    Ok(waiting)
}

/// Who holds others up and does not wait; 0 stands for a prepared transaction.
fn roots(waiting: &[Waiting<'_>]) -> BTreeSet<i64> {
    let blockers = waiting.iter().flat_map(|one| one.blockers.iter().copied());
    blockers.filter(|pid| !waiting.iter().any(|one| one.pid == *pid)).collect()
}

fn list(pids: &BTreeSet<i64>) -> postgres::Value {
    postgres::Value::ListJson(json!(pids).to_string())
}

fn root(row: Row<'_>) -> Result<Value, Error> {
    Ok(json!({
        "pid": row.int("pid")?,
        "application": row.text("application")?,
        "state": row.text("state")?,
        "transaction_seconds": row.optional_number("transaction_seconds")?,
        "query": statement::without_values(row.text("query")?),
    }))
}

fn judge(config: &Config, report: Report, waiting: &[Waiting<'_>], blocked: f64, roots: &BTreeSet<i64>, held_up_by: Vec<Value>) -> Report {
    let longest = waiting.iter().map(|one| one.seconds).fold(0.0, f64::max);
    let mut report =
        report.metric("blocked", blocked, "").metric("longest_seconds", longest, "seconds").metric("root_blockers", roots.len() as f64, "");
    let waiting_for = match counted(blocked, "session") {
        one if blocked == 1.0 => format!("{one} waits for a lock"),
        many => format!("{many} wait for a lock, one of them"),
    };
    let told = format!("{waiting_for} for {}{}", span(longest), behind(roots));
    if blocked > 0.0 {
        let sessions: Vec<Value> = waiting.iter().take(SESSIONS_MAX).map(session).collect();
        report = report.details(&json!({ "root_blockers": held_up_by, "waiting": sessions }));
        if report.status == Status::Ok {
            report.summary.clone_from(&told);
        }
    }
    let (warning, critical) = (Some(config.warning_seconds), Some(config.critical_seconds));
    let limit = Limit { metric: "longest_seconds", unit: "seconds", failure: "lock", warning, critical };
    let report = limit.at_most(report, longest, || told.clone());
    let limit = Limit { metric: "blocked", unit: "", failure: "lock", warning: config.count_warning, critical: config.count_critical };
    limit.at_most(report, blocked, || told.clone())
}

fn behind(roots: &BTreeSet<i64>) -> String {
    let named = |pid: &i64| if *pid == 0 { "a prepared transaction".to_owned() } else { format!("pid {pid}") };
    let named: Vec<String> = roots.iter().take(SESSIONS_MAX).map(named).collect();
    if named.is_empty() { String::new() } else { format!(", behind {}", named.join(", ")) }
}

fn session(waiting: &Waiting<'_>) -> Value {
    json!({
        "pid": waiting.pid,
        "application": waiting.application,
        "seconds": waiting.seconds,
        "blocked_by": waiting.blockers,
        "query": statement::without_values(waiting.query),
    })
}

fn judge_deadlocks(config: &Config, report: Report, new: Option<f64>) -> Report {
    let Some(new) = new else { return report };
    let warning = Some(config.deadlocks_warning);
    let limit = Limit { metric: "new_deadlocks", unit: "", failure: "deadlock", warning, critical: None };
    limit.at_most(report.metric("new_deadlocks", new, ""), new, || format!("{} since the last run", counted(new, "deadlock")))
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described, rows};

    use super::*;

    const COLUMNS: [&str; 8] = ["deadlocks", "hidden", "blocked", "pid", "application", "query", "blockers", "seconds"];

    /// pid, seconds, blockers
    type Session = (i64, f64, &'static str);

    fn waiting_rows(deadlocks: i64, hidden: i64, sessions: &[Session]) -> Rows {
        let counters = || [deadlocks, hidden, sessions.len() as i64].map(postgres::Value::from);
        let values = |(pid, seconds, blockers): &Session| -> Vec<postgres::Value> {
            let blockers = postgres::Value::ListJson((*blockers).to_owned());
            let session = [(*pid).into(), "app".into(), "UPDATE t SET a = 'secret'".into(), blockers, (*seconds).into()];
            counters().into_iter().chain(session).collect()
        };
        let nobody = || -> Vec<postgres::Value> { counters().into_iter().chain(vec![postgres::Value::Null; 5]).collect() };
        let values: Vec<Vec<postgres::Value>> = match sessions {
            [] => vec![nobody()],
            sessions => sessions.iter().map(values).collect(),
        };
        rows(&COLUMNS, values)
    }

    fn root_rows(pids: &[i64]) -> Rows {
        let values = |pid: &i64| -> Vec<postgres::Value> {
            vec![(*pid).into(), "psql".into(), "idle in transaction".into(), "DELETE FROM t WHERE a = 7".into(), 90.0.into()]
        };
        rows(&["pid", "application", "state", "query", "transaction_seconds"], pids.iter().map(values).collect())
    }

    fn run(host: &mut FakeHost, deadlocks: i64, sessions: &[Session], roots: &[i64]) -> Report {
        host.rows.push_back(Ok(waiting_rows(deadlocks, 0, sessions)));
        if !roots.is_empty() {
            host.rows.push_back(Ok(root_rows(roots)));
        }
        let report = host.run::<Locks>(json!({ "source": "main", "count_warning": 2 })).expect("a report");
        assert_as_described::<Locks>(&report);
        report
    }

    #[test]
    fn who_waits_for_long_is_told_with_who_holds_it_up_until_it_is_over() {
        let mut host = FakeHost::default();
        let quiet = run(&mut host, 0, &[], &[]);
        assert_eq!((quiet.status, quiet.summary.as_str()), (Status::Ok, "no session waits for a lock"));
        assert_eq!(host.queries.len(), 1);
        assert_eq!(run(&mut host, 0, &[(11, 2.0, "[10]")], &[10]).status, Status::Ok);
        let report = run(&mut host, 0, &[(12, 31.0, "[11]"), (11, 8.0, "[10]")], &[10]);
        assert_eq!((report.status, report.failure.as_deref()), (Status::Critical, Some("lock")));
        assert_eq!(report.summary, "2 sessions wait for a lock, one of them for 31 s, behind pid 10");
        assert_eq!(host.queries.last().map(|query| query.params.clone()), Some(vec![postgres::Value::ListJson("[10]".to_owned())]));
        let details = report.details.expect("details");
        assert!(details.contains("DELETE FROM t WHERE a = ?") && !details.contains("secret"), "{details}");
        assert_eq!(run(&mut host, 0, &[], &[]).status, Status::Ok);
    }

    #[test]
    fn many_that_wait_are_a_warning_however_short() {
        let sessions = [(11, 0.1, "[10]"), (12, 0.1, "[10,11]"), (13, 0.1, "[0]")];
        let report = run(&mut FakeHost::default(), 0, &sessions, &[10]);
        assert_eq!((report.status, report.evidence[0].metric.as_str()), (Status::Warning, "blocked"));
        assert_eq!(report.metrics.iter().find(|metric| metric.name == "root_blockers").map(|metric| metric.value), Some(2.0));
    }

    #[test]
    fn deadlocks_are_counted_since_the_last_run() {
        let mut host = FakeHost::default();
        assert_eq!(run(&mut host, 5, &[], &[]).status, Status::Ok);
        let report = run(&mut host, 6, &[], &[]);
        assert_eq!((report.status, report.failure.as_deref()), (Status::Warning, Some("deadlock")));
        assert_eq!(run(&mut host, 6, &[], &[]).status, Status::Ok);
        assert_eq!(run(&mut host, 0, &[], &[]).status, Status::Ok);
    }

    #[test]
    fn sessions_that_are_hidden_cannot_be_judged() {
        let mut host = FakeHost::default().postgres(Ok(waiting_rows(0, 3, &[])));
        let report = host.run::<Locks>(json!({ "source": "main" })).expect("a report");
        assert_eq!(report.status, Status::Unknown);
        assert!(report.summary.contains("GRANT pg_monitor"), "{}", report.summary);
        assert!(host.queries[0].sql.contains("quote_ident(current_user) AS role"), "{}", host.queries[0].sql);
    }
}
