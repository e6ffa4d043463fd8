//! What the pool of instances keeps resident while nothing runs, after many instances were there at once.
//!
//! How: an engine with the program's own pool has so many instances of one component at once, then none. What the engine counts as kept
//! stands beside what the kernel says that this process has grown by.

use anyhow::{Context, ensure};
use sickbay_capabilities::Lent;
use sickbay_runtime::{Sandbox, SandboxSettings};

use crate::figure::Figure;
use crate::fresh::{Bare, engine_error};
use crate::process::own_resident_bytes;
use crate::settings::Settings;
use crate::whole::{Asked, Whole};

pub(crate) const NAMES: [&str; 1] = ["instance_pool_resident"];

/// Runs of a plugin at once, where its configuration says nothing.
const INSTANCES: usize = 64;
const CHECK: &str = "noop";

pub(crate) async fn measure(settings: &Settings) -> anyhow::Result<Vec<Figure>> {
    let component = settings.guest(CHECK)?;
    let artifacts = tempfile::Builder::new().prefix("sickbay-bench-").tempdir()?;
    let sandbox_settings = SandboxSettings { artifacts: artifacts.path().join("cache"), worker: settings.program.clone() };
    let sandbox = Sandbox::<Lent>::new(&sandbox_settings).context("the sandbox does not start")?;
    // Only for what it lends.
    let whole = Whole::load(&sandbox, component.clone(), Asked { check: CHECK, kind: CHECK, config: "{}" }).await?;
    let bare = Bare::load(&component, whole.lent()).map_err(engine_error)?;
    let pool = bare.engine().pooling_allocator_metrics().context("the engine has no pool")?;

    let before = own_resident_bytes()?;
    let mut stores = Vec::with_capacity(INSTANCES);
    for _ in 0..INSTANCES {
        stores.push(bare.instance(whole.lent()).await.map_err(engine_error)?);
    }
    ensure!(pool.component_instances() == INSTANCES as u64, "{} instances are there", pool.component_instances());
    drop(stores);
    let grown = own_resident_bytes()?.saturating_sub(before);
    let stacks = pool.unused_stack_bytes_resident().unwrap_or_default();
    let kept = pool.unused_memory_bytes_resident() + pool.unused_table_bytes_resident() + stacks;
    let conditions = format!("after {INSTANCES} instances of {CHECK} at once: {} memories are kept", pool.unused_warm_memories());
    Ok(vec![
        Figure::new("instance_pool_resident", kept as f64 / 1e6, "MB").beside("process_grown", grown as f64 / 1e6, "MB").with(conditions),
    ])
}
