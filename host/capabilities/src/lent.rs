//! What is lent to one run.
//!
//! Making one costs next to nothing: what is shared is shared by reference, what may grow starts empty.

use std::collections::BTreeMap;
use std::sync::Arc;

use sickbay_core::Quota;
use sickbay_runtime::Limits;
use tokio::time::Instant;

use crate::contract::types;
use crate::denial::{Capability, Denial, DenialReason};
use crate::grants::Grants;
use crate::meter::Meter;
use crate::services::Services;
use crate::state::Values;

/// Denials kept of one run: more are as good as none, since a run has few host calls.
const DENIALS_MAX: usize = 1024;

/// The run that something is lent to.
#[derive(Clone, Debug)]
pub struct RunScope {
    pub check: Arc<str>,
    pub plugin: Arc<str>,
    pub run_id: u64,
    /// Host calls end here: before the run does, so that the guest can still report what it saw.
    pub deadline: Instant,
    /// The check's small values as they are before the run.
    pub state: Arc<BTreeMap<String, Vec<u8>>>,
}

/// Answers every call that the guest of one run makes. The traits of the contract are implemented in each capability's `host.rs`.
pub struct Lent {
    pub(crate) services: Arc<Services>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) meter: Meter,
    pub(crate) scope: RunScope,
    pub(crate) values: Values,
    denials: Vec<(Capability, DenialReason)>,
}

/// What a run used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// In the order in which they happened.
    pub denials: Vec<(Capability, DenialReason)>,
    pub host_calls: u32,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub log_bytes: u64,
    pub log_bytes_dropped: u64,
    pub log_lines_dropped: u64,
    /// All of the check's small values, where the run changed any.
    pub state: Option<BTreeMap<String, Vec<u8>>>,
}

impl Lent {
    pub fn new(services: &Arc<Services>, grants: &Arc<Grants>, limits: &Limits, run: RunScope) -> Lent {
        Lent {
            services: Arc::clone(services),
            grants: Arc::clone(grants),
            meter: Meter::new(*limits),
            values: Values::new(Arc::clone(&run.state)),
            scope: run,
            denials: Vec::new(),
        }
    }

    /// Ends the lending. The state is the caller's to keep or, after a run that failed, to throw away.
    pub fn finish(self) -> Usage {
        Usage {
            denials: self.denials,
            host_calls: self.meter.host_calls(),
            bytes_in: self.meter.bytes_in(),
            bytes_out: self.meter.bytes_out(),
            log_bytes: self.meter.log_bytes(),
            log_bytes_dropped: self.meter.log_bytes_dropped(),
            log_lines_dropped: self.meter.log_lines_dropped(),
            state: self.values.into_changed(),
        }
    }

    /// Counts a denial and turns it into what the guest is told.
    pub(crate) fn deny(&mut self, denial: Denial) -> types::Denial {
        tracing::debug!(
            check = &*self.scope.check,
            plugin = &*self.scope.plugin,
            run = self.scope.run_id,
            capability = denial.capability.as_str(),
            reason = denial.reason.as_str(),
            "denied: {}",
            denial.message
        );
        if self.denials.len() < DENIALS_MAX {
            self.denials.push((denial.capability, denial.reason));
        }
        denial.into()
    }
}

impl sickbay_runtime::Lend for Lent {
    fn exceeded(&self) -> Option<(Quota, u64)> {
        self.meter.exceeded().map(|exceeded| (exceeded.quota, exceeded.limit))
    }

    /// No capability of this version gives any.
    fn holds_handles(&self) -> bool {
        false
    }
}

/// The vocabulary has no functions.
impl types::Host for Lent {}
