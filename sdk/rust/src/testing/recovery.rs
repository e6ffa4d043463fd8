//! Recoveries on the scripted host.

use serde_json::Value;

use super::{FakeHost, Lending, TIMEOUT_MS};
use crate::bindings::exports::sickbay::plugin::recovery as wire;
use crate::{Action, Failure, Incident, Progress, Recovery, Report};

/// 2026-01-01T00:00:00Z.
pub(super) const BEGAN_AT_MS: u64 = 1_767_225_600_000;

/// What `act` and `follow` are asked with.
const IDEMPOTENCY_KEY: &str = "test-key";

impl FakeHost {
    /// Asks a recovery for its steps. What changes something is denied, and `state` stays as it was.
    pub fn plan<R: Recovery>(&mut self, config: Value, incident: Incident) -> Result<Vec<Action>, Failure> {
        let before = self.state.clone();
        let request = wire_request(R::NAME, &config, incident, "");
        let answer = self.serve_lending(Lending::Reading, || crate::recovery::plan::<R>(request));
        self.state = before;
        answer
    }

    /// Takes one step of a recovery, with the key `test-key`.
    pub fn act<R: Recovery>(&mut self, config: Value, incident: Incident, action: &Action) -> Result<Progress, Failure> {
        let request = wire_request(R::NAME, &config, incident, IDEMPOTENCY_KEY);
        self.serve(|| crate::recovery::act::<R>(request, action.clone()))
    }

    /// Asks a recovery how a step is doing; the token is JSON, as `Running` holds it. What changes something is denied.
    pub fn follow<R: Recovery>(&mut self, config: Value, incident: Incident, action: &Action, token: &str) -> Result<Progress, Failure> {
        let request = wire_request(R::NAME, &config, incident, IDEMPOTENCY_KEY);
        self.serve_lending(Lending::Reading, || crate::recovery::follow::<R>(request, action.clone(), token.to_owned()))
    }
}

pub(crate) fn wire_request(kind: &str, config: &Value, incident: Incident, idempotency_key: &str) -> wire::Request {
    wire::Request {
        recovery: "test".to_owned(),
        kind: kind.to_owned(),
        config: config.to_string(),
        timeout_ms: TIMEOUT_MS,
        incident,
        idempotency_key: idempotency_key.to_owned(),
        extras: Vec::new(),
    }
}

/// An incident of a check `test` that is critical.
pub fn incident() -> Incident {
    Incident {
        id: "01INCIDENT".to_owned(),
        check: "test".to_owned(),
        target: None,
        failure: Some("connection".to_owned()),
        severity: "P3".to_owned(),
        since: BEGAN_AT_MS,
        consecutive_failures: 1,
        labels: Vec::new(),
        last_report: Report::ok("").critical("connection", "the service does not answer"),
        extras: Vec::new(),
    }
}
