//! What is lent to one run.
//!
//! Making one costs next to nothing: what is shared is shared by reference, what may grow starts empty.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sickbay_core::Quota;
use sickbay_runtime::transcript::Tape;
use sickbay_runtime::{Folder, Lend, Limits, outgoing};
use tokio::time::Instant;

use crate::contract::types;
use crate::denial::{Capability, Denial, DenialReason};
use crate::grants::Grants;
use crate::http;
use crate::meter::{Calls, Meter};
use crate::net::Connections;
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
    /// Of exchanges that no call waits for (`wasi:http`), of which the guest is not told the line to add. As many as calls, at most.
    pub(crate) denials_aside: Arc<Mutex<Vec<Denial>>>,
    denials: Vec<(Capability, DenialReason)>,
    /// Until the run begins.
    tape: Option<Box<Tape>>,
}

/// What a run used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// In the order in which they happened, those of `wasi:http` last.
    pub denials: Vec<(Capability, DenialReason)>,
    pub host_calls: u32,
    /// Of which capability they were.
    pub calls: Calls,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub rows: u32,
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
            denials_aside: Arc::default(),
            denials: Vec::new(),
            tape: None,
        }
    }

    /// With a tape that keeps the calls of the run, or answers them.
    pub fn with_tape(mut self, tape: Option<Box<Tape>>) -> Lent {
        self.tape = tape;
        self
    }

    /// Ends the lending. The state is the caller's to keep or, after a run that failed, to throw away.
    pub fn finish(mut self) -> Usage {
        if let Some(told) = self.denied_aside() {
            tracing::info!(target: "plugin", check = &*self.scope.check, plugin = &*self.scope.plugin, "denied over wasi:http: {told}");
        }
        let aside = std::mem::take(&mut *self.aside());
        for denial in aside {
            self.deny(denial);
        }
        Usage {
            denials: self.denials,
            host_calls: self.meter.host_calls(),
            calls: self.meter.calls(),
            bytes_in: self.meter.bytes_in(),
            bytes_out: self.meter.bytes_out(),
            rows: self.meter.rows(),
            log_bytes: self.meter.log_bytes(),
            log_bytes_dropped: self.meter.log_bytes_dropped(),
            log_lines_dropped: self.meter.log_lines_dropped(),
            state: self.values.into_changed(),
        }
    }

    fn aside(&self) -> MutexGuard<'_, Vec<Denial>> {
        self.denials_aside.lock().unwrap_or_else(PoisonError::into_inner)
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

impl Lend for Lent {
    fn exceeded(&self) -> Option<(Quota, u64)> {
        self.meter.exceeded().map(|exceeded| (exceeded.quota, exceeded.limit))
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

    fn denied_aside(&self) -> Option<String> {
        self.aside().first().map(|Denial { message, hint, .. }| format!("{message}; hint: {hint}"))
    }

    fn tape(&mut self) -> Option<Box<Tape>> {
        self.tape.take()
    }

    fn masked(&self, text: &[u8]) -> Option<Vec<u8>> {
        self.secrets.mask_kept(text)
    }

    fn holds_handles(&self) -> bool {
        !self.connections.is_empty()
    }
}

/// The vocabulary has no functions.
impl types::Host for Lent {}
