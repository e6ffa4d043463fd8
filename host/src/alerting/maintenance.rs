//! Maintenance windows that people make by the API, beside those of the configuration.
//!
//! The machine knows them as part of its configuration ([`Alerts::with_windows`]), so they mute as those of the configuration do. They are made and
//! removed in the order of the queue. One that is over stays until the next is made.
//!
//! Limits: [`WINDOWS_MAX`].

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sickbay_core::alerting::{AlertingConfig, MaintenanceTime, MaintenanceWindow, Matcher};
use sickbay_core::{Cron, Timestamp, Zone};
use sickbay_store::{Change, Document, Kind, QueueError, Store, StoreError};
use tokio::sync::oneshot;

use super::{Alerts, rows};

pub(crate) const WINDOWS_MAX: usize = 1_000;

/// A window as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WindowRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) matchers: Vec<String>,
    pub(crate) when: WhenRow,
    pub(crate) created_by: String,
    pub(crate) created_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WhenRow {
    Once { starts_at: Timestamp, ends_at: Timestamp },
    Cron { cron: String, timezone: String, duration_seconds: u64 },
}

impl WindowRow {
    /// What it means; or why it is none.
    pub(crate) fn window(&self) -> Result<MaintenanceWindow, String> {
        let matcher = |text: &String| Matcher::parse(text).map_err(|error| format!("`{text}` is no matcher: {error}"));
        let matchers = self.matchers.iter().map(matcher).collect::<Result<Vec<Matcher>, String>>()?;
        let when = match &self.when {
            WhenRow::Once { starts_at, ends_at } if ends_at <= starts_at => return Err("it ends before it begins".to_owned()),
            WhenRow::Once { starts_at, ends_at } => MaintenanceTime::Once { starts_at: *starts_at, ends_at: *ends_at },
            WhenRow::Cron { cron, timezone, duration_seconds } => {
                let zone = Zone::named(timezone).ok_or_else(|| format!("`{timezone}` is no time zone"))?;
                let cron = Cron::parse(cron, zone).map_err(|error| format!("`cron` cannot be used: {}", error.reason))?;
                MaintenanceTime::Cron { cron: Arc::new(cron), duration: Duration::from_secs(*duration_seconds) }
            }
        };
        Ok(MaintenanceWindow { name: Arc::from(self.name.as_str()), matchers, when })
    }

    fn is_over(&self, now: Timestamp) -> bool {
        matches!(self.when, WhenRow::Once { ends_at, .. } if ends_at <= now)
    }

    fn document(&self) -> Document {
        // Texts and numbers always serialise.
        let body = serde_json::to_string(self).unwrap_or_default();
        Document { kind: Kind::Maintenance, id: self.id.clone(), parent: String::new(), at: self.created_at, open: true, body }
    }
}

/// One that mutes, and how it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MadeWindow {
    pub(crate) row: WindowRow,
    pub(crate) window: MaintenanceWindow,
}

/// Those of the store.
pub(super) async fn read(store: &dyn Store) -> Result<Vec<MadeWindow>, StoreError> {
    let stored: Vec<WindowRow> = rows::open(store, Kind::Maintenance).await?;
    let made = stored.into_iter().filter_map(|row| match row.window() {
        Ok(window) => Some(MadeWindow { row, window }),
        Err(reason) => {
            tracing::error!(id = row.id, reason, "a maintenance window cannot be used and is left out");
            None
        }
    });
    Ok(made.collect())
}

/// What the configuration says, and what people made.
pub(super) fn merged(config: Arc<AlertingConfig>, windows: &[MadeWindow]) -> Arc<AlertingConfig> {
    if windows.is_empty() {
        return config;
    }
    let mut merged = AlertingConfig::clone(&config);
    merged.maintenance.extend(windows.iter().map(|made| made.window.clone()));
    Arc::new(merged)
}

impl Alerts {
    /// In the order in which they were made.
    pub(crate) fn windows(&self) -> Arc<Vec<MadeWindow>> {
        self.shared.windows.load_full()
    }

    pub(crate) fn with_windows(&self, config: Arc<AlertingConfig>) -> Arc<AlertingConfig> {
        merged(config, &self.windows())
    }

    /// Keeps one, where there is room; returns when that is on the disk. The machine hears of it with its next configuration.
    pub(crate) async fn add_window(&self, made: MadeWindow, now: Timestamp) -> Result<bool, QueueError> {
        let change = move |windows: &mut Vec<MadeWindow>| {
            let mut changes = Vec::new();
            windows.retain(|known| {
                let is_over = known.row.is_over(now);
                changes.extend(is_over.then(|| Change::Remove(Kind::Maintenance, known.row.id.clone())));
                !is_over
            });
            let has_room = windows.len() < WINDOWS_MAX;
            if has_room {
                changes.push(Change::Put(made.row.document()));
                windows.push(made);
            }
            (has_room, changes)
        };
        self.change_windows(change).await
    }

    /// Whether it was there.
    pub(crate) async fn remove_window(&self, id: String) -> Result<bool, QueueError> {
        let change = move |windows: &mut Vec<MadeWindow>| {
            let before = windows.len();
            windows.retain(|known| known.row.id != id);
            (windows.len() < before, vec![Change::Remove(Kind::Maintenance, id)])
        };
        self.change_windows(change).await
    }

    async fn change_windows(
        &self,
        change: impl FnOnce(&mut Vec<MadeWindow>) -> (bool, Vec<Change>) + Send + 'static,
    ) -> Result<bool, QueueError> {
        let shared = Arc::clone(&self.shared);
        let (sender, answer) = oneshot::channel();
        let decide = move || {
            // One at a time, in the order of the queue.
            let mut windows = shared.windows.load().to_vec();
            let (outcome, changes) = change(&mut windows);
            shared.windows.store(Arc::new(windows));
            // Whoever asked may have stopped waiting.
            let _ = sender.send(outcome);
            changes
        };
        self.queue.decide(decide).await?;
        answer.await.map_err(|_| QueueError::Stopped)
    }
}
