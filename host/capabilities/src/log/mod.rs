//! Log lines of plugins. Every run may write some; there is nothing to grant.
//!
//! They go to the host's own log under the target `plugin`, with the check, the plugin and the run. A line is cut and escaped, so that what
//! a plugin logs (often text of a server that it checks) cannot forge lines, hide text or fill the disk.
//!
//! Limits: see [`crate::meter`] for the bytes of a run, and the constants here for one line.

mod host;
mod policy;

pub use policy::{FIELD_NAME_BYTES_MAX, FIELD_VALUE_BYTES_MAX, FIELDS_MAX, MESSAGE_BYTES_MAX};
