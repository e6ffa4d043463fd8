//! What mutes a begin, and never an end.

use super::*;

/// From `start` to `end` UTC, on Mondays.
fn mondays(name: &str, start: &str, end: &str) -> NamedInterval {
    let text = TimeIntervalText {
        times: vec![TimesText { start: start.into(), end: end.into() }],
        weekdays: vec!["monday".into()],
        ..TimeIntervalText::default()
    };
    NamedInterval { name: name.into(), intervals: vec![TimeInterval::parse(&text).expect("an interval")] }
}

fn maintained(when: MaintenanceTime) -> AlertingConfig {
    let matchers = vec![Matcher::parse("service=shop").expect("a matcher")];
    AlertingConfig { maintenance: vec![MaintenanceWindow { name: "move".into(), matchers, when }], ..config(root(&["oncall"])) }
}

fn inhibited() -> AlertingConfig {
    let matchers = |text| vec![Matcher::parse(text).expect("a matcher")];
    let rule = InhibitRule { source: matchers("alertname=db"), target: matchers("alertname=api"), equal: Vec::new() };
    AlertingConfig { inhibit: vec![rule], ..config(root(&["oncall"])) }
}

#[test]
fn a_silenced_incident_is_told_when_the_silence_is_over() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(0).silences("alertname=api", 1000);
    timeline.at(1).fails("api");
    timeline.at(200).restarts();
    timeline.between(1030, 1030).expects("oncall", firing(["api"]));
    let world = timeline.run(hours(1));
    let events = world.events("api");
    assert!(
        events.iter().any(|event| event.starts_with("muted: silence ")) && events.contains(&"no longer muted".to_owned()),
        "{events:?}"
    );
}

#[test]
fn an_end_comes_through_a_silence() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(100).silences("alertname=~\"a.*\"", 5000);
    timeline.at(200).recovers("api");
    timeline.between(331, 331).expects("oncall", resolved(["api"]));
    timeline.run(hours(2));
}

#[test]
fn what_was_silenced_all_the_time_is_never_told() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(0).silences("alertname=api", 1000);
    timeline.at(1).fails("api");
    timeline.at(500).recovers("api");
    timeline.run(hours(1));
}

#[test]
fn a_silence_takes_one_alert_out_of_a_group() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(100).silences("alertname=api", 5000);
    timeline.at(200).fails("db");
    timeline.between(331, 331).expects("oncall", firing(["db"]));
    timeline.run(hours(1));
}

#[test]
fn a_reminder_that_was_muted_is_made_up_for() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(14_000).silences("alertname=api", 20_000);
    timeline.between(20_030, 20_030).expects("oncall", firing(["api"]));
    timeline.run(25_000);
}

#[test]
fn an_incident_is_not_told_while_another_inhibits_it() {
    let mut timeline = Timeline::new(inhibited());
    timeline.at(1).fails("db");
    timeline.at(2).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["db"]));
    timeline.at(400).recovers("db");
    timeline.between(430, 430).expects("oncall", firing(["api"]).and(resolved(["db"])));
    timeline.at(1000).recovers("api");
    timeline.between(1030, 1030).expects("oncall", resolved(["api"]));
    timeline.run(hours(1));
}

#[test]
fn an_end_comes_through_inhibition() {
    let mut timeline = Timeline::new(inhibited());
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(100).fails("db");
    timeline.between(331, 331).expects("oncall", firing(["db"]));
    timeline.at(400).recovers("api");
    timeline.between(631, 631).expects("oncall", firing(["db"]).and(resolved(["api"])));
    timeline.run(hours(1));
}

#[test]
fn nothing_is_told_during_maintenance_and_what_is_left_after_it() {
    let when = MaintenanceTime::Once { starts_at: START, ends_at: START.plus(Duration::from_secs(1000)) };
    let mut timeline = Timeline::new(maintained(when));
    timeline.labelled("api", &[("service", "shop")]);
    timeline.labelled("db", &[("service", "shop")]);
    timeline.at(1).fails("api");
    timeline.at(1).fails("db");
    timeline.at(1).fails("mail");
    timeline.at(900).recovers("db");
    timeline.between(31, 31).expects("oncall", firing(["mail"]));
    timeline.between(1030, 1030).expects("oncall", firing(["api", "mail"]));
    timeline.run(hours(1));
}

#[test]
fn maintenance_comes_again_at_its_times() {
    let when = MaintenanceTime::Recurring(mondays("move", "12:00", "12:10").intervals);
    let mut timeline = Timeline::new(maintained(when));
    timeline.labelled("api", &[("service", "shop")]);
    timeline.at(1).fails("api");
    timeline.at(300).restarts();
    timeline.between(630, 630).expects("oncall", firing(["api"]));
    timeline.run(hours(1));
}

#[test]
fn a_route_is_mute_at_its_mute_times_but_for_ends() {
    let muted = RouteConfig { mute_times: vec!["lunch".into()], ..child("service=shop", &["oncall"]) };
    let routed = config(RouteConfig { routes: vec![muted], ..root(&["slack"]) });
    let mut timeline = Timeline::new(AlertingConfig { intervals: vec![mondays("lunch", "12:05", "12:20")], ..routed });
    timeline.labelled("api", &[("service", "shop")]);
    timeline.labelled("db", &[("service", "shop")]);
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(400).recovers("api");
    timeline.at(410).fails("db");
    timeline.between(430, 430).expects("oncall", resolved(["api"]));
    timeline.between(1230, 1230).expects("oncall", firing(["db"]));
    timeline.run(hours(1));
}

#[test]
fn a_route_is_mute_outside_of_its_active_times() {
    let active = RouteConfig { active_times: vec!["office".into()], ..child("service=shop", &["oncall"]) };
    let routed = config(RouteConfig { routes: vec![active], ..root(&["slack"]) });
    let mut timeline = Timeline::new(AlertingConfig { intervals: vec![mondays("office", "12:10", "17:00")], ..routed });
    timeline.labelled("api", &[("service", "shop")]);
    timeline.at(1).fails("api");
    timeline.between(630, 630).expects("oncall", firing(["api"]));
    timeline.run(hours(1));
}

#[test]
fn a_check_is_not_told_while_what_it_depends_on_is_down() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("db");
    timeline.at(2).cuts_off("api", Some("db"));
    timeline.at(3).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["db"]));
    timeline.at(100).restarts();
    timeline.at(400).recovers("db");
    timeline.at(401).cuts_off("api", None);
    timeline.between(430, 430).expects("oncall", firing(["api"]).and(resolved(["db"])));
    timeline.run(hours(1));
}

#[test]
fn a_check_that_flaps_is_told_once() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(40).flaps("api");
    for second in (50..1500).step_by(20) {
        timeline.at(second).recovers("api");
        timeline.at(second + 10).fails("api");
    }
    timeline.at(600).restarts();
    timeline.at(1600).recovers("api");
    timeline.at(2000).calms("api");
    timeline.between(2030, 2030).expects("oncall", resolved(["api"]));
    let world = timeline.run(hours(1));
    assert_eq!(world.memory.incidents.len(), 1);
}

#[test]
fn a_check_that_flaps_too_fast_to_be_confirmed_is_told_all_the_same() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).flaps("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(1000).calms("api");
    timeline.between(1030, 1030).expects("oncall", resolved(["api"]));
    timeline.run(hours(1));
}

#[test]
fn a_check_that_nobody_can_judge_when_it_is_calm_stays_open_until_somebody_can() {
    let mut timeline = Timeline::new(AlertingConfig { unknown: root(&["slack"]), ..config(root(&["oncall"])) });
    timeline.at(1).flaps("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(500).loses_sight_of("api");
    timeline.between(530, 530).expects("slack", firing(["api?"]));
    timeline.at(1000).calms("api");
    timeline.at(1500).then(|world| {
        let incident = world.incident("api");
        assert!(world.alerting.incident(incident).is_some_and(Incident::is_open));
    });
    timeline.at(2000).recovers("api");
    timeline.between(2030, 2030).expects("oncall", resolved(["api"]));
    timeline.between(2030, 2030).expects("slack", resolved(["api?"]));
    timeline.run(hours(1));
}

#[test]
fn an_incident_that_is_mute_by_the_times_of_its_route_says_so_and_what_comes_next() {
    let muted = RouteConfig { mute_times: vec!["lunch".into()], ..child("service=shop", &["oncall"]) };
    let routed = config(RouteConfig { routes: vec![muted], ..root(&["slack"]) });
    let mut timeline = Timeline::new(AlertingConfig { intervals: vec![mondays("lunch", "12:00", "13:00")], ..routed });
    timeline.labelled("api", &[("service", "shop")]);
    timeline.at(1).fails("api");
    let world = timeline.run(600);
    let id = world.incident("api");
    let incident = world.alerting.incident(id).expect("it is open");
    assert_eq!((incident.mute.as_ref(), incident.muted_by()), (None, Some(&Mute::MutedTime { interval: "lunch".into() })));
    let explanation = world.alerting.explain(id).expect("it is open");
    let next: Vec<(u64, &str)> = explanation.next.iter().map(|step| (step.at.since(START).as_secs(), step.what.as_str())).collect();
    assert_eq!(next, [(3600, "the route is mute during `lunch`: that may end")]);
}

#[test]
fn of_an_incident_that_is_over_it_is_said_who_is_told_the_end_and_nothing_else() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(40).acknowledges("api", Some(3000));
    timeline.at(100).recovers("api");
    timeline.at(200).then(|world| {
        let id = world.memory.incidents.values().next().expect("the incident").id;
        let explanation = world.alerting.explain(id).expect("its end is owed");
        let next: Vec<(u64, &str)> = explanation.next.iter().map(|step| (step.at.since(START).as_secs(), step.what.as_str())).collect();
        assert_eq!(next, [(331, "`oncall` is told the end")]);
    });
    timeline.between(331, 331).expects("oncall", resolved(["api"]));
    timeline.run(hours(1));
}

#[test]
fn a_check_that_still_fails_when_it_is_calm_stays_open() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).flaps("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(500).fails("api");
    timeline.at(1000).calms("api");
    timeline.at(2000).drops("api");
    timeline.between(2030, 2030).expects("oncall", resolved(["api"]));
    timeline.run(hours(1));
}

#[test]
fn an_incident_inhibits_only_what_shares_the_labels_that_are_to_be_equal() {
    let matchers = |text| vec![Matcher::parse(text).expect("a matcher")];
    let rule = InhibitRule { source: matchers("alertname=db"), target: matchers("role=client"), equal: vec!["zone".to_owned()] };
    let mut timeline = Timeline::new(AlertingConfig { inhibit: vec![rule], ..config(root(&["oncall"])) });
    timeline.labelled("db", &[("zone", "a")]);
    timeline.labelled("near", &[("zone", "a"), ("role", "client")]);
    timeline.labelled("far", &[("zone", "b"), ("role", "client")]);
    for check in ["db", "near", "far"] {
        timeline.at(1).fails(check);
    }
    timeline.between(31, 31).expects("oncall", firing(["db", "far"]));
    timeline.at(200).restarts();
    timeline.at(400).recovers("db");
    timeline.between(430, 430).expects("oncall", firing(["near", "far"]).and(resolved(["db"])));
    timeline.run(hours(1));
}

fn silence_of_api(from: u64, until: u64) -> Fact {
    let matchers = vec![Matcher::parse("alertname=api").expect("a matcher")];
    let (starts_at, ends_at) = (START.plus(Duration::from_secs(from)), START.plus(Duration::from_secs(until)));
    Fact::SilencePut {
        draft: SilenceDraft { id: None, matchers, starts_at, ends_at, created_by: "anna".to_owned(), comment: String::new() },
    }
}

#[test]
fn a_silence_mutes_from_its_begin_until_somebody_ends_it() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(0).fact(|_| silence_of_api(500, 5000));
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(100).recovers("api");
    timeline.between(331, 331).expects("oncall", resolved(["api"]));
    timeline.at(400).restarts();
    timeline.at(600).fails("api");
    timeline.at(1000).fact(|world| {
        let silence = world.alerting.silences().next().expect("it has begun").id;
        Fact::SilenceExpired { silence }
    });
    timeline.between(1030, 1030).expects("oncall", firing(["api"]));
    timeline.run(hours(1));
}

#[test]
fn a_silence_in_the_past_is_refused_and_mutes_nothing() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(10).then(|world| {
        for (from, until) in [(0, 5), (200, 100)] {
            let changes = world.apply(silence_of_api(from, until));
            assert_eq!((changes.refusals.len(), changes.silences.len()), (1, 0), "{:?}", changes.refusals);
        }
    });
    timeline.at(20).fails("api");
    timeline.between(50, 50).expects("oncall", firing(["api"]));
    timeline.run(hours(1));
}
