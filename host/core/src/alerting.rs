//! Alerts: what incidents there are, who is told of them and when, and that whoever was told of a begin is told of the end.
//!
//! One plain state machine, [`Alerting`], is told facts and answers with rows to write. The host writes them in one transaction, with the
//! result that made them, and only then acts: it asks for deliveries that are due, tells that it attempts one, stores the answer, calls the
//! sink, and tells how that ended. After a restart the machine is made of the rows again.
//!
//! - values: `labels` (with the fingerprint), `matcher`, `interval`, `id`
//! - what the operator wrote: `config`, `validate`, `route` (the tree), `silence`
//! - what there is: `incident`, `group`, `ledger` (who was told), `delivery`, `breaker`
//! - what mutes: `inhibit`, `maintenance`
//! - the machine: `fact` in, `changes` out, `agenda`, `engine`
//!
//! Invariant: no I/O and no clock, as in all of this crate; ids and jitter come from a seed.

mod agenda;
mod breaker;
mod changes;
mod config;
mod delivery;
mod engine;
mod fact;
mod group;
mod id;
mod incident;
mod inhibit;
mod interval;
mod labels;
mod ledger;
mod maintenance;
mod matcher;
mod route;
mod silence;
mod validate;

#[cfg(test)]
mod memory;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod timeline;

pub use breaker::{FAILURES_MAX, HOLD_FIRST, HOLD_MAX, Hold, HoldReason, SinkRow};
pub use changes::{Changes, CheckRow, Removed, Rows};
pub use config::{
    ATTEMPT_TIMEOUTS_MAX, AlertingConfig, GIVE_UP_AFTER, GROUP_INTERVAL, GROUP_WAIT, GroupBy, InhibitRule, MaintenanceTime,
    MaintenanceWindow, POSTED_BYTES_MAX, REPEAT_INTERVAL, RESOLVE_TIMEOUT, RouteConfig, Rung, SINK_TIMEOUT, SinkConfig, SinkName, Timing,
};
pub use delivery::{
    ALERTS_MAX, Abandoned, Alert, BACKOFF_FIRST, BACKOFF_MAX, Cause, Change, Cover, Delivery, DeliveryState, LEASE_MARGIN, Outcome,
    RETRY_AFTER_MAX,
};
pub use engine::{Alerting, CLOCK_STEP_MAX, DUE_PER_TICK_MAX, Explanation, NextStep, POSTED_MAX, RouteTaken, ToldTo};
pub use fact::{CheckIdentity, Fact, Flap, PostedAlert, UNKNOWN_ALERTNAME};
pub use group::{GroupKey, GroupRow};
pub use id::{Chance, DeliveryId, IdError, IncidentId, SilenceId};
pub use incident::{
    Ack, AlertKind, EventKind, Findings, Incident, IncidentEvent, Membership, Mute, NOTE_BYTES_MAX, Phase, Resolution, Severity, Source,
};
pub use interval::{ENTRIES_MAX, IntervalError, LOOK_AHEAD, NamedInterval, TimeInterval, TimeIntervalText, TimesText};
pub use labels::{Fingerprint, LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_MAX, LabelError, LabelSet};
pub use ledger::{LedgerEntry, Reminder, Standing, Told};
pub use matcher::{MATCHER_BYTES_MAX, MATCHERS_MAX, Matcher, MatcherError, Operation, PATTERN_BYTES_MAX, Subject};
pub use route::{Route, RouteTree};
pub use silence::{SILENCE_AHEAD_MAX, SILENCE_TEXT_BYTES_MAX, SILENCES_MAX, Silence, SilenceDraft};
pub use validate::{ConfigProblem, ROUTE_DEPTH_MAX, ROUTES_MAX, RULES_MAX, RUNGS_MAX, SINKS_MAX};
