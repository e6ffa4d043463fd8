//! The kind `memory` of the plugin `redis` end to end, beside what others spend to get the same from the same server: the crate `redis`
//! in a program that does nothing else, and `redis-cli` in a process of its own.
//!
//! How: processor time only, and never the server's. A run of Sickbay is judged and stored as well, so the crate's side gets what a
//! scheduled run costs that does nothing, measured in the same run of the bench; of both daemons what they use while nothing is due is
//! taken off. The crate's side asks over one multiplexed connection, both commands in one round trip as the check does, one request
//! after the other.

use std::hint::black_box;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use redis::aio::MultiplexedConnection;
use sickbay_tests::redis::RedisServer;

use crate::daemon::{Daemon, checks};
use crate::figure::Figure;
use crate::process::{cpu_us_per_start, program, thread_cpu};
use crate::scheduled::{self, Used};
use crate::servers::{self, CONNECTIONS_MAX};
use crate::settings::Settings;

pub(crate) const NAMES: [&str; 4] = ["redis_memory_cpu", "redis_memory_to_redis", "redis_memory_to_redis_cli", "bare_redis_cpu"];

const TO_REDIS_MAX: f64 = 1.3;
const TO_REDIS_CLI_MAX: f64 = 1.0 / 10.0;
const EVERY: &str = "1s";
/// What the check asks for.
const SECTIONS: [&str; 2] = ["memory", "stats"];

pub(crate) async fn measure(settings: &Settings) -> anyhow::Result<Vec<Figure>> {
    let server = servers::redis()?;
    let count = settings.either(1000, 200);
    let window = settings.seconds(30, 5);
    let noop = scheduled::noop(settings, count, EVERY, window).await?;
    let used = sickbay(settings, &server, count, window).await?;
    let sickbay_us = used.added_us_per_run(&noop.idle);
    eprintln!("bench: the same with the crate redis and redis-cli");
    let crate_us = bare(settings, &server).await?;
    let base_us = crate_us + noop.us_per_run();
    let redis_cli = match program(&["redis-cli"]) {
        Some(program) => {
            let mut command = Command::new(program);
            command.args(["-h", "127.0.0.1", "-p", &server.port().to_string(), "INFO"]);
            let redis_cli_us = cpu_us_per_start(&mut command, settings.either(500, 50))?;
            Figure::new("redis_memory_to_redis_cli", sickbay_us / redis_cli_us, "ratio").beside("redis_cli_cpu", redis_cli_us, "us")
        }
        None => Figure::missing("redis_memory_to_redis_cli", "ratio", "not installed; hint: apt-get install redis-tools"),
    };
    let runs = format!("{} runs of {count} checks every {EVERY} on one source in {} s", used.runs.ok, window.as_secs());
    let parts = format!("{crate_us:.1} us of the crate and {:.1} us of a run that does nothing", noop.us_per_run());
    Ok(vec![
        Figure::new("redis_memory_cpu", sickbay_us, "us").beside("idle_cpu", used.idle_us_per_run(&noop.idle), "us").with(runs),
        Figure::new("redis_memory_to_redis", sickbay_us / base_us, "ratio")
            .at_most(TO_REDIS_MAX)
            .beside("redis_and_noop_cpu", base_us, "us")
            .with(parts),
        redis_cli.at_most(TO_REDIS_CLI_MAX),
        Figure::new("bare_redis_cpu", crate_us, "us").with("a multiplexed connection, one request after the other, on one thread"),
    ])
}

/// A source named `cache`.
pub(crate) fn source(server: &RedisServer) -> String {
    format!("[sources.redis.cache]\nurl = \"{}\"\nconnections_max = {CONNECTIONS_MAX}\n\n", server.url())
}

/// `count` checks of that source.
pub(crate) fn checks_of_memory(count: usize, every: &str) -> String {
    let rest = "kind = \"memory\"\nconfig = { source = \"cache\" }\ngrants = { redis = [{ source = \"cache\", commands = [\"INFO\"] }] }\n";
    checks(count, "redis", every, rest)
}

async fn sickbay(settings: &Settings, server: &RedisServer, count: usize, window: Duration) -> anyhow::Result<Used> {
    let configuration = source(server) + &checks_of_memory(count, EVERY);
    let daemon = Daemon::start(settings, &[("redis", settings.guest("redis")?)], &configuration).await?;
    scheduled::watch_settled(settings, &daemon, count, window).await?.complete()
}

/// The least that the answers cost in this process.
async fn bare(settings: &Settings, server: &RedisServer) -> anyhow::Result<f64> {
    let client = redis::Client::open(server.url()).context("the server's URL")?;
    let mut connection = client.get_multiplexed_async_connection().await.context("cannot connect to Redis")?;
    ask(&mut connection, settings.either(500, 50)).await?;
    let requests = settings.either(10_000, 500);
    let before = thread_cpu();
    ask(&mut connection, requests).await?;
    Ok((thread_cpu() - before).as_secs_f64() * 1e6 / f64::from(requests))
}

async fn ask(connection: &mut MultiplexedConnection, requests: u32) -> anyhow::Result<()> {
    for _ in 0..requests {
        let mut commands = redis::pipe();
        for section in SECTIONS {
            commands.cmd("INFO").arg(section);
        }
        let answers: (String, String) = commands.query_async(connection).await.context("INFO")?;
        ensure!(answers.0.contains("used_memory:"), "INFO tells no memory");
        black_box(answers);
    }
    Ok(())
}
