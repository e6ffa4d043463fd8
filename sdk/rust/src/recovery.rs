//! One kind of recovery, and how its calls go.
//!
//! parse the configuration -> [`Recovery::plan`], [`Recovery::act`] or [`Recovery::follow`] -> fit the answer into the contract's bounds
//!
//! What the *service* did means something else in each of them. In [`Recovery::act`] the step was not done: an [`Outcome`] without success.
//! In [`Recovery::plan`] and [`Recovery::follow`] nothing can be told: a failure of that kind, and of a step that goes on the host asks again.
//!
//! Invariant: a plan with too many steps is refused whole, never cut: half of it would be another plan.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bindings::exports::sickbay::plugin::recovery as wire;
use crate::report::{SUMMARY_BYTES_MAX, cut, fit_details};
use crate::{Action, Error, Failure, Incident, Label, Need, Outcome, Progress, Running};

const ACTIONS_MAX: usize = 16;
const AGAIN_AFTER_MS_MIN: u32 = 1_000;
const AGAIN_AFTER_MS_MAX: u32 = 3_600_000;
const AGAIN_AFTER_MS_DEFAULT: u32 = 10_000;

/// One kind of recovery that a plugin offers.
pub trait Recovery {
    /// What the configuration writes as `kind = "..."`: `[a-z0-9-]`, unique among the recoveries of its plugin.
    const NAME: &'static str;

    /// One line for a person.
    const SUMMARY: &'static str;

    /// What the operator writes as `config`, as for a [`Check`](crate::Check).
    type Config: DeserializeOwned + JsonSchema;

    /// A small configuration that works.
    fn example() -> Value;

    /// The grants that planning and acting need.
    fn needs() -> Vec<Need> {
        Vec::new()
    }

    /// The failure kinds that it can heal.
    fn failures() -> &'static [&'static str] {
        &[]
    }

    /// The steps that would be taken, at most 16; none where there is nothing to do. Grants only read here, and the plan is shown to who
    /// approves it.
    fn plan(request: &RecoveryRequest<Self::Config>) -> Result<Vec<Action>, Error>;

    /// One step, as it was planned and approved. What the service did ([`Error::Service`]) means that the step was not done.
    fn act(request: &RecoveryRequest<Self::Config>, action: &Action) -> Result<Progress, Error>;

    /// How a step is doing that [`Running`] told of; may be called any number of times, also by a host that restarted. Grants only read here.
    fn follow(request: &RecoveryRequest<Self::Config>, action: &Action, token: &Value) -> Result<Progress, Error> {
        let _ = (request, action, token);
        Err(Error::internal(format!(
            "the recovery {} tells of steps that go on and cannot follow them; hint: implement `Recovery::follow`",
            Self::NAME
        )))
    }
}

/// What a recovery is asked.
#[derive(Clone, Debug)]
pub struct RecoveryRequest<C> {
    /// Name of the recovery in the configuration.
    pub recovery: String,
    pub kind: String,
    /// A secret in it is a placeholder, which the host replaces on the way out.
    pub config: C,
    /// The call is ended this long after it began. Calls of the host end sooner, so that there is time to answer.
    pub timeout_ms: u32,
    /// What it is about.
    pub incident: Incident,
    /// The same key means the same step: an orchestrator may drop the second. Empty in the plan.
    pub idempotency_key: String,
    pub extras: Vec<Label>,
}

impl<C: DeserializeOwned> RecoveryRequest<C> {
    fn parse(request: wire::Request) -> Result<RecoveryRequest<C>, Error> {
        let config = serde_json::from_str(&request.config).map_err(|error| Error::configuration(error.to_string()))?;
        Ok(RecoveryRequest {
            recovery: request.recovery,
            kind: request.kind,
            config,
            timeout_ms: request.timeout_ms,
            incident: request.incident,
            idempotency_key: request.idempotency_key,
            extras: request.extras,
        })
    }
}

impl Action {
    /// A step. `id` is the same for the same step on the same target: the host never starts it twice for one incident, unless it is
    /// [`idempotent`](Action::idempotent()). `title` is one line for who approves it, `target` what it acts on.
    pub fn new(id: impl Into<String>, title: impl Into<String>, target: impl Into<String>) -> Action {
        Action {
            id: id.into(),
            title: title.into(),
            target: target.into(),
            idempotent: false,
            parameters: Value::Null.to_string(),
            extras: Vec::new(),
        }
    }

    /// Says that doing it twice does no more than doing it once.
    pub fn idempotent(mut self) -> Action {
        self.idempotent = true;
        self
    }

    /// Sets what is handed back to [`Recovery::act`] unchanged.
    pub fn parameters(mut self, parameters: &Value) -> Action {
        self.parameters = parameters.to_string();
        self
    }

    /// What [`Action::parameters()`] set. A plan of another version of the plugin may hold something else: that is a failure.
    pub fn read_parameters<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(&self.parameters)
            .map_err(|error| Error::internal(format!("the parameters of the step {} cannot be read: {error}; hint: plan anew", self.id)))
    }

    fn fit(&mut self) {
        cut(&mut self.title, SUMMARY_BYTES_MAX);
        cut(&mut self.target, SUMMARY_BYTES_MAX);
    }
}

impl Outcome {
    /// The step did what it was to do; whether the check is well again is for the check to say.
    pub fn done(reason: impl Into<String>) -> Outcome {
        Outcome { success: true, reason: reason.into(), actions: Vec::new(), recommendation: None, details: None, extras: Vec::new() }
    }

    /// The step did not do what it was to do.
    pub fn not_done(reason: impl Into<String>) -> Outcome {
        Outcome { success: false, ..Outcome::done(reason) }
    }

    /// Adds what was really done, in one line.
    pub fn action(mut self, action: impl Into<String>) -> Outcome {
        self.actions.push(action.into());
        self
    }

    /// Sets what a person should do next.
    pub fn recommendation(mut self, recommendation: impl Into<String>) -> Outcome {
        self.recommendation = Some(recommendation.into());
        self
    }

    /// Sets what else is worth keeping: a JSON object, at most 64 KiB.
    pub fn details(mut self, details: &Value) -> Outcome {
        self.details = Some(details.to_string());
        self
    }

    fn fit(&mut self) {
        for text in self.actions.iter_mut().chain([&mut self.reason]).chain(&mut self.recommendation) {
            cut(text, SUMMARY_BYTES_MAX);
        }
        fit_details(&mut self.details, &mut self.extras);
    }
}

impl Running {
    /// A step that goes on. `token` is handed to [`Recovery::follow`], also after a restart of the host; at most 4 KiB of JSON.
    pub fn new(token: &Value, summary: impl Into<String>) -> Running {
        Running { token: token.to_string(), summary: summary.into(), again_after_ms: AGAIN_AFTER_MS_DEFAULT }
    }

    /// When to ask again, 1 second to 1 hour; 10 seconds unless told.
    pub fn again_after_ms(mut self, again_after_ms: u32) -> Running {
        self.again_after_ms = again_after_ms;
        self
    }

    fn fit(&mut self) {
        cut(&mut self.summary, SUMMARY_BYTES_MAX);
        self.again_after_ms = self.again_after_ms.clamp(AGAIN_AFTER_MS_MIN, AGAIN_AFTER_MS_MAX);
    }
}

impl Progress {
    fn fit(mut self) -> Progress {
        match &mut self {
            Progress::Done(outcome) => outcome.fit(),
            Progress::Running(running) => running.fit(),
        }
        self
    }
}

impl From<Outcome> for Progress {
    fn from(outcome: Outcome) -> Progress {
        Progress::Done(outcome)
    }
}

impl From<Running> for Progress {
    fn from(running: Running) -> Progress {
        Progress::Running(running)
    }
}

/// A plan from the contract's request to the contract's answer.
pub fn plan<R: Recovery>(request: wire::Request) -> Result<Vec<Action>, Failure> {
    let mut actions = RecoveryRequest::parse(request).and_then(|request| R::plan(&request))?;
    if actions.len() > ACTIONS_MAX {
        return Err(Error::internal(format!("the plan has {} steps; hint: at most {ACTIONS_MAX}", actions.len())).into());
    }
    actions.iter_mut().for_each(Action::fit);
    Ok(actions)
}

/// One step from the contract's request to the contract's answer.
pub fn act<R: Recovery>(request: wire::Request, action: Action) -> Result<Progress, Failure> {
    let request = RecoveryRequest::parse(request)?;
    let progress = match R::act(&request, &action) {
        Ok(progress) => progress,
        Err(error @ Error::Service { .. }) => Outcome::not_done(error.to_string()).into(),
        Err(error) => return Err(error.into()),
    };
    Ok(progress.fit())
}

/// How a step is doing, from the contract's request to the contract's answer.
pub fn follow<R: Recovery>(request: wire::Request, action: Action, token: String) -> Result<Progress, Failure> {
    let request = RecoveryRequest::parse(request)?;
    let token: Value = serde_json::from_str(&token).map_err(|error| Error::internal(format!("the token is not JSON: {error}")))?;
    Ok(R::follow(&request, &action, &token)?.fit())
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use crate::testing::{FakeHost, assert_recovery_well_described, incident, refused, response};
    use crate::{Failure, Incident};

    use super::{ACTIONS_MAX, AGAIN_AFTER_MS_MAX, AGAIN_AFTER_MS_MIN};

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Config {
        url: String,
        #[serde(default)]
        steps: usize,
    }

    struct Restart;

    impl Recovery for Restart {
        const NAME: &'static str = "restart";
        const SUMMARY: &'static str = "Restarts";
        type Config = Config;

        fn example() -> Value {
            json!({ "url": "http://localhost/" })
        }

        fn failures() -> &'static [&'static str] {
            &["connection"]
        }

        fn plan(request: &RecoveryRequest<Config>) -> Result<Vec<Action>, Error> {
            let check = &request.incident.check;
            let step =
                |number: usize| Action::new(format!("restart-{check}-{number}"), "Restart", check).parameters(&json!({ "number": number }));
            Ok((0..request.config.steps).map(step).collect())
        }

        fn act(request: &RecoveryRequest<Config>, action: &Action) -> Result<Progress, Error> {
            #[derive(Deserialize)]
            struct Parameters {
                number: u64,
            }
            let Parameters { number } = action.read_parameters()?;
            let body = json!({ "number": number, "key": request.idempotency_key });
            http::post(&request.config.url).json(&body).send()?.error_for_status()?;
            Ok(Running::new(&json!({ "id": 7 }), "it restarts").into())
        }

        fn follow(request: &RecoveryRequest<Config>, _action: &Action, token: &Value) -> Result<Progress, Error> {
            http::get(format!("{}{}", request.config.url, token["id"])).send()?;
            Ok(Outcome::done("it was restarted").into())
        }
    }

    struct Wipe;

    impl Recovery for Wipe {
        const NAME: &'static str = "wipe";
        const SUMMARY: &'static str = "Changes something already in its plan, and never follows";
        type Config = Config;

        fn example() -> Value {
            json!({ "url": "http://localhost/" })
        }

        fn plan(request: &RecoveryRequest<Config>) -> Result<Vec<Action>, Error> {
            state::put("planned", b"1")?;
            http::post(&request.config.url).send()?;
            Ok(Vec::new())
        }

        fn act(_request: &RecoveryRequest<Config>, _action: &Action) -> Result<Progress, Error> {
            postgres::source("main").query("SELECT wipe()", &[])?;
            Ok(Running::new(&Value::Null, "x".repeat(600)).again_after_ms(0).into())
        }
    }

    fn config(steps: usize) -> Value {
        json!({ "url": "http://localhost/", "steps": steps })
    }

    #[test]
    fn a_step_is_planned_taken_and_followed() {
        let mut host = FakeHost::default();
        let about = || Incident { check: "api".to_owned(), ..incident() };
        let plan = host.plan::<Restart>(config(2), about()).expect("a plan");
        assert_eq!(plan.iter().map(|action| action.id.as_str()).collect::<Vec<_>>(), ["restart-api-0", "restart-api-1"]);

        let mut host = host.http(Ok(response(201, ""))).http(Ok(response(200, "")));
        let begun = host.act::<Restart>(config(0), about(), &plan[1]).expect("an answer");
        let body: Value = serde_json::from_slice(host.sent[0].request.body.as_deref().unwrap_or_default()).expect("JSON");
        assert_eq!(body, json!({ "number": 1, "key": "test-key" }));
        let Progress::Running(running) = begun else { panic!("{begun:?}") };
        assert_eq!(running, Running::new(&json!({ "id": 7 }), "it restarts"));

        let ended = host.follow::<Restart>(config(0), about(), &plan[1], &running.token).expect("an answer");
        assert_eq!(ended, Progress::Done(Outcome::done("it was restarted")));
        assert_eq!(host.sent[1].request.url, "http://localhost/7");
    }

    #[test]
    fn a_service_that_refuses_the_step_has_not_done_it() {
        let action = Action::new("a", "b", "c").parameters(&json!({ "number": 1 }));
        let mut host = FakeHost::default().http(Ok(response(500, ""))).http(Err(http::HttpError::Timeout("no answer".into())));
        let act = |host: &mut FakeHost| host.act::<Restart>(config(0), incident(), &action);
        assert_eq!(act(&mut host), Ok(Progress::Done(Outcome::not_done("content: HTTP 500"))));
        assert_eq!(act(&mut host), Ok(Progress::Done(Outcome::not_done("timeout: no answer"))));
        let mut host = FakeHost::default().postgres(Err(refused("57P03", "starting up")));
        let answer = host.act::<Wipe>(config(0), incident(), &action);
        assert_eq!(answer, Ok(Progress::Done(Outcome::not_done("unavailable: starting up (57P03)"))));
    }

    #[test]
    fn what_the_plugin_or_its_configuration_did_is_a_failure_of_the_step() {
        let kind = |answer: Result<Progress, Failure>| answer.expect_err("a failure").kind;
        let action = Action::new("a", "b", "c");
        let mut host = FakeHost::default().postgres(Err(refused("42883", "no such function")));
        assert_eq!(kind(host.act::<Wipe>(config(0), incident(), &action)), "configuration");
        assert_eq!(kind(host.act::<Wipe>(json!({ "link": "x" }), incident(), &action)), "configuration");
        assert_eq!(kind(host.act::<Restart>(config(0), incident(), &action)), "internal");
    }

    #[test]
    fn a_service_that_does_not_answer_says_nothing_about_a_step_that_goes_on() {
        let mut host = FakeHost::default().http(Err(http::HttpError::Timeout("no answer".into())));
        let failure = host.follow::<Restart>(config(0), incident(), &Action::new("a", "b", "c"), r#"{"id":7}"#).expect_err("a failure");
        assert_eq!((failure.kind.as_str(), failure.message.as_str()), ("timeout", "no answer"));
    }

    #[test]
    fn a_recovery_without_follow_says_what_is_missing() {
        let failure =
            FakeHost::default().follow::<Wipe>(config(0), incident(), &Action::new("a", "b", "c"), "null").expect_err("a failure");
        assert_eq!(failure.kind, "internal");
        assert!(failure.message.contains("implement `Recovery::follow`"), "{}", failure.message);
    }

    #[test]
    fn a_plan_changes_nothing() {
        let mut host = FakeHost::default();
        let failure = host.plan::<Wipe>(config(0), incident()).expect_err("a POST is no reading");
        assert_eq!(failure.kind, "denied");
        assert!(host.sent.is_empty() && host.state.is_empty());
        // The next call has its grants again.
        let mut host = host.http(Ok(response(201, "")));
        let action = Action::new("a", "b", "c").parameters(&json!({ "number": 1 }));
        assert!(host.act::<Restart>(config(0), incident(), &action).is_ok());
    }

    #[test]
    fn too_many_steps_are_refused_whole() {
        let mut host = FakeHost::default();
        assert_eq!(host.plan::<Restart>(config(ACTIONS_MAX), incident()).map(|plan| plan.len()), Ok(ACTIONS_MAX));
        let failure = host.plan::<Restart>(config(ACTIONS_MAX + 1), incident()).expect_err("one too many");
        assert!(failure.message.contains("17 steps"), "{}", failure.message);
    }

    #[test]
    fn an_answer_is_fitted_into_the_bounds() {
        let mut host = FakeHost::default().postgres(Ok(crate::testing::rows(&[], Vec::new())));
        let answer = host.act::<Wipe>(config(0), incident(), &Action::new("a", "b", "c")).expect("an answer");
        let Progress::Running(running) = answer else { panic!("{answer:?}") };
        assert_eq!(running.again_after_ms, AGAIN_AFTER_MS_MIN);
        assert!(running.summary.ends_with('…') && running.summary.len() <= 512);

        let late = Running::new(&Value::Null, "").again_after_ms(u32::MAX);
        assert!(matches!(Progress::from(late).fit(), Progress::Running(running) if running.again_after_ms == AGAIN_AFTER_MS_MAX));
        let long = || "x".repeat(70_000);
        let outcome = Outcome::done(long()).action(long()).recommendation(long()).details(&Value::String(long()));
        let Progress::Done(outcome) = Progress::from(outcome).fit() else { panic!("it is done") };
        assert!([&outcome.reason, &outcome.actions[0]].iter().all(|text| text.len() <= 512));
        assert!(outcome.recommendation.is_some_and(|text| text.len() <= 512));
        assert_eq!((outcome.details, outcome.extras[0].name.as_str()), (None, "sdk.details-dropped-bytes"));
    }

    #[test]
    fn it_is_described_as_the_host_asks() {
        assert_recovery_well_described::<Restart>();
    }
}
