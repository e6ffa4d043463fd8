//! `scale-out`: adds one replica to a service through its orchestrator's HTTP interface.
//!
//! What it shows: a plan that only reads, a step that may be taken twice, and one that goes on after `act` has returned.

use sickbay_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Of the orchestrator, without a slash at the end.
    url: String,
    /// What gets a replica more.
    service: String,
    /// Never more than these.
    #[serde(default = "replicas_max_default")]
    replicas_max: u32,
    /// How often to ask whether the replica is ready.
    #[serde(default = "again_after_ms_default")]
    again_after_ms: u32,
}

fn replicas_max_default() -> u32 {
    10
}

fn again_after_ms_default() -> u32 {
    5_000
}

/// What the orchestrator says of a service.
#[derive(Deserialize)]
struct Service {
    replicas: u32,
    ready: u32,
    /// Why it cannot get there.
    problem: Option<String>,
}

struct ScaleOut;

impl Recovery for ScaleOut {
    const NAME: &'static str = "scale-out";
    const SUMMARY: &'static str = "Adds one replica to a service";
    type Config = Config;

    fn example() -> Value {
        json!({ "url": "https://orchestrator.example.com", "service": "api" })
    }

    fn needs() -> Vec<Need> {
        vec![
            Need::new("http", "reads how many replicas there are", "http = [\"GET {url}/services/{service}\"]"),
            Need::new("http", "sets how many there are to be", "http = [\"PUT {url}/services/{service}/replicas\"]"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["capacity", "latency"]
    }

    fn plan(request: &RecoveryRequest<Config>) -> Result<Vec<Action>, Error> {
        let Config { url, service, replicas_max, .. } = &request.config;
        let told: Service = http::get(format!("{url}/services/{service}")).send()?.error_for_status()?.json()?;
        if told.replicas >= *replicas_max || told.ready < told.replicas {
            return Ok(Vec::new());
        }
        let wanted = told.replicas + 1;
        // The number is part of the id: the same step cannot be taken twice, the next one can.
        let action = Action::new(format!("scale-{service}-to-{wanted}"), format!("Run {service} {wanted} times"), service);
        Ok(vec![action.idempotent().parameters(&json!(wanted))])
    }

    fn act(request: &RecoveryRequest<Config>, action: &Action) -> Result<Progress, Error> {
        let Config { url, service, .. } = &request.config;
        let wanted: u32 = action.read_parameters()?;
        let call = http::call("PUT", format!("{url}/services/{service}/replicas"));
        let call = call.header("idempotency-key", &request.idempotency_key).json(&json!({ "replicas": wanted }));
        let told = call.send()?.error_for_status()?.json()?;
        Ok(progress(&request.config, wanted, told))
    }

    fn follow(request: &RecoveryRequest<Config>, _action: &Action, token: &Value) -> Result<Progress, Error> {
        let Config { url, service, .. } = &request.config;
        let wanted = serde_json::from_value(token["wanted"].clone()).map_err(|error| Error::internal(error.to_string()))?;
        let told = http::get(format!("{url}/services/{service}")).send()?.error_for_status()?.json()?;
        Ok(progress(&request.config, wanted, told))
    }
}

fn progress(config: &Config, wanted: u32, told: Service) -> Progress {
    let Config { service, again_after_ms, .. } = config;
    let did = format!("set the replicas of {service} to {wanted}");
    match told.problem {
        Some(problem) => Outcome::not_done(problem).action(did).recommendation(format!("look at the events of {service}")).into(),
        None if told.ready >= wanted => Outcome::done(format!("{} replicas of {service} are ready", told.ready)).action(did).into(),
        None => {
            let summary = format!("{} of {wanted} replicas of {service} are ready", told.ready);
            Running::new(&json!({ "wanted": wanted }), summary).again_after_ms(*again_after_ms).into()
        }
    }
}

sickbay_sdk::plugin! {
    name: "scale-out",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Adds replicas to services through their orchestrator",
    licence: "Apache-2.0",
    recoveries: [ScaleOut],
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::http::HttpError;
    use sickbay_sdk::testing::{FakeHost, assert_recovery_well_described, incident, response};

    use super::*;

    fn action() -> Action {
        Action::new("scale-api-to-3", "Run api 3 times", "api").idempotent().parameters(&json!(3))
    }

    fn act(host: &mut FakeHost) -> Progress {
        host.act::<ScaleOut>(ScaleOut::example(), incident(), &action()).expect("an answer")
    }

    #[test]
    fn the_plan_only_reads_and_names_the_step() {
        let mut host = FakeHost::default().http(Ok(response(200, r#"{"replicas": 2, "ready": 2}"#)));
        assert_eq!(host.plan::<ScaleOut>(ScaleOut::example(), incident()), Ok(vec![action()]));
        assert_eq!(host.sent[0].request.method, "GET");
    }

    #[test]
    fn a_service_at_its_limit_or_still_starting_needs_no_step() {
        for body in [r#"{"replicas": 10, "ready": 10}"#, r#"{"replicas": 3, "ready": 2}"#] {
            let mut host = FakeHost::default().http(Ok(response(200, body)));
            assert_eq!(host.plan::<ScaleOut>(ScaleOut::example(), incident()), Ok(Vec::new()), "{body}");
        }
    }

    #[test]
    fn a_step_is_followed_until_the_replica_is_ready() {
        let starting = response(202, r#"{"replicas": 3, "ready": 2}"#);
        let ready = response(200, r#"{"replicas": 3, "ready": 3}"#);
        let mut host = FakeHost::default().http(Ok(starting)).http(Ok(ready));
        let Progress::Running(running) = act(&mut host) else { panic!("it goes on") };
        assert_eq!((running.summary.as_str(), running.again_after_ms), ("2 of 3 replicas of api are ready", 5_000));
        assert_eq!(host.sent[0].request.body.as_deref(), Some(&br#"{"replicas":3}"#[..]));

        let ended = host.follow::<ScaleOut>(ScaleOut::example(), incident(), &action(), &running.token);
        let outcome = Outcome::done("3 replicas of api are ready").action("set the replicas of api to 3");
        assert_eq!(ended, Ok(Progress::Done(outcome)));
    }

    #[test]
    fn an_orchestrator_that_does_not_answer_has_not_done_the_step() {
        let mut host = FakeHost::default().http(Err(HttpError::Connect("connection reset".into())));
        assert_eq!(act(&mut host), Progress::Done(Outcome::not_done("connection: connection reset")));
    }

    #[test]
    fn what_keeps_the_service_from_it_is_told() {
        let mut host = FakeHost::default().http(Ok(response(200, r#"{"replicas": 3, "ready": 2, "problem": "no node has room"}"#)));
        assert!(matches!(act(&mut host), Progress::Done(outcome) if !outcome.success && outcome.reason == "no node has room"));
    }

    #[test]
    fn it_is_described_as_the_host_asks() {
        assert_recovery_well_described::<ScaleOut>();
    }
}
