//! Alerts from a check to the receiver: told once, muted, taken, and told the end whatever happens in between.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sickbay_tests::notifications::{Told, at_once, pushed, told, webhook};
use sickbay_tests::program::{self, Ran};
use sickbay_tests::receiver::{Receiver, Reply};
use sickbay_tests::{Sickbay, check, found, milliseconds, until};

/// Tells a push check how it is; returns when that is stored, with what follows from it.
pub(crate) async fn push(sickbay: &Sickbay, check: &str, status: &str) {
    let body = json!({ "status": status, "summary": format!("{check} is {status}") }).to_string();
    let answer = sickbay.client().post_body(&format!("/api/v1/push/{check}"), &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Waits until the receiver has so many alerts, and gives all of them.
pub(crate) async fn has_told(receiver: &Receiver, count: usize) -> Vec<Told> {
    let what = format!("{count} alerts at the receiver");
    found(&what, async || Some(told(&receiver.received())).filter(|told| told.len() >= count)).await
}

pub(crate) async fn open_incidents(sickbay: &Sickbay) -> Vec<Value> {
    sickbay.client().list("/api/v1/incidents", "cursor", 100).await
}

/// Waits until nothing is on its way any more.
pub(crate) async fn nothing_is_pending(sickbay: &Sickbay) {
    until("nothing is on its way", async || sickbay.metrics().await.sum("sickbay_outbox_pending", &[]) == 0.0).await;
}

pub(crate) fn brief(told: &[Told]) -> Vec<(&str, &str)> {
    told.iter().map(|told| (told.alertname.as_str(), told.status.as_str())).collect()
}

#[tokio::test]
async fn an_alert_is_told_once_when_it_fires_and_once_when_it_ends() {
    let receiver = Receiver::start([]).await;
    let log = "[[sink]]\nname = \"log\"\nplugin = \"log\"\n\n";
    let labels = "labels = { service = \"shop\", severity = \"P1\" }";
    let config = webhook("oncall", &receiver, "") + log + &at_once(&["oncall", "log"], "") + &pushed("api", labels);
    let sickbay = Sickbay::started(&config, &["webhook", "log"]).await;
    push(&sickbay, "api", "critical").await;
    push(&sickbay, "api", "critical").await;
    let message = receiver.has(1).await[0].json();
    assert_eq!((&message["version"], &message["status"], &message["receiver"]), (&json!("4"), &json!("firing"), &json!("oncall")));
    let alert = &message["alerts"][0];
    assert_eq!(
        alert["labels"],
        json!({ "alertname": "api", "check": "api", "kind": "push", "plugin": "sickbay", "service": "shop", "severity": "P1" })
    );
    assert_eq!(message["groupLabels"], alert["labels"]);
    assert_eq!(alert["annotations"]["summary"], "api is critical");

    push(&sickbay, "api", "ok").await;
    let all = has_told(&receiver, 2).await;
    assert_eq!(brief(&all), [("api", "firing"), ("api", "resolved")]);
    assert_eq!((&all[0].incident, all[1].reason.as_str()), (&all[1].incident, "Recovered"));
    assert_ne!(all[0].key, all[1].key);
    push(&sickbay, "api", "ok").await;
    nothing_is_pending(&sickbay).await;
    assert_eq!(receiver.received().len(), 2);
    let metrics = sickbay.metrics().await;
    let outcome = |sink: &str, outcome: &str| metrics.sum("sickbay_notifications_total", &[("sink", sink), ("outcome", outcome)]);
    assert_eq!((outcome("oncall", "delivered"), outcome("log", "delivered"), outcome("oncall", "failed")), (2.0, 2.0, 0.0));
    let logged = sickbay.log();
    assert!(logged.contains("CRITICAL api: api is critical") && logged.contains("RESOLVED api"), "{logged}");

    assert!(open_incidents(&sickbay).await.is_empty());
    let detail = sickbay.json(&format!("/api/v1/incidents/{}", all[0].incident)).await;
    let names: Vec<&str> = detail["timeline"].as_array().expect("a timeline").iter().filter_map(|line| line["name"].as_str()).collect();
    assert_eq!(names.iter().filter(|name| **name == "Notified").count(), 4, "{names:?}");
    assert_eq!((names.first(), &detail["resolution"]), (Some(&"Opened"), &json!("Recovered")), "{names:?}");
}

#[tokio::test]
async fn a_window_made_by_the_api_mutes_also_after_a_restart_and_what_still_fires_is_told_after_it() {
    let receiver = Receiver::start([]).await;
    let config = webhook("oncall", &receiver, "") + &at_once(&["oncall"], "") + &pushed("api", "") + &pushed("other", "");
    let mut sickbay = Sickbay::started(&config, &["webhook"]).await;
    let body = r#"{"name": "moving", "matchers": ["check=\"api\""], "for": "2h", "by": "anna"}"#;
    let made = sickbay.client().post_body("/api/v1/maintenance", body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    push(&sickbay, "api", "critical").await;
    push(&sickbay, "other", "critical").await;
    assert_eq!(brief(&has_told(&receiver, 1).await), [("other", "firing")]);

    assert_eq!(sickbay.stop().await, 0);
    sickbay.start().await;
    push(&sickbay, "api", "critical").await;
    push(&sickbay, "other", "ok").await;
    assert_eq!(brief(&has_told(&receiver, 2).await), [("other", "firing"), ("other", "resolved")]);

    let path = format!("/api/v1/maintenance/{}", made.json()["id"].as_str().expect("an id"));
    assert_eq!(sickbay.get(&path).await.json()["is_active"], true);
    assert_eq!(sickbay.client().delete(&path).await.status, 204);
    assert_eq!(brief(&has_told(&receiver, 3).await)[2..], [("api", "firing")]);
    push(&sickbay, "api", "ok").await;
    assert_eq!(brief(&has_told(&receiver, 4).await)[3..], [("api", "resolved")]);
    nothing_is_pending(&sickbay).await;
}

#[tokio::test]
async fn what_is_silenced_is_not_told_until_the_silence_ends_and_its_end_is_told_through_one() {
    let receiver = Receiver::start([]).await;
    let config = webhook("oncall", &receiver, "") + &at_once(&["oncall"], "") + &pushed("api", "") + &pushed("other", "");
    let sickbay = Sickbay::started(&config, &["webhook"]).await;
    let silence = json!({ "matchers": ["check=\"api\""], "for": "1h", "by": "anna" }).to_string();
    let silence = async || sickbay.client().post_body("/api/v1/silences", &silence).await.json()["id"].as_str().expect("an id").to_owned();
    let first = silence().await;
    push(&sickbay, "api", "critical").await;
    push(&sickbay, "other", "critical").await;
    assert_eq!(brief(&has_told(&receiver, 1).await), [("other", "firing")]);
    let incidents = open_incidents(&sickbay).await;
    let api = incidents.iter().find(|incident| incident["check"] == "api").expect("an incident all the same");
    assert_eq!(api["mute"]["name"], "SilencedBy");

    assert_eq!(sickbay.client().delete(&format!("/api/v1/silences/{first}")).await.status, 200);
    assert_eq!(brief(&has_told(&receiver, 2).await)[1], ("api", "firing"));
    silence().await;
    push(&sickbay, "api", "ok").await;
    assert_eq!(brief(&has_told(&receiver, 3).await)[2], ("api", "resolved"));
    nothing_is_pending(&sickbay).await;
    assert_eq!(receiver.received().len(), 3);
}

#[tokio::test]
async fn what_a_person_has_taken_is_not_escalated() {
    let (oncall, lead) = (Receiver::start([]).await, Receiver::start([]).await);
    let escalate = "escalate = [{ after = \"1s\", sinks = [\"lead\"] }]";
    let config = webhook("oncall", &oncall, "") + &webhook("lead", &lead, "") + &at_once(&["oncall"], escalate);
    let sickbay = Sickbay::started(&(config + &pushed("api", "") + &pushed("db", "")), &["webhook"]).await;
    // Taken while it is silenced: the ladder is not climbed before.
    let silence = json!({ "matchers": ["check=\"api\""], "for": "1h" }).to_string();
    let silence = sickbay.client().post_body("/api/v1/silences", &silence).await.json();
    push(&sickbay, "api", "critical").await;
    let incident = open_incidents(&sickbay).await.remove(0);
    let path = format!("/api/v1/incidents/{}/ack", incident["id"].as_str().expect("an id"));
    let taken = sickbay.client().post_body(&path, r#"{"by": "anna", "note": "on it"}"#).await;
    assert_eq!((taken.status, &taken.json()["phase"]), (200, &json!("acknowledged")));
    let path = format!("/api/v1/silences/{}", silence["id"].as_str().expect("an id"));
    assert_eq!(sickbay.client().delete(&path).await.status, 200);
    let first = has_told(&oncall, 1).await;
    assert_eq!((first[0].alertname.as_str(), first[0].transition.as_str()), ("api", "acknowledged"));

    push(&sickbay, "db", "critical").await;
    assert_eq!(brief(&has_told(&lead, 1).await), [("db", "firing")], "the other would have been escalated before");
    for name in ["api", "db"] {
        push(&sickbay, name, "ok").await;
    }
    has_told(&oncall, 4).await;
    assert_eq!(brief(&has_told(&lead, 2).await), [("db", "firing"), ("db", "resolved")]);
}

#[tokio::test]
async fn a_kill_between_begin_and_end_changes_nothing() {
    let receiver = Receiver::start([]).await;
    let config = webhook("oncall", &receiver, "") + &at_once(&["oncall"], "") + &pushed("api", "");
    let mut sickbay = Sickbay::started(&config, &["webhook"]).await;
    push(&sickbay, "api", "critical").await;
    let begin = has_told(&receiver, 1).await.remove(0);
    sickbay.kill();
    sickbay.start().await;
    assert_eq!(open_incidents(&sickbay).await[0]["id"], begin.incident.as_str());
    push(&sickbay, "api", "ok").await;
    let all =
        found("its end is told", async || Some(told(&receiver.received())).filter(|all| all.iter().any(|told| told.status == "resolved")))
            .await;
    assert!(all.iter().all(|told| told.incident == begin.incident), "{all:?}");
    // The kill may have come before it was known that the first was taken: then it is told again with its key.
    assert!(all.iter().all(|told| told.status == "resolved" || told.key == begin.key), "{all:?}");
}

#[tokio::test]
async fn a_check_that_is_removed_while_it_fires_is_resolved_as_that() {
    let receiver = Receiver::start([]).await;
    let alerts = webhook("oncall", &receiver, "") + &at_once(&["oncall"], "");
    let sickbay = Sickbay::started(&(alerts.clone() + &pushed("api", "") + &pushed("db", "")), &["webhook"]).await;
    push(&sickbay, "api", "critical").await;
    let begin = has_told(&receiver, 1).await.remove(0);
    sickbay.configure(&(alerts.clone() + &pushed("db", "")));
    let end = has_told(&receiver, 2).await.remove(1);
    assert_eq!((&end.incident, end.status.as_str(), end.reason.as_str()), (&begin.incident, "resolved", "CheckRemoved"));

    // It comes back as it was, and that is another time.
    sickbay.configure(&(alerts + &pushed("api", "") + &pushed("db", "")));
    let again = has_told(&receiver, 3).await.remove(2);
    assert_eq!((again.alertname.as_str(), again.status.as_str()), ("api", "firing"));
    assert_ne!(again.incident, begin.incident);
}

#[tokio::test]
async fn a_route_that_is_gone_still_tells_the_end() {
    let receiver = Receiver::start([]).await;
    let sink = webhook("oncall", &receiver, "");
    let sickbay = Sickbay::started(&(sink.clone() + &at_once(&["oncall"], "") + &pushed("api", "")), &["webhook"]).await;
    push(&sickbay, "api", "critical").await;
    has_told(&receiver, 1).await;
    let reloads = async || sickbay.json("/api/v1/config").await["last_reload_at"].clone();
    let before = reloads().await;
    sickbay.configure(&(sink + &at_once(&[], "") + &pushed("api", "") + &pushed("db", "")));
    until("it was read again", async || reloads().await != before).await;
    push(&sickbay, "db", "critical").await;
    push(&sickbay, "api", "ok").await;
    assert_eq!(brief(&has_told(&receiver, 2).await), [("api", "firing"), ("api", "resolved")]);
    nothing_is_pending(&sickbay).await;
    assert_eq!(receiver.received().len(), 2, "nobody is told of what begins now");
}

#[tokio::test]
async fn a_receiver_that_fails_for_a_while_has_it_in_the_end_under_one_key() {
    let receiver = Receiver::start([Reply::Status(500), Reply::Busy { retry_after_seconds: 5 }, Reply::Reset]).await;
    let config = webhook("oncall", &receiver, "") + &at_once(&["oncall"], "") + &pushed("api", "");
    let sickbay = Sickbay::started(&config, &["webhook"]).await;
    push(&sickbay, "api", "critical").await;
    let delivery = found("it is to come again later", async || {
        let delivery = sickbay.json("/api/v1/deliveries?sink=oncall").await["items"][0].clone();
        delivery["last_error"].as_str().is_some_and(|error| error.contains("429")).then_some(delivery)
    })
    .await;
    let time = |key: &str| milliseconds(delivery[key].as_str().expect("a time"));
    assert!(time("next_attempt_at") - time("created_at") >= 5_000, "{delivery}");
    let all = has_told(&receiver, 4).await;
    assert!(all.iter().all(|told| *told == all[0]), "{all:?}");
    let of_delivery = async || sickbay.json("/api/v1/deliveries?sink=oncall").await["items"][0]["state"].clone();
    until("it is known that it arrived", async || of_delivery().await == "delivered").await;
    assert_eq!(receiver.received().len(), 4);
    assert_eq!(delivery["id"], all[0].key.as_str());
}

#[tokio::test]
async fn a_sink_that_hangs_delays_no_other() {
    let hung = Receiver::start(vec![Reply::Silence; 4]).await;
    let quick = Receiver::start([]).await;
    let config = webhook("hung", &hung, "") + &webhook("quick", &quick, "") + &at_once(&["hung", "quick"], "");
    let sickbay = Sickbay::started(&(config + &pushed("api", "") + &pushed("db", "")), &["webhook"]).await;
    push(&sickbay, "api", "critical").await;
    hung.has(1).await;
    push(&sickbay, "db", "critical").await;
    has_told(&quick, 2).await;
    let delivered = sickbay.json("/api/v1/deliveries?sink=hung&state=delivered").await;
    assert_eq!(delivered["items"], json!([]), "the others were told while it hung");
    let all = found("it has both in the end", async || {
        let all = told(&hung.received());
        (all.iter().any(|told| told.alertname == "api") && all.iter().any(|told| told.alertname == "db") && all.len() >= 6).then_some(all)
    })
    .await;
    for name in ["api", "db"] {
        let keys: Vec<&String> = all.iter().filter(|told| told.alertname == name).map(|told| &told.key).collect();
        assert!(keys.iter().all(|key| *key == keys[0]), "{name}: {keys:?}");
    }
}

/// All notifications to a sink.
async fn deliveries(sickbay: &Sickbay, sink: &str) -> Vec<Value> {
    sickbay.client().list(&format!("/api/v1/deliveries?sink={sink}"), "cursor", 100).await
}

#[tokio::test]
async fn a_receiver_that_fails_in_every_way_has_all_in_the_end_and_the_other_has_it_meanwhile() {
    const ALERTS: usize = 6;
    let every_way = [Reply::Status(500), Reply::Silence, Reply::Reset, Reply::Busy { retry_after_seconds: 2 }];
    let bad = Receiver::start(every_way).await;
    let good = Receiver::start([]).await;
    let names: Vec<String> = (0..ALERTS).map(|number| format!("api-{number}")).collect();
    let mut config = webhook("bad", &bad, "") + &webhook("good", &good, "") + &at_once(&["bad", "good"], "");
    for name in &names {
        config += &pushed(name, "");
    }
    let sickbay = Sickbay::started(&config, &["webhook"]).await;
    for name in &names {
        push(&sickbay, name, "critical").await;
    }
    assert_eq!(has_told(&good, ALERTS).await.len(), ALERTS);
    until("it has all of them", async || {
        let all = deliveries(&sickbay, "bad").await;
        all.len() == ALERTS && all.iter().all(|delivery| delivery["state"] == "delivered")
    })
    .await;
    let all = told(&bad.received());
    for name in &names {
        let keys: BTreeSet<&String> = all.iter().filter(|told| told.alertname == *name).map(|told| &told.key).collect();
        assert_eq!(keys.len(), 1, "{name}: {all:?}");
    }
    for delivery in deliveries(&sickbay, "good").await {
        assert_eq!((&delivery["state"], &delivery["attempts"]), (&json!("delivered"), &json!(1)), "{delivery}");
    }
    assert_eq!(good.received().len(), ALERTS, "the other was told each once");

    for name in &names {
        push(&sickbay, name, "ok").await;
    }
    until("every end is told to both", async || {
        [&bad, &good].into_iter().all(|receiver| {
            let told = told(&receiver.received());
            let ended: BTreeSet<&String> = told.iter().filter(|told| told.status == "resolved").map(|told| &told.incident).collect();
            ended.len() == ALERTS
        })
    })
    .await;
}

#[tokio::test]
async fn a_check_is_told_while_one_of_its_redundant_parents_is_up_and_not_while_all_are_down() {
    let receiver = Receiver::start([]).await;
    let parents = "depends_on = [{ any = [\"db-1\", \"db-2\"] }]";
    let checks = pushed("db-1", "") + &pushed("db-2", "") + &pushed("api", parents);
    let sickbay = Sickbay::started(&(webhook("oncall", &receiver, "") + &at_once(&["oncall"], "") + &checks), &["webhook"]).await;
    push(&sickbay, "db-1", "critical").await;
    push(&sickbay, "api", "critical").await;
    let both = has_told(&receiver, 2).await;
    assert!(both.iter().any(|told| told.alertname == "api"), "the other parent is up: {both:?}");
    push(&sickbay, "api", "ok").await;
    has_told(&receiver, 3).await;

    push(&sickbay, "db-2", "critical").await;
    push(&sickbay, "api", "critical").await;
    let incidents = open_incidents(&sickbay).await;
    let api = incidents.iter().find(|incident| incident["check"] == "api").expect("an incident all the same");
    assert_eq!(api["mute"]["name"], "Unreachable", "{api}");
    let all = has_told(&receiver, 4).await;
    nothing_is_pending(&sickbay).await;
    assert_eq!((brief(&all)[3], receiver.received().len()), (("db-2", "firing"), 4));

    push(&sickbay, "db-1", "ok").await;
    let all = has_told(&receiver, 6).await;
    let mut after = brief(&all)[4..].to_vec();
    after.sort_unstable();
    assert_eq!(after, [("api", "firing"), ("db-1", "resolved")], "one parent is enough");
}

#[tokio::test]
async fn a_sink_whose_plugin_comes_later_tells_then() {
    let receiver = Receiver::start([]).await;
    let config = webhook("oncall", &receiver, "") + &at_once(&["oncall"], "") + &pushed("api", "");
    let sickbay = Sickbay::started(&config, &[]).await;
    push(&sickbay, "api", "critical").await;
    until("it is told why nobody is", async || {
        let error = sickbay.json("/api/v1/deliveries").await["items"][0]["last_error"].clone();
        error.as_str().is_some_and(|error| error.contains("copy webhook.wasm into the plugin folder"))
    })
    .await;
    sickbay.install("webhook", "webhook");
    assert_eq!(brief(&has_told(&receiver, 1).await), [("api", "firing")]);
}

#[tokio::test]
async fn a_check_that_nobody_can_judge_is_told_to_the_owner_of_its_plugin() {
    let receiver = Receiver::start([]).await;
    let owner = "[plugin.absent]\nowner = \"platform\"\n\n";
    let config = owner.to_owned() + &webhook("oncall", &receiver, "") + &at_once(&["oncall"], "");
    let sickbay = Sickbay::started(&(config + &check("lost", "absent", "200ms", "failures = 2")), &["webhook"]).await;
    let message = receiver.has(1).await[0].json();
    let labels = &message["alerts"][0]["labels"];
    assert_eq!(
        (&labels["alertname"], &labels["owner"], &labels["check"]),
        (&json!("SickbayCheckUnknown"), &json!("platform"), &json!("lost"))
    );
    nothing_is_pending(&sickbay).await;
    assert_eq!(receiver.received().len(), 1);
}

/// A verb at a running Sickbay.
async fn verb(sickbay: &Sickbay, arguments: &[&str]) -> Ran {
    program::run(sickbay.folder(), &[arguments, &["--url", &sickbay.url()]].concat()).await
}

#[tokio::test]
async fn the_command_line_lists_takes_and_silences() {
    let sickbay = Sickbay::started(&(pushed("api", "labels = { service = \"shop\", severity = \"P2\" }") + &pushed("db", "")), &[]).await;
    assert_eq!(verb(&sickbay, &["incident", "list"]).await.out, "no open incidents\n");
    push(&sickbay, "api", "warning").await;
    let list = verb(&sickbay, &["incident", "list", "service=\"shop\""]).await;
    assert!(list.code == 0 && list.out.contains("P2") && list.out.contains("api is warning"), "{list:?}");
    let items: Value = serde_json::from_str(&verb(&sickbay, &["incident", "list", "-o", "json"]).await.out).expect("JSON");
    let id = items["items"][0]["id"].as_str().expect("an id").to_owned();
    let taken = verb(&sickbay, &["incident", "ack", &id, "--for", "2h", "--note", "on it", "--by", "anna"]).await;
    assert!(taken.code == 0 && taken.out.contains("is yours"), "{taken:?}");
    assert_eq!(verb(&sickbay, &["incident", "note", &id, "the disk was full", "--by", "ben"]).await.code, 0);
    let show = verb(&sickbay, &["incident", "show", &id]).await;
    for line in ["taken by   anna", "acknowledged by anna until ", "ben: the disk was full"] {
        assert!(show.out.contains(line), "{line}: {show:?}");
    }
    let gone = verb(&sickbay, &["incident", "show", "01ARZ3NDEKTSV4RRFFQ69G5FAV"]).await;
    assert!(gone.code == 1 && gone.err.contains("no incident has the id"), "{gone:?}");

    let unmatched = verb(&sickbay, &["silence", "add", "service=\"shpo\"", "--for", "1h"]).await;
    assert!(unmatched.code == 1 && unmatched.err.contains("--allow-unmatched"), "{unmatched:?}");
    let made = verb(&sickbay, &["silence", "add", "service=\"shop\"", "--for", "1h", "--comment", "moving", "-o", "json"]).await;
    let made: Value = serde_json::from_str(&made.out).unwrap_or_else(|error| panic!("{error}: {made:?}"));
    let silence = made["id"].as_str().expect("an id");
    assert!(verb(&sickbay, &["silence", "list"]).await.out.contains("moving"));
    assert!(verb(&sickbay, &["incident", "show", &id]).await.out.contains(&format!("not told   silence {silence}")));
    assert_eq!(verb(&sickbay, &["silence", "expire", silence]).await.code, 0);
    assert_eq!(verb(&sickbay, &["silence", "list"]).await.out, "no silences\n");
}
