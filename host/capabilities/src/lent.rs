//! What is lent to one run.
//!
//! Making one costs next to nothing: what is shared is shared by reference, what may grow starts empty.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use sickbay_core::Quota;
use sickbay_runtime::{Folder, Limits, outgoing};
use tokio::time::Instant;

use crate::contract::types;
use crate::denial::{Capability, Denial, DenialReason};
use crate::grants::Grants;
use crate::http;
use crate::ledger::Ledger;
use crate::meter::{Exceeded, Meter};
use crate::net::Connections;
use crate::purse::Purse;
use crate::secrets::Placeholders;
use crate::services::Services;
use crate::state::Values;

/// Denials kept of one run: more are as good as none, since a run has few host calls.
const DENIALS_MAX: usize = 1024;
pub(crate) const LAST_ERROR_BYTES_MAX: usize = 1 << 10;

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
    /// What the run has open; dropping it closes all.
    pub(crate) connections: Connections,
    pub(crate) secrets: Placeholders,
    /// The last line that the guest logged as an error, at most [`LAST_ERROR_BYTES_MAX`]: a panic's text where there is no stderr.
    pub(crate) last_error: String,
    /// What exchanges that nobody waits for in a call (`wasi:http`) have cost and met.
    pub(crate) ledger: Arc<Ledger>,
    /// Shared by all that is under way at once.
    purse: Weak<Purse>,
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
            connections: Connections::default(),
            secrets: Placeholders::default(),
            last_error: String::new(),
            scope: run,
            ledger: Arc::default(),
            purse: Weak::new(),
            denials: Vec::new(),
        }
    }

    /// Ends the lending. The state is the caller's to keep or, after a run that failed, to throw away.
    pub fn finish(mut self) -> Usage {
        self.settle();
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

    /// What is left for the next call to draw on: the same as for those still under way.
    pub(crate) fn purse(&mut self) -> Arc<Purse> {
        if let Some(shared) = self.purse.upgrade() {
            return shared;
        }
        self.settle();
        let purse = Arc::new(self.meter.purse());
        self.purse = Arc::downgrade(&purse);
        purse
    }

    /// Bytes of a first request, about to go out.
    pub(crate) fn pay(&mut self, bytes: u64) -> Result<(), Exceeded> {
        match self.purse.upgrade() {
            Some(shared) => {
                self.meter.send(bytes)?;
                shared.send(bytes)
            }
            None => {
                self.settle();
                self.meter.send(bytes)
            }
        }
    }

    /// Counts what ended meanwhile.
    fn settle(&mut self) {
        let entries = self.ledger.take();
        // That a limit was passed is remembered by the meter.
        let _ = self.meter.sent(entries.bytes_out);
        let _ = self.meter.received(entries.bytes_in);
        if let Some(exceeded) = entries.exceeded {
            self.meter.exceed(exceeded.quota);
        }
        for denial in entries.denials {
            self.deny(denial);
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
        self.meter.exceeded().or_else(|| self.ledger.exceeded()).map(|exceeded| (exceeded.quota, exceeded.limit))
    }

    async fn folders(&mut self) -> Vec<Folder> {
        self.services.files.folders(&self.scope.plugin, &self.grants.files, self.scope.deadline).await
    }

    fn send_over_wasi(&mut self, request: outgoing::Request) -> outgoing::Exchange {
        http::outgoing::begin(self, request)
    }

    fn forbids_header(name: &::http::HeaderName) -> bool {
        http::outgoing::forbids_header(name)
    }

    fn last_error_line(&self) -> &str {
        &self.last_error
    }

    fn holds_handles(&self) -> bool {
        !self.connections.is_empty()
    }
}

/// The vocabulary has no functions.
impl types::Host for Lent {}
