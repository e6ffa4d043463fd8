//! The sink `log`: one line in Sickbay's own log for each notification. It needs no grant: the sink for a first run.

use sickbay_sdk::prelude::*;
use sickbay_sdk::sinks::{Level, TITLE, Texts, one_line};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Template of the line.
    #[serde(default = "default_title")]
    title: String,
}

fn default_title() -> String {
    TITLE.to_owned()
}

struct Log;

impl Sink for Log {
    const NAME: &'static str = "log";
    const SUMMARY: &'static str = "Writes one line into Sickbay's own log";
    type Config = Config;

    fn example() -> Value {
        json!({})
    }

    fn deliver(request: &SinkRequest<Config>) -> Result<Receipt, DeliveryError> {
        let SinkRequest { config, notification, .. } = request;
        if notification.phase == Phase::Other {
            return Ok(Receipt::default());
        }
        let title = one_line(&Texts::about(notification).render("title", &config.title)?);
        let incidents: Vec<&str> = notification.alerts.iter().map(|alert| alert.incident_id.as_str()).collect();
        let incidents = incidents.join(" ");
        let alerts = (notification.alerts.len() + notification.more()).to_string();
        let fields = [
            ("phase", notification.phase.word()),
            ("severity", notification.severity.as_str()),
            ("group", notification.group.as_str()),
            ("alerts", alerts.as_str()),
            ("incidents", incidents.as_str()),
            ("key", notification.idempotency_key.as_str()),
        ];
        log::write(weight(Level::of_all(notification)), &title, &fields);
        Ok(Receipt::default())
    }
}

/// How much the line matters.
fn weight(level: Level) -> log::Level {
    match level {
        Level::Critical => log::Level::Error,
        Level::Warning | Level::Unknown => log::Level::Warn,
        Level::Acknowledged | Level::Resolved => log::Level::Info,
    }
}

sickbay_sdk::plugin! {
    name: "log",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Writes alerts into Sickbay's own log",
    licence: "Apache-2.0",
    sinks: [Log],
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::Alert;
    use sickbay_sdk::testing::{FakeHost, alert, assert_sink_well_described, notification};

    use super::*;

    #[test]
    fn a_notification_is_one_line_that_matters_as_much_as_its_worst_alert() {
        let mut host = FakeHost::default();
        let other = Alert { incident_id: "02INCIDENT".to_owned(), phase: Phase::Resolved, ..alert() };
        assert_eq!(host.deliver::<Log>(json!({}), notification(vec![alert(), other.clone()])), Ok(Receipt::default()));
        host.deliver::<Log>(json!({}), notification(vec![other])).expect("delivered");
        let lines: Vec<_> = host.lines.iter().map(|line| (line.level, line.message.as_str())).collect();
        let resolved = "RESOLVED test: the service does not answer";
        assert_eq!(lines, [(log::Level::Error, "CRITICAL 2 alerts"), (log::Level::Info, resolved)]);
        let field = |name: &str| host.lines[0].fields.iter().find(|field| field.name == name).map(|field| field.value.as_str());
        assert_eq!((field("alerts"), field("incidents"), field("key")), (Some("2"), Some("01INCIDENT 02INCIDENT"), Some("test-key")));
    }

    #[test]
    fn a_line_stays_one_line() {
        let mut host = FakeHost::default();
        let hostile = Alert { summary: "down\nINFO all is well".to_owned(), ..alert() };
        host.deliver::<Log>(json!({ "title": "{{ alert.summary }}" }), notification(vec![hostile])).expect("delivered");
        assert_eq!(host.lines[0].message, "down INFO all is well");
    }

    #[test]
    fn it_is_described_as_the_host_asks() {
        assert_sink_well_described::<Log>();
    }
}
