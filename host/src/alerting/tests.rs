use std::task::{Context, Waker};

use sickbay_core::alerting::{Delivery, DeliveryState, Incident, Phase, Severity};
use sickbay_core::{Reason, StateKind, Status, Transition};
use sickbay_store::{Kind, Store};

use super::*;
use crate::api::testing::{Host, check, record};

const SINK: &str = "[[sink]]\nname = \"oncall\"\nplugin = \"webhook\"\n[route]\ngroup_wait = \"0s\"\n";

fn failed(name: &str, second: u64) -> ResultRecord {
    let mut record = record(name, second);
    (record.status, record.summary) = (Status::Critical, "no answer".to_owned());
    record.reason = Reason::Reported { status: Status::Critical, failure: None };
    (record.state.status, record.state.hard_status, record.state.kind) = (Status::Critical, Status::Critical, StateKind::Hard);
    record.transition = Some(Transition { from: Status::Ok, to: Status::Critical, at: record.started_at });
    record
}

fn recovered(name: &str, second: u64) -> ResultRecord {
    let mut record = record(name, second);
    record.transition = Some(Transition { from: Status::Critical, to: Status::Ok, at: record.started_at });
    record
}

async fn stored(store: &dyn Store) -> Vec<Incident> {
    let page = sickbay_store::Page { kind: Kind::Incident, parent: None, before: None, limit: 100 };
    store.documents(page).await.unwrap().iter().filter_map(rows::parse).collect()
}

fn open(host: &Host) -> Vec<Incident> {
    host.live.alerts.read(|alerting| alerting.incidents().filter(|incident| incident.is_open()).cloned().collect())
}

#[tokio::test]
async fn a_result_opens_and_ends_an_incident_that_is_on_the_disk_with_it() {
    let host = Host::start(&check("api")).await;
    host.commit(vec![record("api", 1), failed("api", 2)]).await;
    let incidents = stored(&*host.live.store).await;
    let [incident] = incidents.as_slice() else { panic!("one incident: {incidents:?}") };
    assert_eq!((incident.phase, incident.severity, incident.check().map(|check| &**check)), (Phase::Firing, Severity::P3, Some("api")));
    assert_eq!(incident.findings.summary, "no answer");
    let id = incident.id;
    host.commit(vec![recovered("api", 3)]).await;
    let incidents = stored(&*host.live.store).await;
    let [ended] = incidents.as_slice() else { panic!("the same one: {incidents:?}") };
    assert_eq!((ended.id, ended.phase, ended.is_settled), (id, Phase::Resolved, true));
    assert!(open(&host).is_empty());
}

#[tokio::test]
async fn an_open_incident_says_what_its_check_found_last() {
    let host = Host::start(&check("api")).await;
    let again =
        |second, status, summary: &str| ResultRecord { transition: None, status, summary: summary.to_owned(), ..failed("api", second) };
    host.commit(vec![failed("api", 1), again(2, Status::Critical, "98 % full")]).await;
    let said = |host: &Host| open(host).iter().map(|incident| incident.findings.summary.clone()).collect::<Vec<_>>();
    assert_eq!(said(&host), ["98 % full"]);
    host.commit(vec![again(3, Status::Warning, "soft as yet")]).await;
    assert_eq!(said(&host), ["98 % full"], "what is not confirmed is not said");
}

#[tokio::test]
async fn what_is_told_is_on_the_disk_when_the_answer_comes() {
    let host = Host::start(&format!("{SINK}{}", check("api"))).await;
    host.commit(vec![failed("api", 2)]).await;
    host.live.alerts.tell(Fact::Tick).await.unwrap();
    let due = host.live.alerts.read(|alerting| alerting.due_deliveries(clock::now()).next()).expect("it is to be told");
    let changes = host.live.alerts.tell(Fact::Attempting { delivery: due }).await.unwrap();
    assert!(changes.attempt(due).is_some());
    let document = host.live.store.document(Kind::Delivery, &due.to_string()).await.unwrap().expect("a row");
    let row: Delivery = rows::parse(&document).expect("a delivery");
    assert!(matches!(row.state, DeliveryState::Attempting { .. }), "{row:?}");
    let ledger = host.live.store.open_documents(Kind::Ledger, "", 10).await.unwrap();
    assert_eq!((ledger.len(), ledger[0].parent.as_str()), (1, "oncall"));
}

#[tokio::test]
async fn after_the_queue_has_ended_nobody_is_told_anything() {
    let host = Host::start("").await;
    host.live.queue.shutdown().await.unwrap();
    assert_eq!(host.live.alerts.tell(Fact::Tick).await, Err(QueueError::Stopped));
}

#[tokio::test]
async fn while_the_store_fails_so_many_facts_wait_and_no_more_whoever_gives_up() {
    let host = Host::start("").await;
    host.live.store.close().await;
    host.live.queue.push(Arc::new(record("api", 1))).await;
    let fails = async {
        while host.live.queue.trouble().is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), fails).await.expect("the store is closed");
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..TOLD_AT_ONCE_MAX + 10 {
        // As a request whose time is over.
        let mut telling = Box::pin(tokio::task::unconstrained(host.live.alerts.tell(Fact::Tick)));
        assert!(telling.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(host.live.alerts.shared.turns.available_permits(), 0);
}

/// What the next process makes of the store of `host`, which has ended.
async fn next_process(host: &Host) -> Alerts {
    host.live.queue.shutdown().await.unwrap();
    let config = host.live.config.load_full();
    let (alerts, _, _writer) = start(&host.live.store, &config, std::time::Duration::from_millis(5), Events::new(0)).await.unwrap();
    alerts
}

#[tokio::test]
async fn an_attempt_of_the_process_before_is_made_again_with_its_key() {
    let host = Host::start(&format!("{SINK}{}", check("api"))).await;
    host.commit(vec![failed("api", 2)]).await;
    host.live.alerts.tell(Fact::Tick).await.unwrap();
    let due = host.live.alerts.read(|alerting| alerting.due_deliveries(clock::now()).next()).expect("it is to be told");
    host.live.alerts.tell(Fact::Attempting { delivery: due }).await.unwrap();
    let incident = open(&host)[0].id;

    let alerts = next_process(&host).await;
    let (delivery, is_open) = alerts.read(|alerting| {
        let is_open = alerting.incident(incident).is_some_and(Incident::is_open);
        (alerting.delivery(due).cloned().expect("it goes on"), is_open)
    });
    assert!(is_open);
    assert!(matches!(delivery.state, DeliveryState::Pending { .. }) && delivery.may_have_arrived, "{delivery:?}");
    assert_eq!(delivery.attempts, 1);
    assert!(delivery.last_error.is_some_and(|error| error.contains("Sickbay ended")));
}

#[tokio::test]
async fn a_check_that_goes_while_it_fires_ends_its_incident() {
    let host = Host::start(&format!("{}{}", check("api"), check("db"))).await;
    host.commit(vec![failed("api", 2), failed("db", 2)]).await;
    let mut checks = CheckTable { by_name: host.live.checks().by_name.clone() };
    checks.by_name.remove("api");
    host.live.replace_checks(checks);
    assert!(host.live.alerts.is_due(clock::now()), "somebody is to tell the machine");
    host.live.alerts.tell(Fact::Tick).await.unwrap();
    let names: Vec<Option<String>> = open(&host).iter().map(|incident| incident.check().map(ToString::to_string)).collect();
    assert_eq!(names, [Some("db".to_owned())]);
    assert!(!host.live.alerts.is_due(clock::now()));
}

#[tokio::test]
async fn alerts_are_counted_where_metrics_look() {
    let host = Host::start(&format!("{SINK}{}", check("api"))).await;
    host.commit(vec![failed("api", 2)]).await;
    host.live.alerts.tell(Fact::Tick).await.unwrap();
    let due = host.live.alerts.read(|alerting| alerting.due_deliveries(clock::now()).next()).expect("it is to be told");
    let tally = |host: &Host| host.live.alerts.tally(clock::now());
    assert_eq!((tally(&host).pending, tally(&host).incidents[3]), (1, [1, 0]));
    host.live.alerts.tell(Fact::Attempting { delivery: due }).await.unwrap();
    let outcome = Outcome::Delivered { reference: None };
    host.live.alerts.tell(Fact::DeliveryEnded { delivery: due, attempt: 1, outcome }).await.unwrap();
    let after = tally(&host);
    assert_eq!((after.pending, &*after.notifications[0].0, after.notifications[0].1), (0, "oncall", [1, 0, 0, 0, 0]));
}

#[tokio::test]
async fn what_follows_for_many_checks_comes_in_commits_of_bounded_size_and_none_is_left_out() {
    // More rows than one commit takes, also where each incident is one.
    const CHECKS: u64 = 5_000;
    let checks: String = (0..CHECKS).map(|number| check(&format!("check-{number}"))).collect();
    let host = Host::start(&checks).await;
    host.commit((0..CHECKS).map(|number| failed(&format!("check-{number}"), 2)).collect()).await;
    assert_eq!(open(&host).len() as u64, CHECKS);
    let mut told = host.live.events.sender.subscribe();
    host.live.replace_checks(CheckTable::default());
    host.live.alerts.tell(Fact::Tick).await.unwrap();
    assert!(open(&host).is_empty());
    let mut commits = 0;
    while told.try_recv().is_ok() {
        commits += 1;
    }
    assert!(commits > 1, "all of it came in {commits} commits");
}
