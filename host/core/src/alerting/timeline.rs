//! Timelines: what is told when, second by second, as in `at(1).fails("api")` and `between(31, 31).expects("oncall", firing(["api"]))`.
//!
//! Time begins on Monday, 6 July 2026, 12:00 UTC. A check is called by its name, a posted alert by its `alertname`, the incident of a check that
//! nobody can judge by the name with a question mark. Everything that a sink hears must be expected, and the other way round.

mod calendar;
mod delivering;
mod muting;
mod people;
mod routing;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::memory::Memory;
use super::*;
use crate::{Label, Status, Timestamp};

const START: Timestamp = Timestamp(1_783_339_200_000);

type Action = Box<dyn FnOnce(&mut World)>;

struct Timeline {
    world: World,
    actions: Vec<(u64, Action)>,
    expected: Vec<Expected>,
}

struct Expected {
    from: u64,
    to: u64,
    sink: &'static str,
    notice: Notice,
}

/// The names of the alerts in a notification, by what it says of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Notice {
    firing: BTreeSet<String>,
    acknowledged: BTreeSet<String>,
    resolved: BTreeSet<String>,
}

fn firing<const N: usize>(names: [&str; N]) -> Notice {
    Notice { firing: names.map(str::to_owned).into(), ..Notice::default() }
}

fn acknowledged<const N: usize>(names: [&str; N]) -> Notice {
    Notice { acknowledged: names.map(str::to_owned).into(), ..Notice::default() }
}

fn resolved<const N: usize>(names: [&str; N]) -> Notice {
    Notice { resolved: names.map(str::to_owned).into(), ..Notice::default() }
}

impl Notice {
    fn and(self, other: Notice) -> Notice {
        let both = |one: BTreeSet<String>, other: BTreeSet<String>| one.into_iter().chain(other).collect();
        Notice {
            firing: both(self.firing, other.firing),
            acknowledged: both(self.acknowledged, other.acknowledged),
            resolved: both(self.resolved, other.resolved),
        }
    }
}

/// What a sink does with what it is told.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Takes,
    /// It takes the alerts that are named, and hears nothing of the others.
    TakesNamed,
    /// It takes it, and nobody hears of that.
    TakesSilently,
    Fails,
    FailsFor(u64),
    Refuses,
    /// Its plugin is not loaded.
    IsMissing,
}

/// A notification that a sink took.
#[derive(Clone, Debug)]
struct Heard {
    at: u64,
    sink: String,
    notice: Notice,
    delivery: Delivery,
}

struct World {
    alerting: Alerting,
    memory: Memory,
    config: Arc<AlertingConfig>,
    elapsed_ms: u64,
    /// By how much the clock was set back.
    set_back_ms: u64,
    labels: BTreeMap<&'static str, LabelSet>,
    answers: BTreeMap<&'static str, Answer>,
    heard: Vec<Heard>,
    /// When and of whom something was asked, whatever came of it.
    attempts: Vec<(u64, String)>,
}

impl World {
    fn now(&self) -> Timestamp {
        Timestamp(START.0 + self.elapsed_ms - self.set_back_ms)
    }

    fn apply(&mut self, fact: Fact) -> Changes {
        let changes = self.alerting.apply(fact, self.now());
        self.memory.commit(&changes);
        changes
    }

    fn check(&self, name: &'static str) -> Arc<CheckIdentity> {
        let labels = self.labels.get(name).cloned().unwrap_or_default();
        let (plugin, owner) = (Arc::from("http"), Some(Arc::from("platform")));
        Arc::new(CheckIdentity { name: name.into(), kind: Arc::clone(&plugin), plugin, target: None, owner, labels })
    }

    fn becomes(&mut self, name: &'static str, status: Status) {
        let check = self.check(name);
        self.apply(Fact::Transition { check, findings: findings(status) });
    }

    /// The open incident of a check or with this `alertname`.
    fn incident(&self, name: &str) -> IncidentId {
        let mut open = self.alerting.incidents().filter(|incident| incident.is_open());
        let found = open.find(|incident| named(&incident.labels) == name);
        found.unwrap_or_else(|| panic!("no incident of `{name}` is open")).id
    }

    /// Does what is due now.
    fn deliver(&mut self) {
        self.apply(Fact::Tick);
        loop {
            let due: Vec<DeliveryId> = self.alerting.due_deliveries(self.now()).collect();
            if due.is_empty() {
                return;
            }
            for id in due {
                self.attempt(id);
            }
        }
    }

    fn attempt(&mut self, id: DeliveryId) {
        let changes = self.apply(Fact::Attempting { delivery: id });
        let Some(delivery) = changes.attempt(id).cloned() else { return };
        let at = self.elapsed_ms / 1000;
        self.attempts.push((at, delivery.sink.to_string()));
        let answer = self.answers.get(&*delivery.sink).copied().unwrap_or(Answer::Takes);
        let outcome = match answer {
            Answer::Takes | Answer::TakesSilently => Outcome::Delivered { reference: Some(format!("thread-{}", self.heard.len())) },
            Answer::TakesNamed => Outcome::DeliveredNamed { reference: None },
            Answer::Fails => Outcome::Retryable { error: "503".into(), after: None },
            Answer::FailsFor(seconds) => Outcome::Retryable { error: "429".into(), after: Some(Duration::from_secs(seconds)) },
            Answer::Refuses => Outcome::Refused { error: "no such channel".into() },
            Answer::IsMissing => Outcome::NotAttempted { error: "the plugin is not loaded".into() },
        };
        let attempt = delivery.attempts;
        if matches!(answer, Answer::Takes | Answer::TakesNamed | Answer::TakesSilently) {
            self.heard.push(Heard { at, sink: delivery.sink.to_string(), notice: notice(&delivery), delivery });
        }
        if !matches!(answer, Answer::TakesSilently) {
            self.apply(Fact::DeliveryEnded { delivery: id, attempt, outcome });
        }
    }

    fn restart(&mut self) {
        self.apply(Fact::Tick);
        let (restored, changes) = Alerting::restore(self.memory.rows(), Arc::clone(&self.config), 2, self.now());
        if restored.config() == self.alerting.config() {
            assert!(changes.is_empty(), "a restart changes nothing: {changes:#?}");
            assert_eq!(restored.difference(&self.alerting), None);
        }
        self.memory.commit(&changes);
        self.alerting = restored;
    }

    /// When something happens by itself.
    fn next_ms(&self) -> Option<u64> {
        self.alerting.next_due().map(|at| (at.0 + self.set_back_ms).saturating_sub(START.0).max(self.elapsed_ms))
    }

    /// The lines of the timelines of all incidents with this name.
    fn events(&self, name: &str) -> Vec<String> {
        let is_of = |id: &IncidentId| self.memory.incidents.get(id).is_some_and(|incident| named(&incident.labels) == name);
        self.memory.events.iter().filter(|event| is_of(&event.incident)).map(|event| event.kind.to_string()).collect()
    }
}

fn findings(status: Status) -> Arc<Findings> {
    Arc::new(Findings { status, summary: status.to_string(), ..Findings::posted("") })
}

fn named(labels: &LabelSet) -> String {
    let label = |name| labels.get(name).unwrap_or_default();
    if label("alertname") == UNKNOWN_ALERTNAME { format!("{}?", label("check")) } else { label("alertname").to_owned() }
}

fn notice(delivery: &Delivery) -> Notice {
    let of = |phase: Phase| delivery.alerts.iter().filter(|alert| alert.phase == phase).map(|alert| named(&alert.labels)).collect();
    Notice { firing: of(Phase::Firing), acknowledged: of(Phase::Acknowledged), resolved: of(Phase::Resolved) }
}

/// Minutes in seconds.
const fn minutes(count: u64) -> u64 {
    count * 60
}

const fn hours(count: u64) -> u64 {
    count * 3600
}

/// Group after 30 s, tell news every 5 m, remind every 4 h: the defaults.
fn root(sinks: &[&str]) -> RouteConfig {
    RouteConfig { sinks: Some(sinks.iter().map(|name| SinkName::from(*name)).collect()), ..RouteConfig::default() }
}

fn child(matcher: &str, sinks: &[&str]) -> RouteConfig {
    RouteConfig { matchers: vec![Matcher::parse(matcher).expect("a matcher")], ..root(sinks) }
}

/// With every sink that the routes name.
fn config(route: RouteConfig) -> AlertingConfig {
    let config = AlertingConfig { route, ..AlertingConfig::default() };
    let names = ["oncall", "slack", "lead", "director"];
    AlertingConfig { sinks: names.map(SinkConfig::named).into(), ..config }
}

fn grouped(labels: &[&str], route: RouteConfig) -> RouteConfig {
    RouteConfig { group_by: Some(GroupBy::Labels(labels.iter().map(|label| (*label).to_owned()).collect())), ..route }
}

impl Timeline {
    fn new(config: AlertingConfig) -> Timeline {
        let config = Arc::new(config);
        assert!(config.problems().is_empty(), "{:#?}", config.problems());
        let world = World {
            alerting: Alerting::new(Arc::clone(&config), 1, START),
            memory: Memory::default(),
            config,
            elapsed_ms: 0,
            set_back_ms: 0,
            labels: BTreeMap::new(),
            answers: BTreeMap::new(),
            heard: Vec::new(),
            attempts: Vec::new(),
        };
        Timeline { world, actions: Vec::new(), expected: Vec::new() }
    }

    /// The labels of a check that has some.
    fn labelled(&mut self, check: &'static str, labels: &[(&str, &str)]) {
        self.world.labels.insert(check, LabelSet::new(labels.iter().copied()).expect("valid labels"));
    }

    fn at(&mut self, second: u64) -> At<'_> {
        At { timeline: self, second }
    }

    /// Both seconds belong to it.
    fn between(&mut self, from: u64, to: u64) -> Between<'_> {
        Between { timeline: self, from, to }
    }

    /// Everything heard is expected, and everything expected is heard.
    fn run(self, seconds: u64) -> World {
        let (world, expected) = self.play(seconds);
        match_up(&world.heard, expected);
        world
    }

    fn play(mut self, seconds: u64) -> (World, Vec<Expected>) {
        self.actions.sort_by_key(|(second, _)| *second);
        let mut actions: VecDeque<(u64, Action)> = self.actions.into();
        let mut world = self.world;
        loop {
            let next_action = actions.front().map(|(second, _)| second * 1000);
            let Some(next_ms) = [next_action, world.next_ms()].into_iter().flatten().min() else { break };
            if next_ms > seconds * 1000 {
                break;
            }
            world.elapsed_ms = world.elapsed_ms.max(next_ms);
            while actions.front().is_some_and(|(second, _)| *second * 1000 <= next_ms) {
                if let Some((_, action)) = actions.pop_front() {
                    action(&mut world);
                }
            }
            world.deliver();
        }
        (world, self.expected)
    }
}

fn match_up(heard: &[Heard], mut expected: Vec<Expected>) {
    let mut unexpected = Vec::new();
    for heard in heard {
        let fits = |expected: &Expected| {
            expected.sink == heard.sink && expected.notice == heard.notice && (expected.from..=expected.to).contains(&heard.at)
        };
        match expected.iter().position(fits) {
            Some(index) => drop(expected.remove(index)),
            None => unexpected.push(format!("{} s: {} heard {:?}", heard.at, heard.sink, heard.notice)),
        }
    }
    let missing = expected.iter().map(|missing| format!("{} to {} s: {} {:?}", missing.from, missing.to, missing.sink, missing.notice));
    let missing: Vec<String> = missing.collect();
    assert!(unexpected.is_empty() && missing.is_empty(), "unexpected: {unexpected:#?}\nmissing: {missing:#?}");
}

struct Between<'a> {
    timeline: &'a mut Timeline,
    from: u64,
    to: u64,
}

impl Between<'_> {
    fn expects(self, sink: &'static str, notice: Notice) {
        self.timeline.expected.push(Expected { from: self.from, to: self.to, sink, notice });
    }
}

struct At<'a> {
    timeline: &'a mut Timeline,
    second: u64,
}

impl At<'_> {
    fn then(self, action: impl FnOnce(&mut World) + 'static) {
        self.timeline.actions.push((self.second, Box::new(action)));
    }

    fn fails(self, check: &'static str) {
        self.then(move |world| world.becomes(check, Status::Critical));
    }

    fn warns(self, check: &'static str) {
        self.then(move |world| world.becomes(check, Status::Warning));
    }

    fn recovers(self, check: &'static str) {
        self.then(move |world| world.becomes(check, Status::Ok));
    }

    fn loses_sight_of(self, check: &'static str) {
        self.then(move |world| world.becomes(check, Status::Unknown));
    }

    fn flaps(self, check: &'static str) {
        self.then(move |world| {
            let change = Flap::Began { findings: findings(Status::Critical), confirmed: Status::Ok };
            let check = world.check(check);
            world.apply(Fact::Flapping { check, change });
        });
    }

    fn calms(self, check: &'static str) {
        self.then(move |world| {
            let check = world.check(check);
            world.apply(Fact::Flapping { check, change: Flap::Ended });
        });
    }

    fn drops(self, check: &'static str) {
        self.fact(move |_| Fact::CheckRemoved { check: check.into() });
    }

    fn cuts_off(self, check: &'static str, cause: Option<&'static str>) {
        self.fact(move |_| Fact::Reachability { check: check.into(), cause: cause.map(Into::into) });
    }

    /// An alert with this name is posted; without an end it goes on until the timeout.
    fn posts(self, alertname: &'static str, ends_at: Option<u64>) {
        self.fact(move |_| {
            let labels = LabelSet::new([("alertname", alertname)]).expect("a label");
            let annotations: Arc<[Label]> = Arc::default();
            let ends_at = ends_at.map(|second| START.plus(Duration::from_secs(second)));
            let alert = PostedAlert { labels, annotations, starts_at: None, ends_at, generator_url: None };
            Fact::Posted { alerts: vec![alert] }
        });
    }

    fn silences(self, matcher: &'static str, until: u64) {
        self.fact(move |world| {
            let matchers = vec![Matcher::parse(matcher).expect("a matcher")];
            let ends_at = START.plus(Duration::from_secs(until));
            let (created_by, comment) = ("anna".to_owned(), String::new());
            let draft = SilenceDraft { id: None, matchers, starts_at: world.now(), ends_at, created_by, comment };
            Fact::SilencePut { draft }
        });
    }

    fn relabels(self, check: &'static str, labels: &[(&str, &str)]) {
        let labels = LabelSet::new(labels.iter().copied()).expect("valid labels");
        self.then(move |world| {
            world.labels.insert(check, labels);
            let check = world.check(check);
            world.apply(Fact::Relabelled { check });
        });
    }

    /// The first delivery to a sink that was refused or given up, and has not been sent again.
    fn resends(self, sink: &'static str) {
        self.fact(move |world| {
            let has_failed = |delivery: &&Delivery| {
                &*delivery.sink == sink && matches!(delivery.state, DeliveryState::Refused { .. } | DeliveryState::Expired { .. })
            };
            let delivery = world.memory.deliveries.values().find(has_failed).expect("one that failed").clone();
            let covered = delivery.covers.iter().filter_map(|cover| world.memory.incidents.get(&cover.incident));
            let settled = covered.filter(|incident| incident.is_settled).cloned().collect();
            Fact::Resend { delivery: Box::new(delivery), settled, by: "anna".into() }
        });
    }

    /// The first delivery that a sink took.
    fn resends_what_was_taken(self, sink: &'static str) {
        self.fact(move |world| {
            let was_taken = |delivery: &&Delivery| &*delivery.sink == sink && matches!(delivery.state, DeliveryState::Delivered { .. });
            let delivery = world.memory.deliveries.values().find(was_taken).expect("one that was taken").clone();
            let covered = delivery.covers.iter().filter_map(|cover| world.memory.incidents.get(&cover.incident));
            let settled = covered.filter(|incident| incident.is_settled).cloned().collect();
            Fact::Resend { delivery: Box::new(delivery), settled, by: "anna".into() }
        });
    }

    fn acknowledges(self, name: &'static str, until: Option<u64>) {
        self.fact(move |world| {
            let until = until.map(|second| START.plus(Duration::from_secs(second)));
            Fact::Acknowledge { incident: world.incident(name), by: "anna".into(), until, note: None }
        });
    }

    fn answers(self, sink: &'static str, answer: Answer) {
        self.then(move |world| {
            world.answers.insert(sink, answer);
        });
    }

    fn configures(self, config: AlertingConfig) {
        self.then(move |world| {
            world.config = Arc::new(config);
            let config = Arc::clone(&world.config);
            world.apply(Fact::Configured { config });
        });
    }

    fn restarts(self) {
        self.then(World::restart);
    }

    fn sets_the_clock_back(self, seconds: u64) {
        self.then(move |world| world.set_back_ms += seconds * 1000);
    }

    fn fact(self, fact: impl FnOnce(&World) -> Fact + 'static) {
        self.then(move |world| {
            let fact = fact(world);
            world.apply(fact);
        });
    }
}
