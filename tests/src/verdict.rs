//! What a run must come to, and the round that a kind is put through: it is ok, it breaks, it is mended, it is ok.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinSet;

use crate::wait::{PATIENCE, PAUSE};
use crate::{Client, Sickbay};

/// What a run must come to.
#[derive(Clone, Copy, Debug)]
pub struct Verdict<'t> {
    status: &'t str,
    failure: Option<&'t str>,
    /// What the summary or the reason must tell.
    tells: &'t [&'t str],
}

pub const OK: Verdict<'static> = Verdict { status: "ok", failure: None, tells: &[] };

impl<'t> Verdict<'t> {
    pub const fn ok(tells: &'t [&'t str]) -> Verdict<'t> {
        Verdict { status: "ok", failure: None, tells }
    }

    pub const fn warning(failure: &'t str, tells: &'t [&'t str]) -> Verdict<'t> {
        Verdict { status: "warning", failure: Some(failure), tells }
    }

    pub const fn critical(failure: &'t str, tells: &'t [&'t str]) -> Verdict<'t> {
        Verdict { status: "critical", failure: Some(failure), tells }
    }

    pub const fn unknown(tells: &'t [&'t str]) -> Verdict<'t> {
        Verdict { status: "unknown", failure: None, tells }
    }

    fn is_of(&self, run: &Value) -> bool {
        let told = ["summary", "reason_detail"].map(|key| run[key].as_str().unwrap_or_default()).join("\n");
        run["status"] == self.status && run["failure"].as_str() == self.failure && self.tells.iter().all(|part| told.contains(*part))
    }
}

/// What happens to the thing that a check looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Break,
    Mend,
}

impl Sickbay {
    /// Runs a check until it comes to `verdict`; gives that run.
    pub async fn comes_to(&self, check: &str, verdict: Verdict<'_>) -> Value {
        comes_to(self.client(), PATIENCE, check, verdict).await
    }

    /// As [`Sickbay::comes_to`], for what others of this machine may hold up for long.
    pub async fn comes_to_within(&self, patience: Duration, check: &str, verdict: Verdict<'_>) -> Value {
        comes_to(self.client(), patience, check, verdict).await
    }

    /// As [`Sickbay::comes_to`], all of them at once.
    pub async fn all_come_to(&self, checks: &[&str], verdict: Verdict<'static>) {
        let client = self.client();
        let mut runs = JoinSet::new();
        for check in checks {
            let check = (*check).to_owned();
            runs.spawn(async move { comes_to(client, PATIENCE, &check, verdict).await });
        }
        while let Some(run) = runs.join_next().await {
            run.expect("the verdict");
        }
    }

    /// A whole round: ok, then `broken`, then ok.
    pub async fn breaks_and_mends(&self, check: &str, broken: Verdict<'_>, mut turn: impl FnMut(Turn)) {
        self.comes_to(check, OK).await;
        turn(Turn::Break);
        self.comes_to(check, broken).await;
        turn(Turn::Mend);
        self.comes_to(check, OK).await;
    }
}

async fn comes_to(client: Client, patience: Duration, check: &str, verdict: Verdict<'_>) -> Value {
    let began = Instant::now();
    loop {
        let run = client.run_now(check).await;
        if verdict.is_of(&run) {
            return run;
        }
        assert!(began.elapsed() < patience, "after {} s `{check}` is still not {verdict:?}: {run}", patience.as_secs());
        tokio::time::sleep(PAUSE).await;
    }
}
