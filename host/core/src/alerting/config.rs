//! What the operator wrote about alerts, as plain values: sinks, the tree of routes, inhibition, intervals, maintenance, timing.
//!
//! The host reads it from files; `validate` judges what needs no place in a file.
//!
//! Invariant: nothing here changes while Sickbay runs; a new configuration is a new value.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::delivery::LEASE_MARGIN;
use super::interval::{NamedInterval, TimeInterval};
use super::matcher::Matcher;
use crate::{Cron, Timestamp};

pub const GROUP_WAIT: Duration = Duration::from_secs(30);
pub const GROUP_INTERVAL: Duration = Duration::from_secs(5 * 60);
pub const REPEAT_INTERVAL: Duration = Duration::from_secs(4 * 3600);
pub const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5 * 60);
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 3600);
pub const SINK_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest attempt, in timeouts of its sink: it waits for its turn, then secrets are fetched, then the sink is asked.
pub const ATTEMPT_TIMEOUTS_MAX: u32 = 3;

/// The name of a sink in the configuration.
pub type SinkName = Arc<str>;

/// The most that [`AlertingConfig::posted_bytes_max`] may be: what is posted is held in memory, and several times in the store.
pub const POSTED_BYTES_MAX: usize = 64 << 20;

#[derive(Clone, Debug, PartialEq)]
pub struct AlertingConfig {
    pub sinks: Vec<SinkConfig>,
    pub route: RouteConfig,
    /// For checks that nobody can judge; what it does not say is the root's.
    pub unknown: RouteConfig,
    pub inhibit: Vec<InhibitRule>,
    pub intervals: Vec<NamedInterval>,
    pub maintenance: Vec<MaintenanceWindow>,
    /// After so long without a post an alert that was posted without an end is resolved.
    pub resolve_timeout: Duration,
    /// After so long a notification is given up.
    pub give_up_after: Duration,
    /// Labels, annotations and links of all posted alerts that are open, in bytes.
    pub posted_bytes_max: usize,
}

impl Default for AlertingConfig {
    /// Incidents, and nobody who is told.
    fn default() -> AlertingConfig {
        AlertingConfig {
            sinks: Vec::new(),
            route: RouteConfig::default(),
            unknown: RouteConfig::default(),
            inhibit: Vec::new(),
            intervals: Vec::new(),
            maintenance: Vec::new(),
            resolve_timeout: RESOLVE_TIMEOUT,
            give_up_after: GIVE_UP_AFTER,
            posted_bytes_max: POSTED_BYTES_MAX,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkConfig {
    pub name: SinkName,
    /// The longest that the sink is asked for.
    pub timeout: Duration,
    /// Whether it is told that a person has taken an incident, beside begin and end.
    pub tells_acknowledgements: bool,
    /// Another number where anything of the sink was written otherwise: it may be mended by that.
    pub revision: u64,
}

impl SinkConfig {
    pub fn named(name: impl Into<SinkName>) -> SinkConfig {
        SinkConfig { name: name.into(), timeout: SINK_TIMEOUT, tells_acknowledgements: false, revision: 0 }
    }

    /// An attempt of which nothing was heard for so long is taken for lost.
    pub fn lease(&self) -> Duration {
        self.timeout.saturating_mul(ATTEMPT_TIMEOUTS_MAX).saturating_add(LEASE_MARGIN)
    }
}

/// One node of the tree as it is written: what is left out is the parent's, except matchers and times.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteConfig {
    pub matchers: Vec<Matcher>,
    /// Whether the next siblings are asked too where this one matches.
    pub continues: bool,
    pub sinks: Option<Vec<SinkName>>,
    pub group_by: Option<GroupBy>,
    pub group_wait: Option<Duration>,
    pub group_interval: Option<Duration>,
    pub repeat_interval: Option<Duration>,
    pub escalate: Option<Vec<Rung>>,
    pub mute_times: Vec<Arc<str>>,
    pub active_times: Vec<Arc<str>>,
    pub routes: Vec<RouteConfig>,
}

/// Which alerts of a route are told together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// Those with the same values of these labels.
    Labels(Vec<String>),
    /// Each alone: `["..."]`.
    All,
}

/// One rung of an escalation ladder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// Since the incident was first to be told.
    pub after: Duration,
    pub sinks: Vec<SinkName>,
}

/// When a group is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// From a change until it is told, so that what belongs together comes together.
    pub group_wait: Duration,
    /// From one telling to the next.
    pub group_interval: Duration,
    /// Until what was told is told again while nothing changes.
    pub repeat_interval: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing { group_wait: GROUP_WAIT, group_interval: GROUP_INTERVAL, repeat_interval: REPEAT_INTERVAL }
    }
}

/// While an alert that matches `source` fires, those that match `target` are not told, where both have the same values of `equal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InhibitRule {
    pub source: Vec<Matcher>,
    pub target: Vec<Matcher>,
    pub equal: Vec<String>,
}

/// While it is on, incidents that match are not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaintenanceWindow {
    pub name: Arc<str>,
    /// All of them; none means every incident.
    pub matchers: Vec<Matcher>,
    pub when: MaintenanceTime,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MaintenanceTime {
    /// `ends_at` does not belong to it.
    Once {
        starts_at: Timestamp,
        ends_at: Timestamp,
    },
    Recurring(Vec<TimeInterval>),
    /// From each time of `cron` on, for so long.
    Cron {
        cron: Arc<Cron>,
        duration: Duration,
    },
}
