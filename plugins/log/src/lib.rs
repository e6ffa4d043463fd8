//! The sink `log`: one line in Sickbay's own log for each notification. It needs no grant: the sink for a first run.
//!
//! Limits: [`NAMES_MAX`] alerts are named in a line, the worst first; the rest is counted.

use sickbay_sdk::prelude::*;
use sickbay_sdk::sinks::{Level, TITLE, Texts, one_line};
use sickbay_sdk::{Alert, Notification};

/// A value of a log line has room for 1 KiB.
const NAMES_MAX: usize = 20;
const NAMES_BYTES_MAX: usize = 900;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Template of the line.
    #[serde(default = "default_title")]
    #[schemars(extend("format" = "minijinja"))]
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
        let names = names(notification);
        let fields = [
            ("phase", notification.phase.word()),
            ("severity", notification.severity.as_str()),
            ("group", notification.group.as_str()),
            ("alerts", alerts.as_str()),
            ("names", names.as_str()),
            ("incidents", incidents.as_str()),
            ("key", notification.idempotency_key.as_str()),
        ];
        log::write(weight(Level::of_all(notification)), &title, &fields);
        Ok(Receipt::default())
    }
}

/// `api (critical), disk (resolved) and 3 more`
fn names(notification: &Notification) -> String {
    let mut worst_first: Vec<(Level, &Alert)> = notification.alerts.iter().map(|alert| (Level::of(alert), alert)).collect();
    worst_first.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
    let mut names = String::new();
    let mut named = 0;
    for (level, alert) in worst_first.into_iter().take(NAMES_MAX) {
        let name = format!("{} ({})", one_line(&alert.name()), level.word());
        if names.len() + name.len() > NAMES_BYTES_MAX {
            break;
        }
        names.push_str(if named == 0 { "" } else { ", " });
        names.push_str(&name);
        named += 1;
    }
    match notification.alerts.len() - named + notification.more() {
        0 => names,
        more if named == 0 => format!("{more} that are not named"),
        more => format!("{names} and {more} more"),
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
    fn each_alert_is_named_the_worst_first_and_those_without_room_are_counted() {
        let called = |name: &str, phase: Phase| Alert { check: name.to_owned(), phase, ..alert() };
        let told = |alerts: Vec<Alert>, more: &str| {
            let mut host = FakeHost::default();
            let extras = vec![sickbay_sdk::Label::new("more", more)];
            host.deliver::<Log>(json!({}), Notification { extras, ..notification(alerts) }).expect("delivered");
            host.lines[0].fields.iter().find(|field| field.name == "names").map(|field| field.value.clone()).unwrap_or_default()
        };
        assert_eq!(told(vec![called("disk", Phase::Resolved), called("api", Phase::Firing)], "0"), "api (critical), disk (resolved)");
        let many: Vec<Alert> = (0..25).map(|number| called(&format!("a{number}"), Phase::Firing)).collect();
        let names = told(many, "7");
        assert!(names.starts_with("a0 (critical), a1 (critical), ") && names.ends_with("a19 (critical) and 12 more"), "{names}");
        let long = told(vec![called(&"x".repeat(2_000), Phase::Firing)], "0");
        assert_eq!(long, "1 that are not named");
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
