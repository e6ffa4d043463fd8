//! The capability against a real PostgreSQL, through the same door as a guest.

mod bounds;
mod clean;
mod ending;
mod failures;
mod passing_on;
mod pool;
mod pooler;
mod reading;
mod standing;
mod tls;
mod values;
mod writing;

#[path = "../../../../tests/src/postgres.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the end-to-end tests, which use all of it")]
mod server;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use sickbay_runtime::Limits;
use tokio::time::Instant;

use self::server::{PASSWORD, Postgres, USER};
use super::{Access, Endpoint, Grant, PostgresSettings, Sources};
use crate::contract::postgres::{Host, PostgresError, Query, RowSet, Value};
use crate::{Grants, Lent, RunScope, Services};

const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// What a test sets up before it runs statements on the source `main`.
struct Setup {
    settings: PostgresSettings,
    grant: Grant,
    limits: Limits,
    /// Of the run.
    deadline: Duration,
}

impl Setup {
    fn of(url: &str) -> Setup {
        let endpoint = Endpoint::parse(url).unwrap_or_else(|error| panic!("{error}"));
        let settings = PostgresSettings { statement_timeout: PATIENCE, ..PostgresSettings::new(endpoint) };
        Setup { settings, grant: Grant::new("main"), limits: Limits::default(), deadline: PATIENCE }
    }

    /// One connection, so that every call gets what the one before left.
    fn reading() -> Setup {
        let mut setup = Setup::of(&Postgres::shared().url());
        setup.settings.connections_max = 1;
        setup
    }

    fn writing() -> Setup {
        let mut setup = Setup::reading();
        setup.settings.access = Access::ReadWrite;
        setup.grant = setup.grant.with_access("read-write").expect("a grant");
        setup
    }

    fn rows_max(mut self, rows_max: i64) -> Setup {
        self.grant = self.grant.with_rows_max(rows_max).expect("a grant");
        self
    }

    fn sources(&self) -> Sources {
        Sources::new(&BTreeMap::from([("main".to_owned(), self.settings.clone())])).expect("sources")
    }

    fn lent(&self) -> Lent {
        self.lent_from(self.sources())
    }

    fn lent_from(&self, sources: Sources) -> Lent {
        let services = Services::with_roots(&[], RootCertStore::empty()).expect("services");
        let mut services = Arc::into_inner(services).expect("nobody else has them");
        services.postgres = sources;
        self.lent_by(&Arc::new(services))
    }

    /// For another run on the same sources.
    fn lent_by(&self, services: &Arc<Services>) -> Lent {
        self.lent_to("orders-db", services)
    }

    fn lent_to(&self, check: &str, services: &Arc<Services>) -> Lent {
        let scope = RunScope {
            check: check.into(),
            plugin: "postgres".into(),
            run_id: 1,
            deadline: Instant::now() + self.deadline,
            state: Arc::new(BTreeMap::new()),
        };
        let grants = Grants { postgres: vec![self.grant.clone()], ..Grants::default() };
        Lent::new(services, &Arc::new(grants), &self.limits, scope)
    }
}

fn query(sql: &str) -> Query {
    Query { sql: sql.to_owned(), params: Vec::new(), timeout_ms: None }
}

async fn ask(lent: &mut Lent, query: Query) -> Result<RowSet, PostgresError> {
    Host::run(lent, "main".to_owned(), query).await.expect("no trap")
}

async fn ask_many(lent: &mut Lent, queries: &[&str]) -> Result<Vec<RowSet>, PostgresError> {
    let queries = queries.iter().map(|sql| query(sql)).collect();
    Host::run_many(lent, "main".to_owned(), queries).await.expect("no trap")
}

async fn ask_simple(lent: &mut Lent, sql: &str) -> Result<RowSet, PostgresError> {
    Host::run_simple(lent, "main".to_owned(), sql.to_owned(), None).await.expect("no trap")
}

/// The rows of a statement as text.
async fn rows(lent: &mut Lent, sql: &str) -> Vec<String> {
    let set = ask(lent, query(sql)).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    shown_rows(&set)
}

/// Of a statement that gives one row.
async fn row(lent: &mut Lent, sql: &str) -> String {
    let mut rows = rows(lent, sql).await;
    assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
    rows.remove(0)
}

fn shown_rows(set: &RowSet) -> Vec<String> {
    set.rows.iter().map(|row| row.iter().map(shown).collect::<Vec<_>>().join(" | ")).collect()
}

/// A value with its arm, so that two of different arms are never the same.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(is_so) => format!("boolean {is_so}"),
        Value::Int(number) => format!("int {number}"),
        Value::Float(number) => format!("float {number:?}"),
        Value::Numeric(text) => format!("numeric {text}"),
        Value::Text(text) => format!("text {text}"),
        Value::Bytes(bytes) => format!("bytes {bytes:?}"),
        Value::Json(text) => format!("json {text}"),
        Value::Uuid(text) => format!("uuid {text}"),
        Value::TimestampUs(us) => format!("timestamp {us}"),
        Value::Date(text) => format!("date {text}"),
        Value::Time(text) => format!("time {text}"),
        Value::IntervalUs(us) => format!("interval {us}"),
        Value::ListJson(text) => format!("list {text}"),
        Value::Other(other) => format!("other {} {}", other.type_name, other.text),
    }
}

/// The five letters of an error of the server.
fn sqlstate(outcome: Result<RowSet, PostgresError>) -> String {
    match outcome {
        Err(PostgresError::Server(error)) => error.sqlstate,
        Err(other) => panic!("another error: {other:?}"),
        Ok(set) => panic!("no error: {:?}", shown_rows(&set)),
    }
}

fn invalid(outcome: Result<RowSet, PostgresError>) -> String {
    match outcome {
        Err(PostgresError::Invalid(message)) => message,
        Err(other) => panic!("another error: {other:?}"),
        Ok(set) => panic!("no error: {:?}", shown_rows(&set)),
    }
}

/// The session lives on when the server ends a statement in time. On a busy machine its word can come too late: then it is tried again.
async fn outlives(lent: &mut Lent, slow: &str) {
    const ATTEMPTS_MAX: usize = 20;
    for _ in 0..ATTEMPTS_MAX {
        let session = row(lent, "select pg_backend_pid()").await;
        let outcome = ask(lent, Query { timeout_ms: Some(500), ..query(slow) }).await;
        assert!(matches!(&outcome, Err(PostgresError::Timeout(message)) if message.contains("the statement")), "{slow}: {outcome:?}");
        if row(lent, "select pg_backend_pid()").await == session {
            return;
        }
    }
    panic!("{slow}: the session is lost every time");
}

/// Waits until the superuser's `sql` prints `expected`.
async fn until(server: &Postgres, sql: &str, expected: &str) {
    let began = Instant::now();
    loop {
        let printed = server.sql(sql);
        if printed == expected {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{sql} still prints {printed}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// A name that is this test's alone, for tables and applications on the shared server.
fn named(setup: &mut Setup, application: &str) {
    let url = format!("{}?application_name={application}", Postgres::shared().url());
    setup.settings.endpoint = Endpoint::parse(&url).expect("a URL");
}
