//! Telling: what is to be told on its way to the sinks of the configuration.
//!
//! Who is who: a [`SinkRunner`] has the plugin of a sink make one [`Attempt`] to deliver a notification; an [`Outcome`] is how it ended.

mod outcome;
mod sink;

pub use outcome::Outcome;
pub use sink::{Attempt, DELIVERIES_MAX, SinkRunner};
