//! Decisions of Sickbay: when a check is due, what a result means, what state a check is in.
//!
//! Invariant: this crate performs no I/O. It knows no clock (`now` is an argument), no runtime, no database and no sandbox,
//! so the same inputs give the same answers in a test, in a simulation and in the daemon.
//!
//! Every decision carries a [`Reason`] with a name: it is stored with the result and shown by the API, and it is the answer to "why".

pub mod alerting;
pub mod composite;
pub mod condition;
pub mod cron;
pub mod dependency;
pub mod flapping;
pub mod judge;
pub mod lateness;
pub mod masking;
pub mod push;
pub mod reason;
pub mod report;
pub mod schedule;
pub mod slo;
pub mod state;
pub mod status;
mod text;
pub mod time;
pub mod window;

pub use condition::{CONDITION_BYTES_MAX, Condition, ConditionError, Explanation, ReportView};
pub use cron::{Cron, CronError, Gap, Zone};
pub use dependency::{Dependencies, DependencyError, Reach, Requirement};
pub use flapping::{FlapBegin, FlapChange, FlapThresholds, Flapping};
pub use judge::{Holding, Judged, Judgement, Lasting, Past, Rule, judge};
pub use masking::Shapes;
pub use reason::Reason;
pub use report::{EndCause, Evidence, Failure, Finding, Label, Metric, MetricKind, Quota, Report};
pub use schedule::Schedule;
pub use state::{CheckState, Decision, Policy, Transition};
pub use status::{StateKind, Status};
pub use time::Timestamp;
pub use window::{WindowCall, Windows};
