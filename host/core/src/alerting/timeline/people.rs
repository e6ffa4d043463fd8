//! Acknowledgements and ladders.

use super::*;

/// After 15 minutes the lead, after 30 the director.
fn laddered() -> AlertingConfig {
    let rung = |after: u64, sink: &str| Rung { after: Duration::from_secs(minutes(after)), sinks: vec![sink.into()] };
    config(RouteConfig { escalate: Some(vec![rung(15, "lead"), rung(30, "director")]), ..root(&["oncall"]) })
}

#[test]
fn a_ladder_is_climbed_while_nobody_takes_the_incident() {
    let mut timeline = Timeline::new(laddered());
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(500).restarts();
    timeline.between(31 + minutes(15), 31 + minutes(15)).expects("lead", firing(["api"]));
    timeline.between(31 + minutes(30), 31 + minutes(30)).expects("director", firing(["api"]));
    timeline.at(2000).recovers("api");
    for sink in ["oncall", "lead", "director"] {
        timeline.between(2030, 2030).expects(sink, resolved(["api"]));
    }
    timeline.run(hours(1));
}

#[test]
fn an_acknowledgement_stops_the_ladder_and_the_reminders() {
    let mut timeline = Timeline::new(laddered());
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(500).acknowledges("api", None);
    timeline.at(hours(9)).recovers("api");
    timeline.between(hours(9) + 30, hours(9) + 30).expects("oncall", resolved(["api"]));
    timeline.run(hours(10));
}

#[test]
fn an_acknowledgement_stays_whatever_the_incident_becomes_until_its_end() {
    let mut timeline = Timeline::new(laddered());
    timeline.at(1).warns("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(100).acknowledges("api", None);
    timeline.at(200).fails("api");
    timeline.at(300).restarts();
    timeline.at(5000).recovers("api");
    timeline.between(5030, 5030).expects("oncall", resolved(["api"]));
    // What comes after it is nobody's.
    timeline.at(6000).fails("api");
    timeline.between(6030, 6030).expects("oncall", firing(["api"]));
    timeline.between(6030 + minutes(15), 6030 + minutes(15)).expects("lead", firing(["api"]));
    timeline.run(6030 + minutes(20));
}

#[test]
fn when_an_acknowledgement_runs_out_the_ladder_begins_anew() {
    let mut timeline = Timeline::new(laddered());
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(500).acknowledges("api", Some(1000));
    timeline.at(700).restarts();
    timeline.between(1000 + minutes(15), 1000 + minutes(15)).expects("lead", firing(["api"]));
    timeline.between(1000 + minutes(30), 1000 + minutes(30)).expects("director", firing(["api"]));
    timeline.run(hours(1));
}

#[test]
fn a_silence_stops_the_ladder() {
    let mut timeline = Timeline::new(laddered());
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(500).silences("alertname=api", 1000);
    timeline.between(1000 + minutes(15), 1000 + minutes(15)).expects("lead", firing(["api"]));
    timeline.at(2000).acknowledges("api", None);
    timeline.run(hours(1));
}

#[test]
fn a_ladder_is_counted_from_when_the_incident_was_first_to_be_told() {
    let mut timeline = Timeline::new(laddered());
    timeline.at(0).silences("alertname=api", 1000);
    timeline.at(1).fails("api");
    timeline.between(1030, 1030).expects("oncall", firing(["api"]));
    timeline.between(1030 + minutes(15), 1030 + minutes(15)).expects("lead", firing(["api"]));
    timeline.at(2000).acknowledges("api", None);
    timeline.run(hours(1));
}

#[test]
fn a_sink_that_wants_it_is_told_at_once_that_somebody_took_it() {
    let mut wanted = config(root(&["oncall", "slack"]));
    wanted.sinks.iter_mut().filter(|sink| &*sink.name == "slack").for_each(|sink| sink.tells_acknowledgements = true);
    let mut timeline = Timeline::new(wanted);
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.between(31, 31).expects("slack", firing(["api"]));
    timeline.at(100).acknowledges("api", Some(1000));
    timeline.between(100, 100).expects("slack", acknowledged(["api"]));
    timeline.between(1030, 1030).expects("slack", firing(["api"]));
    timeline.at(2000).acknowledges("api", None);
    timeline.between(2000, 2000).expects("slack", acknowledged(["api"]));
    timeline.at(2001).fails("db");
    // Who is told something else hears it too.
    timeline.between(2030, 2030).expects("oncall", acknowledged(["api"]).and(firing(["db"])));
    timeline.between(2030, 2030).expects("slack", acknowledged(["api"]).and(firing(["db"])));
    timeline.run(hours(1));
}

#[test]
fn notes_and_acknowledgements_stand_in_the_timeline() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(100).acknowledges("api", None);
    timeline.at(200).fact(|world| Fact::Note {
        incident: world.incident("api"),
        by: "bo".into(),
        text: "a disk\nis full".into(),
        settled: None,
    });
    let world = timeline.run(hours(1));
    assert_eq!(world.events("api"), ["opened: critical", "`oncall` took it: firing", "acknowledged by anna", "bo: a disk is full"]);
    let numbers: Vec<u32> = world.memory.events.iter().map(|event| event.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

#[test]
fn a_note_is_written_down_also_when_it_is_long_over() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(100).recovers("api");
    timeline.between(331, 331).expects("oncall", resolved(["api"]));
    timeline.at(1000).then(|world| {
        let incident = world.memory.incidents.values().next().expect("its incident").clone();
        assert!(incident.is_settled);
        let note = |settled| Fact::Note { incident: incident.id, by: "bo".into(), text: "a disk".into(), settled };
        assert!(world.apply(note(None)).events.is_empty(), "the machine knows nothing of it any more");
        let changes = world.apply(note(Some(Box::new(incident.clone()))));
        assert_eq!((changes.events.len(), changes.incidents.len()), (1, 1));
        assert_eq!((changes.events[0].number, changes.incidents[0].events_len), (incident.events_len + 1, incident.events_len + 1));
        assert!(changes.incidents[0].is_settled);
    });
    timeline.run(hours(1));
}

#[test]
fn an_alert_whose_route_has_no_sinks_says_that_nobody_is_told() {
    let mut timeline = Timeline::new(config(root(&[])));
    timeline.at(1).warns("api");
    timeline.at(100).fails("api");
    timeline.at(200).restarts();
    let world = timeline.run(hours(1));
    assert_eq!(world.events("api"), ["opened: warning", "nobody is told: the route {} has no sinks", "from warning to critical"]);
}

#[test]
fn the_machine_says_why_and_what_comes_next() {
    let mut timeline = Timeline::new(laddered());
    timeline.labelled("api", &[("service", "shop")]);
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    let world = timeline.run(600);
    let explanation = world.alerting.explain(world.incident("api")).expect("an open incident");
    let [route] = explanation.routes.as_slice() else { panic!("{explanation:#?}") };
    assert_eq!((&*route.route, route.group.as_str()), ("{}", "{}:{}"));
    let [told] = explanation.told.as_slice() else { panic!("{explanation:#?}") };
    assert_eq!((&*told.sink, told.standing), ("oncall", Standing::Knows));
    let next: Vec<&str> = explanation.next.iter().map(|step| step.what.as_str()).collect();
    assert_eq!(next, ["it is escalated to lead", "`oncall` is reminded"]);
    let labels = LabelSet::new([("service", "mail")]).expect("a label");
    assert_eq!(world.alerting.explain_labels(&labels).routes.len(), 1);
}
