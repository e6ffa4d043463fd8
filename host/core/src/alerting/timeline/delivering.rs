//! Sinks that fail, refuse, fall silent or are not there.

use super::*;

#[test]
fn a_sink_that_comes_back_is_told_what_it_missed() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(0).answers("oncall", Answer::Fails);
    timeline.at(1).fails("api");
    timeline.at(100).answers("oncall", Answer::Takes);
    timeline.between(128, 137).expects("oncall", firing(["api"]));
    timeline.at(500).recovers("api");
    timeline.between(530, 530).expects("oncall", resolved(["api"]));
    let world = timeline.run(hours(1));
    assert!(world.events("api").contains(&"`oncall` could not take it, it is tried again: 503".to_owned()));
}

#[test]
fn what_may_have_arrived_is_finished_first_and_the_end_follows() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(0).answers("oncall", Answer::Fails);
    timeline.at(1).fails("api");
    timeline.at(60).recovers("api");
    timeline.at(500).restarts();
    timeline.at(1000).answers("oncall", Answer::Takes);
    timeline.between(1088, 1097).expects("oncall", firing(["api"]));
    timeline.between(1088, 1097).expects("oncall", resolved(["api"]));
    let world = timeline.run(hours(1));
    assert_eq!(world.heard.iter().map(|heard| heard.delivery.phase).collect::<Vec<_>>(), [Phase::Firing, Phase::Resolved]);
}

#[test]
fn a_word_that_is_lost_is_said_again_with_the_same_key() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(0).answers("oncall", Answer::TakesSilently);
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(50).answers("oncall", Answer::Takes);
    timeline.at(60).restarts();
    // The lease is three timeouts of the sink and a margin: 120 s.
    timeline.between(151, 152).expects("oncall", firing(["api"]));
    timeline.at(200).recovers("api");
    timeline.between(331, 331).expects("oncall", resolved(["api"]));
    let world = timeline.run(hours(1));
    assert_eq!(world.heard[0].delivery.id, world.heard[1].delivery.id);
    assert_ne!(world.heard[0].delivery.id, world.heard[2].delivery.id);
}

#[test]
fn a_word_that_is_heard_late_ends_the_delivery_all_the_same() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(0).answers("oncall", Answer::TakesSilently);
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(80).answers("oncall", Answer::Fails);
    timeline.at(300).fact(|world| {
        let delivery = world.heard[0].delivery.id;
        Fact::DeliveryEnded { delivery, attempt: 1, outcome: Outcome::Delivered { reference: None } }
    });
    let world = timeline.run(hours(1));
    assert_eq!(world.alerting.deliveries().count(), 0);
    let last = world.attempts.last().expect("an attempt").0;
    assert!(last < 300, "{last}");
}

#[test]
fn a_sink_whose_plugin_is_missing_is_told_when_it_is_there() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(0).answers("oncall", Answer::IsMissing);
    timeline.at(1).fails("api");
    timeline.at(60).answers("oncall", Answer::Takes);
    timeline.between(60, 95).expects("oncall", firing(["api"]));
    timeline.run(hours(1));
}

#[test]
fn what_ends_before_its_first_attempt_is_never_told() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(0).answers("oncall", Answer::IsMissing);
    timeline.at(1).fails("api");
    timeline.at(60).recovers("api");
    timeline.at(100).answers("oncall", Answer::Takes);
    let world = timeline.run(hours(1));
    assert!(world.events("api").contains(&"resolved before anybody was told".to_owned()), "{:?}", world.events("api"));
    let states: Vec<&DeliveryState> = world.memory.deliveries.values().map(|delivery| &delivery.state).collect();
    assert!(matches!(states.as_slice(), [DeliveryState::Abandoned { reason: Abandoned::ResolvedBeforeSent, .. }]), "{states:?}");
}

#[test]
fn what_a_sink_refuses_is_not_tried_again_before_the_reminder() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(0).answers("oncall", Answer::Refuses);
    timeline.at(1).fails("api");
    timeline.at(1000).answers("oncall", Answer::Takes);
    timeline.between(31 + hours(4), 31 + hours(4)).expects("oncall", firing(["api"]));
    timeline.at(hours(5)).recovers("api");
    timeline.between(hours(5) + 30, hours(5) + 30).expects("oncall", resolved(["api"]));
    let world = timeline.run(hours(6));
    assert_eq!(world.attempts.len(), 3);
    assert!(world.events("api").contains(&"`oncall` refused it: no such channel".to_owned()));
}

#[test]
fn who_refused_the_begin_is_not_told_the_end() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(0).answers("oncall", Answer::Refuses);
    timeline.at(1).fails("api");
    timeline.at(100).answers("oncall", Answer::Takes);
    timeline.at(200).recovers("api");
    let world = timeline.run(hours(1));
    assert!(world.memory.rows() == Rows::default(), "{:#?}", world.memory.rows());
}

#[test]
fn a_sink_that_asks_for_time_gets_it_for_all_its_deliveries() {
    let mut timeline = Timeline::new(config(grouped(&["alertname"], root(&["oncall"]))));
    timeline.at(0).answers("oncall", Answer::FailsFor(600));
    timeline.at(1).fails("api");
    timeline.at(40).answers("oncall", Answer::Takes);
    timeline.at(100).fails("db");
    timeline.at(200).restarts();
    timeline.between(631, 631).expects("oncall", firing(["api"]));
    timeline.between(631, 631).expects("oncall", firing(["db"]));
    let world = timeline.run(hours(1));
    assert_eq!(world.attempts.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [31, 631, 631]);
}

#[test]
fn a_sink_that_always_asks_for_a_second_is_asked_less_and_less_often() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(0).answers("oncall", Answer::FailsFor(1));
    timeline.at(1).fails("api");
    let world = timeline.run(200);
    assert_eq!(world.attempts.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [31, 32, 34, 38, 46, 62, 94, 158]);
}

#[test]
fn a_sink_that_fails_all_the_time_is_left_alone_for_a_while() {
    let mut timeline = Timeline::new(config(grouped(&["alertname"], root(&["oncall"]))));
    timeline.at(0).answers("oncall", Answer::Fails);
    for check in ["api", "db", "mail"] {
        timeline.at(1).fails(check);
        timeline.between(600, 1200).expects("oncall", firing([check]));
    }
    timeline.at(600).answers("oncall", Answer::Takes);
    let world = timeline.run(hours(1));
    let failed = world.attempts.iter().filter(|(at, _)| *at < 600).count();
    assert!((5..=12).contains(&failed), "{:?}", world.attempts);
}

#[test]
fn a_delivery_is_given_up_after_a_day_and_the_end_is_told_all_the_same() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(0).answers("oncall", Answer::Fails);
    timeline.at(1).fails("api");
    timeline.at(90_000).answers("oncall", Answer::Takes);
    timeline.at(90_000).recovers("api");
    timeline.between(90_030, 90_030).expects("oncall", resolved(["api"]));
    let world = timeline.run(hours(26));
    let events = world.events("api");
    assert!(events.contains(&"given up: `oncall` did not take it in time".to_owned()), "{events:?}");
    assert!(world.memory.rows().deliveries.is_empty() && world.memory.rows().ledger.is_empty());
}

#[test]
fn a_delivery_knows_what_the_sink_called_the_one_before_it() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(400).recovers("api");
    timeline.between(430, 430).expects("oncall", resolved(["api"]));
    let world = timeline.run(hours(1));
    let references: Vec<Option<&str>> = world.heard.iter().map(|heard| heard.delivery.reference.as_deref()).collect();
    assert_eq!(references, [None, Some("thread-0")]);
}

#[test]
fn a_large_group_is_told_by_its_worst_and_a_number() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fact(|_| {
        let posted = |number: usize| {
            let severity = if number.is_multiple_of(10) { "P1" } else { "P2" };
            PostedAlert {
                labels: LabelSet::new([("alertname", format!("a{number}")), ("severity", severity.to_owned())]).expect("two labels"),
                annotations: Arc::default(),
                starts_at: None,
                ends_at: Some(START.plus(Duration::from_secs(1000))),
                generator_url: None,
            }
        };
        Fact::Posted { alerts: (0..150).map(posted).collect() }
    });
    let (world, _) = timeline.play(hours(1));
    let [begin, end] = world.heard.as_slice() else { panic!("{:#?}", world.heard) };
    assert_eq!((begin.at, begin.delivery.alerts.len(), begin.delivery.more, begin.notice.firing.len()), (31, 100, 50, 100));
    assert!(begin.delivery.alerts.iter().take(15).all(|alert| alert.severity == Severity::P1));
    assert_eq!((end.at, end.delivery.alerts.len(), end.delivery.more, end.delivery.phase), (1030, 100, 50, Phase::Resolved));
    assert_eq!(end.notice.resolved, begin.notice.firing, "who was named is told the end by name");
    assert!(world.memory.rows() == Rows::default());
}

/// Posted at once, until second 20,000.
fn many(count: usize) -> Fact {
    let posted = |number: usize| PostedAlert {
        labels: LabelSet::new([("alertname", format!("a{number:03}"))]).expect("a label"),
        annotations: Arc::default(),
        starts_at: None,
        ends_at: Some(START.plus(Duration::from_secs(20_000))),
        generator_url: None,
    };
    Fact::Posted { alerts: (0..count).map(posted).collect() }
}

#[test]
fn a_sink_that_hears_only_what_is_named_is_told_the_rest_at_once() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(0).answers("oncall", Answer::TakesNamed);
    timeline.at(1).fact(|_| many(250));
    let (world, _) = timeline.play(hours(1));
    assert!(world.heard.iter().all(|heard| heard.at == 31), "{:?}", world.heard.iter().map(|heard| heard.at).collect::<Vec<_>>());
    let named: BTreeSet<&String> = world.heard.iter().flat_map(|heard| &heard.notice.firing).collect();
    assert_eq!((world.heard.len(), named.len()), (3, 250));
    let keys: BTreeSet<DeliveryId> = world.heard.iter().map(|heard| heard.delivery.id).collect();
    assert_eq!(keys.len(), 3, "each with a key of its own");
}

#[test]
fn a_sink_that_hears_only_what_is_named_is_reminded_of_all_and_told_every_end_by_name() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(0).answers("oncall", Answer::TakesNamed);
    timeline.at(1).fact(|_| many(150));
    timeline.at(100).restarts();
    let (world, _) = timeline.play(hours(8));
    let at = |from: u64, to: u64| world.heard.iter().filter(move |heard| (from..=to).contains(&heard.at));
    let reminded: BTreeSet<&String> = at(hours(4), hours(5)).flat_map(|heard| &heard.notice.firing).collect();
    assert_eq!((at(hours(4), hours(5)).count(), reminded.len()), (2, 150));
    let ended: Vec<&String> = at(20_000, hours(8)).flat_map(|heard| &heard.notice.resolved).collect();
    let distinct: BTreeSet<&String> = ended.iter().copied().collect();
    assert_eq!((ended.len(), distinct.len()), (150, 150));
    assert!(world.memory.rows() == Rows::default());
}

/// The configuration, with `oncall` written otherwise.
fn rewritten() -> AlertingConfig {
    let mut rewritten = config(root(&["oncall"]));
    rewritten.sinks.iter_mut().filter(|sink| &*sink.name == "oncall").for_each(|sink| sink.revision = 1);
    rewritten
}

#[test]
fn a_sink_that_is_written_otherwise_is_no_longer_left_alone() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(0).answers("oncall", Answer::FailsFor(3600));
    timeline.at(1).fails("api");
    timeline.at(100).answers("oncall", Answer::Takes);
    // The same as before changes nothing.
    timeline.at(200).configures(config(root(&["oncall"])));
    timeline.at(300).configures(rewritten());
    timeline.at(301).restarts();
    timeline.between(300, 300).expects("oncall", firing(["api"]));
    timeline.run(hours(1));
}

#[test]
fn a_sink_whose_plugin_is_another_one_is_no_longer_left_alone() {
    let mut timeline = Timeline::new(config(grouped(&["alertname"], root(&["oncall"]))));
    timeline.at(0).answers("oncall", Answer::Fails);
    for check in ["api", "db", "mail"] {
        timeline.at(1).fails(check);
        timeline.between(400, 400).expects("oncall", firing([check]));
    }
    timeline.at(399).then(|world| {
        let hold = world.alerting.hold_of("oncall").expect("it is left alone");
        assert!(matches!(hold.reason, HoldReason::Failing { failures } if failures >= FAILURES_MAX), "{hold:?}");
    });
    timeline.at(400).answers("oncall", Answer::Takes);
    timeline.at(400).fact(|_| Fact::SinkMended { sink: "oncall".into() });
    timeline.run(hours(1));
}

#[test]
fn a_delivery_of_which_nothing_is_left_ends_at_once() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(0).answers("oncall", Answer::IsMissing);
    timeline.at(1).fails("api");
    timeline.at(50).recovers("api");
    timeline.at(50).then(|world| {
        let states: Vec<&DeliveryState> = world.memory.deliveries.values().map(|delivery| &delivery.state).collect();
        assert!(matches!(states.as_slice(), [DeliveryState::Abandoned { reason: Abandoned::ResolvedBeforeSent, .. }]), "{states:?}");
    });
    timeline.run(100);
}

#[test]
fn what_was_refused_is_sent_again_where_a_person_wants_it() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(0).answers("oncall", Answer::Refuses);
    timeline.at(1).fails("api");
    timeline.at(100).answers("oncall", Answer::Takes);
    timeline.at(200).resends("oncall");
    timeline.between(200, 200).expects("oncall", firing(["api"]));
    timeline.at(1000).recovers("api");
    timeline.between(1030, 1030).expects("oncall", resolved(["api"]));
    let world = timeline.run(hours(1));
    let refused = world.memory.deliveries.values().find(|delivery| matches!(delivery.state, DeliveryState::Refused { .. }));
    let refused = refused.expect("the first").id;
    assert_eq!(world.heard[0].delivery.cause, Cause::Resent { of: refused });
    assert_ne!(world.heard[0].delivery.id, refused);
    assert!(world.events("api").contains(&"anna had it sent to `oncall` again".to_owned()), "{:?}", world.events("api"));
    assert!(world.memory.rows() == Rows::default(), "{:#?}", world.memory.rows());
}

#[test]
fn an_end_that_was_refused_is_sent_again_also_where_the_incident_is_settled() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(100).answers("oncall", Answer::Refuses);
    timeline.at(400).recovers("api");
    timeline.at(1000).answers("oncall", Answer::Takes);
    timeline.at(2000).resends("oncall");
    timeline.at(2001).restarts();
    timeline.between(2000, 2000).expects("oncall", resolved(["api"]));
    let world = timeline.run(hours(1));
    assert_eq!(world.heard[0].delivery.covers[0].incident, world.heard[1].delivery.covers[0].incident);
    assert_eq!(world.events("api").last().map(String::as_str), Some("`oncall` took it: resolved"));
    assert!(world.memory.rows() == Rows::default(), "{:#?}", world.memory.rows());
}

#[test]
fn what_was_taken_is_sent_again_while_it_lasts() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(100).resends_what_was_taken("oncall");
    timeline.between(100, 100).expects("oncall", firing(["api"]));
    timeline.at(1000).recovers("api");
    timeline.between(1030, 1030).expects("oncall", resolved(["api"]));
    // The first one told a begin, which is over.
    timeline.at(2000).then(|world| {
        let taken = world.memory.deliveries.values().find(|delivery| delivery.phase == Phase::Firing).expect("the first").clone();
        let settled: Vec<Incident> = world.memory.incidents.values().cloned().collect();
        let resend = Fact::Resend { delivery: Box::new(taken), settled: settled.clone(), by: "anna".into() };
        assert!(world.apply(resend).refusals[0].starts_with("nothing of it is left to tell"));
        let end = world.memory.deliveries.values().find(|delivery| delivery.phase == Phase::Resolved).expect("the end").clone();
        let resend = Fact::Resend { delivery: Box::new(end), settled, by: "anna".into() };
        assert!(world.apply(resend).refusals.is_empty());
    });
    timeline.between(2000, 2001).expects("oncall", resolved(["api"]));
    let world = timeline.run(hours(1));
    assert!(world.memory.rows() == Rows::default(), "{:#?}", world.memory.rows());
}

#[test]
fn what_is_over_or_under_way_is_not_sent_again() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(0).answers("oncall", Answer::Refuses);
    timeline.at(1).fails("api");
    timeline.at(100).answers("oncall", Answer::IsMissing);
    timeline.at(200).resends("oncall");
    timeline.at(201).then(|world| {
        let refused = world.memory.deliveries.values().find(|delivery| matches!(delivery.state, DeliveryState::Refused { .. }));
        let delivery = Box::new(refused.expect("the first").clone());
        let again = |world: &mut World| {
            let resend = Fact::Resend { delivery: delivery.clone(), settled: Vec::new(), by: "anna".into() };
            world.apply(resend).refusals
        };
        assert!(again(world)[0].contains("is on its way to `oncall`"));
        world.becomes("api", Status::Ok);
        assert!(again(world)[0].starts_with("nothing of it is left to tell"));
    });
    let rows = timeline.run(hours(1)).memory.rows();
    assert!(rows.ledger.is_empty() && rows.groups.is_empty() && rows.incidents.is_empty(), "{rows:#?}");
}

#[test]
fn a_clock_that_is_set_back_delays_nothing_for_longer_than_it_may() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(1).fails("api");
    timeline.between(31, 31).expects("oncall", firing(["api"]));
    timeline.at(100).sets_the_clock_back(hours(2));
    timeline.at(200).recovers("api");
    timeline.between(400, 400).expects("oncall", resolved(["api"]));
    timeline.run(hours(1));
}

#[test]
fn an_attempt_that_waits_when_the_clock_is_set_back_waits_no_longer_than_a_sink_is_left_alone() {
    let mut timeline = Timeline::new(config(root(&["oncall"])));
    timeline.at(0).answers("oncall", Answer::Fails);
    timeline.at(1).fails("api");
    timeline.at(100).answers("oncall", Answer::Takes);
    timeline.at(100).sets_the_clock_back(minutes(40));
    timeline.at(101).fact(|_| Fact::Tick);
    timeline.between(101, 101 + minutes(5)).expects("oncall", firing(["api"]));
    timeline.run(hours(1));
}

#[test]
fn posted_alerts_hold_so_many_bytes_and_what_is_more_is_refused() {
    let config = Arc::new(AlertingConfig { posted_bytes_max: 1_000, ..config(root(&["oncall"])) });
    let mut alerting = Alerting::new(config, 1, START);
    let mut refused = |name: &str, text_bytes: usize, ends_at: Option<Timestamp>| {
        let annotations = [crate::Label { name: "text".to_owned(), value: "x".repeat(text_bytes) }].into();
        let labels = LabelSet::new([("alertname", name)]).expect("valid labels");
        let alert = PostedAlert { labels, annotations, starts_at: None, ends_at, generator_url: None };
        let refusals = alerting.apply(Fact::Posted { alerts: vec![alert] }, START).refusals.len();
        (refusals, alerting.incidents().filter(|incident| incident.is_open()).count())
    };
    assert_eq!(refused("a", 900, None), (0, 1));
    assert_eq!(refused("b", 900, None), (1, 1));
    assert_eq!(refused("a", 990, None), (1, 1), "one that grew goes on as it was");
    assert_eq!(refused("a", 100, None), (0, 1));
    assert_eq!(refused("b", 700, None), (0, 2));
    assert_eq!(refused("c", 700, None), (1, 2));
    assert_eq!(refused("b", 700, Some(START)), (0, 1));
    assert_eq!(refused("c", 700, None), (0, 2), "what is over makes room");
}
