//! One kind of check, and how one run of it goes.
//!
//! parse the configuration -> [`Check::run`] -> fit the report into the contract's bounds

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bindings::exports::sickbay::plugin::check as wire;
use crate::{Earlier, Error, Failure, Label, MetricInfo, Need, Report};

/// One kind of check that a plugin offers.
pub trait Check {
    /// What the configuration writes as `kind = "..."`: `[a-z0-9-]`, unique in its plugin.
    const NAME: &'static str;

    /// One line for a person.
    const SUMMARY: &'static str;

    /// What the operator writes as `config`. Its documentation comments become descriptions in the JSON Schema that the
    /// host validates against before anything starts. `#[serde(deny_unknown_fields)]` turns a typing mistake into an error there.
    type Config: DeserializeOwned + JsonSchema;

    /// A small configuration that works, as `inspect` and `probe --plugin` use it.
    fn example() -> Value;

    /// The grants that a run needs.
    fn needs() -> Vec<Need> {
        Vec::new()
    }

    /// The metrics that a run may report; conditions are validated against them.
    fn metrics() -> Vec<MetricInfo> {
        Vec::new()
    }

    /// The failure kinds that a run may report.
    fn failures() -> &'static [&'static str] {
        &[]
    }

    /// One run. An [`Error`] of a call may be passed on with `?`: it becomes a critical report or a failure, whichever it means.
    fn run(request: &Request<Self::Config>) -> Result<Report, Error>;
}

/// What one run is asked.
#[derive(Clone, Debug)]
pub struct Request<C> {
    /// Name of the check in the configuration.
    pub check: String,
    pub kind: String,
    /// A secret in it is a placeholder, which the host replaces on the way out.
    pub config: C,
    /// When this run was due, in milliseconds since 1970. It is not the time of day, which [`clock::now_ms`](crate::clock::now_ms) tells: a
    /// run may begin late, and what is due does not go back with a clock that is set back.
    pub scheduled_at_ms: u64,
    /// The run is ended this long after it began. Calls of the host end sooner, so that there is time to report.
    pub timeout_ms: u32,
    /// 1 for the first try at this state, 2 for the next, ...
    pub attempt: u32,
    /// The target, where the check fans out over several.
    pub target: Option<String>,
    pub labels: Vec<Label>,
    /// The last run that gave a report, without its details.
    pub previous: Option<Earlier>,
    pub extras: Vec<Label>,
}

impl<C: DeserializeOwned> Request<C> {
    fn parse(request: wire::Request) -> Result<Request<C>, serde_json::Error> {
        Ok(Request {
            config: serde_json::from_str(&request.config)?,
            check: request.check,
            kind: request.kind,
            scheduled_at_ms: request.scheduled_at,
            timeout_ms: request.timeout_ms,
            attempt: request.attempt,
            target: request.target,
            labels: request.labels,
            previous: request.previous,
            extras: request.extras,
        })
    }
}

/// One run from the contract's request to the contract's answer.
pub fn run<C: Check>(request: wire::Request) -> Result<Report, Failure> {
    let request = match Request::parse(request) {
        Ok(request) => request,
        Err(error) => return Error::configuration(error.to_string()).into_answer(),
    };
    match C::run(&request) {
        Ok(report) => Ok(report.fit()),
        Err(error) => error.into_answer(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::prelude::*;
    use crate::testing::FakeHost;

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Config {
        url: String,
    }

    struct Fetch;

    impl Check for Fetch {
        const NAME: &'static str = "fetch";
        const SUMMARY: &'static str = "Fetches";
        type Config = Config;

        fn example() -> Value {
            json!({ "url": "http://localhost/" })
        }

        fn run(request: &Request<Config>) -> Result<Report, Error> {
            let response = http::get(&request.config.url).send()?;
            Ok(Report::ok("fetched").metric("status", response.status.into(), ""))
        }
    }

    crate::plugin! { name: "fetch", version: "1.0.0", summary: "Fetches", checks: [Fetch] }

    #[test]
    fn a_service_that_refuses_is_a_critical_report() {
        let mut host = FakeHost::default().http(Err(http::HttpError::Refused("connection refused".into())));
        let report = host.run::<Fetch>(json!({ "url": "http://localhost/" })).expect("a report");
        assert_eq!(report.status, Status::Critical);
        assert_eq!(report.failure.as_deref(), Some("refused"));
    }

    #[test]
    fn a_denial_is_a_failure_that_carries_its_hint() {
        let denial = crate::Denial { reason: "no grant".into(), hint: "http = [\"GET x\"]".into() };
        let mut host = FakeHost::default().http(Err(http::HttpError::Denied(denial)));
        let failure = host.run::<Fetch>(json!({ "url": "http://localhost/" })).expect_err("a failure");
        assert_eq!(failure.kind, "denied");
        assert!(failure.message.contains("http = [\"GET x\"]"), "{}", failure.message);
    }

    #[test]
    fn a_configuration_with_an_unknown_key_is_a_failure_of_kind_configuration() {
        let failure = FakeHost::default().run::<Fetch>(json!({ "link": "x" })).expect_err("a failure");
        assert_eq!(failure.kind, "configuration");
        assert!(failure.message.contains("link"), "{}", failure.message);
    }

    #[test]
    fn the_macro_describes_and_dispatches_by_kind() {
        use crate::private::{CheckGuest, PluginGuest};

        let descriptor = SickbayPlugin::describe();
        assert_eq!(descriptor.checks.len(), 1);
        assert_eq!(descriptor.checks[0].name, "fetch");

        let request = crate::testing::wire_request("nothing", &json!({}));
        let failure = SickbayPlugin::run(request).expect_err("no such kind");
        assert_eq!(failure.kind, "internal");
        assert!(failure.message.contains("nothing"));
    }
}
