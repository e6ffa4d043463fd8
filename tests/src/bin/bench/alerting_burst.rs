//! 10,000 alerts that fire at the same time, until the notifications of all of them are queued: in `core` alone, and through the program.
//!
//! In `core`: 10,000 checks become critical, and time passes until their groups are told. Counted is the time on the wall clock from the first
//! fact until the rows of all notifications are there, once with groups by service (100 of 100 alerts), once with each alert alone.
//!
//! Through the program: the alerts are posted to `/api/v2/alerts` in parts, one after the other, as Prometheus does. Counted is the time that
//! the posts take until the last is answered, when all incidents are on the disk, and the time from the end of `group_wait` until
//! `/api/v1/deliveries`, which reads the store, has notifications of all alerts. The waiting in between is not counted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hyper::body::Bytes;
use serde_json::{Value, json};
use sickbay_core::Status;
use sickbay_core::alerting::{Alerting, Changes, DeliveryId, Fact, Findings, GROUP_WAIT, GroupBy};

use crate::client::{self, Client};
use crate::core_checks::{SERVICES, START, alerting_config, by_service, identity, service};
use crate::daemon::{Daemon, checks};
use crate::figure::Figure;
use crate::processors::Pinned;
use crate::settings::Settings;
use crate::spread::median;

pub(crate) const NAMES: [&str; 3] = ["alerting_burst_10000", "alerting_burst_10000_core", "alerting_burst_10000_core_alone"];

const SECONDS_MAX: f64 = 1.0;
const ALERTS: usize = 10_000;
const ALERTS_PER_POST: usize = 500;
/// Of the program's route: the posts are done by then.
const WAIT: Duration = Duration::from_secs(5);
const QUEUED_TIME_MAX: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) async fn measure(settings: &Settings) -> anyhow::Result<Vec<Figure>> {
    let pinned = Pinned::start()?;
    let program = through_the_program(settings).await?;
    let rounds = settings.either(5, 1);
    let (grouped, groups) = median_in_core(rounds, &by_service())?;
    let (alone, each) = median_in_core(rounds, &GroupBy::All)?;
    let conditions = format!("{ALERTS} alerts of {SERVICES} services, posted {ALERTS_PER_POST} at a time, grouped by service, {pinned}");
    let of_core = |groups: usize| format!("{ALERTS} checks become critical, {groups} notifications, median of {rounds}");
    Ok(vec![
        Figure::new("alerting_burst_10000", program.seconds(), "s")
            .at_most(SECONDS_MAX)
            .beside("posts", program.posts.as_secs_f64(), "s")
            .with(conditions),
        Figure::new("alerting_burst_10000_core", grouped, "s").at_most(SECONDS_MAX).with(of_core(groups)),
        Figure::new("alerting_burst_10000_core_alone", alone, "s").at_most(SECONDS_MAX).with(of_core(each)),
    ])
}

/// The seconds that it takes, and the number of notifications.
fn median_in_core(rounds: usize, group_by: &GroupBy) -> anyhow::Result<(f64, usize)> {
    let mut seconds = Vec::new();
    let mut notifications = 0;
    for _ in 0..rounds {
        let (took, count) = in_core(group_by.clone())?;
        seconds.push(took);
        notifications = count;
    }
    Ok((median(&seconds), notifications))
}

fn in_core(group_by: GroupBy) -> anyhow::Result<(f64, usize)> {
    let mut alerting = Alerting::new(alerting_config(group_by), 1, START);
    let facts = (0..ALERTS).map(critical).collect::<anyhow::Result<Vec<Fact>>>()?;
    let told_at = START.plus(GROUP_WAIT);
    let mut rows: Vec<Changes> = Vec::new();
    let began = Instant::now();
    for fact in facts {
        rows.push(alerting.apply(fact, START));
    }
    while alerting.next_tick().is_some_and(|at| at <= told_at) {
        rows.push(alerting.apply(Fact::Tick, told_at));
    }
    let seconds = began.elapsed().as_secs_f64();
    let made = rows.iter().flat_map(|changes| &changes.deliveries).map(|delivery| (delivery.id, delivery.covers.len()));
    let made: BTreeMap<DeliveryId, usize> = made.collect();
    let told: usize = made.values().sum();
    ensure!(told == ALERTS, "{told} of {ALERTS} alerts were queued");
    Ok((seconds, made.len()))
}

fn critical(number: usize) -> anyhow::Result<Fact> {
    let findings = Findings {
        status: Status::Critical,
        summary: "200 in 1000 ms".to_owned(),
        reason: "ConditionFailed".to_owned(),
        reason_detail: "report.metrics.latency_seconds > 0.5".to_owned(),
        failure: None,
        evidence: Vec::new(),
        dependents: 0,
    };
    Ok(Fact::Transition { check: identity(number)?, findings: Arc::new(findings) })
}

struct Burst {
    /// Until the last was answered.
    posts: Duration,
    /// From the end of `group_wait` until all was queued.
    queueing: Duration,
}

impl Burst {
    fn seconds(&self) -> f64 {
        (self.posts + self.queueing).as_secs_f64()
    }
}

async fn through_the_program(settings: &Settings) -> anyhow::Result<Burst> {
    let plugins = [("log", settings.guest("log")?), ("noop", settings.guest("noop")?)];
    let daemon = Daemon::start(settings, &plugins, &configuration()).await?;
    let bodies: Vec<Bytes> = (0..ALERTS).step_by(ALERTS_PER_POST).map(post_from).collect();
    let mut client = Client::connect(daemon.address).await?;
    let began = Instant::now();
    for body in bodies {
        let (status, answer) = client.post("/api/v2/alerts", body).await?;
        ensure!(status == 200, "a post was answered {status}: {}", String::from_utf8_lossy(&answer));
    }
    let posts = began.elapsed();
    ensure!(posts < WAIT, "the posts took {} s: the first groups are told before the last alert is there", posts.as_secs_f64());
    tokio::time::sleep(WAIT.saturating_sub(posts)).await;
    // Cheap to ask, but not yet the store.
    while daemon.scrape().await?.notifications() < SERVICES as u64 {
        still_in_time(began, &daemon)?;
        tokio::time::sleep(PAUSE).await;
    }
    while stored_alerts(daemon.address).await? < ALERTS as u64 {
        still_in_time(began, &daemon)?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(Burst { posts, queueing: began.elapsed().saturating_sub(WAIT) })
}

fn still_in_time(began: Instant, daemon: &Daemon) -> anyhow::Result<()> {
    ensure!(began.elapsed() < QUEUED_TIME_MAX, "not all was queued after {} s\n{}", QUEUED_TIME_MAX.as_secs(), daemon.log());
    Ok(())
}

fn configuration() -> String {
    let wait = WAIT.as_secs();
    let sink = "[[sink]]\nname = \"oncall\"\nplugin = \"log\"\n\n";
    let route = format!("[route]\nsinks = [\"oncall\"]\ngroup_by = [\"service\"]\ngroup_wait = \"{wait}s\"\ngroup_interval = \"5m\"\n\n");
    [sink, &route, &checks(1, "noop", "24h", "")].concat()
}

/// The alerts from this number on.
fn post_from(first: usize) -> Bytes {
    let alerts = (first..first + ALERTS_PER_POST).map(|number| {
        let instance = format!("host-{number:05}");
        json!({
            "labels": { "alertname": "Slow", "instance": instance, "service": service(number), "severity": "P2" },
            "annotations": { "summary": format!("{instance} answers in 1000 ms") },
            "generatorURL": "http://prometheus.example/graph",
        })
    });
    Bytes::from(Value::Array(alerts.collect()).to_string())
}

/// Alerts in the notifications that the store has.
async fn stored_alerts(address: SocketAddr) -> anyhow::Result<u64> {
    let (mut alerts, mut cursor) = (0, String::new());
    loop {
        let body = client::get_ok(address, &format!("/api/v1/deliveries?limit=1000{cursor}")).await?;
        let part: Value = serde_json::from_slice(&body).context("the list of deliveries is not JSON")?;
        let items = part["items"].as_array().context("the list of deliveries has no items")?;
        alerts += items.iter().filter_map(|item| item["incidents_count"].as_u64()).sum::<u64>();
        match part["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(alerts),
        }
    }
}
