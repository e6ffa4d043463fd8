//! `check.run` of the guest that does nothing, on a fresh instance and on one that is kept: through the whole runtime layer, beside bare
//! wasmtime.
//!
//! How: rounds of runs of the one and the other take turns on one thread, and each run is timed on the wall clock, its store's end
//! included. Medians do not see that the thread was interrupted now and then. Sickbay's side makes what it lends, meters, bounds and
//! validates as the daemon does. The bare side has the same component, engine configuration, pool, typed request and a linker with all
//! of WASI and the contract; its store has an epoch deadline that never comes and what is lent is made once, outside the time.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context, anyhow};
use sickbay_capabilities::Lent;
use sickbay_runtime::bindings::exports::sickbay::plugin::check;
use sickbay_runtime::bindings::sickbay::plugin as contract;
use sickbay_runtime::{Sandbox, SandboxSettings};
use wasmtime::component::{Component, HasData, InstancePre, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::figure::Figure;
use crate::settings::Settings;
use crate::spread::{median, quantile};
use crate::whole::{Asked, Whole};

pub(crate) const NAMES: [&str; 7] =
    ["fresh_noop_ratio", "fresh_noop_p50", "fresh_noop_p99", "warm_noop_p50", "warm_noop_p99", "bare_noop_p50", "bare_noop_p99"];

const RATIO_MAX: f64 = 1.25;
const RUNS_PER_ROUND: usize = 250;
const CHECK: &str = "noop";
const CONFIG: &str = "{}";

pub(crate) async fn measure(settings: &Settings) -> anyhow::Result<Vec<Figure>> {
    let component = settings.guest("noop")?;
    let artifacts = tempfile::Builder::new().prefix("sickbay-bench-").tempdir()?;
    let sandbox_settings = SandboxSettings { artifacts: artifacts.path().join("cache"), worker: settings.program.clone() };
    let sandbox = Sandbox::<Lent>::new(&sandbox_settings).context("the sandbox does not start")?;
    let asked = Asked { check: CHECK, kind: CHECK, config: CONFIG };
    let sickbay = Whole::load(&sandbox, component.clone(), asked).await?;
    let bare = Bare::load(&component, sickbay.lent()).map_err(engine_error)?;
    let Times { fresh: sickbay, warm, bare } = take_turns(settings, &sickbay, bare).await?;

    let rounds = format!("wall clock, {} runs each, in turns of {RUNS_PER_ROUND}", sickbay.len());
    let (whole_p50, bare_p50) = (median(&sickbay), median(&bare));
    Ok(vec![
        Figure::new("fresh_noop_ratio", whole_p50 / bare_p50, "ratio")
            .at_most(RATIO_MAX)
            .beside("bare_noop_p50", bare_p50, "us")
            .with(rounds),
        Figure::new("fresh_noop_p50", whole_p50, "us"),
        Figure::new("fresh_noop_p99", quantile(&sickbay, 0.99), "us"),
        Figure::new("warm_noop_p50", median(&warm), "us"),
        Figure::new("warm_noop_p99", quantile(&warm, 0.99), "us"),
        Figure::new("bare_noop_p50", bare_p50, "us"),
        Figure::new("bare_noop_p99", quantile(&bare, 0.99), "us"),
    ])
}

/// Microseconds of each run: of Sickbay on fresh instances and on one that is kept, and of bare wasmtime.
#[derive(Default)]
struct Times {
    fresh: Vec<f64>,
    warm: Vec<f64>,
    bare: Vec<f64>,
}

async fn take_turns(settings: &Settings, sickbay: &Whole, mut bare: Bare) -> anyhow::Result<Times> {
    let rounds = settings.either(100, 8);
    let mut times = Times::default();
    let mut kept = None;
    // The first rounds fill pools and caches of both.
    for round in 0..rounds + 2 {
        for _ in 0..RUNS_PER_ROUND {
            let began = Instant::now();
            sickbay.run().await?;
            times.fresh.push(microseconds(began));
        }
        for _ in 0..RUNS_PER_ROUND {
            let began = Instant::now();
            kept = sickbay.run_warm(kept).await?;
            times.warm.push(microseconds(began));
        }
        for _ in 0..RUNS_PER_ROUND {
            let began = Instant::now();
            bare.run().await.map_err(engine_error)?;
            times.bare.push(microseconds(began));
        }
        if round == 1 {
            times = Times::default();
        }
    }
    Ok(times)
}

pub(crate) fn microseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e6
}

/// The other side: what an embedder that trusts its guest would write.
pub(crate) struct Bare {
    engine: Engine,
    pre: InstancePre<BareContext>,
    check: check::GuestIndices,
    /// Moved into each store and out of it again.
    lent: Option<Lent>,
}

pub(crate) struct BareContext {
    lent: Lent,
    table: ResourceTable,
    /// Made when the guest first asks, as on the other side: building it would make the bare run dearer.
    wasi: Option<WasiCtx>,
}

impl WasiView for BareContext {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let ctx = self.wasi.get_or_insert_with(|| WasiCtxBuilder::new().build());
        WasiCtxView { ctx, table: &mut self.table }
    }
}

struct Answers;

impl HasData for Answers {
    type Data<'a> = &'a mut Lent;
}

impl Bare {
    pub(crate) fn load(component: &[u8], lent: Lent) -> wasmtime::Result<Bare> {
        let engine = sickbay_runtime::bare::engine()?;
        let component = Component::from_binary(&engine, component)?;
        let pre = linker(&engine)?.instantiate_pre(&component)?;
        let check = check::GuestIndices::new(&pre)?;
        Ok(Bare { engine, pre, check, lent: Some(lent) })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// An instance that is there while its store is.
    pub(crate) async fn instance(&self, lent: Lent) -> wasmtime::Result<Store<BareContext>> {
        let mut store = Store::new(&self.engine, BareContext { lent, table: ResourceTable::new(), wasi: None });
        store.set_epoch_deadline(u64::MAX / 2);
        self.pre.instantiate_async(&mut store).await?;
        Ok(store)
    }

    async fn run(&mut self) -> wasmtime::Result<()> {
        let lent = self.lent.take().ok_or_else(|| wasmtime::Error::msg("the run before did not end well"))?;
        let mut store = Store::new(&self.engine, BareContext { lent, table: ResourceTable::new(), wasi: None });
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = self.pre.instantiate_async(&mut store).await?;
        let guest = self.check.load(&mut store, &instance)?;
        let report = guest.call_run(&mut store, &bare_request()).await?;
        self.lent = Some(store.into_data().lent);
        match black_box(report) {
            Ok(_) => Ok(()),
            Err(failure) => Err(wasmtime::Error::msg(failure.message)),
        }
    }
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<BareContext>> {
    let mut linker = Linker::<BareContext>::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    contract::types::add_to_linker::<_, Answers>(&mut linker, |context| &mut context.lent)?;
    contract::http::add_to_linker::<_, Answers>(&mut linker, |context| &mut context.lent)?;
    contract::postgres::add_to_linker::<_, Answers>(&mut linker, |context| &mut context.lent)?;
    contract::redis::add_to_linker::<_, Answers>(&mut linker, |context| &mut context.lent)?;
    contract::net::add_to_linker::<_, Answers>(&mut linker, |context| &mut context.lent)?;
    contract::secrets::add_to_linker::<_, Answers>(&mut linker, |context| &mut context.lent)?;
    contract::files::add_to_linker::<_, Answers>(&mut linker, |context| &mut context.lent)?;
    contract::system::add_to_linker::<_, Answers>(&mut linker, |context| &mut context.lent)?;
    contract::state::add_to_linker::<_, Answers>(&mut linker, |context| &mut context.lent)?;
    contract::log::add_to_linker::<_, Answers>(&mut linker, |context| &mut context.lent)?;
    Ok(linker)
}

fn bare_request() -> check::Request {
    check::Request {
        check: CHECK.to_owned(),
        kind: CHECK.to_owned(),
        config: CONFIG.to_owned(),
        scheduled_at: 1_700_000_000_000,
        timeout_ms: 10_000,
        attempt: 1,
        target: None,
        labels: Vec::new(),
        previous: None,
        extras: Vec::new(),
    }
}

/// wasmtime's errors are not anyhow's.
pub(crate) fn engine_error(error: wasmtime::Error) -> anyhow::Error {
    anyhow!("wasmtime: {error:#}")
}
