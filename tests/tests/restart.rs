//! Restarts: an orderly one loses nothing, a kill loses at most the last moments, and numbers, states and streams go on.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use serde_json::Value;
use sickbay_tests::{Event, EventStream, Sickbay, check, found, milliseconds, services, until};

/// Twice and a half the interval in which plain results become durable.
const DURABLE_WITHIN: Duration = Duration::from_millis(2500);

fn cadence_checks() -> String {
    (0..20).map(|number| check(&format!("noop-{number:02}"), "noop", "200ms", "")).collect()
}

/// A check whose confirmed status changes with every run.
async fn flapping_check() -> String {
    let url = services::alternating().await;
    let more =
        format!("failures = 1\nsuccesses = 1\nconfig = {{ url = \"{url}\" }}\ngrants = {{ http = [\"GET {url}*\"] }}\nkind = \"http\"");
    check("flapping", "http", "200ms", &more)
}

/// Every stored result, by its number.
async fn history(sickbay: &Sickbay) -> BTreeMap<u64, Value> {
    let mut history = BTreeMap::new();
    for name in sickbay.check_names().await {
        for result in sickbay.results(&name).await {
            let seq = result["seq"].as_u64().expect("a number");
            assert!(history.insert(seq, result).is_none(), "the number {seq} was given twice");
        }
    }
    history
}

fn assert_sound(history: &BTreeMap<u64, Value>) {
    let mut seen = BTreeSet::new();
    for result in history.values() {
        let identity = (result["check"].to_string(), result["scheduled_at"].to_string());
        assert!(seen.insert(identity), "two results of one check for one time: {result}");
    }
}

/// Reads events until the stream ends.
async fn rest_of(mut stream: EventStream) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        events.push(event);
    }
    events
}

#[tokio::test]
async fn states_and_history_survive_a_restart() {
    let checks = check("down", "hostile", "24h", "kind = \"hostile-text\"\nfailures = 2") + &check("fine", "noop", "24h", "");
    let mut sickbay = Sickbay::started(&checks, &["hostile", "noop"]).await;
    sickbay.run_now("fine").await;
    sickbay.run_now("down").await;
    assert_eq!(sickbay.run_now("down").await["hard_status"], "critical");
    // The first run of a check that never ran comes within 10 s: with it behind us, nothing runs unless it is asked for.
    until("both ran by themselves", async || {
        let is_scheduled = |results: Vec<Value>| results.iter().any(|result| result["trigger"] == "schedule");
        is_scheduled(sickbay.results("down").await) && is_scheduled(sickbay.results("fine").await)
    })
    .await;
    let before = (counted_apart(sickbay.check("down").await), counted_apart(sickbay.check("fine").await), history(&sickbay).await);
    assert_eq!(sickbay.stop().await, 0);
    sickbay.start().await;
    let after = (counted_apart(sickbay.check("down").await), counted_apart(sickbay.check("fine").await), history(&sickbay).await);
    assert_eq!(after, before);
    assert_eq!(sickbay.get("/healthz").await.status, 503, "a confirmed failure is known before the next run");
    let since = after.0["since"].clone();
    let again = sickbay.run_now("down").await;
    assert_eq!((&again["transition"], &sickbay.check("down").await["since"]), (&Value::Null, &since));
}

#[tokio::test]
async fn what_a_plugin_keeps_survives_a_restart() {
    const FIRST: &str = "no rates yet; they come with the next run";
    let more = "kind = \"io\"\ngrants = { system = [\"io\"] }";
    let mut sickbay = Sickbay::started(&check("disks", "system", "2s", more), &["system"]).await;
    until("there are rates", async || {
        let check = sickbay.check("disks").await;
        check["status"] == "ok" && check["summary"] != FIRST
    })
    .await;
    assert_eq!(sickbay.stop().await, 0);
    sickbay.start().await;
    until("it ran again", async || sickbay.metrics().await.runs_recorded(Some("disks")) > 0).await;
    let summaries: Vec<Value> = sickbay.results("disks").await.iter().map(|result| result["summary"].clone()).collect();
    assert_eq!(summaries.iter().filter(|summary| **summary == FIRST).count(), 1, "{summaries:?}");
}

#[tokio::test]
async fn an_orderly_stop_loses_no_result() {
    let mut sickbay = Sickbay::started(&(cadence_checks() + &flapping_check().await), &["noop", "http"]).await;
    let mut recorded_before = 0;
    for _ in 0..3 {
        until("some hundred results are recorded", async || sickbay.metrics().await.runs_recorded(None) > 200).await;
        let counted = sickbay.metrics().await;
        assert_eq!(sickbay.stop().await, 0);
        sickbay.start().await;
        let history = history(&sickbay).await;
        assert_sound(&history);
        for name in sickbay.check_names().await {
            let stored = history.values().filter(|result| result["check"] == name.as_str()).count() as u64;
            assert!(
                stored >= counted.runs_recorded(Some(&name)),
                "{name}: {stored} are stored, {} were counted",
                counted.runs_recorded(Some(&name))
            );
        }
        let stored = history.len() as u64;
        assert!(stored >= recorded_before + counted.runs_recorded(None));
        recorded_before += counted.runs_recorded(None);
    }
}

#[tokio::test]
async fn a_scheduled_run_that_is_under_way_at_the_stop_is_recorded() {
    let sleeper = |every: &str| check("sleeper", "hostile", every, "kind = \"sleep\"\ntimeout = \"2s\"");
    let mut sickbay = Sickbay::started(&sleeper("3s"), &["hostile"]).await;
    until("it runs", async || sickbay.metrics().await.sum("sickbay_runs_in_flight", &[]) == 1.0).await;
    assert_eq!(sickbay.metrics().await.runs_recorded(None), 0);
    assert_eq!(sickbay.stop().await, 0);
    // Not due again while we look.
    sickbay.configure(&sleeper("24h"));
    sickbay.start().await;
    let results = sickbay.results("sleeper").await;
    assert_eq!(results.len(), 1, "{results:?}");
    assert_eq!((&results[0]["reason"], &results[0]["trigger"]), (&"RunDeadline".into(), &"schedule".into()));
}

#[tokio::test]
async fn a_run_that_was_asked_for_and_is_under_way_at_the_stop_is_recorded() {
    let sleeper = |kind: &str| check("sleeper", "hostile", "24h", &format!("kind = \"{kind}\"\ntimeout = \"2s\""));
    let mut sickbay = Sickbay::started(&sleeper("ok"), &["hostile"]).await;
    // The first run of a new check comes by itself within 10 s; behind it, only what is asked for runs.
    until("it ran by itself", async || sickbay.metrics().await.runs_recorded(None) == 1).await;
    sickbay.configure(&sleeper("sleep"));
    until("it will sleep", async || sickbay.check("sleeper").await["kind"] == "sleep").await;
    let client = sickbay.client();
    let run = tokio::spawn(async move { client.post("/api/v1/checks/sleeper/run").await });
    until("it runs", async || sickbay.metrics().await.sum("sickbay_runs_in_flight", &[]) == 1.0).await;
    assert_eq!(sickbay.stop().await, 0);
    let answer = run.await.expect("the request ends");
    assert_eq!(answer.status, 200, "{}", answer.text());
    sickbay.start().await;
    let results = sickbay.results("sleeper").await;
    assert!(results.iter().any(|result| *result == answer.json()), "{results:?}");
}

#[tokio::test]
async fn a_kill_loses_nothing_that_was_told_and_no_number_is_used_again() {
    let mut sickbay = Sickbay::started(&(cadence_checks() + &flapping_check().await), &["noop", "http"]).await;
    let mut told: Vec<Event> = Vec::new();
    for _ in 0..4 {
        let after = told.last().map_or(0, |event| event.id);
        let mut stream = EventStream::open(sickbay.client(), Some(after)).await;
        for _ in 0..50 {
            told.push(stream.next().await.expect("the stream goes on"));
        }
        let events = tokio::spawn(rest_of(stream));
        tokio::time::sleep(random_moment()).await;
        sickbay.kill();
        told.extend(events.await.expect("the stream was read"));
        sickbay.start().await;
        let history = history(&sickbay).await;
        assert_sound(&history);
        // What happens to incidents stands among them, and is not in the history of checks.
        for event in told.iter().filter(|event| event.name != "incident") {
            assert_eq!(event.name, "result");
            assert_eq!(history.get(&event.id), Some(&event.data), "what was told is not what is stored");
        }
        let ids: Vec<u64> = told.iter().map(|event| event.id).collect();
        assert!(ids.iter().copied().eq(1..=ids.len() as u64), "the stream has gaps or repeats: {ids:?}");
    }
    assert!(told.iter().any(|event| event.name == "result" && !event.data["transition"].is_null()));
}

/// A check without the counts of its runs, which begin with the process.
fn counted_apart(mut check: Value) -> Value {
    check.as_object_mut().expect("a check is an object").remove("runs");
    check
}

/// Anywhere in the interval between two writes.
fn random_moment() -> Duration {
    Duration::from_millis(RandomState::new().hash_one(0) % 1200)
}

#[tokio::test]
async fn a_kill_loses_at_most_the_results_of_the_last_moments() {
    let mut sickbay = Sickbay::started(&cadence_checks(), &["noop"]).await;
    until("first states are behind us", async || sickbay.metrics().await.runs_recorded(None) > 60).await;
    let counted = sickbay.metrics().await.runs_recorded(None);
    let began = Instant::now();
    until("what was counted is durable", async || sickbay.metrics().await.sum("sickbay_store_last_sequence_number", &[]) >= counted as f64)
        .await;
    let took = began.elapsed();
    sickbay.kill();
    sickbay.start().await;
    let stored = history(&sickbay).await;
    assert_sound(&stored);
    assert!(stored.len() as u64 >= counted, "{} are stored, {counted} were counted", stored.len());
    assert!(took < DURABLE_WITHIN, "results were durable after {took:?}");
}

#[tokio::test]
async fn a_stream_goes_on_across_a_restart_without_gap_or_duplicate() {
    let mut sickbay = Sickbay::started(&(cadence_checks() + &flapping_check().await), &["noop", "http"]).await;
    let mut events: Vec<Event> = Vec::new();
    for _ in 0..3 {
        let mut stream = EventStream::open(sickbay.client(), Some(events.last().map_or(0, |event| event.id))).await;
        for _ in 0..100 {
            events.push(stream.next().await.expect("the stream goes on"));
        }
        let rest = tokio::spawn(rest_of(stream));
        assert_eq!(sickbay.stop().await, 0);
        events.extend(rest.await.expect("the stream was read"));
        sickbay.start().await;
    }
    for (expected, event) in (1_u64..).zip(&events) {
        assert_eq!(event.id, expected, "{} is out of turn", event.name);
        assert!(["result", "incident"].contains(&event.name.as_str()), "{}", event.name);
        assert_eq!(event.data["seq"], event.id);
    }
}

#[tokio::test]
async fn checks_keep_their_phase_across_a_restart() {
    let mut sickbay = Sickbay::started(&check("steady", "noop", "700ms", ""), &["noop"]).await;
    until("it ran", async || sickbay.results("steady").await.len() >= 2).await;
    assert_eq!(sickbay.stop().await, 0);
    sickbay.start().await;
    let stored = sickbay.results("steady").await.len();
    let results = found("it ran again", async || {
        let results = sickbay.results("steady").await;
        (results.len() > stored + 1).then_some(results)
    })
    .await;
    let phase = |result: &Value| milliseconds(result["scheduled_at"].as_str().expect("a time")) % 700;
    let phases: BTreeSet<i64> = results.iter().map(phase).collect();
    assert_eq!(phases.len(), 1, "{phases:?}");
}
