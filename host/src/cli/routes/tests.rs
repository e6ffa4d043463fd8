use sickbay_core::alerting::Explanation;

use super::tree::Visit;
use super::*;
use crate::config::{self, Config};

const ROUTES: &str = r#"
[route]
sinks = ["oncall"]
group_by = ["service"]
group_wait = "10s"

[[route.routes]]
match = ['severity=~"P0|P1"']
sinks = ["oncall", "chat"]
escalate = [{ after = "15m", sinks = ["lead"] }]

[[route.routes.routes]]
match = ['team="shop"']
continue = true
group_by = ["..."]
sinks = ["shop"]

[[route.routes.routes]]
match = ['service="api"', 'status="critical"']
mute_times = ["night"]

[[route.routes]]
match = ['service="api"']
sinks = []

[route.unknown]
sinks = ["platform"]

[[time_interval]]
name = "night"
times = [{ start = "00:00", end = "06:00" }]

[[inhibit]]
source = ['alertname="db"']
target = ['service="api"']
equal = ["region"]

[[maintenance]]
name = "move"
match = ['service="db"']
start = 2027-01-01T00:00:00Z
end = 2027-01-02T00:00:00Z
"#;

/// As in a pipe.
const LAYOUT: Layout = Layout { line_characters_max: None, last: Last::Wrapped };

fn as_text(tried: &Tried<'_>) -> String {
    tried_text(tried, LAYOUT)
}

fn configured(more: &str) -> (tempfile::TempDir, Config) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("sickbay.toml");
    let sinks = ["oncall", "chat", "lead", "shop", "platform"].map(|name| format!("[[sink]]\nname = \"{name}\"\nplugin = \"webhook\"\n"));
    let check = "[[check]]\nname = \"api\"\nplugin = \"http\"\nevery = \"10s\"\nlabels = { service = \"api\", severity = \"P1\" }\n";
    std::fs::write(&path, format!("{}{ROUTES}{check}{more}", sinks.concat())).expect("the folder is writable");
    let config = config::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
    (dir, config)
}

/// Tries an alert at a time of 1 January 2027, and gives what `look` sees.
fn tried<Seen>(config: &Config, words: &[&str], time: &str, look: impl Fn(&Tried<'_>) -> Seen) -> Seen {
    let at = Timestamp::from_rfc3339(&format!("2027-01-01T{time}:00Z")).expect("a time");
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let alert = alert::of(&words, config, &config.path).expect("an alert");
    let mut machine = Alerting::new(Arc::clone(&config.alerting), SEED, at);
    machine.apply(alert.fact, at);
    let incident = machine.incidents().next().expect("an incident");
    let explanation: Explanation = machine.explain(incident.id).expect("it is known");
    let nodes = nodes(&config.alerting, Some(incident));
    look(&Tried { at, config: &config.alerting, incident, explanation: &explanation, nodes: &nodes, note: alert.note })
}

fn refused(words: &[&str]) -> String {
    let (_dir, config) = configured("");
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let failure = alert::of(&words, &config, &config.path).err().expect("it is refused");
    assert!(failure.hint().is_some(), "{failure}");
    failure.to_string()
}

#[test]
fn what_the_tree_shows_is_what_the_machine_does() {
    let (_dir, config) = configured("");
    let alerts: [&[&str]; 9] = [
        &["service=db"],
        &["service=api"],
        &["severity=P0"],
        &["severity=P0", "team=shop"],
        &["severity=P0", "team=shop", "service=api"],
        &["team=shop"],
        &["api"],
        &["api", "status=warning"],
        &["api", "status=unknown"],
    ];
    for words in alerts {
        tried(&config, words, "12:00", |tried| {
            let takes = |node: &&tree::Node<'_>| node.visit == Some(Visit::Takes);
            let shown: Vec<_> = tried
                .nodes
                .iter()
                .filter(takes)
                .map(|node| {
                    let matchers: Vec<String> = node.written.matchers.iter().map(ToString::to_string).collect();
                    (matchers, node.sinks.clone(), node.timing, node.escalate.clone())
                })
                .collect();
            let done: Vec<_> = tried
                .explanation
                .routes
                .iter()
                .map(|route| (route.matchers.clone(), route.sinks.clone(), route.timing, route.escalate.clone()))
                .collect();
            assert!(!done.is_empty() && shown == done, "{words:?}: {shown:?} is not {done:?}");
        });
    }
}

#[test]
fn each_route_tells_why_it_takes_an_alert_or_not() {
    let (_dir, config) = configured("");
    let text = tried(&config, &["severity=P1", "service=api", "region=eu"], "03:00", as_text);
    assert_eq!(
        text,
        "\
alert      {region=\"eu\", service=\"api\", severity=\"P1\"}
status     critical, severity P1
at         2027-01-01T03:00:00.000Z
inhibited  while another alert matches alertname=\"db\" and has the same region

ROUTE                                 SINKS         ALERT
[route]                               oncall        matches, and one below takes it
  severity=~\"P0|P1\"                   oncall, chat  matches, and one below takes it
    team=\"shop\"                       shop          no: team=\"shop\", and it has no `team`
    service=\"api\", status=\"critical\"  oncall, chat  takes it
  service=\"api\"                       -             not asked
[route.unknown]                       platform      not asked

taken by {}/{severity=~\"P0|P1\"}/{service=\"api\",status=\"critical\"}
  sinks      oncall, chat
  group      {}/{severity=~\"P0|P1\"}/{service=\"api\",status=\"critical\"}:{service=\"api\"}
  told       10s after it begins, what changes every 5m at most
  again      every 4h while it lasts
  escalates  after 15m also lead, unless it is acknowledged
  mute       the route is mute during `night`
"
    );
}

#[test]
fn an_alert_that_nobody_is_told_of_is_shown_as_such() {
    let (_dir, config) = configured("");
    let text = tried(&config, &["service=api", "severity=P2"], "12:00", as_text);
    assert!(text.contains("\n  sinks      none: nobody is told\n"), "{text}");
    assert!(text.contains("no: severity=~\"P0|P1\", and `severity` is \"P2\"\n"), "{text}");
    let muted = tried(&config, &["service=db"], "12:00", as_text);
    assert!(muted.contains("\nmute       maintenance `move`, until 2027-01-02T00:00:00.000Z\n"), "{muted}");
}

#[test]
fn a_check_has_its_labels_and_those_that_stand_behind_its_name() {
    let (_dir, config) = configured("");
    let labels = |words: &[&str]| tried(&config, words, "12:00", |tried| tried.incident.labels.to_string());
    assert_eq!(labels(&["api"]), r#"{alertname="api", check="api", plugin="http", service="api", severity="P1"}"#);
    assert_eq!(labels(&["api", "severity=P0", "service="]), r#"{alertname="api", check="api", plugin="http", severity="P0"}"#);
    assert_eq!(labels(&["api", "status=unknown"]), r#"{alertname="SickbayCheckUnknown", check="api", plugin="http", service="api"}"#);
    assert_eq!(labels(&["service=\"a b\""]), r#"{service="a b"}"#);
    let note = tried(&config, &["api"], "12:00", |tried| tried.note);
    assert!(note.is_some_and(|note| note.contains("`kind`")));
}

#[test]
fn what_is_no_alert_is_refused_with_a_hint() {
    assert!(refused(&["apy"]).starts_with("there is no check `apy` in "));
    assert_eq!(refused(&["api", "severity"]), "\"severity\" is no label");
    assert_eq!(refused(&["=x"]), "\"=x\" is no label");
    assert_eq!(refused(&["a=1", "a=2"]), "the label `a` stands twice");
    assert_eq!(refused(&["api", "status=ok"]), "a check with the status \"ok\" has no alert");
    assert_eq!(refused(&["api", "plugin=other"]), "the label `plugin` of a check's alert is Sickbay's own");
    assert!(time("2027-01-01 10:00").err().is_some_and(|failure| failure.hint().is_some()));
}

#[test]
fn the_tree_is_shown_with_what_each_route_has_from_above() {
    let (_dir, config) = configured("");
    let text = tree_text(&nodes(&config.alerting, None), LAYOUT);
    assert_eq!(
        text,
        "\
ROUTE                                 SINKS         GROUP BY    WAIT  INTERVAL  REPEAT  MORE
[route]                               oncall        service     10s   5m        4h
  severity=~\"P0|P1\"                   oncall, chat  service     10s   5m        4h      after 15m also lead
    team=\"shop\"                       shop          each alone  10s   5m        4h      after 15m also lead; continue
    service=\"api\", status=\"critical\"  oncall, chat  service     10s   5m        4h      after 15m also lead; mute in night
  service=\"api\"                       -             service     10s   5m        4h
[route.unknown]                       platform      service     10s   5m        4h
"
    );
    let json = tree_json(&nodes(&config.alerting, None));
    assert_eq!(json.pointer("/routes/1/match/0"), Some(&serde_json::json!("severity=~\"P0|P1\"")));
    assert_eq!(json.pointer("/routes/1/timing/group_wait_seconds"), Some(&serde_json::json!(10.0)));
    assert_eq!(json.pointer("/routes/0/visit"), Some(&serde_json::Value::Null));
}
