//! `pagerduty`: sends the events of a notification, sixteen at a time.
//!
//! What one alert meets does not hold up the others. Where any has to be tried again, all are: their keys make that harmless. Where
//! PagerDuty took some and refused others, it is told the end of all of them.

use std::collections::BTreeMap;

use sickbay_sdk::prelude::*;
use sickbay_sdk::sinks::send_each;

use crate::event;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The integration key of a service or an event rule: {{secret:NAME}}.
    #[schemars(length(min = 1))]
    pub(crate) routing_key: String,
    /// Where events are sent to; https://events.eu.pagerduty.com/v2/enqueue in Europe.
    #[serde(default = "default_url")]
    #[schemars(length(min = 1, max = 8192))]
    url: String,
    /// Template of an event's summary; it sees one alert.
    #[serde(default = "default_title")]
    #[schemars(extend("format" = "minijinja"))]
    pub(crate) title: String,
    /// Where Sickbay's page is; `external_url` of `[server]` where absent.
    #[serde(default)]
    pub(crate) client_url: String,
    /// What a severity, or any word of the label `severity`, is there, where it is to be another than
    /// { P0 = "critical", P1 = "error", P2 = "warning", P3 = "info" }.
    #[serde(default)]
    pub(crate) severities: BTreeMap<String, String>,
}

fn default_url() -> String {
    "https://events.pagerduty.com/v2/enqueue".to_owned()
}

fn default_title() -> String {
    "{{ alert.name }}: {{ alert.summary }}".to_owned()
}

pub(crate) struct PagerDuty;

impl Sink for PagerDuty {
    const NAME: &'static str = "pagerduty";
    const SUMMARY: &'static str = "Triggers, acknowledges and resolves by the Events API v2";
    const TELLS_ACKNOWLEDGEMENTS: bool = true;
    type Config = Config;

    fn example() -> Value {
        json!({ "routing_key": "{{secret:pagerduty-key}}" })
    }

    fn needs() -> Vec<Need> {
        vec![
            Need::new("http", "sends the events", "http = [\"POST {url}\"]"),
            Need::new("secrets", "the integration key", "secrets = [{ name = \"pagerduty-key\", to = [\"{url}\"] }]"),
        ]
    }

    fn deliver(request: &SinkRequest<Config>) -> Result<Receipt, DeliveryError> {
        let SinkRequest { config, notification, .. } = request;
        let mut calls = Vec::with_capacity(notification.alerts.len());
        for alert in &notification.alerts {
            if let Some(event) = event::of(config, notification, alert)? {
                calls.push((alert, http::post(&config.url).redirects_max(0).json(&event)));
            }
        }
        send_each(calls)
    }
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::http::{Header, HttpError};
    use sickbay_sdk::testing::{FakeHost, alert, notification, response};
    use sickbay_sdk::{Alert, Notification};

    use super::*;

    const TAKEN: &str = r#"{"status":"success","message":"Event processed"}"#;

    fn of(count: usize) -> Notification {
        notification((0..count).map(|number| Alert { incident_id: format!("I{number}"), ..alert() }).collect())
    }

    fn deliver(host: &mut FakeHost, notification: Notification) -> Result<Receipt, DeliveryError> {
        host.deliver::<PagerDuty>(PagerDuty::example(), notification)
    }

    fn keys(host: &FakeHost) -> Vec<String> {
        let events = host.sent.iter().map(|call| serde_json::from_slice::<Value>(call.request.body.as_deref().unwrap_or_default()));
        events.map(|event| event.expect("JSON")["dedup_key"].as_str().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn each_alert_is_an_event_with_the_placeholder_that_came() {
        let mut host = FakeHost::default().http(Ok(response(202, TAKEN))).http(Ok(response(202, TAKEN)));
        assert_eq!(deliver(&mut host, of(2)), Ok(Receipt::default().of_named_alerts()));
        assert_eq!(keys(&host), ["I0", "I1"]);
        let body = String::from_utf8_lossy(host.sent[0].request.body.as_deref().unwrap_or_default()).into_owned();
        assert!(body.contains(r#""routing_key":"{{secret:pagerduty-key}}""#), "{body}");
        assert_eq!(host.sent[0].request.url, "https://events.pagerduty.com/v2/enqueue");
    }

    #[test]
    fn what_pagerduty_took_is_told_its_end_though_another_alert_was_refused() {
        let mut host = FakeHost::default().http(Ok(response(400, "invalid event"))).http(Ok(response(202, TAKEN)));
        assert_eq!(deliver(&mut host, of(2)), Ok(Receipt::default().of_named_alerts()));
        assert_eq!(keys(&host), ["I0", "I1"]);
        let field = |name: &str| host.lines[0].fields.iter().find(|field| field.name == name).map(|field| field.value.as_str());
        assert_eq!((field("incident"), field("why")), (Some("I0"), Some("HTTP 400: invalid event")));
        let mut host = FakeHost::default().http(Ok(response(400, "invalid event")));
        assert_eq!(deliver(&mut host, of(1)), Err(DeliveryError::permanent("HTTP 400: invalid event")));
    }

    #[test]
    fn what_has_to_be_tried_again_outweighs_what_was_refused() {
        let mut busy = response(429, "");
        busy.headers.push(Header { name: "retry-after".to_owned(), value: "60".to_owned() });
        let mut host = FakeHost::default().http(Ok(response(400, ""))).http(Err(HttpError::Timeout("slow".into()))).http(Ok(busy));
        assert_eq!(deliver(&mut host, of(3)), Err(DeliveryError::retryable_after_ms("slow", 60_000)));
    }

    #[test]
    fn who_says_that_it_is_too_much_is_not_sent_more() {
        let mut host = FakeHost::default();
        for _ in 0..http::CALLS_MAX {
            host = host.http(Ok(response(429, "")));
        }
        assert!(matches!(deliver(&mut host, of(http::CALLS_MAX + 5)), Err(DeliveryError::Retryable(_))));
        assert_eq!(host.sent.len(), http::CALLS_MAX);
    }
}
