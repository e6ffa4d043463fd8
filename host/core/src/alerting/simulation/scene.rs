//! The small world of the simulation: five checks, three sinks, four configurations; and what each configuration means, said a second time
//! and without routes, rules and windows, so that the judge need not believe the machine.
//!
//! A configuration is known by its place in `configs`, its *setting*.

use std::sync::Arc;
use std::time::Duration;

use super::super::*;
use super::START;
use crate::{Cron, Status, Timestamp, Zone};

pub(super) const CHECKS: [&str; 5] = ["db", "api", "web", "mail", "dns"];
pub(super) const SINKS: [&str; 3] = ["pager", "chat", "lead"];

/// Where everything is routed otherwise, and where one of the sinks is missing. All other settings are like the first.
const ELSEWHERE: usize = 1;
const WITHOUT: usize = 2;
/// The first with a sink that is written otherwise.
const MENDED: usize = 3;

/// From a change in a group until it is told, from one telling to the next, and until it is told again; in every setting.
pub(super) const WAIT: Duration = Duration::from_secs(10);
pub(super) const INTERVAL: Duration = Duration::from_secs(60);
pub(super) const REPEAT: Duration = Duration::from_secs(900);

/// When the ladder tells more people.
const RUNGS: [(u64, &str); 2] = [(120, "lead"), (300, "chat")];
/// So short that deliveries are given up while sinks are away.
const GIVE_UP_AFTER_WITHOUT: Duration = Duration::from_secs(600);
const MOVE_BEGINS: Timestamp = Timestamp(START.0 + 15 * 60_000);
const MOVE_ENDS: Timestamp = Timestamp(START.0 + 25 * 60_000);
/// Alerts of a storm: more than one notification names.
const STORM: usize = ALERTS_MAX + 20;

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

/// Many at once.
pub(super) fn storm(ends_at: Option<Timestamp>) -> Vec<PostedAlert> {
    let alert = |number: usize| {
        let labels = [("alertname", "Storm".to_owned()), ("number", number.to_string()), ("service", "shop".to_owned())];
        let labels = LabelSet::new(labels).expect("three labels");
        PostedAlert { labels, annotations: Arc::default(), starts_at: None, ends_at, generator_url: None }
    };
    (0..STORM).map(alert).collect()
}

/// Everything that is ever posted.
pub(super) fn all_posted(ends_at: Option<Timestamp>) -> Vec<PostedAlert> {
    storm(ends_at).into_iter().chain((0..2).map(|number| posted(number, ends_at))).collect()
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

fn root(names: &[&str], group_by: GroupBy, routes: Vec<RouteConfig>) -> RouteConfig {
    RouteConfig {
        group_by: Some(group_by),
        group_wait: Some(WAIT),
        group_interval: Some(INTERVAL),
        repeat_interval: Some(REPEAT),
        routes,
        ..route(&[], names)
    }
}

/// From `start` to `end` UTC, every day.
fn daily(start: &str, end: &str) -> TimeInterval {
    let times = vec![TimesText { start: start.into(), end: end.into() }];
    TimeInterval::parse(&TimeIntervalText { times, ..TimeIntervalText::default() }).expect("an interval")
}

/// Whether a sink is told by itself that somebody took an incident.
pub(super) fn tells_acknowledgements(sink: &str) -> bool {
    sink == "lead"
}

fn config(names: &[&str], route: RouteConfig) -> AlertingConfig {
    let sink = |name: &&str| SinkConfig {
        timeout: Duration::from_secs(10),
        tells_acknowledgements: tells_acknowledgements(name),
        ..SinkConfig::named(*name)
    };
    AlertingConfig { sinks: names.iter().map(sink).collect(), route, ..AlertingConfig::default() }
}

fn window(name: &str, matcher: &str, when: MaintenanceTime) -> MaintenanceWindow {
    MaintenanceWindow { name: name.into(), matchers: matchers(&[matcher]), when }
}

/// Two routes and a ladder; everything elsewhere; without one of the sinks; the first with a sink that is written otherwise.
pub(super) fn configs() -> Vec<Arc<AlertingConfig>> {
    let rung = |(seconds, name): (u64, &str)| Rung { after: Duration::from_secs(seconds), sinks: sinks(&[name]) };
    let urgent =
        RouteConfig { continues: true, escalate: Some(RUNGS.map(rung).into()), ..route(&["severity=~\"P0|P1\""], &["pager", "chat"]) };
    let by_service = GroupBy::Labels(vec!["service".into()]);
    let inhibit = InhibitRule {
        source: matchers(&["alertname=db"]),
        target: matchers(&["service=shop", "alertname!=db"]),
        equal: vec!["service".into()],
    };
    let hourly = Arc::new(Cron::parse("10 * * * *", Zone::UTC).expect("an expression"));
    let usual = AlertingConfig {
        unknown: route(&[], &["lead"]),
        inhibit: vec![inhibit],
        maintenance: vec![window("rotation", "alertname=mail", MaintenanceTime::Cron { cron: hourly, duration: Duration::from_secs(300) })],
        ..config(&SINKS, root(&["pager"], by_service, vec![urgent, route(&["service=shop"], &["chat"])]))
    };
    let at_times = RouteConfig { mute_times: vec!["lunch".into()], ..route(&["service=mail"], &["pager"]) };
    let in_hours = RouteConfig { active_times: vec!["office".into()], ..route(&["alertname=dns"], &["chat"]) };
    let named = |name: &str, start: &str, end: &str| NamedInterval { name: name.into(), intervals: vec![daily(start, end)] };
    let elsewhere = AlertingConfig {
        intervals: vec![named("lunch", "12:10", "12:20"), named("office", "12:05", "12:45")],
        maintenance: vec![window("backup", "service=shop", MaintenanceTime::Recurring(vec![daily("12:30", "12:40")]))],
        ..config(&SINKS, root(&["chat"], GroupBy::Labels(Vec::new()), vec![at_times, route(&["alertname=api"], &["lead"]), in_hours]))
    };
    let once = MaintenanceTime::Once { starts_at: MOVE_BEGINS, ends_at: MOVE_ENDS };
    let without = AlertingConfig {
        maintenance: vec![window("move", "alertname=web", once)],
        give_up_after: GIVE_UP_AFTER_WITHOUT,
        ..config(&["pager", "chat"], root(&["pager", "chat"], GroupBy::All, Vec::new()))
    };
    let mut mended = usual.clone();
    mended.sinks.iter_mut().for_each(|sink| sink.revision = revision(MENDED, &sink.name));
    let configs = vec![usual, elsewhere, without, mended];
    configs.iter().for_each(|config| assert!(config.problems().is_empty(), "{:#?}", config.problems()));
    configs.into_iter().map(Arc::new).collect()
}

/// Who is to be told of an incident: at once, and when the ladder is climbed.
pub(super) struct Audience {
    pub(super) at_once: &'static [&'static str],
    pub(super) by_ladder: &'static [&'static str],
}

pub(super) fn audience(setting: usize, incident: &Incident) -> Audience {
    let is = |name: &str, value: &str| incident.labels.get(name) == Some(value);
    let (at_once, by_ladder): (&[&str], &[&str]) = match setting {
        WITHOUT => (&["pager", "chat"], &[]),
        ELSEWHERE if incident.is_unknown() => (&["chat"], &[]),
        ELSEWHERE if is("service", "mail") => (&["pager"], &[]),
        ELSEWHERE if is("alertname", "api") => (&["lead"], &[]),
        ELSEWHERE => (&["chat"], &[]),
        _ if incident.is_unknown() => (&["lead"], &[]),
        _ if is("severity", "P0") || is("severity", "P1") => (&["pager", "chat"], &["lead"]),
        _ if is("service", "shop") => (&["chat"], &[]),
        _ => (&["pager"], &[]),
    };
    Audience { at_once, by_ladder }
}

pub(super) fn is_configured(setting: usize, sink: &str) -> bool {
    setting != WITHOUT || sink != "lead"
}

/// Another number where the sink is written otherwise, and may be mended by that.
pub(super) fn revision(setting: usize, sink: &str) -> u64 {
    u64::from(setting == MENDED && sink == SINKS[0])
}

/// When a rung may be climbed, since the incident was first to be told; none where there is no such rung.
pub(super) fn rung_after(setting: usize, rung: u32) -> Option<Duration> {
    let index = usize::try_from(rung).ok()?.checked_sub(1)?;
    let (seconds, _) = RUNGS.get(index).filter(|_| setting != ELSEWHERE && setting != WITHOUT)?;
    Some(Duration::from_secs(*seconds))
}

pub(super) fn give_up_after(setting: usize) -> Duration {
    if setting == WITHOUT { GIVE_UP_AFTER_WITHOUT } else { GIVE_UP_AFTER }
}

/// What a clock in UTC shows, in minutes since midnight.
fn minute_of_day(now: Timestamp) -> u64 {
    now.0 / 60_000 % (24 * 60)
}

pub(super) fn is_in_maintenance(setting: usize, incident: &Incident, now: Timestamp) -> bool {
    let is = |name: &str, value: &str| incident.labels.get(name) == Some(value);
    match setting {
        ELSEWHERE => is("service", "shop") && (12 * 60 + 30..12 * 60 + 40).contains(&minute_of_day(now)),
        WITHOUT => is("alertname", "web") && (MOVE_BEGINS..MOVE_ENDS).contains(&now),
        _ => is("alertname", "mail") && (10..15).contains(&(minute_of_day(now) % 60)),
    }
}

/// Whether the routes of an incident are mute at this time.
pub(super) fn is_mute_by_time(setting: usize, incident: &Incident, now: Timestamp) -> bool {
    if setting != ELSEWHERE || incident.is_unknown() {
        return false;
    }
    let is = |name: &str, value: &str| incident.labels.get(name) == Some(value);
    let minute = minute_of_day(now);
    if is("service", "mail") {
        return (12 * 60 + 10..12 * 60 + 20).contains(&minute);
    }
    is("alertname", "dns") && !(12 * 60 + 5..12 * 60 + 45).contains(&minute)
}

/// Whether an incident inhibits others, and is inhibited where there is such a one.
pub(super) fn inhibits(setting: usize, incident: &Incident) -> bool {
    setting != ELSEWHERE && setting != WITHOUT && is_of_shop(incident) && incident.labels.get("alertname") == Some("db")
}

pub(super) fn is_inhibitable(setting: usize, incident: &Incident) -> bool {
    setting != ELSEWHERE && setting != WITHOUT && is_of_shop(incident) && incident.labels.get("alertname") != Some("db")
}

fn is_of_shop(incident: &Incident) -> bool {
    incident.labels.get("service") == Some("shop")
}
