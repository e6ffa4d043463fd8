use super::super::config::{InhibitRule, MaintenanceWindow, Rung, SinkConfig};
use super::super::interval::{NamedInterval, TimeIntervalText};
use super::*;
use crate::Timestamp;

fn matchers(texts: &[&str]) -> Vec<Matcher> {
    texts.iter().map(|text| Matcher::parse(text).expect("a matcher")).collect()
}

fn sinks(names: &[&str]) -> Option<Vec<SinkName>> {
    Some(names.iter().map(|name| SinkName::from(*name)).collect())
}

fn route(texts: &[&str], routes: Vec<RouteConfig>) -> RouteConfig {
    RouteConfig { matchers: matchers(texts), routes, ..RouteConfig::default() }
}

fn rule(source: &str, target: &str) -> InhibitRule {
    InhibitRule { source: matchers(&[source]), target: matchers(&[target]), equal: Vec::new() }
}

fn config() -> AlertingConfig {
    AlertingConfig {
        sinks: vec![SinkConfig::named("oncall"), SinkConfig::named("lead")],
        route: RouteConfig { sinks: sinks(&["oncall"]), ..RouteConfig::default() },
        ..AlertingConfig::default()
    }
}

fn never() -> TimeInterval {
    let text = TimeIntervalText { days_of_month: vec!["30".into()], months: vec!["february".into()], ..TimeIntervalText::default() };
    TimeInterval::parse(&text).expect("it can be read")
}

/// Path and reason of the only problem.
fn problem(config: &AlertingConfig) -> (String, String) {
    let problems = config.problems();
    let [problem] = problems.as_slice() else { panic!("{problems:#?}") };
    (problem.path.clone(), problem.reason.clone())
}

fn assert_usable(config: &AlertingConfig) {
    let problems = config.problems();
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn a_configuration_that_can_be_used_has_no_problems() {
    assert_usable(&AlertingConfig::default());
    let mut config = config();
    config.route.routes = vec![
        RouteConfig { continues: true, ..route(&["severity=~\"P0|P1\""], Vec::new()) },
        route(&["severity=\"P0\""], vec![route(&["service=\"a\""], Vec::new()), route(&["service=\"b\""], Vec::new())]),
    ];
    config.route.escalate = Some(vec![Rung { after: Duration::from_secs(60), sinks: vec!["lead".into()] }]);
    config.inhibit = vec![rule("alertname=\"db\"", "service=\"api\""), rule("alertname=\"net\"", "alertname=\"db\"")];
    assert_usable(&config);
}

#[test]
fn an_unknown_sink_is_named_by_its_path() {
    let mut config = config();
    config.route.routes = vec![route(&["a=1"], Vec::new()), RouteConfig { sinks: sinks(&["pager"]), ..route(&["a=2"], Vec::new()) }];
    assert_eq!(problem(&config), ("route.routes[1].sinks[0]".into(), "there is no sink `pager`".into()));
    assert_eq!(config.problems()[0].hint, "there are: oncall, lead");
    config.route.routes.clear();
    config.unknown.escalate = Some(vec![Rung { after: Duration::from_secs(1), sinks: vec!["oncall".into(), "boss".into()] }]);
    assert_eq!(problem(&config).0, "route.unknown.escalate[0].sinks[1]");
}

#[test]
fn a_route_behind_one_that_takes_everything_is_unreachable() {
    let mut config = config();
    config.route.routes = vec![route(&["severity=~\"P0|P1\""], Vec::new()), route(&["severity=\"P0\"", "service=\"api\""], Vec::new())];
    let (path, reason) = problem(&config);
    assert_eq!(path, "route.routes[1]");
    assert_eq!(reason, "no alert reaches it: `route.routes[0]` takes all that it matches");
    config.route.routes[0].continues = true;
    assert_usable(&config);
    config.route.routes = vec![route(&["a=1"], vec![route(&["a=2"], Vec::new())])];
    let (path, reason) = problem(&config);
    assert_eq!(path, "route.routes[0].routes[0]");
    assert_eq!(reason, "no alert reaches it: `a=\"1\"` and `a=\"2\"` exclude each other");
}

#[test]
fn a_ladder_goes_up_in_time() {
    let mut config = config();
    let rung = |minutes: u64| Rung { after: Duration::from_secs(minutes * 60), sinks: vec!["lead".into()] };
    config.route.escalate = Some(vec![rung(15), rung(15)]);
    assert_eq!(problem(&config).0, "route.escalate[1].after");
    config.route.escalate = Some(vec![Rung { sinks: Vec::new(), ..rung(15) }]);
    assert_eq!(problem(&config).0, "route.escalate[0].sinks");
}

#[test]
fn rules_that_mute_each_other_are_a_circle() {
    let mut config = config();
    config.inhibit = vec![rule("x=1", "y=1"), rule("alertname=\"a\"", "alertname=\"b\""), rule("alertname=~\"b|c\"", "alertname=\"a\"")];
    let (path, reason) = problem(&config);
    assert_eq!(path, "inhibit[1]");
    assert!(reason.ends_with("inhibit[1] -> inhibit[2] -> inhibit[1]"), "{reason}");
    // One rule alone mutes nobody by itself: an alert that matches both sides is not muted by another such.
    config.inhibit = vec![rule("a=1", "a=1")];
    assert_usable(&config);
    config.inhibit = vec![InhibitRule { source: Vec::new(), ..rule("a=1", "b=1") }];
    assert_eq!(problem(&config).0, "inhibit[0].source");
}

#[test]
fn times_must_be_some_time() {
    let mut config = config();
    config.intervals = vec![NamedInterval { name: "leap".into(), intervals: vec![never()] }];
    assert_eq!(problem(&config), ("interval[0]".into(), "it never is: no year has such a day".into()));
    config.intervals[0].intervals.insert(0, TimeInterval::parse(&TimeIntervalText::default()).expect("always"));
    assert_eq!(problem(&config).0, "interval[0][1]");
    config.intervals.clear();
    let window = |when| MaintenanceWindow { name: "m".into(), matchers: Vec::new(), when };
    config.maintenance = vec![window(MaintenanceTime::Recurring(vec![never()]))];
    assert_eq!(problem(&config).0, "maintenance[0]");
    config.maintenance = vec![window(MaintenanceTime::Once { starts_at: Timestamp(2), ends_at: Timestamp(2) })];
    assert_eq!(problem(&config), ("maintenance[0]".into(), "it ends before it begins".into()));
    config.maintenance.clear();
    config.route.routes = vec![RouteConfig { mute_times: vec!["night".into()], ..route(&["a=1"], Vec::new()) }];
    assert_eq!(problem(&config), ("route.routes[0].mute_times[0]".into(), "there is no interval `night`".into()));
}

#[test]
fn the_root_takes_everything_at_all_times() {
    let mut config = config();
    config.route.matchers = matchers(&["a=1"]);
    assert_eq!(problem(&config).0, "route");
    config.route.matchers.clear();
    config.sinks.push(SinkConfig::named("lead"));
    assert_eq!(problem(&config), ("sink[2].name".into(), "the sink `lead` stands twice".into()));
}

#[test]
fn what_is_too_much_is_refused() {
    let mut config = config();
    let mut deep = route(&["a=1"], Vec::new());
    for _ in 0..ROUTE_DEPTH_MAX {
        deep = route(&["a=1"], vec![deep]);
    }
    config.route.routes = vec![deep];
    assert!(problem(&config).1.contains("deeper than 16"));
    config.route.routes = (0..ROUTES_MAX).map(|number| route(&[&format!("a={number}")], Vec::new())).collect();
    assert!(problem(&config).1.contains("the limit is 1000"));
}
