//! On the machine itself: what it was told, as a client of Alertmanager reads it.

use std::time::Duration;

use serde_json::{Value, json};
use sickbay_core::alerting::{
    CheckIdentity, Fact, Findings, GroupBy, InhibitRule, Matcher, PostedAlert, RouteConfig, SilenceDraft, SinkConfig,
};
use sickbay_core::{Label, Status};

use super::*;

/// 2026-07-06T12:00:00Z
const NOW: Timestamp = Timestamp(1_783_339_200_000);

fn matchers(texts: &[&str]) -> Vec<Matcher> {
    texts.iter().map(|text| Matcher::parse(text).expect("a matcher")).collect()
}

/// The root tells `desk`; what has `team` tells `desk` and `lead`, by team.
fn machine() -> Alerting {
    let team = RouteConfig {
        matchers: matchers(&["team!=\"\""]),
        sinks: Some(vec!["lead".into(), "desk".into()]),
        group_by: Some(GroupBy::Labels(vec!["team".to_owned()])),
        ..RouteConfig::default()
    };
    let config = AlertingConfig {
        sinks: vec![SinkConfig::named("desk"), SinkConfig::named("lead")],
        route: RouteConfig { sinks: Some(vec!["desk".into()]), routes: vec![team], ..RouteConfig::default() },
        inhibit: vec![InhibitRule { source: matchers(&["alertname=Power"]), target: matchers(&["alertname=Lamp"]), equal: Vec::new() }],
        ..AlertingConfig::default()
    };
    Alerting::new(Arc::new(config), 1, NOW)
}

fn labels(labels: &[(&str, &str)]) -> LabelSet {
    LabelSet::new(labels.iter().copied()).expect("labels")
}

fn post(machine: &mut Alerting, with: &[(&str, &str)]) {
    let alert = PostedAlert {
        labels: labels(with),
        annotations: [Label { name: "summary".to_owned(), value: "it is bad".to_owned() }].into(),
        starts_at: None,
        ends_at: None,
        generator_url: Some("http://prometheus/graph".into()),
    };
    machine.apply(Fact::Posted { alerts: vec![alert] }, NOW);
}

fn silence(machine: &mut Alerting, matcher: &str) -> String {
    let draft = SilenceDraft {
        id: None,
        matchers: matchers(&[matcher]),
        starts_at: NOW,
        ends_at: NOW.plus(Duration::from_secs(3600)),
        created_by: "anna".to_owned(),
        comment: "known".to_owned(),
    };
    machine.apply(Fact::SilencePut { draft }, NOW).silences.first().expect("a silence").id.to_string()
}

fn alerts(machine: &Alerting, query: &str) -> Vec<Value> {
    let filter = AlertFilter::read(Some(query)).expect("a filter");
    let moment = Moment::of(machine, NOW);
    moment.alerts(&filter).map(|alert| serde_json::to_value(alert).expect("an alert is JSON")).collect()
}

fn names(machine: &Alerting, query: &str) -> Vec<String> {
    let mut names: Vec<String> =
        alerts(machine, query).iter().map(|alert| alert["labels"]["alertname"].as_str().expect("a name").to_owned()).collect();
    names.sort();
    names
}

/// Each group as its labels, its receiver and the names of its alerts.
fn groups(machine: &Alerting, query: &str) -> Vec<(Value, String, Vec<String>)> {
    let filter = AlertFilter::read(Some(query)).expect("a filter");
    let moment = Moment::of(machine, NOW);
    let told = moment.groups(&filter).map(|group| {
        let group = serde_json::to_value(group).expect("a group is JSON");
        let mut names: Vec<String> =
            group["alerts"].as_array().expect("alerts").iter().map(|alert| alert["labels"]["alertname"].to_string()).collect();
        names.sort();
        (group["labels"].clone(), group["receiver"]["name"].as_str().expect("a name").to_owned(), names)
    });
    told.collect()
}

#[test]
fn a_posted_alert_is_told_with_everything_that_its_clients_read() {
    let mut machine = machine();
    post(&mut machine, &[("alertname", "Disk"), ("team", "db")]);
    let expected = json!([{
        "labels": { "alertname": "Disk", "team": "db" },
        "annotations": { "summary": "it is bad" },
        "startsAt": "2026-07-06T12:00:00.000Z",
        "endsAt": "2026-07-06T12:05:00.000Z",
        "updatedAt": "2026-07-06T12:00:00.000Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": labels(&[("alertname", "Disk"), ("team", "db")]).fingerprint().to_string(),
        "receivers": [{ "name": "desk" }, { "name": "lead" }],
        "status": { "state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": [] },
    }]);
    assert_eq!(Value::from(alerts(&machine, "")), expected);
}

#[test]
fn a_check_that_fails_is_an_alert_with_its_summary_and_its_reason() {
    let mut machine = machine();
    let check = CheckIdentity {
        name: "api".into(),
        plugin: "http".into(),
        kind: "http".into(),
        target: None,
        owner: None,
        labels: labels(&[("service", "shop")]),
    };
    let findings = Findings {
        status: Status::Critical,
        summary: "no answer".to_owned(),
        reason: "Reported".to_owned(),
        reason_detail: "the check says so".to_owned(),
        failure: None,
        evidence: Vec::new(),
        dependents: 0,
    };
    machine.apply(Fact::Transition { check: Arc::new(check), findings: Arc::new(findings) }, NOW);
    let told = alerts(&machine, "filter=service%3Dshop");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["annotations"], json!({ "summary": "no answer", "reason": "Reported" }));
    assert_eq!((&told[0]["labels"]["alertname"], told[0].get("generatorURL")), (&json!("api"), None));
    assert_eq!(told[0]["endsAt"], "2026-07-06T12:05:00.000Z");
}

#[test]
fn what_is_silenced_or_inhibited_says_by_what_and_can_be_left_out() {
    let mut machine = machine();
    for name in ["Disk", "Power", "Lamp", "Door"] {
        post(&mut machine, &[("alertname", name)]);
    }
    let first = silence(&mut machine, "alertname=Disk");
    let second = silence(&mut machine, "alertname=~Disk|Tape");
    let told = alerts(&machine, "");
    let status = |name: &str| &told.iter().find(|alert| alert["labels"]["alertname"] == name).expect("it is told")["status"];
    let mut both = vec![first, second];
    both.sort();
    assert_eq!(*status("Disk"), json!({ "state": "suppressed", "silencedBy": both, "inhibitedBy": [], "mutedBy": [] }));
    let power = labels(&[("alertname", "Power")]).fingerprint().to_string();
    assert_eq!(*status("Lamp"), json!({ "state": "suppressed", "silencedBy": [], "inhibitedBy": [power], "mutedBy": [] }));
    assert_eq!(status("Door")["state"], "active");
    assert_eq!(names(&machine, "silenced=false&inhibited=false"), ["Door", "Power"]);
    assert_eq!(names(&machine, "active=false"), ["Disk", "Lamp"]);
    assert_eq!(names(&machine, "active=false&inhibited=false"), ["Disk"]);
}

#[test]
fn a_filter_asks_as_a_silence_does_and_all_of_them_must_hold() {
    let mut machine = machine();
    post(&mut machine, &[("alertname", "Disk"), ("team", "db"), ("severity", "P1")]);
    post(&mut machine, &[("alertname", "Tape"), ("team", "web")]);
    for (query, wanted) in [
        ("filter=alertname%3DDisk", vec!["Disk"]),
        ("filter=team%3D~%22db%7Cweb%22", vec!["Disk", "Tape"]),
        ("filter=team%3D~%22d%22", vec![]),
        ("filter=team%3D~%22db%7Cweb%22&filter=severity%3DP1", vec!["Disk"]),
        ("filter=region%3D%22%22", vec!["Disk", "Tape"]),
        ("receiver=lead", vec!["Disk", "Tape"]),
        ("receiver=nobody", vec![]),
    ] {
        assert_eq!(names(&machine, query), wanted, "{query}");
    }
}

#[test]
fn alerts_are_grouped_as_each_sink_is_told_them() {
    let mut machine = machine();
    post(&mut machine, &[("alertname", "Disk"), ("team", "db")]);
    post(&mut machine, &[("alertname", "Tape"), ("team", "db")]);
    post(&mut machine, &[("alertname", "Door")]);
    let name = |name: &str| format!("{name:?}");
    let db = json!({ "team": "db" });
    let expected = vec![
        (json!({}), "desk".to_owned(), vec![name("Door")]),
        (db.clone(), "desk".to_owned(), vec![name("Disk"), name("Tape")]),
        (db.clone(), "lead".to_owned(), vec![name("Disk"), name("Tape")]),
    ];
    assert_eq!(groups(&machine, ""), expected);
    assert_eq!(groups(&machine, "receiver=lead&filter=alertname%3DTape"), [(db, "lead".to_owned(), vec![name("Tape")])]);
    silence(&mut machine, "alertname=Door");
    assert_eq!(groups(&machine, "silenced=false").len(), 2);
}

#[test]
fn what_nobody_is_told_of_is_still_there() {
    let mut machine = Alerting::new(Arc::default(), 1, NOW);
    post(&mut machine, &[("alertname", "Disk")]);
    assert_eq!(groups(&machine, ""), [(json!({}), String::new(), vec!["\"Disk\"".to_owned()])]);
    assert_eq!(alerts(&machine, "")[0]["receivers"], json!([]));
}

#[test]
fn what_is_over_is_no_alert_any_more() {
    let mut machine = machine();
    post(&mut machine, &[("alertname", "Disk")]);
    assert_eq!(names(&machine, ""), ["Disk"]);
    machine.apply(Fact::Tick, NOW.plus(Duration::from_secs(301)));
    assert!(names(&machine, "").is_empty());
}
