//! The kind `connections` of the plugin `postgres` end to end, beside what others spend to get the same from the same server: sqlx in a
//! program that does nothing else, `psql` in a process of its own, and postgres_exporter for a scrape that runs nothing but the statement.
//!
//! How: processor time only, and never the server's. A run of Sickbay is judged and stored as well, so sqlx's side gets what a scheduled
//! run costs that does nothing, measured in the same run of the bench; of all daemons what they use while nothing is due is taken off.
//! sqlx keeps a pool and the prepared statement, and does not ping before each use: less cannot be asked.
//!
//! Each check has a source of its own, as one database has one check of its connections: its session stays its own, and its statement
//! planned. Checks that share a source pass its sessions on, which are made clean in between; that is measured too, for information.

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;
use sickbay_tests::postgres::{DATABASE, PASSWORD, Postgres, USER};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::daemon::{Daemon, check, checks, free_address};
use crate::exporter::Exporter;
use crate::figure::Figure;
use crate::process::{cpu_us_per_start, program, thread_cpu};
use crate::scheduled::{self, Used};
use crate::servers::{self, CONNECTIONS_MAX};
use crate::settings::Settings;

pub(crate) const NAMES: [&str; 6] = [
    "postgres_connections_cpu",
    "postgres_connections_to_sqlx",
    "postgres_connections_to_psql",
    "postgres_connections_to_exporter",
    "postgres_connections_shared_cpu",
    "bare_sqlx_cpu",
];

const TO_SQLX_MAX: f64 = 1.3;
const TO_PSQL_MAX: f64 = 1.0 / 10.0;
const TO_EXPORTER_MAX: f64 = 1.0 / 3.0;
const EXPORTER: [&str; 2] = ["prometheus-postgres-exporter", "postgres_exporter"];
/// A connection for each of them leaves the server far from what the check would warn of.
const CHECKS: usize = 20;
const EVERY: &str = "100ms";
/// What the plugin asks where no pool is judged, to the letter: [`plugin`] looks whether it still does.
const STATEMENT: &str = "SELECT quote_ident(current_user) AS role, count(*) AS connected, \
    count(*) FILTER (WHERE a.state = 'active' AND a.pid <> pg_backend_pid()) AS active, \
    count(*) FILTER (WHERE a.wait_event_type = 'Lock') AS waiting, \
    count(*) FILTER (WHERE a.state IN ('idle in transaction', 'idle in transaction (aborted)')) AS idle_in_transaction, \
    count(*) FILTER (WHERE a.backend_type IS NULL) AS hidden, \
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int \
    - coalesce(current_setting('reserved_connections', true)::int, 0) AS maximum \
    FROM pg_stat_activity a WHERE a.backend_type = 'client backend' OR (a.backend_type IS NULL AND a.datid IS NOT NULL)";
const COLUMNS: [&str; 6] = ["connected", "active", "waiting", "idle_in_transaction", "hidden", "maximum"];

pub(crate) async fn measure(settings: &Settings) -> anyhow::Result<Vec<Figure>> {
    let plugin = plugin(settings)?;
    let server = servers::postgres()?;
    let window = settings.seconds(30, 5);
    let noop = scheduled::noop(settings, CHECKS, EVERY, window).await?;
    let own = sickbay(settings, &plugin, &on_sources_of_their_own(&server), window).await?;
    let shared = sickbay(settings, &plugin, &on_one_source(&server), window).await?;
    let (sickbay_us, noop_us) = (own.added_us_per_run(&noop.idle), noop.us_per_run());
    eprintln!("bench: the same with sqlx, psql and postgres_exporter");
    let sqlx_us = bare_sqlx(settings, &server).await?;
    let psql_us = psql(settings, &server)?;
    let exporter = match program(&EXPORTER) {
        Some(program) => {
            let scrape_us = exporter(settings, &program, &server).await?;
            Figure::new("postgres_connections_to_exporter", sickbay_us / scrape_us, "ratio").beside("exporter_scrape_cpu", scrape_us, "us")
        }
        None => {
            let why = "not installed; hint: apt-get install prometheus-postgres-exporter";
            Figure::missing("postgres_connections_to_exporter", "ratio", why)
        }
    };
    let runs = |used: &Used, sources: &str| {
        format!("{} runs of {CHECKS} checks every {EVERY} on {sources} in {} s", used.runs.ok, window.as_secs())
    };
    Ok(vec![
        Figure::new("postgres_connections_cpu", sickbay_us, "us")
            .beside("idle_cpu", own.idle_us_per_run(&noop.idle), "us")
            .with(runs(&own, "a source each")),
        Figure::new("postgres_connections_to_sqlx", sickbay_us / (sqlx_us + noop_us), "ratio")
            .at_most(TO_SQLX_MAX)
            .beside("sqlx_and_noop_cpu", sqlx_us + noop_us, "us")
            .with(format!("{sqlx_us:.1} us of sqlx and {noop_us:.1} us of a run that does nothing")),
        Figure::new("postgres_connections_to_psql", sickbay_us / psql_us, "ratio").at_most(TO_PSQL_MAX).beside("psql_cpu", psql_us, "us"),
        exporter.at_most(TO_EXPORTER_MAX),
        Figure::new("postgres_connections_shared_cpu", shared.added_us_per_run(&noop.idle), "us").with(runs(&shared, "one source")),
        Figure::new("bare_sqlx_cpu", sqlx_us, "us").with("a pool, the statement prepared, one after the other, on one thread"),
    ])
}

/// The plugin, which must ask what the others ask here.
fn plugin(settings: &Settings) -> anyhow::Result<Vec<u8>> {
    let component = settings.guest("postgres")?;
    let has = |part: &str| component.windows(part.len()).any(|bytes| bytes == part.as_bytes());
    // It is put together there.
    let asks_so = STATEMENT.split(" FROM ").all(has);
    ensure!(asks_so, "the plugin postgres asks for its connections in other words; hint: write them into STATEMENT in {}", file!());
    Ok(component)
}

/// A source named `name`.
pub(crate) fn source(name: &str, server: &Postgres) -> String {
    format!("[sources.postgres.{name}]\nurl = \"{}\"\nconnections_max = {CONNECTIONS_MAX}\n\n", server.url())
}

/// What a check of that source says besides its name and its interval.
pub(crate) fn check_of(source: &str) -> String {
    format!("kind = \"connections\"\nconfig = {{ source = \"{source}\" }}\ngrants = {{ postgres = [{{ source = \"{source}\" }}] }}\n")
}

fn on_sources_of_their_own(server: &Postgres) -> String {
    let with_source = |number| {
        let name = format!("main-{number}");
        source(&name, server) + &check(number, "postgres", EVERY, &check_of(&name))
    };
    (0..CHECKS).map(with_source).collect()
}

fn on_one_source(server: &Postgres) -> String {
    source("main", server) + &checks(CHECKS, "postgres", EVERY, &check_of("main"))
}

async fn sickbay(settings: &Settings, plugin: &[u8], configuration: &str, window: Duration) -> anyhow::Result<Used> {
    let daemon = Daemon::start(settings, &[("postgres", plugin.to_vec())], configuration).await?;
    scheduled::watch_settled(settings, &daemon, CHECKS, window).await?.complete()
}

/// The least that the answer costs in this process.
async fn bare_sqlx(settings: &Settings, server: &Postgres) -> anyhow::Result<f64> {
    let options = PgPoolOptions::new().max_connections(CONNECTIONS_MAX).test_before_acquire(false);
    let pool = options.connect(&server.url()).await.context("cannot connect to PostgreSQL")?;
    ask(&pool, settings.either(200, 20)).await?;
    let times = settings.either(5000, 300);
    let before = thread_cpu();
    ask(&pool, times).await?;
    let used = thread_cpu() - before;
    pool.close().await;
    Ok(used.as_secs_f64() * 1e6 / f64::from(times))
}

async fn ask(pool: &PgPool, times: u32) -> anyhow::Result<()> {
    for _ in 0..times {
        let rows = sqlx::query(STATEMENT).fetch_all(pool).await.context("the statement")?;
        ensure!(!rows.is_empty(), "the statement gives no row");
        black_box(rows);
    }
    Ok(())
}

/// The time for each `psql` in a process of its own.
fn psql(settings: &Settings, server: &Postgres) -> anyhow::Result<f64> {
    let mut command = Command::new(server.program("psql"));
    command.args(["-X", "-A", "-t", "-h", "127.0.0.1", "-p", &server.port.to_string(), "-U", USER, "-d", DATABASE]);
    command.args(["-c", STATEMENT]).env("PGPASSWORD", PASSWORD);
    cpu_us_per_start(&mut command, settings.either(300, 30))
}

/// postgres_exporter's time for each scrape, with everything turned off but the statement. What it cannot be told to leave out are a ping,
/// a query of the server's version, and the metrics of its own process.
async fn exporter(settings: &Settings, program: &Path, server: &Postgres) -> anyhow::Result<f64> {
    let folder = tempfile::Builder::new().prefix("sickbay-bench-").tempdir()?;
    let queries = folder.path().join("queries.yaml");
    // JSON is YAML as well.
    let role = json!({ "role": { "usage": "LABEL", "description": "as whom it asks" } });
    let metrics: Vec<_> =
        std::iter::once(role).chain(COLUMNS.map(|column| json!({ column: { "usage": "GAUGE", "description": column } }))).collect();
    std::fs::write(&queries, json!({ "connections": { "query": STATEMENT, "metrics": metrics } }).to_string())?;
    let address = free_address()?;
    let mut command = Command::new(program);
    command.args(["--disable-default-metrics", "--disable-settings-metrics", "--no-collector.database", "--no-collector.bgwriter"]);
    command.arg(format!("--extend.query-path={}", queries.display())).arg(format!("--web.listen-address={address}"));
    command.arg("--log.level=error").env("DATA_SOURCE_NAME", format!("{}?sslmode=disable", server.url()));
    let lines = &["pg_exporter_last_scrape_error 0", "connections_"];
    Exporter { address, ready: "/", path: "/metrics".to_owned(), lines }.cpu_us_per_scrape(settings, &mut command).await
}
