//! Checks of the guest `ask`, which makes the calls that its configuration lists and tells what became of each: what is tried is a table.

use std::fs;

use serde_json::{Value, json};

use crate::program;
use crate::{EventStream, Sickbay};

/// No schedule comes to it: it runs when it is asked to.
const NEVER: &str = "0 0 29 2 *";

/// A `[[check]]` that makes `calls` with `grants`, when it is asked to.
pub fn asking(name: &str, grants: &str, calls: &[Value]) -> String {
    let config = toml(&json!({ "calls": calls }));
    format!("[[check]]\nname = \"{name}\"\nplugin = \"ask\"\ncron = \"{NEVER}\"\nconfig = {config}\ngrants = {{ {grants} }}\n\n")
}

/// A value of a configuration, in one line.
pub fn toml(value: &Value) -> String {
    match value {
        Value::Object(entries) => {
            let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{key} = {}", toml(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        // Texts and numbers of JSON are those of TOML.
        other => other.to_string(),
    }
}

/// Runs the check; gives what became of its calls or, where the run came to no report, its reason alone.
pub async fn outcomes(sickbay: &Sickbay, check: &str) -> Vec<String> {
    let result = sickbay.run_now(check).await;
    let outcomes = result["details"]["outcomes"].as_array();
    let told = |outcome: &Value| outcome.as_str().unwrap_or_default().to_owned();
    match outcomes {
        Some(outcomes) => outcomes.iter().map(told).collect(),
        None => vec![format!("{}: {}", told(&result["reason"]), told(&result["reason_detail"]))],
    }
}

/// # Panics
/// Where an outcome does not begin as it should.
pub fn assert_begins(what: &str, outcome: &str, beginning: &str) {
    assert!(outcome.starts_with(beginning), "{what}\n  gave     {outcome}\n  and not  {beginning}");
}

/// What is read of the API; checks with their results, and incidents with their timelines, beside.
const PATHS: [&str; 16] = [
    "/",
    "/healthz",
    "/metrics",
    "/api/v1/config",
    "/api/v1/checks?limit=1000",
    "/api/v1/plugins",
    "/api/v1/plugins/ask",
    "/api/v1/slos",
    "/api/v1/incidents?state=all",
    "/api/v1/deliveries",
    "/api/v1/silences?state=all",
    "/api/v2/status",
    "/api/v2/receivers",
    "/api/v2/alerts",
    "/api/v2/alerts/groups",
    "/api/v2/silences",
];

/// All that Sickbay shows to anybody, writes into its log and keeps: where no credential may be.
pub async fn everything_told(sickbay: &Sickbay) -> String {
    let mut told = sickbay.log();
    for path in PATHS {
        told += &sickbay.get(path).await.text();
    }
    let mut results = 0;
    for name in sickbay.check_names().await {
        let history = sickbay.results(&name).await;
        results += history.len();
        told += &sickbay.check(&name).await.to_string();
        told += &Value::from(history).to_string();
    }
    for incident in sickbay.get("/api/v1/incidents?state=all").await.json()["items"].as_array().into_iter().flatten() {
        told += &sickbay.get(&format!("/api/v1/incidents/{}", incident["id"].as_str().unwrap_or_default())).await.text();
    }
    let mut events = EventStream::open(sickbay.client(), Some(0)).await;
    for _ in 0..results {
        let event = events.next().await.unwrap_or_else(|| panic!("there are fewer events than the {results} results"));
        told += &event.data.to_string();
    }
    let url = sickbay.url();
    let url = url.as_str();
    for arguments in [&["status", "--url", url][..], &["status", "-o", "json", "--url", url], &["plugin", "inspect", "ask", "--url", url]] {
        let ran = program::run(sickbay.folder(), arguments).await;
        told += &ran.out;
        told += &ran.err;
    }
    for entry in fs::read_dir(sickbay.folder()).expect("its folder").flatten() {
        if entry.file_name().to_string_lossy().starts_with("sickbay.db") {
            told += &String::from_utf8_lossy(&fs::read(entry.path()).unwrap_or_default());
        }
    }
    told
}
