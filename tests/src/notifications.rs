//! Alerts as tests set them up, and as the receiver of a `webhook` has them.

use serde_json::Value;

use crate::receiver::{Received, Receiver};

/// One `[[sink]]` that posts to the receiver; `more` are further lines of its table.
pub fn webhook(name: &str, receiver: &Receiver, more: &str) -> String {
    let url = receiver.url("/hook");
    let config = format!("config = {{ url = \"{url}\" }}\ngrants = {{ http = [\"POST {url}\"] }}");
    format!("[[sink]]\nname = \"{name}\"\nplugin = \"webhook\"\ntimeout = \"2s\"\n{config}\n{more}\n\n")
}

/// A `[route]` that tells each alert alone and without waiting; `more` are further lines of its table.
pub fn at_once(sinks: &[&str], more: &str) -> String {
    format!("[route]\nsinks = {sinks:?}\ngroup_by = [\"...\"]\ngroup_wait = \"0s\"\ngroup_interval = \"1s\"\n{more}\n\n")
}

/// One `[[check]]` that is whatever it was last told to be; `more` are further lines of its table.
pub fn pushed(name: &str, more: &str) -> String {
    let policy = "failures = 1\nsuccesses = 1\nflapping = false";
    format!("[[check]]\nname = \"{name}\"\npush = {{ within = \"24h\" }}\n{policy}\n{more}\n\n")
}

/// One alert of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The idempotency key of the message.
    pub key: String,
    pub incident: String,
    pub alertname: String,
    /// `firing` or `resolved`.
    pub status: String,
    /// `firing`, `acknowledged` or `resolved`.
    pub transition: String,
    pub reason: String,
}

/// All alerts of all messages, in the order in which they came.
///
/// # Panics
/// Where one is no message of a `webhook`.
pub fn told(received: &[Received]) -> Vec<Told> {
    received.iter().flat_map(of_one).collect()
}

fn of_one(received: &Received) -> Vec<Told> {
    let message = received.json();
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("a text is missing in {message}")).to_owned();
    let key = text(&message["sickbay"]["idempotency_key"]);
    assert_eq!(received.header("webhook-id"), key, "{message}");
    let alerts = message["alerts"].as_array().unwrap_or_else(|| panic!("no alerts in {message}"));
    let alert = |alert: &Value| Told {
        key: key.clone(),
        incident: text(&alert["sickbay"]["incident_id"]),
        alertname: text(&alert["labels"]["alertname"]),
        status: text(&alert["status"]),
        transition: text(&alert["sickbay"]["transition"]),
        reason: text(&alert["sickbay"]["reason"]),
    };
    alerts.iter().map(alert).collect()
}
