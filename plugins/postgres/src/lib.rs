//! Checks of a PostgreSQL server, 13 or newer, by the name of a source, and of a PgBouncer in front of one.
//!
//! One file per kind, all of the same shape: configuration with defaults that mean something, one statement or two, a pure
//! judgement. What a kind counts "since the last run" it keeps by `trend` of the SDK.
//!
//! A role without `pg_monitor` sees other sessions and their statements without what matters. A kind that needs it says so: the report is
//! `unknown` with `rights_hint`, unless what is seen is bad already; where the server refuses outright it is a failure with `RIGHTS_HINT`.

mod archiver;
mod bloat;
mod cache_hit;
mod connections;
mod locks;
mod long_running;
mod migrations;
mod pgbouncer;
mod query;
mod replication;
mod scans;
mod setting_value;
mod settings;
mod size;
mod slow_queries;
mod statement;
mod vacuum;

use archiver::Archiver;
use bloat::Bloat;
use cache_hit::CacheHit;
use connections::Connections;
use locks::Locks;
use long_running::LongRunning;
use migrations::Migrations;
use pgbouncer::Pgbouncer;
use query::Query;
use replication::Replication;
use scans::Scans;
use settings::Settings;
use sickbay_sdk::postgres::{PostgresError, Row, Rows, Value};
use sickbay_sdk::{Error, postgres};
use size::Size;
use slow_queries::SlowQueries;
use vacuum::Vacuum;

sickbay_sdk::plugin! {
    name: "postgres",
    version: env!("CARGO_PKG_VERSION"),
    summary: "PostgreSQL: connections, settings, slow and long queries, locks, cache, scans, size, replication, archiving, bloat, vacuum, migrations, PgBouncer, any query",
    checks: [
        Connections,
        Settings,
        SlowQueries,
        LongRunning,
        Locks,
        CacheHit,
        Scans,
        Size,
        Replication,
        Archiver,
        Bloat,
        Vacuum,
        Migrations,
        Pgbouncer,
        Query,
    ],
}

/// The grant of every kind: it only reads.
pub(crate) const READ_GRANT: &str = "postgres = [{ source = \"{source}\" }]";

/// For a role that may not see what others do, where its name is not known.
pub(crate) const RIGHTS_HINT: &str = "hint: GRANT pg_monitor TO the role of the source";

/// The role may not do this.
pub(crate) const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// The same with the role's name, where the row has it as `role`: `quote_ident(current_user) AS role`.
pub(crate) fn rights_hint(row: &Row<'_>) -> String {
    row.text("role").map_or_else(|_| RIGHTS_HINT.to_owned(), |role| format!("hint: GRANT pg_monitor TO {role}"))
}

/// One statement; what the role may not do comes with [`RIGHTS_HINT`].
pub(crate) fn ask(source: &str, sql: &str, params: &[Value]) -> Result<Rows, Error> {
    postgres::source(source).query(sql, params).map_err(explained)
}

/// The error as it is, with [`RIGHTS_HINT`] where rights are missing.
pub(crate) fn explained(error: PostgresError) -> Error {
    hinted(error, RIGHTS_HINT)
}

/// The error as it is, with this hint where rights are missing.
pub(crate) fn hinted(error: PostgresError, hint: &str) -> Error {
    match error {
        PostgresError::Server(mut server) if server.sqlstate == INSUFFICIENT_PRIVILEGE => {
            server.message.push_str("; ");
            server.message.push_str(hint);
            PostgresError::Server(server).into()
        }
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::Check;
    use sickbay_sdk::postgres::CALL_FAILURES;
    use sickbay_sdk::testing::{FakeHost, assert_well_described, refused, row};

    use super::*;

    fn assert_described<C: Check>() {
        assert_well_described::<C>();
        for failure in CALL_FAILURES.iter().chain(&["content"]) {
            assert!(C::failures().contains(failure), "{} does not describe the failure {failure} of a call", C::NAME);
        }
    }

    #[test]
    fn the_kinds_are_described_as_the_host_asks() {
        assert_described::<Connections>();
        assert_described::<Settings>();
        assert_described::<SlowQueries>();
        assert_described::<LongRunning>();
        assert_described::<Locks>();
        assert_described::<CacheHit>();
        assert_described::<Scans>();
        assert_described::<Size>();
        assert_described::<Replication>();
        assert_described::<Archiver>();
        assert_described::<Bloat>();
        assert_described::<Vacuum>();
        assert_described::<Migrations>();
        assert_described::<Pgbouncer>();
        assert_described::<Query>();
    }

    #[test]
    fn a_refusal_for_lack_of_rights_tells_which_to_grant() {
        let mut host = FakeHost::default().postgres(Err(refused("42501", "permission denied"))).postgres(Err(refused("42P01", "no table")));
        let mut told = || host.serve(|| ask("main", "SELECT 1", &[])).expect_err("refused").to_string();
        assert_eq!(told(), format!("configuration: permission denied; {RIGHTS_HINT} (42501)"));
        assert_eq!(told(), "configuration: no table (42P01)");
    }

    #[test]
    fn the_right_to_grant_names_the_role_where_the_answer_does() {
        let hint = |rows: Rows| rights_hint(&rows.only().expect("one row"));
        assert_eq!(hint(row(&[("role", "\"Mon itor\"".into())])), "hint: GRANT pg_monitor TO \"Mon itor\"");
        assert_eq!(hint(row(&[("hidden", 1.into())])), RIGHTS_HINT);
    }
}
