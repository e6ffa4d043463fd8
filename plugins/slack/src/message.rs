//! The message: a title, and below it an attachment for each alert with the fields service, metric, value, threshold and time.
//!
//! Limits, of Slack's documentation: 20 attachments look well (100 are taken), a text is best below 4,000 characters. What is longer is cut,
//! what is more is counted.
//!
//! Invariant: text of an alert is text: `&`, `<` and `>` of it are escaped, so that it makes no link and calls nobody. What the template
//! itself says, `<!here>` for one, is markup.

use sickbay_sdk::prelude::*;
use sickbay_sdk::sinks::{Level, Texts, cut_characters, rfc3339};
use sickbay_sdk::{Alert, Notification};

use crate::slack::Config;

const ATTACHMENTS_MAX: usize = 20;
const TEXT_CHARACTERS_MAX: usize = 3_000;
const TITLE_CHARACTERS_MAX: usize = 150;
const FIELD_CHARACTERS_MAX: usize = 300;

pub(crate) fn of(config: &Config, notification: &Notification) -> Result<Value, DeliveryError> {
    let texts = Texts::escaping(notification, escaped);
    let title = texts.render("title", &config.title)?;
    let mut text = if title.is_empty() { String::new() } else { format!("*{title}*") };
    let more = texts.render("text", &config.text)?;
    if !more.is_empty() {
        text.push('\n');
        text.push_str(&more);
    }
    let mut attachments: Vec<Value> = notification.alerts.iter().take(ATTACHMENTS_MAX).map(attachment).collect();
    let left_out = notification.alerts.len().saturating_sub(ATTACHMENTS_MAX) + notification.more();
    if left_out > 0 {
        attachments.push(json!({ "color": Level::of_all(notification).colour(), "text": format!("and {left_out} more") }));
    }
    Ok(json!({ "text": cut_characters(&text, TEXT_CHARACTERS_MAX), "attachments": attachments }))
}

fn attachment(alert: &Alert) -> Value {
    let level = Level::of(alert);
    let title = format!("{} {}", level.word().to_uppercase(), alert.name());
    let summary = cut_characters(&alert.summary, TEXT_CHARACTERS_MAX);
    let mut attachment = json!({
        "color": level.colour(),
        "fallback": fit(&format!("{title}: {}", alert.summary), FIELD_CHARACTERS_MAX),
        "title": fit(&title, TITLE_CHARACTERS_MAX),
        "text": escaped(&summary),
        "fields": fields(alert),
        "footer": fit(&alert.reason, FIELD_CHARACTERS_MAX),
        "ts": alert.ended_at.unwrap_or(alert.started_at) / 1000,
    });
    if let Some(link) = alert.link() {
        attachment["title_link"] = link.into();
    }
    attachment
}

/// What was measured is that of the worst evidence; where there is none there is nothing to say.
fn fields(alert: &Alert) -> Vec<Value> {
    let mut fields = vec![field("Service", &alert.service())];
    if let Some(worst) = alert.evidence.first() {
        let unit = if worst.unit.is_empty() { String::new() } else { format!(" {}", worst.unit) };
        if !worst.metric.is_empty() {
            fields.push(field("Metric", &worst.metric));
        }
        fields.push(field("Value", &format!("{}{unit}", worst.actual)));
        fields.push(field("Threshold", &worst.expected));
    }
    fields.push(field("Severity", alert.severity_word()));
    fields.push(field("Time", &rfc3339(alert.started_at)));
    if let Some(ended_at) = alert.ended_at {
        fields.push(field("Until", &rfc3339(ended_at)));
    }
    fields
}

fn field(title: &str, value: &str) -> Value {
    json!({ "title": title, "value": fit(value, FIELD_CHARACTERS_MAX), "short": true })
}

/// Cut first: an escape that is cut would show.
fn fit(text: &str, characters_max: usize) -> String {
    escaped(&cut_characters(text, characters_max))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{alert, notification};
    use sickbay_sdk::{Evidence, Label};

    use super::*;

    fn message(config: Value, notification: &Notification) -> Value {
        of(&serde_json::from_value(config).expect("a configuration"), notification).expect("templates")
    }

    fn config() -> Value {
        json!({ "url": "https://hooks.slack.com/services/T0/B0/x" })
    }

    fn slow() -> Alert {
        let evidence = Evidence {
            metric: "latency_seconds".to_owned(),
            actual: "0.35".to_owned(),
            expected: "at most 0.2".to_owned(),
            unit: "seconds".to_owned(),
        };
        let labels = vec![Label::new("service", "orders")];
        Alert { status: Status::Warning, evidence: vec![evidence], labels, url: Some("https://sickbay.example/1".to_owned()), ..alert() }
    }

    #[test]
    fn an_alert_is_an_attachment_coloured_by_level_with_its_fields() {
        let message = message(config(), &notification(vec![slow()]));
        assert_eq!(message["text"], "*WARNING test: the service does not answer*");
        let attachment = &message["attachments"][0];
        assert_eq!((&attachment["color"], &attachment["title"]), (&json!("#ecb22e"), &json!("WARNING test")));
        assert_eq!((&attachment["title_link"], &attachment["ts"]), (&json!("https://sickbay.example/1"), &json!(1_767_225_600)));
        let fields: Vec<(&str, &str)> = attachment["fields"]
            .as_array()
            .expect("fields")
            .iter()
            .map(|field| (field["title"].as_str().unwrap_or_default(), field["value"].as_str().unwrap_or_default()))
            .collect();
        let expected = [
            ("Service", "orders"),
            ("Metric", "latency_seconds"),
            ("Value", "0.35 seconds"),
            ("Threshold", "at most 0.2"),
            ("Severity", "P3"),
            ("Time", "2026-01-01T00:00:00.000Z"),
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn what_is_over_is_green() {
        let over = Alert { phase: Phase::Resolved, ended_at: Some(1_767_225_661_000), ..slow() };
        let message = message(config(), &notification(vec![over]));
        let attachment = &message["attachments"][0];
        assert_eq!((&attachment["color"], &attachment["title"]), (&json!("#2eb67d"), &json!("RESOLVED test")));
        assert!(attachment["fields"].to_string().contains("2026-01-01T00:01:01.000Z"), "{attachment}");
    }

    #[test]
    fn text_of_an_alert_calls_nobody_and_that_of_a_template_may() {
        let hostile = Alert { summary: "<!channel> & <https://evil/|x>".to_owned(), reason: "<@U1>".to_owned(), ..alert() };
        let config = json!({ "url": "https://x/", "title": "<!here> {{ alert.summary }}", "text": "{{ alert.reason }}" });
        let message = message(config, &notification(vec![hostile]));
        assert_eq!(message["text"], "*<!here> &lt;!channel&gt; &amp; &lt;https://evil/|x&gt;*\n&lt;@U1&gt;");
        assert!(!message["attachments"].to_string().contains('<'), "{message}");
    }

    #[test]
    fn alerts_beyond_twenty_are_counted_and_long_texts_cut() {
        let long = Alert { summary: "&".repeat(4_000), ..alert() };
        let told = Notification { extras: vec![Label::new("more", "5")], ..notification(vec![long; 22]) };
        let message = message(json!({ "url": "https://x/", "title": "{{ 'x' * 5000 }}" }), &told);
        let attachments = message["attachments"].as_array().expect("attachments");
        assert_eq!((attachments.len(), &attachments[20]["text"]), (21, &json!("and 7 more")));
        assert_eq!(message["text"].as_str().map(|text| text.chars().count()), Some(TEXT_CHARACTERS_MAX));
        assert!(attachments[0]["text"].as_str().is_some_and(|text| text.ends_with("&amp;…")), "{}", attachments[0]["text"]);
    }
}
