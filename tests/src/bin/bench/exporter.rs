//! An exporter as others run it: a process that stays up and works when it is scraped.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::client::{self, Client};
use crate::process::Running;
use crate::settings::Settings;

const START_TIME_MAX: Duration = Duration::from_secs(20);

/// How one is asked.
pub(crate) struct Exporter {
    pub(crate) address: SocketAddr,
    /// Answers 200 as soon as the exporter takes requests.
    pub(crate) ready: &'static str,
    /// What each scrape asks for.
    pub(crate) path: String,
    /// In a good answer a line begins with each of these.
    pub(crate) lines: &'static [&'static str],
}

impl Exporter {
    /// Starts it; gives microseconds of its processor time for each scrape, asked for as Prometheus does: over one connection.
    pub(crate) async fn cpu_us_per_scrape(&self, settings: &Settings, command: &mut Command) -> anyhow::Result<f64> {
        let mut process = Running::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))?;
        self.up(&mut process).await.with_context(|| format!("{} does not start", command.get_program().display()))?;
        let mut client = Client::connect(self.address).await?;
        self.scrape(&mut client, settings.either(200, 20)).await?;
        let scrapes = settings.either(3000, 300);
        let before = process.cpu()?;
        self.scrape(&mut client, scrapes).await?;
        Ok((process.cpu()? - before).as_secs_f64() * 1e6 / f64::from(scrapes))
    }

    async fn up(&self, process: &mut Running) -> anyhow::Result<()> {
        let began = Instant::now();
        while !matches!(client::get(self.address, self.ready).await, Ok((200, _))) {
            process.still_runs()?;
            ensure!(began.elapsed() < START_TIME_MAX, "it is not ready after {} s", START_TIME_MAX.as_secs());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    async fn scrape(&self, client: &mut Client, times: u32) -> anyhow::Result<()> {
        for _ in 0..times {
            let (status, body) = client.get(&self.path).await?;
            let text = String::from_utf8_lossy(&body);
            ensure!(status == 200, "GET {} answered {status}: {}", self.path, text.chars().take(300).collect::<String>());
            let missing = self.lines.iter().find(|beginning| !text.lines().any(|line| line.starts_with(**beginning)));
            ensure!(missing.is_none(), "GET {} answered without {missing:?}", self.path);
        }
        Ok(())
    }
}
