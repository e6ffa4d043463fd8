//! The small world of the simulation: five checks, three sinks, four configurations.

use std::sync::Arc;
use std::time::Duration;

use super::super::*;
use crate::{Status, Timestamp};

pub(super) const CHECKS: [&str; 5] = ["db", "api", "web", "mail", "dns"];
pub(super) const SINKS: [&str; 3] = ["pager", "chat", "lead"];

/// What a check may be labelled with.
pub(super) const LABELS: [&[(&str, &str)]; 4] =
    [&[("service", "shop"), ("severity", "P0")], &[("service", "mail")], &[("severity", "P1")], &[]];

/// What people silence.
pub(super) const MATCHERS: [&str; 4] = ["alertname=api", "service=shop", "severity=~\"P0|P1\"", "alertname!=db"];

/// What is stored of a check: what the machine was told and has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    status: Status,
    is_flapping: bool,
    is_cut_off: bool,
    is_configured: bool,
}

/// A check as it is, and as it was stored.
pub(super) struct Check {
    identity: Arc<CheckIdentity>,
    pub(super) status: Status,
    pub(super) is_flapping: bool,
    /// It depends on the first check, which is down.
    pub(super) is_cut_off: bool,
    pub(super) is_configured: bool,
    pub(super) stored: Stored,
}

impl Check {
    fn new(name: &str, labels: &[(&str, &str)]) -> Check {
        let labels = LabelSet::new(labels.iter().copied()).expect("valid labels");
        let (plugin, owner) = (Arc::<str>::from("http"), Some(Arc::from("platform")));
        let identity = CheckIdentity { name: name.into(), kind: Arc::clone(&plugin), plugin, target: None, owner, labels };
        Check {
            identity: Arc::new(identity),
            status: Status::Ok,
            is_flapping: false,
            is_cut_off: false,
            is_configured: true,
            stored: Stored { status: Status::Ok, is_flapping: false, is_cut_off: false, is_configured: true },
        }
    }

    /// Its labels are written otherwise.
    pub(super) fn relabel(&mut self, labels: &[(&str, &str)]) -> Fact {
        let labels = LabelSet::new(labels.iter().copied()).expect("valid labels");
        self.identity = Arc::new(CheckIdentity { labels, ..(*self.identity).clone() });
        Fact::Relabelled { check: Arc::clone(&self.identity) }
    }

    pub(super) fn recover(&mut self) {
        self.status = Status::Ok;
        self.is_flapping = false;
        self.is_cut_off = false;
        self.is_configured = true;
    }

    /// The first thing in which it is not as it was stored, and what is stored with that.
    pub(super) fn next_fact(&self) -> Option<(Fact, Stored)> {
        let stored = self.stored;
        let check = Arc::clone(&self.identity);
        if !self.is_configured {
            let gone = Stored { status: Status::Ok, is_flapping: false, is_cut_off: false, is_configured: false };
            return stored.is_configured.then(|| (Fact::CheckRemoved { check: Arc::clone(&check.name) }, gone));
        }
        if !stored.is_configured {
            return Some((Fact::Tick, Stored { is_configured: true, ..stored }));
        }
        if stored.is_cut_off != self.is_cut_off {
            let cause = self.is_cut_off.then(|| Arc::from(CHECKS[0]));
            let fact = Fact::Reachability { check: Arc::clone(&check.name), cause };
            return Some((fact, Stored { is_cut_off: self.is_cut_off, ..stored }));
        }
        if stored.is_flapping != self.is_flapping {
            let began = Flap::Began { findings: findings(Status::Critical), confirmed: stored.status };
            let change = if self.is_flapping { began } else { Flap::Ended };
            return Some((Fact::Flapping { check, change }, Stored { is_flapping: self.is_flapping, ..stored }));
        }
        // An unknown does not hide a failure that was confirmed.
        let is_hidden = self.status == Status::Unknown && stored.status.is_failure();
        if stored.status != self.status && !is_hidden {
            let fact = Fact::Transition { check, findings: findings(self.status) };
            return Some((fact, Stored { status: self.status, ..stored }));
        }
        None
    }
}

fn findings(status: Status) -> Arc<Findings> {
    Arc::new(Findings { status, ..Findings::posted("found") })
}

pub(super) fn checks() -> Vec<Check> {
    let labels: [&[(&str, &str)]; CHECKS.len()] = [
        &[("service", "shop"), ("severity", "P0")],
        &[("service", "shop"), ("severity", "P1")],
        &[("service", "shop")],
        &[("service", "mail"), ("severity", "P2")],
        &[],
    ];
    CHECKS.iter().zip(labels).map(|(name, labels)| Check::new(name, labels)).collect()
}

pub(super) fn posted(number: usize, ends_at: Option<Timestamp>) -> PostedAlert {
    let labels = LabelSet::new([("alertname", ["Disk", "Fan"][number]), ("service", "shop")]).expect("two labels");
    PostedAlert { labels, annotations: Arc::default(), starts_at: None, ends_at, generator_url: None }
}

fn matchers(texts: &[&str]) -> Vec<Matcher> {
    texts.iter().map(|text| Matcher::parse(text).expect("a matcher")).collect()
}

fn sinks(names: &[&str]) -> Vec<SinkName> {
    names.iter().map(|name| SinkName::from(*name)).collect()
}

fn route(texts: &[&str], names: &[&str]) -> RouteConfig {
    RouteConfig { matchers: matchers(texts), sinks: Some(sinks(names)), ..RouteConfig::default() }
}

/// Groups wait for 10 s and a minute, and are told again after a quarter of an hour.
fn root(names: &[&str], group_by: GroupBy, routes: Vec<RouteConfig>) -> RouteConfig {
    RouteConfig {
        group_by: Some(group_by),
        group_wait: Some(Duration::from_secs(10)),
        group_interval: Some(Duration::from_secs(60)),
        repeat_interval: Some(Duration::from_secs(900)),
        routes,
        ..route(&[], names)
    }
}

/// From `start` to `end` UTC, every day.
fn daily(start: &str, end: &str) -> TimeInterval {
    let times = vec![TimesText { start: start.into(), end: end.into() }];
    TimeInterval::parse(&TimeIntervalText { times, ..TimeIntervalText::default() }).expect("an interval")
}

fn config(names: &[&str], route: RouteConfig) -> AlertingConfig {
    let sink =
        |name: &&str| SinkConfig { timeout: Duration::from_secs(10), tells_acknowledgements: *name == "lead", ..SinkConfig::named(*name) };
    AlertingConfig { sinks: names.iter().map(sink).collect(), route, ..AlertingConfig::default() }
}

/// Two routes and a ladder; everything elsewhere; without one of the sinks; the first with a sink that is written otherwise.
pub(super) fn configs() -> Vec<Arc<AlertingConfig>> {
    let rung = |seconds: u64, name: &str| Rung { after: Duration::from_secs(seconds), sinks: sinks(&[name]) };
    let urgent = RouteConfig {
        continues: true,
        escalate: Some(vec![rung(120, "lead"), rung(300, "chat")]),
        ..route(&["severity=~\"P0|P1\""], &["pager", "chat"])
    };
    let by_service = GroupBy::Labels(vec!["service".into()]);
    let inhibit = InhibitRule {
        source: matchers(&["alertname=db"]),
        target: matchers(&["service=shop", "alertname!=db"]),
        equal: vec!["service".into()],
    };
    let usual = AlertingConfig {
        unknown: route(&[], &["lead"]),
        inhibit: vec![inhibit],
        ..config(&SINKS, root(&["pager"], by_service, vec![urgent, route(&["service=shop"], &["chat"])]))
    };
    let at_times = RouteConfig { mute_times: vec!["lunch".into()], ..route(&["service=mail"], &["pager"]) };
    let window = MaintenanceWindow {
        name: "backup".into(),
        matchers: matchers(&["service=shop"]),
        when: MaintenanceTime::Recurring(vec![daily("12:30", "12:40")]),
    };
    let elsewhere = AlertingConfig {
        intervals: vec![NamedInterval { name: "lunch".into(), intervals: vec![daily("12:10", "12:20")] }],
        maintenance: vec![window],
        ..config(&SINKS, root(&["chat"], GroupBy::Labels(Vec::new()), vec![at_times, route(&["alertname=api"], &["lead"])]))
    };
    let without = config(&["pager", "chat"], root(&["pager", "chat"], GroupBy::All, Vec::new()));
    let mut mended = usual.clone();
    mended.sinks.iter_mut().filter(|sink| *sink.name == *SINKS[0]).for_each(|sink| sink.revision = 1);
    let configs = vec![usual, elsewhere, without, mended];
    configs.iter().for_each(|config| assert!(config.problems().is_empty(), "{:#?}", config.problems()));
    configs.into_iter().map(Arc::new).collect()
}
