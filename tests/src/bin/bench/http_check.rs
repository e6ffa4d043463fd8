//! An HTTP check of a loopback server end to end, beside what others spend on the same request to the same server: blackbox_exporter for
//! a probe, monitoring-plugins' `check_http` for a process of its own, and bare hyper as what cannot be less.
//!
//! How: processor time only, of everything a process does in its window, idle time included. The server is in a process of its own and
//! counts for nobody. `check_http` has its own time and what the starting and the collecting of a process costs the one that starts it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::client::{self, Client};
use crate::daemon::{Daemon, checks, free_address};
use crate::figure::Figure;
use crate::process::{Running, ended_children_cpu, thread_cpu};
use crate::scheduled;
use crate::scrape::Scrape;
use crate::settings::Settings;
use crate::target::Target;

pub(crate) const NAMES: [&str; 4] = ["http_check_cpu", "http_check_to_blackbox", "http_check_to_check_http", "bare_hyper_cpu"];

const TO_BLACKBOX_MAX: f64 = 1.0 / 6.0;
const TO_CHECK_HTTP_MAX: f64 = 1.0 / 20.0;
const BLACKBOX: [&str; 2] = ["prometheus-blackbox-exporter", "blackbox_exporter"];
const CHECK_HTTP: [&str; 2] = ["/usr/lib/nagios/plugins/check_http", "/usr/lib64/nagios/plugins/check_http"];
const BLACKBOX_CONFIGURATION: &str =
    "modules:\n  http_2xx:\n    prober: http\n    timeout: 5s\n    http:\n      preferred_ip_protocol: ip4\n";
const START_TIME_MAX: Duration = Duration::from_secs(20);

pub(crate) async fn measure(settings: &Settings) -> anyhow::Result<Vec<Figure>> {
    let target = Target::start()?;
    let (sickbay_us, conditions) = sickbay(settings, target.address).await?;
    eprintln!("bench: the same with blackbox_exporter, check_http and hyper");
    let blackbox = match program(&BLACKBOX) {
        Some(program) => {
            let blackbox_us = blackbox(settings, &program, target.address).await?;
            Figure::new("http_check_to_blackbox", sickbay_us / blackbox_us, "ratio").beside("blackbox_probe_cpu", blackbox_us, "us")
        }
        None => Figure::missing("http_check_to_blackbox", "ratio", "not installed; hint: apt-get install prometheus-blackbox-exporter"),
    };
    let check_http = match program(&CHECK_HTTP) {
        Some(program) => {
            let check_http_us = check_http(settings, &program, target.address)?;
            Figure::new("http_check_to_check_http", sickbay_us / check_http_us, "ratio").beside("check_http_cpu", check_http_us, "us")
        }
        None => Figure::missing("http_check_to_check_http", "ratio", "not installed; hint: apt-get install monitoring-plugins-basic"),
    };
    let hyper_us = hyper(settings, target.address).await?;
    Ok(vec![
        Figure::new("http_check_cpu", sickbay_us, "us").with(conditions),
        blackbox.at_most(TO_BLACKBOX_MAX),
        check_http.at_most(TO_CHECK_HTTP_MAX),
        Figure::new("bare_hyper_cpu", hyper_us, "us").with("a new connection for each request, on one thread"),
    ])
}

/// The daemon's time for each run of the HTTP plugin.
async fn sickbay(settings: &Settings, target: SocketAddr) -> anyhow::Result<(f64, String)> {
    let count = settings.either(2000, 200);
    let window = settings.seconds(20, 5);
    let check = format!("kind = \"http\"\nconfig = {{ url = \"http://{target}/\" }}\ngrants = {{ http = [\"GET http://{target}/\"] }}\n");
    let daemon = Daemon::start(settings, &[("http", settings.guest("http")?)], &checks(count, "http", "1s", &check)).await?;
    let all_ran = |scrape: &Scrape| scrape.runs().ok >= count as u64;
    daemon.scrape_until(START_TIME_MAX, all_ran).await?;
    tokio::time::sleep(settings.seconds(3, 1)).await;
    let used = scheduled::watch(&daemon, window).await?;
    ensure!(used.runs.ok > 0, "no check ran");
    ensure!(used.runs.skipped == 0, "{} runs were skipped", used.runs.skipped);
    Ok((used.cpu_us_per_run(), format!("{} runs of {count} checks every 1 s in {} s", used.runs.ok, window.as_secs())))
}

/// blackbox_exporter's time for each probe, asked for as Prometheus does: over one connection.
async fn blackbox(settings: &Settings, program: &Path, target: SocketAddr) -> anyhow::Result<f64> {
    let folder = tempfile::Builder::new().prefix("sickbay-bench-").tempdir()?;
    let configuration = folder.path().join("blackbox.yml");
    std::fs::write(&configuration, BLACKBOX_CONFIGURATION)?;
    let address = free_address()?;
    let mut process = Running::start(
        Command::new(program)
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    )?;
    let began = Instant::now();
    while !matches!(client::get(address, "/-/healthy").await, Ok((200, _))) {
        process.still_runs().context("blackbox_exporter does not start")?;
        ensure!(began.elapsed() < START_TIME_MAX, "blackbox_exporter is not ready after {} s", START_TIME_MAX.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let path = format!("/probe?module=http_2xx&target=http://{target}/");
    let mut client = Client::connect(address).await?;
    probe(&mut client, &path, settings.either(200, 20)).await?;
    let probes = settings.either(3000, 300);
    let before = process.cpu()?;
    probe(&mut client, &path, probes).await?;
    Ok((process.cpu()? - before).as_secs_f64() * 1e6 / f64::from(probes))
}

async fn probe(client: &mut Client, path: &str, probes: u32) -> anyhow::Result<()> {
    for _ in 0..probes {
        let (status, body) = client.get(path).await?;
        let succeeded = String::from_utf8_lossy(&body).lines().any(|line| line == "probe_success 1");
        ensure!(status == 200 && succeeded, "a probe of blackbox_exporter failed with {status}");
    }
    Ok(())
}

/// The time for each `check_http` in a process of its own, together with what starting it costs.
fn check_http(settings: &Settings, program: &Path, target: SocketAddr) -> anyhow::Result<f64> {
    start_and_wait(program, target, settings.either(20, 5))?;
    let runs = settings.either(500, 50);
    let (children_before, own_before) = (ended_children_cpu()?, thread_cpu());
    start_and_wait(program, target, runs)?;
    let children = ended_children_cpu()? - children_before;
    let own = thread_cpu() - own_before;
    Ok((children + own).as_secs_f64() * 1e6 / f64::from(runs))
}

fn start_and_wait(program: &Path, target: SocketAddr, runs: u32) -> anyhow::Result<()> {
    let mut command = Command::new(program);
    command.args(["-I", &target.ip().to_string(), "-p", &target.port().to_string(), "-u", "/"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    for _ in 0..runs {
        let status = command.status().with_context(|| format!("cannot start {}", program.display()))?;
        ensure!(status.success(), "check_http ended with {status}");
    }
    Ok(())
}

/// The least that an exchange on a new connection costs in this process.
async fn hyper(settings: &Settings, target: SocketAddr) -> anyhow::Result<f64> {
    request(target, settings.either(200, 20)).await?;
    let requests = settings.either(10_000, 500);
    let before = thread_cpu();
    request(target, requests).await?;
    Ok((thread_cpu() - before).as_secs_f64() * 1e6 / f64::from(requests))
}

async fn request(target: SocketAddr, requests: u32) -> anyhow::Result<()> {
    for _ in 0..requests {
        client::get_ok(target, "/").await?;
    }
    Ok(())
}

/// The first of `names` that is there: a path as it is, a name on the path for programs.
fn program(names: &[&str]) -> Option<PathBuf> {
    let folders: Vec<PathBuf> = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let mut candidates = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    // Joined to a folder, an absolute path stays what it is.
    candidates.find(|candidate| candidate.is_file())
}
