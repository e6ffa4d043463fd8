//! What every run of a guest in the daemon has in common, whatever it is for: permits, the version that serves, secrets, what is counted, and
//! what it printed.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use sickbay_capabilities::secrets::{OpenError, Placeholders, Template};
use sickbay_capabilities::{Services, Usage};
use sickbay_core::{EndCause, Quota, Shapes};
use sickbay_runtime::RunUsage;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::metrics::plugins::{DropReason, TrapReason};
use crate::plugins::{Loaded, PluginSlot, Registry};

const OUTPUT_LINES_MAX: usize = 100;
const OUTPUT_LINE_BYTES_MAX: usize = 4 << 10;

/// Of the plugin and of the host.
pub(crate) type Permits = (OwnedSemaphorePermit, OwnedSemaphorePermit);

/// The slot of a plugin that a check or a sink names.
pub(crate) fn slot(plugins: &Registry, plugin: &str) -> Result<Arc<PluginSlot>, EndCause> {
    plugins.get(plugin).ok_or_else(|| EndCause::PluginMissing { message: no_plugin(plugin) })
}

/// None where they do not come free in time, which is counted.
pub(crate) async fn permits(slot: &PluginSlot, host: &Arc<Semaphore>, wait_max: Duration) -> Option<Permits> {
    let permits = async { (slot.permits().acquire_owned().await, Arc::clone(host).acquire_owned().await) };
    match tokio::time::timeout(wait_max, permits).await {
        Ok((Ok(plugin), Ok(host))) => Some((plugin, host)),
        _ => {
            slot.counts.overloaded();
            None
        }
    }
}

/// The version that serves now.
pub(crate) fn serving(slot: &PluginSlot) -> Result<Arc<Loaded>, EndCause> {
    slot.current().ok_or_else(|| EndCause::PluginMissing { message: no_version(slot) })
}

/// `config` as a guest is given it, with a placeholder for each secret that it names.
pub(crate) async fn open_config<'text>(
    services: &Services,
    config: &'text str,
    secrets: Option<&Template>,
    deadline: Instant,
) -> Result<(Cow<'text, str>, Placeholders), OpenError> {
    match secrets {
        None => Ok((Cow::Borrowed(config), Placeholders::default())),
        Some(template) => {
            let opened = services.open_secrets(template, deadline).await?;
            Ok((Cow::Owned(opened.config_text), opened.placeholders))
        }
    }
}

/// What a run used, and how the host ended it, where it did.
pub(crate) fn count(slot: &PluginSlot, ended: Option<&EndCause>, usage: &RunUsage, calls: &Usage) {
    let counts = &slot.counts;
    slot.used(usage, calls);
    counts.called(&calls.calls);
    counts.metrics_dropped(DropReason::NotFinite, usage.metrics_dropped.into());
    for (capability, reason) in &calls.denials {
        counts.egress_denied(*capability, *reason);
    }
    let ended_by_log = matches!(ended, Some(EndCause::Quota { quota: Quota::LogBytes, .. }));
    if calls.log_bytes_dropped + usage.output_bytes_dropped > 0 && !ended_by_log {
        counts.quota_exceeded(Quota::LogBytes);
    }
    match ended {
        Some(EndCause::Quota { quota, .. }) => counts.quota_exceeded(*quota),
        Some(EndCause::Trap { .. }) => counts.trap(TrapReason::Trap),
        Some(EndCause::Deadline { .. }) => counts.trap(TrapReason::Deadline),
        Some(EndCause::InvalidReport { .. }) => counts.trap(TrapReason::InvalidReport),
        Some(EndCause::Overloaded { .. }) => counts.overloaded(),
        Some(EndCause::PluginMissing { .. } | EndCause::HostLate { .. }) | None => {}
    }
}

/// Masked as one text: a private key has many lines. `who` is the check, or what else ran.
pub(crate) fn log_output(who: &str, plugin: &str, shapes: &Shapes, output: &str, bytes_dropped: u64) {
    for line in shapes.masked(logged(output)).lines() {
        tracing::info!(target: "plugin", check = who, plugin, "{}", line.escape_debug());
    }
    if bytes_dropped > 0 {
        tracing::warn!(target: "plugin", check = who, plugin, bytes_dropped, "more output than log_bytes was dropped");
    }
}

/// The lines of a guest's output that are logged, each cut.
fn logged(output: &str) -> String {
    let mut logged = String::new();
    for line in output.lines().filter(|line| !line.trim().is_empty()).take(OUTPUT_LINES_MAX) {
        let end = line.floor_char_boundary(OUTPUT_LINE_BYTES_MAX);
        logged.push_str(&line[..end]);
        logged.push_str(if end < line.len() { "…\n" } else { "\n" });
    }
    logged
}

fn no_plugin(name: &str) -> String {
    format!("the plugin `{name}` is not loaded; hint: copy {name}.wasm into the plugin folder")
}

fn no_version(slot: &PluginSlot) -> String {
    match slot.last_error() {
        Some(error) => format!("the plugin `{}` could not be loaded: {}", slot.name, error.message),
        None => no_plugin(&slot.name),
    }
}
