//! Checks of four kinds at once, a quarter each of HTTP, PostgreSQL, Redis and the machine: how late runs begin, whether any is skipped,
//! how many connections the two databases see, how much memory it takes.
//!
//! How: the servers count their own clients. They are asked again and again from the moment that Sickbay is ready, its start included,
//! over one connection to each, which is not counted. Everything runs on the processors of [`Pinned`].

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use redis::aio::MultiplexedConnection;
use sickbay_tests::postgres::Postgres;
use sickbay_tests::redis::RedisServer;
use sqlx::{Connection, PgConnection};

use crate::daemon::{Daemon, checks};
use crate::figure::Figure;
use crate::processors::Pinned;
use crate::servers::{self, CONNECTIONS_MAX};
use crate::settings::Settings;
use crate::target::Target;
use crate::{postgres_connections, redis_memory};

pub(crate) const NAMES: [&str; 5] =
    ["mixed_lateness_p99", "mixed_skipped", "mixed_postgres_connections", "mixed_redis_connections", "mixed_resident"];

const LATENESS_SECONDS_MAX: f64 = 0.1;
const EVERY: &str = "5s";
const EVERY_SECONDS: f64 = 5.0;
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);
/// What the plugin `postgres` and the bench are logged in as, without this connection.
const COUNT: &str = "SELECT count(*) FROM pg_stat_activity \
    WHERE backend_type = 'client backend' AND usename = current_user AND pid <> pg_backend_pid()";

pub(crate) async fn measure(settings: &Settings) -> anyhow::Result<Vec<Figure>> {
    let each = settings.either(500, 100);
    let window = settings.seconds(60, 5);
    let pinned = Pinned::start()?;
    let (target, postgres, redis) = (Target::start()?, servers::postgres()?, servers::redis()?);
    let mut plugins = Vec::new();
    for name in ["http", "postgres", "redis", "system"] {
        plugins.push((name, settings.guest(name)?));
    }
    let daemon = Daemon::start(settings, &plugins, &configuration(each, target.address, &postgres, &redis)).await?;
    let mut watcher = Watcher::connect(&postgres, &redis).await?;
    watcher.watch(&daemon, settings.seconds(15, 10)).await?;
    let before = daemon.scrape().await?;
    let began = Instant::now();
    watcher.watch(&daemon, window).await?;
    let after = daemon.scrape().await?;
    let elapsed = began.elapsed();

    let runs = after.runs().since(before.runs());
    ensure!(runs.not_ok == 0, "{} runs were not ok\n{}", runs.not_ok, daemon.log());
    let due = 4.0 * each as f64 * elapsed.as_secs_f64() / EVERY_SECONDS;
    // Phases are spread by a hash: a window of part of the interval has a little more or less than its share.
    ensure!(runs.ok as f64 + runs.skipped as f64 > 0.9 * due, "{} runs, about {due:.0} were due\n{}", runs.ok, daemon.log());
    let lateness = after.lateness().since(&before.lateness()).quantile(0.99).context("no run counted as late or in time")?;
    let conditions = format!(
        "{each} checks each of http, postgres, redis and system every {EVERY}, {} runs in {} s, {pinned}",
        runs.ok,
        window.as_secs()
    );
    let counted = format!("the most in {} counts by the server, for `connections_max = {CONNECTIONS_MAX}`", watcher.counts);
    let connections = |name, most: i64| Figure::new(name, most as f64, "connections").at_most(CONNECTIONS_MAX.into()).with(counted.clone());
    Ok(vec![
        Figure::new("mixed_lateness_p99", lateness, "s").at_most(LATENESS_SECONDS_MAX).with(conditions),
        Figure::new("mixed_skipped", runs.skipped as f64, "runs").at_most(0.0),
        connections("mixed_postgres_connections", watcher.postgres_most),
        connections("mixed_redis_connections", watcher.redis_most),
        Figure::new("mixed_resident", watcher.resident_bytes_most as f64 / 1e6, "MB"),
    ])
}

fn configuration(each: usize, target: SocketAddr, postgres: &Postgres, redis: &RedisServer) -> String {
    let http = format!("kind = \"http\"\nconfig = {{ url = \"http://{target}/\" }}\ngrants = {{ http = [\"GET http://{target}/\"] }}\n");
    // Whatever else the machine does, its memory is well.
    let system = "kind = \"memory\"\nconfig = { warning_ratio = 1.0, critical_ratio = 1.0, swap_warning_ratio = 1.0 }\n\
        grants = { system = [\"memory\"] }\n";
    [
        postgres_connections::source("main", postgres),
        redis_memory::source(redis),
        checks(each, "http", EVERY, &http),
        checks(each, "postgres", EVERY, &postgres_connections::check_of("main")),
        redis_memory::checks_of_memory(each, EVERY),
        checks(each, "system", EVERY, system),
    ]
    .concat()
}

/// What is looked at while the checks run, and the most that was seen of each.
struct Watcher {
    postgres: PgConnection,
    redis: MultiplexedConnection,
    counts: u32,
    postgres_most: i64,
    redis_most: i64,
    resident_bytes_most: u64,
}

impl Watcher {
    async fn connect(postgres: &Postgres, redis: &RedisServer) -> anyhow::Result<Watcher> {
        let postgres = PgConnection::connect(&postgres.url()).await.context("cannot connect to PostgreSQL")?;
        let client = redis::Client::open(redis.url()).context("the server's URL")?;
        let redis = client.get_multiplexed_async_connection().await.context("cannot connect to Redis")?;
        Ok(Watcher { postgres, redis, counts: 0, postgres_most: 0, redis_most: 0, resident_bytes_most: 0 })
    }

    async fn watch(&mut self, daemon: &Daemon, window: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        while began.elapsed() < window {
            tokio::time::sleep(SAMPLE_INTERVAL).await;
            let postgres =
                sqlx::query_scalar::<_, i64>(COUNT).fetch_one(&mut self.postgres).await.context("counting PostgreSQL's clients")?;
            let clients: String = redis::cmd("INFO").arg("clients").query_async(&mut self.redis).await.context("INFO clients")?;
            // This one is among them.
            let redis = connected_clients(&clients).context("INFO tells no `connected_clients`")? - 1;
            self.counts += 1;
            self.postgres_most = self.postgres_most.max(postgres);
            self.redis_most = self.redis_most.max(redis);
            self.resident_bytes_most = self.resident_bytes_most.max(daemon.resident_bytes()?);
        }
        Ok(())
    }
}

fn connected_clients(info: &str) -> Option<i64> {
    info.lines().find_map(|line| line.strip_prefix("connected_clients:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_clients_is_found_among_the_fields() {
        assert_eq!(connected_clients("# Clients\r\nconnected_clients:5\r\ncluster_connections:0\r\n"), Some(5));
        assert_eq!(connected_clients("# Clients\r\nblocked_clients:5\r\n"), None);
    }
}
