//! `sickbay routes`: where an alert would go by a configuration, without a daemon.

use serde_json::{Value, json};
use sickbay_tests::program::{self, Ran};
use sickbay_tests::{Sickbay, check, until};

const ROUTES: &str = r#"
[[sink]]
name = "oncall"
plugin = "webhook"

[[sink]]
name = "lead"
plugin = "webhook"

[route]
sinks = ["oncall"]
group_by = ["service"]

[[route.routes]]
match = ['severity=~"P0|P1"']
escalate = [{ after = "15m", sinks = ["lead"] }]
active_times = ["office"]

[[time_interval]]
name = "office"
weekdays = ["monday:friday"]
times = [{ start = "09:00", end = "17:00" }]
timezone = "Europe/Berlin"

[[maintenance]]
name = "sunday"
match = ['service="orders"']
cron = "0 2 * * SUN"
duration = "2h"
"#;

async fn run(sickbay: &Sickbay, line: &str) -> Ran {
    let arguments: Vec<&str> = line.split(' ').collect();
    program::run(sickbay.folder(), &arguments).await
}

fn configuration() -> String {
    let labels = "kind = \"noop\"\nlabels = { service = \"orders\", severity = \"P1\" }";
    format!("{}{ROUTES}", check("orders", "noop", "24h", labels))
}

async fn tried(sickbay: &Sickbay, line: &str) -> Value {
    let ran = run(sickbay, &format!("routes test {line} -o json")).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    serde_json::from_str(&ran.out).expect("JSON")
}

#[tokio::test]
async fn the_alert_of_a_check_is_followed_to_its_sinks() {
    let sickbay = Sickbay::prepared(&configuration(), &[]);
    let office = tried(&sickbay, "orders --at 2027-01-04T10:00:00Z").await;
    assert_eq!(office["alert"]["labels"]["alertname"], "orders");
    let [route] = office["routes"].as_array().map(Vec::as_slice).unwrap_or_default() else { panic!("{office}") };
    assert_eq!(route["sinks"], json!(["oncall"]));
    assert_eq!(route["escalate"], json!([{ "after_seconds": 900.0, "sinks": ["lead"] }]));
    assert_eq!(route["group_key"], r#"{}/{severity=~"P0|P1"}:{service="orders"}"#);
    assert_eq!((&route["mute"], &office["mute"]), (&Value::Null, &Value::Null));
    // In Berlin it is 08:30.
    let early = tried(&sickbay, "orders --at 2027-01-04T07:30:00Z").await;
    assert_eq!(early["routes"][0]["mute"]["name"], "OutsideActiveTime");
    // The first Sunday of the year.
    let sunday = tried(&sickbay, "orders severity=P3 --at 2027-01-03T03:59:59Z").await;
    assert_eq!((&sunday["mute"]["name"], &sunday["routes"][0]["route"]), (&json!("InMaintenance"), &json!("{}")));
    let over = tried(&sickbay, "orders severity=P3 --at 2027-01-03T04:00:00Z").await;
    assert_eq!(over["mute"], Value::Null);
    let unknown = tried(&sickbay, "orders status=unknown").await;
    assert_eq!(
        (&unknown["alert"]["labels"]["alertname"], &unknown["routes"][0]["route"]),
        (&json!("SickbayCheckUnknown"), &json!("{}/unknown"))
    );
    let visits: Vec<&Value> = unknown["tree"].as_array().expect("a list").iter().map(|node| &node["visit"]["name"]).collect();
    assert_eq!(visits, ["not-asked", "not-asked", "takes"]);
    assert!(!sickbay.path("sickbay.db").exists(), "nothing is stored");
}

#[tokio::test]
async fn routes_are_shown_for_people_and_mistakes_are_told_with_the_fix() {
    let sickbay = Sickbay::prepared(&configuration(), &[]);
    let shown = run(&sickbay, "routes show").await;
    assert!(shown.code == 0 && shown.out.starts_with("ROUTE ") && shown.out.contains("\n  severity=~\"P0|P1\"  oncall"), "{shown:?}");
    let posted = run(&sickbay, "routes test service=a severity=P2").await;
    assert!(posted.code == 0 && posted.out.contains("\ntaken by {}\n  sinks      oncall\n"), "{posted:?}");
    for (line, told) in [
        ("routes test ordrs", "hint: did you mean `orders`?"),
        ("routes test orders --at noon", "`--at` is no time: \"noon\""),
        ("routes test orders status=fine", "hint: write status=warning"),
        ("routes test", "NAME|LABEL=VALUE"),
        ("routes test orders --config absent.toml", "there is no such file"),
    ] {
        let ran = run(&sickbay, line).await;
        assert!(ran.code == 2 && ran.out.is_empty() && ran.err.contains(told), "{line}: {ran:?}");
    }
}

#[tokio::test]
async fn a_slip_in_a_route_is_told_at_its_place() {
    let sickbay = Sickbay::prepared(&configuration().replace("sinks = [\"lead\"]", "sinks = [\"laed\"]"), &[]);
    let wrong = run(&sickbay, "validate").await;
    assert!(wrong.code == 2 && wrong.err.contains("there is no sink `laed`") && wrong.err.contains("did you mean `lead`?"), "{wrong:?}");
    assert!(wrong.err.contains("the configuration has 1 error\n"), "{wrong:?}");
}

#[tokio::test]
async fn changed_routes_leave_the_checks_alone() {
    let sickbay = Sickbay::started(&configuration(), &["noop"]).await;
    let triggers = async || {
        let results = sickbay.json("/api/v1/checks/orders/results").await;
        let triggers = results["items"].as_array().into_iter().flatten().map(|result| result["trigger"].to_string());
        triggers.collect::<Vec<_>>()
    };
    until("it has run", async || triggers().await.len() == 1).await;
    let loaded_at = sickbay.json("/api/v1/config").await["loaded_at"].clone();
    sickbay.configure(&configuration().replace("15m", "20m"));
    until("it is taken", async || sickbay.json("/api/v1/config").await["loaded_at"] != loaded_at).await;
    sickbay.run_now("orders").await;
    until("that one is stored too", async || triggers().await.first().is_some_and(|trigger| trigger.contains("manual"))).await;
    assert_eq!(triggers().await.len(), 2, "the one by the schedule, and the one that was asked for");
}
