//! Killed at any moment while checks go to and fro: no end is lost, and what is told twice has one key.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use sickbay_tests::notifications::{at_once, told, webhook};
use sickbay_tests::receiver::{Receiver, Reply};
use sickbay_tests::{Sickbay, check, services, until};

const KILLS: u32 = 20;
/// With `SICKBAY_TEST_LONG=1`.
const KILLS_LONG: u32 = 200;
const CHECKS: usize = 4;

/// A check whose confirmed status changes with every run.
async fn restless(number: usize) -> String {
    let url = services::alternating().await;
    let policy = "failures = 1\nsuccesses = 1\nflapping = false";
    let more = format!("{policy}\nkind = \"http\"\nconfig = {{ url = \"{url}\" }}\ngrants = {{ http = [\"GET {url}*\"] }}");
    check(&format!("restless-{number}"), "http", "300ms", &more)
}

/// Mostly taken, now and then not, and sometimes nobody can know.
fn moods() -> impl Iterator<Item = Reply> {
    (1..=10_000_u32).map(|number| match number {
        number if number.is_multiple_of(13) => Reply::Reset,
        number if number.is_multiple_of(7) => Reply::Status(500),
        _ => Reply::Status(200),
    })
}

fn random_moment() -> Duration {
    Duration::from_millis(RandomState::new().hash_one(0) % 1_500)
}

#[tokio::test]
async fn whenever_it_is_killed_no_end_is_lost_and_what_is_told_twice_has_one_key() {
    let kills = if std::env::var_os("SICKBAY_TEST_LONG").is_some_and(|value| value == "1") { KILLS_LONG } else { KILLS };
    let receiver = Receiver::start(moods()).await;
    let alerts = webhook("oncall", &receiver, "") + &at_once(&["oncall"], "");
    let mut config = alerts.clone();
    for number in 0..CHECKS {
        config += &restless(number).await;
    }
    let mut sickbay = Sickbay::started(&config, &["webhook", "http"]).await;
    for _ in 0..kills {
        tokio::time::sleep(random_moment()).await;
        sickbay.kill();
        sickbay.start().await;
    }
    receiver.has(1).await;
    // What still fires ends with its check.
    sickbay.configure(&alerts);
    until("no check is left", async || sickbay.check_names().await.is_empty()).await;
    let open = async || sickbay.json("/api/v1/incidents").await["items"].as_array().map(Vec::len);
    until("nothing fires any more", async || open().await == Some(0)).await;
    // An end waits for its group before there is a delivery of it.
    until("every end was told", async || {
        let keys = told(&receiver.received()).into_iter().map(|told| (told.incident, told.status)).collect::<BTreeSet<_>>();
        let is_ended = |incident: &String| keys.contains(&(incident.clone(), "resolved".to_owned()));
        keys.iter().filter(|(_, status)| status == "firing").all(|(incident, _)| is_ended(incident))
    })
    .await;
    until("nothing is on its way", async || sickbay.metrics().await.sum("sickbay_outbox_pending", &[]) == 0.0).await;

    let received = receiver.received();
    let mut bodies: BTreeMap<String, String> = BTreeMap::new();
    for message in &received {
        let body = message.text();
        let first = bodies.entry(message.header("webhook-id").to_owned()).or_insert_with(|| body.clone());
        assert_eq!(*first, body, "the same key with other words");
    }
    let mut keys: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for told in told(&received) {
        keys.entry((told.incident, told.status)).or_default().insert(told.key);
    }
    for (told, keys) in &keys {
        assert_eq!(keys.len(), 1, "{told:?} was told with several keys: {keys:?}");
    }
    let of = |status: &str| keys.keys().filter(|(_, told)| told == status).map(|(incident, _)| incident.clone()).collect::<BTreeSet<_>>();
    let (firing, resolved) = (of("firing"), of("resolved"));
    let lost: Vec<&String> = firing.difference(&resolved).collect();
    assert!(lost.is_empty(), "{} of {} ends were lost: {lost:?}", lost.len(), firing.len());
    assert!(firing.len() > CHECKS, "something happened: {}", firing.len());

    let incidents = sickbay.client().list("/api/v1/incidents?state=all", "cursor", 1_000).await;
    let known: BTreeSet<&str> = incidents.iter().filter_map(|incident| incident["id"].as_str()).collect();
    assert!(firing.iter().all(|incident| known.contains(incident.as_str())), "what was told is not what is stored");
    for incident in incidents.iter().filter(|incident| incident["was_told"] == true) {
        let id = incident["id"].as_str().expect("an id");
        assert!(resolved.contains(id), "its end was not told: {incident}");
    }
}
