//! The sink `alertmanager`: pushes alerts into an Alertmanager, which then routes and groups them by its own rules.
//!
//! An Alertmanager resolves an alert by itself once its `endsAt` has passed, and Sickbay repeats a notification only every
//! `repeat_interval`: an alert that fires is pushed with an end that lies further ahead (`hold_seconds`), one that is over with its own.
//!
//! Of several alerts it keeps those that are valid and answers 400 for the others: each is pushed again by itself then, which changes
//! nothing for what it has, and tells which it has.

use std::collections::BTreeMap;

use sickbay_sdk::Alert;
use sickbay_sdk::http::Call;
use sickbay_sdk::prelude::*;
use sickbay_sdk::sinks::{accepted, rfc3339, send_each};

/// Of what was refused, or of a part of it.
const STATUS_INVALID: u16 = 400;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Where alerts are pushed to: http://HOST:9093/api/v2/alerts.
    #[schemars(length(min = 1, max = 8192))]
    url: String,
    /// Request headers by name, such as authorization = "Bearer {{secret:NAME}}".
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// An alert that is not pushed again for so long counts as resolved there: longer than the route's repeat_interval.
    #[serde(default = "default_hold_seconds")]
    #[schemars(range(min = 60, max = 2_592_000))]
    hold_seconds: u32,
}

fn default_hold_seconds() -> u32 {
    86_400
}

struct Alertmanager;

impl Sink for Alertmanager {
    const NAME: &'static str = "alertmanager";
    const SUMMARY: &'static str = "Pushes alerts into an Alertmanager";
    type Config = Config;

    fn example() -> Value {
        json!({ "url": "http://localhost:9093/api/v2/alerts" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("http", "pushes the alerts", "http = [\"POST {url}\"]")]
    }

    fn deliver(request: &SinkRequest<Config>) -> Result<Receipt, DeliveryError> {
        let SinkRequest { config, notification, .. } = request;
        if notification.phase == Phase::Other || notification.alerts.is_empty() {
            return Ok(Receipt::default());
        }
        let held_until = clock::now_ms() + u64::from(config.hold_seconds) * 1000;
        let alerts: Vec<Value> = notification.alerts.iter().map(|alert| pushed(alert, held_until)).collect();
        let answer = push(config, &alerts).send()?;
        if answer.status == STATUS_INVALID && alerts.len() > 1 {
            let alone = notification.alerts.iter().zip(alerts.chunks(1));
            return send_each(alone.map(|(alert, pushed)| (alert, push(config, pushed))).collect());
        }
        accepted(answer)?;
        Ok(Receipt::default().of_named_alerts())
    }
}

fn push(config: &Config, alerts: &[Value]) -> Call {
    let mut call = http::post(&config.url).redirects_max(0);
    for (name, value) in &config.headers {
        call = call.header(name, value);
    }
    call.json(&json!(alerts))
}

fn pushed(alert: &Alert, held_until: u64) -> Value {
    let ends_at = match alert.phase {
        Phase::Resolved => alert.ended_at.unwrap_or(alert.started_at),
        Phase::Firing | Phase::Acknowledged | Phase::Other => held_until,
    };
    let mut pushed = json!({
        "labels": labels(alert),
        "annotations": renamed(alert.annotations()),
        "startsAt": rfc3339(alert.started_at),
        "endsAt": rfc3339(ends_at),
    });
    if let Some(link) = alert.link() {
        pushed["generatorURL"] = link.into();
    }
    pushed
}

/// Without labels it would be no alert there.
fn labels(alert: &Alert) -> BTreeMap<String, String> {
    let mut labels = renamed(alert.labels_by_name());
    labels.retain(|_, value| !value.is_empty());
    labels.entry("alertname".to_owned()).or_insert_with(|| alert.name());
    labels
}

/// With names as every version of Alertmanager takes them: `[a-zA-Z_][a-zA-Z0-9_]*`.
fn renamed(map: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let fit = |character: char| if character.is_ascii_alphanumeric() { character } else { '_' };
    let renamed = map.into_iter().map(|(name, value)| {
        let mut name: String = name.chars().map(fit).collect();
        if !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
            name.insert(0, '_');
        }
        (name, value)
    });
    renamed.collect()
}

sickbay_sdk::plugin! {
    name: "alertmanager",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Pushes alerts into an Alertmanager",
    licence: "Apache-2.0",
    sinks: [Alertmanager],
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, alert, assert_sink_well_described, notification, response};
    use sickbay_sdk::{Label, Notification};

    use super::*;

    fn push(notification: Notification) -> Value {
        let mut host = FakeHost { now_ms: 1_767_225_600_000, ..FakeHost::default() }.http(Ok(response(200, "")));
        host.deliver::<Alertmanager>(Alertmanager::example(), notification).expect("delivered");
        assert_eq!(host.sent[0].request.url, "http://localhost:9093/api/v2/alerts");
        serde_json::from_slice(host.sent[0].request.body.as_deref().unwrap_or_default()).expect("JSON")
    }

    #[test]
    fn what_fires_is_held_and_what_is_over_ends_when_it_ended() {
        let resolved = Alert { phase: Phase::Resolved, ended_at: Some(1_767_225_661_000), ..alert() };
        let pushed = push(notification(vec![alert(), resolved]));
        assert_eq!(
            (&pushed[0]["startsAt"], &pushed[0]["endsAt"]),
            (&json!("2026-01-01T00:00:00.000Z"), &json!("2026-01-02T00:00:00.000Z"))
        );
        assert_eq!(pushed[1]["endsAt"], "2026-01-01T00:01:01.000Z");
        assert_eq!(pushed[0]["labels"], json!({ "alertname": "test" }));
        assert_eq!(pushed[0]["annotations"]["summary"], "the service does not answer");
        assert!(pushed[0].get("generatorURL").is_none());
    }

    #[test]
    fn labels_are_named_as_alertmanager_takes_them() {
        let labels = vec![Label::new("team.name", "a"), Label::new("2nd", "b"), Label::new("empty", "")];
        let pushed = push(notification(vec![Alert { labels, ..alert() }]));
        assert_eq!(pushed[0]["labels"], json!({ "alertname": "test", "team_name": "a", "_2nd": "b" }));
    }

    #[test]
    fn of_several_alerts_the_valid_ones_are_told_though_it_answers_400() {
        let several = || notification(["I0", "I1"].map(|id| Alert { incident_id: id.to_owned(), ..alert() }).to_vec());
        let refused = || Ok(response(400, "invalid"));
        let mut host = FakeHost::default().http(refused()).http(Ok(response(200, ""))).http(refused());
        let outcome = host.deliver::<Alertmanager>(Alertmanager::example(), several());
        assert_eq!(outcome, Ok(Receipt::default().of_named_alerts()));
        let counts: Vec<usize> = host
            .sent
            .iter()
            .map(|call| serde_json::from_slice::<Vec<Value>>(call.request.body.as_deref().unwrap_or_default()).expect("JSON").len())
            .collect();
        assert_eq!(counts, [2, 1, 1]);
        let incident = host.lines[0].fields.iter().find(|field| field.name == "incident").map(|field| field.value.as_str());
        assert_eq!((host.lines.len(), incident), (1, Some("I1")));

        let mut host = FakeHost::default().http(refused()).http(refused()).http(refused());
        let outcome = host.deliver::<Alertmanager>(Alertmanager::example(), several());
        assert_eq!(outcome, Err(DeliveryError::permanent("HTTP 400: invalid")), "none of them is valid");
    }

    #[test]
    fn an_alertmanager_that_is_down_is_tried_again() {
        let mut host = FakeHost::default().http(Ok(response(503, "")));
        let outcome = host.deliver::<Alertmanager>(Alertmanager::example(), notification(vec![alert()]));
        assert_eq!(outcome, Err(DeliveryError::retryable("HTTP 503")));
    }

    #[test]
    fn it_is_described_as_the_host_asks() {
        assert_sink_well_described::<Alertmanager>();
    }
}
