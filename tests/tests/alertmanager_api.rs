//! What speaks to an Alertmanager speaks to Sickbay: a real Prometheus that posts alerts, the real `amtool`.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use serde_json::Value;
use sickbay_tests::program::{self, Ran};
use sickbay_tests::receiver::{Received, Receiver};
use sickbay_tests::server::Server;
use sickbay_tests::wait::PATIENCE;
use sickbay_tests::{Client, Sickbay, check, until};
use tempfile::TempDir;

const VIEWER: &str = "0a8e6b1c-the-token-of-a-viewer";
const OPERATOR: &str = "7d2f9c34-the-token-of-an-operator";

/// An alert that always fires.
const RULES: &str = r#"
groups:
  - name: test
    interval: 1s
    rules:
      - alert: AlwaysOn
        expr: vector(1)
        labels: { severity: P1, service: shop }
        annotations: { summary: "it is always on" }
"#;

/// A Prometheus that evaluates rules and posts what fires.
struct Prometheus {
    server: Server,
    folder: TempDir,
}

impl Prometheus {
    /// `more` are further lines of how it reaches `alertmanager`.
    fn start(alertmanager: SocketAddr, more: &str) -> Prometheus {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("rules.yml"), RULES).expect("a file of Prometheus");
        let targets = format!("    - static_configs: [{{ targets: [\"{alertmanager}\"] }}]\n{more}");
        let configuration =
            format!("global: {{ evaluation_interval: 1s }}\nrule_files: [\"rules.yml\"]\nalerting:\n  alertmanagers:\n{targets}");
        fs::write(folder.path().join("prometheus.yml"), configuration).expect("a file of Prometheus");
        let server = Server::start("prometheus", |port| {
            let mut command = Command::new("prometheus");
            command.current_dir(folder.path()).arg("--config.file=prometheus.yml").arg("--storage.tsdb.path=data");
            // What it no longer posts is over after four times this.
            command.arg("--rules.alert.resend-delay=2s").arg("--web.enable-lifecycle");
            command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
            command
        });
        Prometheus { server, folder }
    }

    /// Its rules are gone.
    async fn forget(&self) {
        fs::write(self.folder.path().join("rules.yml"), "groups: []\n").expect("a file of Prometheus");
        let client = Client { address: SocketAddr::from(([127, 0, 0, 1], self.server.port())) };
        let answer = client.post("/-/reload").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

/// A sink that posts to `receiver`, at once.
fn told_to(receiver: &Receiver) -> String {
    let url = receiver.url("/hook");
    format!(
        "[[sink]]\nname = \"desk\"\nplugin = \"webhook\"\nconfig = {{ url = \"{url}\" }}\ngrants = {{ http = [\"POST {url}\"] }}\n\n\
         [route]\nsinks = [\"desk\"]\ngroup_by = [\"alertname\"]\ngroup_wait = \"0s\"\ngroup_interval = \"1s\"\n\n{}",
        check("idle", "noop", "24h", "")
    )
}

fn is_told(received: &[Received], status: &str, alertname: &str) -> bool {
    let mut messages = received.iter().map(Received::json);
    messages.any(|message| message["status"] == status && message["alerts"][0]["labels"]["alertname"] == alertname)
}

async fn amtool_at(sickbay: &Sickbay, url: &str, arguments: &[&str]) -> Ran {
    let mut command = Command::new("amtool");
    // Nothing of the settings of whoever runs the tests.
    command.env("HOME", sickbay.folder()).stdin(Stdio::null());
    command.arg(format!("--alertmanager.url={url}")).args(arguments);
    program::run_within(PATIENCE, command).await
}

/// What a command that must succeed prints.
async fn amtool(sickbay: &Sickbay, arguments: &[&str]) -> String {
    let ran = amtool_at(sickbay, &sickbay.url(), arguments).await;
    assert_eq!(ran.code, 0, "amtool {arguments:?}: {}{}", ran.out, ran.err);
    ran.out
}

/// What it says of a command that must fail.
async fn amtool_fails(sickbay: &Sickbay, arguments: &[&str]) -> String {
    let ran = amtool_at(sickbay, &sickbay.url(), arguments).await;
    assert_ne!(ran.code, 0, "amtool {arguments:?}: {}", ran.out);
    ran.err
}

#[tokio::test]
async fn an_alert_of_prometheus_becomes_an_incident_is_told_and_ends_when_its_rule_goes() {
    let receiver = Receiver::start([]).await;
    let sickbay = Sickbay::started(&told_to(&receiver), &["noop", "webhook"]).await;
    let prometheus = Prometheus::start(sickbay.address(), "");
    until("the alert is told", async || is_told(&receiver.received(), "firing", "AlwaysOn")).await;

    let alerts = sickbay.json("/api/v2/alerts?filter=alertname%3D%22AlwaysOn%22").await;
    assert_eq!(alerts[0]["labels"]["service"], "shop", "{alerts}");
    assert_eq!(alerts[0]["annotations"]["summary"], "it is always on", "{alerts}");
    assert_eq!(alerts[0]["receivers"][0]["name"], "desk", "{alerts}");
    assert!(alerts[0]["generatorURL"].as_str().is_some_and(|url| url.contains("/graph?g0.expr=vector")), "{alerts}");
    let incidents = sickbay.json("/api/v1/incidents").await;
    assert_eq!(incidents["items"][0]["labels"]["alertname"], "AlwaysOn", "{incidents}");
    assert_eq!(incidents["items"][0]["fingerprint"], alerts[0]["fingerprint"]);

    prometheus.forget().await;
    until("its end is told", async || is_told(&receiver.received(), "resolved", "AlwaysOn")).await;
    until("it is over", async || sickbay.json("/api/v2/alerts").await == Value::Array(Vec::new())).await;
}

#[tokio::test]
async fn amtool_finds_alerts_and_silences_them() {
    let sickbay = Sickbay::started(&check("idle", "noop", "24h", ""), &["noop"]).await;
    amtool(&sickbay, &["alert", "add", "Disk", "severity=P1", "--annotation=summary=it is full"]).await;
    let told = amtool(&sickbay, &["alert", "query"]).await;
    assert!(told.contains("Disk") && told.contains("it is full") && told.contains("active"), "{told}");
    let told = amtool(&sickbay, &["-o", "json", "alert", "query", "severity=~P0|P1"]).await;
    let alerts: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((&alerts[0]["labels"]["alertname"], &alerts[1]), (&Value::from("Disk"), &Value::Null), "{told}");
    assert!(!amtool(&sickbay, &["alert", "query", "severity=P2"]).await.contains("Disk"));

    let id = amtool(&sickbay, &["silence", "add", "-a", "anna", "-c", "known", "-d", "1h", "alertname=Disk"]).await;
    let id = id.trim();
    assert!(!amtool(&sickbay, &["alert", "query"]).await.contains("Disk"), "it is silenced");
    let told = amtool(&sickbay, &["alert", "query", "--silenced"]).await;
    assert!(told.contains("Disk") && told.contains("suppressed"), "{told}");
    let told = amtool(&sickbay, &["silence", "query"]).await;
    assert!([id, "alertname=\"Disk\"", "anna", "known"].iter().all(|part| told.contains(part)), "{told}");
    assert_eq!(amtool(&sickbay, &["silence", "query", "-q", "alertname=Disk"]).await.trim(), id);
    assert_eq!(amtool(&sickbay, &["silence", "query", "-q", "alertname=Tape"]).await.trim(), "");

    let told = amtool(&sickbay, &["silence", "update", "-d", "2h", "-c", "still known", id]).await;
    assert!(told.contains(id) && told.contains("still known"), "{told}");
    let kept = amtool(&sickbay, &["-o", "json", "silence", "query"]).await;
    sickbay.write("silences.json", kept);

    amtool(&sickbay, &["silence", "expire", id]).await;
    assert!(amtool(&sickbay, &["alert", "query"]).await.contains("Disk"), "the silence is over");
    assert_eq!(amtool(&sickbay, &["silence", "query", "-q"]).await.trim(), "");
    assert_eq!(amtool(&sickbay, &["silence", "query", "-q", "--expired"]).await.trim(), id);

    let file = sickbay.path("silences.json");
    let imported = amtool(&sickbay, &["silence", "import", file.to_str().expect("a path in UTF-8")]).await;
    assert_ne!(imported.trim(), id);
    assert_eq!(amtool(&sickbay, &["silence", "query", "-q"]).await, imported);
    assert!(!amtool(&sickbay, &["alert", "query"]).await.contains("Disk"), "it is silenced again");
}

#[tokio::test]
async fn amtool_reads_the_status_and_the_routes() {
    let receiver = Receiver::start([]).await;
    let routes = "[[route.routes]]\nmatch = ['severity=~\"P0|P1\"']\ngroup_by = [\"...\"]\ncontinue = true\nrepeat_interval = \"90m\"\n\n";
    let sickbay = Sickbay::started(&told_to(&receiver).replace("[[check]]", &format!("{routes}[[check]]")), &["noop", "webhook"]).await;
    assert!(amtool(&sickbay, &["cluster", "show"]).await.contains("disabled"));
    let config = amtool(&sickbay, &["config", "show"]).await;
    assert!(config.contains("\"receiver\": \"desk\"") && !config.contains(&receiver.url("")), "{config}");
    let told = amtool(&sickbay, &["config", "routes", "show"]).await;
    assert!(told.contains("severity=~\"P0|P1\"") && told.contains("receiver: desk"), "{told}");
    assert_eq!(amtool(&sickbay, &["config", "routes", "test", "severity=P1"]).await.trim(), "desk");
}

#[tokio::test]
async fn what_amtool_is_refused_is_told_in_words() {
    let sickbay = Sickbay::started(&check("idle", "noop", "24h", ""), &["noop"]).await;
    let refused: [(&[&str], &str); 5] = [
        (&["silence", "add", "-c", "known", "alertname=~.*"], "mute everything"),
        (&["silence", "add", "-c", "known", "--start=2001-01-01T00:00:00Z", "alertname=Disk"], "in the future"),
        (&["silence", "expire", "2f7f4cb1-6d0c-4ee1-8d55-5a2e9b7d9a0c"], "404"),
        (&["alert", "add", "Disk", "--start=2002-01-01T00:00:00Z", "--end=2001-01-01T00:00:00Z"], "it ends before it begins"),
        (&["alert", "query", "Disk", "severity=~("], "regular expression"),
    ];
    for (arguments, told) in refused {
        let said = amtool_fails(&sickbay, arguments).await;
        assert!(said.contains(told), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn beyond_loopback_prometheus_and_amtool_bring_their_token() {
    let mut sickbay = Sickbay::prepared("", &["noop"]);
    let mut configuration = "[server]\nlisten = \"0.0.0.0:0\"\n\n".to_owned();
    for (role, token) in [("viewer", VIEWER), ("operator", OPERATOR)] {
        let hash = program::pipe("sha256sum", &[], token).await.out;
        let hash = hash.split_whitespace().next().expect("a hash");
        configuration += &format!("[[token]]\nname = \"{role}\"\nrole = \"{role}\"\nhash = \"{hash}\"\n\n");
    }
    sickbay.write("sickbay.toml", configuration + &check("idle", "noop", "24h", ""));
    sickbay.start().await;
    let prometheus = Prometheus::start(sickbay.address(), &format!("      authorization: {{ credentials: \"{OPERATOR}\" }}\n"));

    let with = |token: &str| format!("http://anybody:{token}@{}", sickbay.address());
    let (viewer, operator) = (with(VIEWER), with(OPERATOR));
    until("the alert is there", async || {
        let ran = amtool_at(&sickbay, &viewer, &["alert", "query", "AlwaysOn"]).await;
        ran.code == 0 && ran.out.contains("it is always on")
    })
    .await;
    let add = ["silence", "add", "-c", "known", "alertname=AlwaysOn"];
    let refused = amtool_at(&sickbay, &viewer, &add).await;
    assert!(refused.code != 0 && refused.err.contains("403"), "{}{}", refused.out, refused.err);
    let added = amtool_at(&sickbay, &operator, &add).await;
    assert_eq!(added.code, 0, "{}", added.err);
    let expired = amtool_at(&sickbay, &operator, &["silence", "expire", added.out.trim()]).await;
    assert_eq!(expired.code, 0, "{}", expired.err);
    let nobody = amtool_at(&sickbay, &sickbay.url(), &["alert", "query"]).await;
    assert!(nobody.code != 0 && nobody.err.contains("401"), "{}{}", nobody.out, nobody.err);
    drop(prometheus);
}
