//! An HTTP check of a loopback server end to end, beside what others spend on the same request to the same server: blackbox_exporter for
//! a probe, monitoring-plugins' `check_http` for a process of its own, and bare hyper as what cannot be less.
//!
//! How: processor time only, of everything a process does in its window, idle time included. The server is in a process of its own and
//! counts for nobody. `check_http` has its own time and what the starting and the collecting of a process costs the one that starts it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::client;
use crate::daemon::{Daemon, checks, free_address};
use crate::exporter::Exporter;
use crate::figure::Figure;
use crate::process::{cpu_us_per_start, program, thread_cpu};
use crate::scheduled;
use crate::settings::Settings;
use crate::target::Target;

pub(crate) const NAMES: [&str; 4] = ["http_check_cpu", "http_check_to_blackbox", "http_check_to_check_http", "bare_hyper_cpu"];

const TO_BLACKBOX_MAX: f64 = 1.0 / 6.0;
const TO_CHECK_HTTP_MAX: f64 = 1.0 / 20.0;
const BLACKBOX: [&str; 2] = ["prometheus-blackbox-exporter", "blackbox_exporter"];
const CHECK_HTTP: [&str; 2] = ["/usr/lib/nagios/plugins/check_http", "/usr/lib64/nagios/plugins/check_http"];
const BLACKBOX_CONFIGURATION: &str =
    "modules:\n  http_2xx:\n    prober: http\n    timeout: 5s\n    http:\n      preferred_ip_protocol: ip4\n";

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
    let used = scheduled::watch_settled(settings, &daemon, count, window).await?.complete()?;
    Ok((used.cpu_us_per_run(), format!("{} runs of {count} checks every 1 s in {} s", used.runs.ok, window.as_secs())))
}

/// blackbox_exporter's time for each probe.
async fn blackbox(settings: &Settings, program: &Path, target: SocketAddr) -> anyhow::Result<f64> {
    let folder = tempfile::Builder::new().prefix("sickbay-bench-").tempdir()?;
    let configuration = folder.path().join("blackbox.yml");
    std::fs::write(&configuration, BLACKBOX_CONFIGURATION)?;
    let address = free_address()?;
    let mut command = Command::new(program);
    command.arg(format!("--config.file={}", configuration.display())).arg(format!("--web.listen-address={address}"));
    command.arg("--log.level=error");
    let path = format!("/probe?module=http_2xx&target=http://{target}/");
    Exporter { address, ready: "/-/healthy", path, lines: &["probe_success 1"] }.cpu_us_per_scrape(settings, &mut command).await
}

/// The time for each `check_http` in a process of its own.
fn check_http(settings: &Settings, program: &Path, target: SocketAddr) -> anyhow::Result<f64> {
    let mut command = Command::new(program);
    command.args(["-I", &target.ip().to_string(), "-p", &target.port().to_string(), "-u", "/"]);
    cpu_us_per_start(&mut command, settings.either(500, 50))
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
