//! `ticket`: one ticket for each group of alerts, which is rewritten when things change and closed when all is well.
//!
//! What it shows: a delivery with its key, a reference that comes back, a secret that the plugin never sees, and a refusal that means
//! something else here.

use sickbay_sdk::prelude::*;
use sickbay_sdk::{Alert, Notification};

/// Of a ticket that was closed or removed by hand.
const STATUS_GONE: [u16; 2] = [404, 410];
const ALERTS_TOLD_MAX: usize = 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Where tickets are made; each is at this and `/NUMBER`.
    url: String,
    /// Sent as a bearer token; write `{{secret:NAME}}`.
    #[serde(default)]
    token: String,
}

/// What the tracker says of a ticket.
#[derive(Deserialize)]
struct Opened {
    number: String,
}

struct Ticket;

impl Sink for Ticket {
    const NAME: &'static str = "ticket";
    const SUMMARY: &'static str = "Keeps one ticket for each group of alerts";
    type Config = Config;

    fn example() -> Value {
        json!({ "url": "https://tracker.example.com/tickets", "token": "{{secret:tracker-token}}" })
    }

    fn needs() -> Vec<Need> {
        vec![
            Need::new("http", "opens and rewrites tickets", "http = [\"POST {url}\", \"PUT {url}/*\"]"),
            Need::new("secrets", "logs in", "secrets = [{ name = \"tracker-token\", to = [\"{url}*\"] }]"),
        ]
    }

    fn deliver(request: &SinkRequest<Config>) -> Result<Receipt, DeliveryError> {
        let SinkRequest { config, notification, .. } = request;
        if notification.phase == Phase::Other {
            return Ok(Receipt::default());
        }
        if let Some(number) = &notification.reference {
            let answer = send(request, http::call("PUT", format!("{}/{number}", config.url)))?;
            if !STATUS_GONE.contains(&answer.status) {
                answer.error_for_status()?;
                return Ok(Receipt::new(number));
            }
        }
        // There is no ticket, and nothing to write one about.
        if notification.phase == Phase::Resolved {
            return Ok(Receipt::default());
        }
        let opened: Opened = send(request, http::post(&config.url))?.error_for_status()?.json()?;
        Ok(Receipt::new(opened.number))
    }
}

fn send(request: &SinkRequest<Config>, call: http::Call) -> Result<http::Response, DeliveryError> {
    let SinkRequest { config, notification, .. } = request;
    let mut call = call.header("idempotency-key", &notification.idempotency_key);
    if !config.token.is_empty() {
        call = call.header("authorization", format!("Bearer {}", config.token));
    }
    let ticket = json!({
        "title": title(notification),
        "text": text(notification),
        "severity": notification.severity,
        "state": if notification.phase == Phase::Resolved { "closed" } else { "open" },
    });
    Ok(call.json(&ticket).send()?)
}

fn title(notification: &Notification) -> String {
    match notification.alerts.as_slice() {
        [alert] => format!("{}: {}", alert.check, alert.summary),
        alerts => format!("{} alerts of {}", alerts.len() + more(notification), notification.group),
    }
}

/// One line for each alert.
fn text(notification: &Notification) -> String {
    let line = |alert: &Alert| format!("{} {}: {} ({})\n", alert.severity, alert.check, alert.summary, alert.reason);
    let mut text: String = notification.alerts.iter().take(ALERTS_TOLD_MAX).map(line).collect();
    let left_out = notification.alerts.len().saturating_sub(ALERTS_TOLD_MAX) + more(notification);
    if left_out > 0 {
        text.push_str(&format!("and {left_out} more\n"));
    }
    text
}

/// Alerts of the group for which the notification had no room.
fn more(notification: &Notification) -> usize {
    let extra = notification.extras.iter().find(|extra| extra.name == "more");
    extra.and_then(|extra| extra.value.parse().ok()).unwrap_or(0)
}

sickbay_sdk::plugin! {
    name: "ticket",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Keeps one ticket for each group of alerts",
    licence: "Apache-2.0",
    sinks: [Ticket],
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::Label;
    use sickbay_sdk::http::HttpError;
    use sickbay_sdk::testing::{FakeHost, alert, assert_sink_well_described, notification, response};

    use super::*;

    const OPENED: &str = r#"{"number": "OPS-7"}"#;

    fn deliver(host: &mut FakeHost, notification: Notification) -> Result<Receipt, DeliveryError> {
        host.deliver::<Ticket>(Ticket::example(), notification)
    }

    fn firing() -> Notification {
        notification(vec![alert()])
    }

    fn later(phase: Phase) -> Notification {
        Notification { reference: Some("OPS-7".to_owned()), ..notification(vec![Alert { phase, ..alert() }]) }
    }

    fn requests(host: &FakeHost) -> Vec<String> {
        host.sent.iter().map(|call| format!("{} {}", call.request.method, call.request.url)).collect()
    }

    fn ticket(host: &FakeHost, position: usize) -> Value {
        serde_json::from_slice(host.sent[position].request.body.as_deref().unwrap_or_default()).expect("JSON")
    }

    #[test]
    fn a_group_is_one_ticket_that_is_closed_in_the_end() {
        let mut host = FakeHost::default().http(Ok(response(201, OPENED))).http(Ok(response(200, "")));
        assert_eq!(deliver(&mut host, firing()), Ok(Receipt::new("OPS-7")));
        assert_eq!(deliver(&mut host, later(Phase::Resolved)), Ok(Receipt::new("OPS-7")));
        assert_eq!(requests(&host), ["POST https://tracker.example.com/tickets", "PUT https://tracker.example.com/tickets/OPS-7"]);
        assert_eq!(ticket(&host, 0)["title"], "test: the service does not answer");
        assert_eq!((&ticket(&host, 0)["state"], &ticket(&host, 1)["state"]), (&json!("open"), &json!("closed")));
    }

    #[test]
    fn a_ticket_that_somebody_removed_is_opened_anew_while_there_is_need() {
        let mut host = FakeHost::default().http(Ok(response(404, ""))).http(Ok(response(201, r#"{"number": "OPS-8"}"#)));
        assert_eq!(deliver(&mut host, later(Phase::Firing)), Ok(Receipt::new("OPS-8")));
        let mut host = FakeHost::default().http(Ok(response(404, "")));
        assert_eq!(deliver(&mut host, later(Phase::Resolved)), Ok(Receipt::default()));
    }

    #[test]
    fn the_token_goes_out_as_the_placeholder_that_came() {
        let mut host = FakeHost::default().http(Ok(response(201, OPENED)));
        deliver(&mut host, firing()).expect("delivered");
        let header =
            |name: &str| host.sent[0].request.headers.iter().find(|header| header.name == name).map(|header| header.value.as_str());
        assert_eq!((header("authorization"), header("idempotency-key")), (Some("Bearer {{secret:tracker-token}}"), Some("test-key")));
    }

    #[test]
    fn a_refusal_is_for_good_and_everything_else_is_tried_again() {
        let deliver = |answer| deliver(&mut FakeHost::default().http(answer), firing());
        assert_eq!(deliver(Ok(response(422, ""))), Err(DeliveryError::permanent("HTTP 422")));
        assert_eq!(deliver(Ok(response(503, ""))), Err(DeliveryError::retryable("HTTP 503")));
        assert_eq!(deliver(Err(HttpError::Timeout("no answer".into()))), Err(DeliveryError::retryable("no answer")));
    }

    #[test]
    fn alerts_without_a_line_of_their_own_are_counted() {
        let many = Notification { extras: vec![Label::new("more", "5")], ..notification(vec![alert(); ALERTS_TOLD_MAX + 2]) };
        assert!(text(&many).ends_with("and 7 more\n"), "{}", text(&many));
        assert_eq!(title(&many), "27 alerts of test");
    }

    #[test]
    fn a_word_of_a_later_version_is_passed_over() {
        let mut host = FakeHost::default();
        assert_eq!(deliver(&mut host, later(Phase::Other)), Ok(Receipt::default()));
        assert!(host.sent.is_empty());
    }

    #[test]
    fn it_is_described_as_the_host_asks() {
        assert_sink_well_described::<Ticket>();
    }
}
