//! Small values that a check keeps between runs. Every check has them; there is nothing to grant.
//!
//! `policy.rs` holds the bounds, `host.rs` the contract. What a run changes is written with its result, by whoever ends the run.

mod host;
mod policy;

pub(crate) use policy::Values;
pub use policy::{KEY_BYTES_MAX, KEYS_MAX, TOTAL_BYTES_MAX};
