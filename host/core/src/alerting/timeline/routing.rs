//! Which sinks are told, together with what, and when.

use super::*;

#[test]
fn alerts_of_a_group_wait_for_each_other() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    timeline.at(10).fails("db");
    timeline.between(31, 31).expects("oncall", firing(["api", "db"]));
    timeline.run(hours(1));
}

#[test]
fn news_of_a_group_wait_for_the_interval() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(60).fails("db");
    timeline.between(331, 331).expects("oncall", firing(["api", "db"]));
    timeline.at(400).recovers("api");
    timeline.between(631, 631).expects("oncall", firing(["db"]).and(resolved(["api"])));
    timeline.run(hours(1));
}

#[test]
fn after_a_quiet_time_news_wait_for_each_other_only() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(2000).fails("db");
    timeline.between(2030, 2030).expects("oncall", firing(["api", "db"]));
    timeline.run(hours(1));
}

#[test]
fn what_goes_on_is_told_again() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    for at in [31, 31 + hours(4), 31 + hours(8)] {
        timeline.between(at, at).expects("oncall", firing(["api"]));
    }
    timeline.run(hours(9));
}

#[test]
fn groups_are_made_by_labels() {
    let mut timeline = Timeline::new(config(grouped(&["service"], root(&["oncall"]))));
    timeline.labelled("api", &[("service", "shop")]);
    timeline.labelled("db", &[("service", "shop")]);
    timeline.labelled("smtp", &[("service", "mail")]);
    for check in ["api", "db", "smtp"] {
        timeline.at(1).fails(check);
    }
    timeline.between(31, 31).expects("oncall", firing(["api", "db"]));
    timeline.between(31, 31).expects("oncall", firing(["smtp"]));
    timeline.at(600).recovers("smtp");
    timeline.between(630, 630).expects("oncall", resolved(["smtp"]));
    timeline.run(hours(1));
}

#[test]
fn every_alert_can_be_a_group_of_its_own() {
    let mut timeline = Timeline::new(config(RouteConfig { group_by: Some(GroupBy::All), ..root(&["oncall"]) }));
    timeline.at(1).fails("api");
    timeline.at(1).fails("db");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.between(31, 31).expects("oncall", firing(["db"]));
    timeline.run(hours(1));
}

#[test]
fn continue_tells_the_sinks_of_several_routes() {
    let first = RouteConfig { continues: true, ..child("severity=P1", &["lead"]) };
    let mut timeline = Timeline::new(config(RouteConfig { routes: vec![first, child("service=shop", &["slack"])], ..root(&["oncall"]) }));
    timeline.labelled("api", &[("severity", "P1"), ("service", "shop")]);
    timeline.at(1).fails("api");
    timeline.at(1).fails("db");
    timeline.between(31, 31).expects("lead", firing(["api"]));
    timeline.between(31, 31).expects("slack", firing(["api"]));
    timeline.between(31, 31).expects("oncall", firing(["db"]));
    timeline.run(hours(1));
}

#[test]
fn a_sink_hears_of_an_incident_once_through_however_many_routes() {
    let first = RouteConfig { continues: true, ..child("severity=P1", &["oncall"]) };
    let mut timeline = Timeline::new(config(RouteConfig { routes: vec![first, child("service=shop", &["oncall"])], ..root(&["slack"]) }));
    timeline.labelled("api", &[("severity", "P1"), ("service", "shop")]);
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(100).recovers("api");
    timeline.between(331, 331).expects("oncall", resolved(["api"]));
    timeline.run(hours(1));
}

#[test]
fn a_check_that_nobody_can_judge_goes_to_its_own_route_as_p3() {
    let mut timeline = Timeline::new(AlertingConfig { unknown: root(&["slack"]), ..config(root(&["oncall"])) });
    timeline.labelled("api", &[("severity", "P0")]);
    timeline.at(1).loses_sight_of("api");
    timeline.between(31, 31).expects("slack", firing(["api?"]));
    timeline.at(40).fails("api");
    timeline.between(70, 70).expects("oncall", firing(["api"]));
    timeline.between(331, 331).expects("slack", resolved(["api?"]));
    timeline.at(1000).recovers("api");
    timeline.between(1030, 1030).expects("oncall", resolved(["api"]));
    let world = timeline.run(hours(1));
    let severities: Vec<Severity> = world.heard.iter().map(|heard| heard.delivery.severity).collect();
    assert_eq!(severities, [Severity::P3, Severity::P0, Severity::P3, Severity::P0]);
}

#[test]
fn warning_and_critical_are_one_incident() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).warns("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(100).fails("api");
    timeline.at(400).recovers("api");
    timeline.between(430, 430).expects("oncall", resolved(["api"]));
    let world = timeline.run(hours(1));
    assert_eq!(world.memory.incidents.len(), 1);
    assert!(world.events("api").contains(&"from warning to critical".to_owned()), "{:?}", world.events("api"));
}

#[test]
fn an_incident_that_becomes_worse_can_take_another_route() {
    let mut timeline = Timeline::new(config(RouteConfig { routes: vec![child("status=critical", &["lead"])], ..root(&["oncall"]) }));
    timeline.at(1).warns("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(100).fails("api");
    timeline.between(130, 130).expects("lead", firing(["api"]));
    timeline.at(400).recovers("api");
    timeline.between(430, 430).expects("oncall", resolved(["api"]));
    timeline.between(430, 430).expects("lead", resolved(["api"]));
    timeline.run(hours(1));
}

#[test]
fn what_is_resolved_before_it_is_sent_is_not_told() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    timeline.at(20).recovers("api");
    let world = timeline.run(hours(1));
    assert!(world.events("api").contains(&"resolved before anybody was told".to_owned()), "{:?}", world.events("api"));
    assert!(world.memory.rows() == Rows::default(), "{:#?}", world.memory.rows());
}

#[test]
fn each_episode_is_an_incident_of_its_own() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(40).recovers("api");
    timeline.at(50).fails("api");
    timeline.between(331, 331).expects("oncall", firing(["api"]).and(resolved(["api"])));
    timeline.at(400).recovers("api");
    timeline.at(410).fails("api");
    timeline.at(420).recovers("api");
    timeline.between(631, 631).expects("oncall", resolved(["api"]));
    let world = timeline.run(hours(1));
    assert_eq!(world.memory.incidents.len(), 3);
}

#[test]
fn a_check_that_is_removed_is_told_to_be_resolved() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(100).drops("api");
    timeline.between(331, 331).expects("oncall", resolved(["api"]));
    let world = timeline.run(hours(1));
    assert!(world.events("api").contains(&"resolved: the check is no longer configured".to_owned()));
}

#[test]
fn a_posted_alert_ends_when_nobody_posts_it_any_more() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).posts("Disk", None);
    timeline.between(31, 31).expects("oncall", firing(["Disk"]));
    timeline.at(200).posts("Disk", None);
    // Five minutes after the last post, and the time that a group waits.
    timeline.between(530, 530).expects("oncall", resolved(["Disk"]));
    let world = timeline.run(hours(1));
    assert!(world.events("Disk").contains(&"resolved: its poster fell silent".to_owned()));
}

#[test]
fn a_posted_alert_ends_when_its_poster_says_so() {
    let mut timeline = Timeline::new(config(grouped(&["alertname"], root(&["oncall"]))));
    timeline.at(1).posts("Disk", Some(500));
    timeline.at(1).posts("Fan", Some(5000));
    timeline.between(31, 31).expects("oncall", firing(["Disk"]));
    timeline.between(31, 31).expects("oncall", firing(["Fan"]));
    timeline.at(600).posts("Fan", Some(600));
    timeline.between(530, 530).expects("oncall", resolved(["Disk"]));
    timeline.between(630, 630).expects("oncall", resolved(["Fan"]));
    timeline.run(hours(1));
}

#[test]
fn who_was_told_in_another_route_is_told_the_end() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.labelled("api", &[("service", "shop")]);
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(100).configures(config(RouteConfig { routes: vec![child("service=shop", &["lead"])], ..root(&["oncall"]) }));
    timeline.between(130, 130).expects("lead", firing(["api"]));
    timeline.at(1000).recovers("api");
    timeline.between(1030, 1030).expects("oncall", resolved(["api"]));
    timeline.between(1030, 1030).expects("lead", resolved(["api"]));
    timeline.run(hours(1));
}

#[test]
fn a_sink_that_keeps_an_incident_by_another_route_is_not_told_again() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.labelled("api", &[("service", "shop")]);
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(100).configures(config(RouteConfig { routes: vec![child("service=shop", &["oncall"])], ..root(&["oncall"]) }));
    timeline.at(200).restarts();
    // Reminders go on, and the end comes once.
    timeline.between(31 + hours(4), 31 + hours(4)).expects("oncall", firing(["api"]));
    timeline.at(hours(5)).recovers("api");
    timeline.between(hours(5) + 30, hours(5) + 30).expects("oncall", resolved(["api"]));
    timeline.run(hours(6));
}

#[test]
fn a_sink_that_is_added_to_a_route_is_told_what_fires() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(100).configures(config(root(&["oncall", "lead"])));
    timeline.between(331, 331).expects("lead", firing(["api"]));
    timeline.run(hours(1));
}

#[test]
fn a_sink_that_is_removed_and_does_not_come_back_hears_no_end_and_the_timeline_says_so() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    let mut without = config(root(&["lead"]));
    without.sinks.retain(|sink| &*sink.name != "oncall");
    timeline.at(100).configures(without);
    timeline.between(331, 331).expects("lead", firing(["api"]));
    timeline.at(1000).recovers("api");
    timeline.between(1030, 1030).expects("lead", resolved(["api"]));
    let world = timeline.run(100 + hours(24));
    let states: Vec<&DeliveryState> = world.memory.deliveries.values().map(|delivery| &delivery.state).collect();
    assert!(states.iter().any(|state| matches!(state, DeliveryState::Expired { .. })), "{states:?}");
    assert!(world.events("api").contains(&"`oncall` is no longer configured and hears no end of it".to_owned()));
    assert!(world.memory.rows() == Rows::default(), "{:#?}", world.memory.rows());
}

/// Of the sinks but `oncall`.
fn without_oncall() -> AlertingConfig {
    let mut without = config(root(&["lead"]));
    without.sinks.retain(|sink| &*sink.name != "oncall");
    without
}

#[test]
fn a_sink_that_comes_back_in_time_hears_the_end_that_it_is_owed() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    timeline.at(1).fails("db");
    timeline.between(31, 31).expects("oncall", firing(["api", "db"]));
    timeline.at(100).configures(without_oncall());
    timeline.between(331, 331).expects("lead", firing(["api", "db"]));
    timeline.at(1000).recovers("api");
    timeline.between(1030, 1030).expects("lead", firing(["db"]).and(resolved(["api"])));
    timeline.at(2000).restarts();
    timeline.at(hours(3)).configures(config(root(&["oncall"])));
    timeline.between(hours(3), hours(3)).expects("oncall", firing(["db"]).and(resolved(["api"])));
    timeline.at(hours(3) + 600).recovers("db");
    timeline.between(hours(3) + 600, hours(3) + 930).expects("oncall", resolved(["db"]));
    timeline.between(hours(3) + 600, hours(3) + 930).expects("lead", resolved(["db"]));
    timeline.run(hours(4));
}

#[test]
fn what_is_owed_to_a_sink_that_is_gone_is_shown_and_waits() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(100).configures(without_oncall());
    timeline.between(331, 331).expects("lead", firing(["api"]));
    let world = timeline.run(hours(2));
    let hold = world.alerting.hold_of("oncall").expect("it is kept");
    assert_eq!((hold.until, hold.reason), (START.plus(Duration::from_secs(100 + hours(24))), HoldReason::Removed));
    let explanation = world.alerting.explain(world.incident("api")).expect("an open incident");
    let told: Vec<&str> = explanation.told.iter().map(|told| &*told.sink).collect();
    assert_eq!(told, ["lead", "oncall"]);
    let next: Vec<&str> = explanation.next.iter().map(|step| step.what.as_str()).collect();
    assert_eq!(next, ["`lead` is reminded", "what `oncall` is owed is given up: it is no longer configured"]);
}

#[test]
fn an_incident_goes_by_the_labels_that_its_check_has_now_and_its_end_to_whoever_was_told() {
    let mut timeline = Timeline::new(config(RouteConfig { routes: vec![child("severity=P1", &["lead"])], ..root(&["oncall"]) }));
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(100).relabels("api", &[("severity", "P1")]);
    timeline.at(110).restarts();
    timeline.between(130, 130).expects("lead", firing(["api"]));
    timeline.at(1000).recovers("api");
    timeline.between(1030, 1030).expects("oncall", resolved(["api"]));
    timeline.between(1030, 1030).expects("lead", resolved(["api"]));
    let world = timeline.run(hours(1));
    assert_eq!(world.memory.incidents.len(), 1);
    let of = |sink: &str, phase: Phase| {
        let heard = world.heard.iter().find(|heard| heard.sink == sink && heard.delivery.phase == phase).expect("it was told");
        (heard.delivery.alerts[0].labels.get("severity").map(str::to_owned), heard.delivery.alerts[0].fingerprint)
    };
    assert_eq!(of("oncall", Phase::Firing), of("oncall", Phase::Resolved), "who knows an alert by its labels can end it");
    assert_eq!(of("lead", Phase::Firing), of("lead", Phase::Resolved));
    assert_eq!((of("oncall", Phase::Firing).0, of("lead", Phase::Firing).0.as_deref()), (None, Some("P1")));
    let incident = world.memory.incidents.values().next().expect("the incident");
    assert_eq!((incident.severity, incident.told_as.is_empty()), (Severity::P1, true));
    assert!(world.events("api").contains(&"the labels of its check changed".to_owned()), "{:?}", world.events("api"));
}

#[test]
fn each_severity_has_its_own_channels() {
    let urgent = child("severity=P0", &["director", "oncall"]);
    let routes = vec![urgent, child("severity=~\"P1|P2\"", &["oncall"]), child("severity=P3", &["slack"])];
    let mut timeline = Timeline::new(config(RouteConfig { routes, ..root(&["lead"]) }));
    for (check, severity) in [("api", "P0"), ("db", "P1"), ("mail", "P2"), ("report", "P3")] {
        timeline.labelled(check, &[("severity", severity)]);
    }
    // What has no severity is P3.
    for check in ["api", "db", "mail", "report", "other"] {
        timeline.at(1).fails(check);
    }
    timeline.between(31, 31).expects("director", firing(["api"]));
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.between(31, 31).expects("oncall", firing(["db", "mail"]));
    timeline.between(31, 31).expects("slack", firing(["report", "other"]));
    timeline.at(1000).recovers("api");
    timeline.between(1030, 1030).expects("director", resolved(["api"]));
    timeline.between(1030, 1030).expects("oncall", resolved(["api"]));
    timeline.run(hours(1));
}

#[test]
fn a_route_waits_and_repeats_by_times_of_its_own() {
    let seconds = |count| Some(Duration::from_secs(count));
    let (group_wait, group_interval, repeat_interval) = (seconds(0), seconds(60), seconds(minutes(10)));
    let quick = RouteConfig { group_wait, group_interval, repeat_interval, ..child("severity=P0", &["oncall"]) };
    let mut timeline = Timeline::new(config(RouteConfig { routes: vec![quick], ..root(&["slack"]) }));
    timeline.labelled("api", &[("severity", "P0")]);
    timeline.labelled("db", &[("severity", "P0")]);
    timeline.at(1).fails("api");
    timeline.at(1).fails("mail");
    timeline.between(1, 1).expects("oncall", firing(["api"]));
    timeline.between(31, 31).expects("slack", firing(["mail"]));
    timeline.at(10).fails("db");
    timeline.between(61, 61).expects("oncall", firing(["api", "db"]));
    timeline.between(61 + minutes(10), 61 + minutes(10)).expects("oncall", firing(["api", "db"]));
    timeline.at(700).recovers("api");
    timeline.at(700).recovers("db");
    timeline.between(700, 760).expects("oncall", resolved(["api", "db"]));
    timeline.run(hours(1));
}

#[test]
fn what_several_posters_say_of_one_alert_is_told_once() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    for second in [1, 2, 20, 40, 100, 250] {
        timeline.at(second).posts("Disk", None);
    }
    timeline.between(31, 31).expects("oncall", firing(["Disk"]));
    timeline.at(150).restarts();
    // Five minutes after the last post, and the time that a group waits.
    timeline.between(580, 580).expects("oncall", resolved(["Disk"]));
    let world = timeline.run(hours(1));
    assert_eq!(world.memory.incidents.len(), 1);
}
