//! Runs of one guest through the whole runtime layer: what is lent, meters, bounds and validation are as the daemon has them.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use sickbay_capabilities::{Grants, Lent, RunScope, ServiceSettings, Services};
use sickbay_core::{Finding, Timestamp};
use sickbay_runtime::{CheckRequest, Limits, Plugin, RunOutcome, Sandbox, WarmInstance};

const TIMEOUT: Duration = Duration::from_secs(10);

/// What every run is asked.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) check: &'static str,
    pub(crate) kind: &'static str,
    /// JSON.
    pub(crate) config: &'static str,
}

/// A plugin with what is lent to its runs.
pub(crate) struct Whole {
    plugin: Plugin<Lent>,
    services: Arc<Services>,
    grants: Arc<Grants>,
    limits: Limits,
    check: Arc<str>,
    asked: Asked,
}

impl Whole {
    pub(crate) async fn load(sandbox: &Sandbox<Lent>, component: Vec<u8>, asked: Asked) -> anyhow::Result<Whole> {
        let services = Services::new(&ServiceSettings::default()).context("the capabilities cannot be set up")?;
        let (grants, limits, check) = (Arc::new(Grants::default()), Limits::default(), Arc::from(asked.check));
        let nothing = lent(&services, &grants, &limits, &check);
        let plugin = sandbox.load(asked.check, component, nothing).await.map_err(|error| anyhow!("the guest is refused: {error}"))?;
        Ok(Whole { plugin, services, grants, limits, check, asked })
    }

    pub(crate) fn plugin(&self) -> &Plugin<Lent> {
        &self.plugin
    }

    pub(crate) fn lent(&self) -> Lent {
        lent(&self.services, &self.grants, &self.limits, &self.check)
    }

    /// On a fresh instance.
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        reported(self.plugin.check(&self.request(), self.lent(), &self.limits, TIMEOUT).await)
    }

    /// On the instance that the run before left.
    pub(crate) async fn run_warm(&self, kept: Option<WarmInstance<Lent>>) -> anyhow::Result<Option<WarmInstance<Lent>>> {
        let (outcome, kept) = self.plugin.check_warm(kept, &self.request(), self.lent(), &self.limits, TIMEOUT).await;
        reported(outcome)?;
        if kept.is_none() {
            bail!("the instance was not kept");
        }
        Ok(kept)
    }

    fn request(&self) -> CheckRequest<'static> {
        CheckRequest {
            check: self.asked.check,
            target: None,
            kind: self.asked.kind,
            config: self.asked.config,
            scheduled_at: Timestamp(1_700_000_000_000),
            attempt: 1,
            labels: &[],
            previous: None,
        }
    }
}

fn reported(outcome: RunOutcome<Lent>) -> anyhow::Result<()> {
    black_box(outcome.lent.finish());
    match black_box(outcome.finding) {
        Finding::Report(_) => Ok(()),
        other => bail!("the guest did not report: {other:?}"),
    }
}

fn lent(services: &Arc<Services>, grants: &Arc<Grants>, limits: &Limits, check: &Arc<str>) -> Lent {
    let scope = RunScope {
        check: Arc::clone(check),
        plugin: Arc::clone(check),
        run_id: 1,
        deadline: tokio::time::Instant::now() + TIMEOUT,
        state: Arc::default(),
    };
    Lent::new(services, grants, limits, scope)
}
