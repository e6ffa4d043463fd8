//! The sink `ntfy`: a push message on a phone or a desktop, by ntfy.sh or a server of one's own.
//!
//! It is published as JSON, so that titles may have any letters. Priorities go by severity, tags by level.

use std::collections::BTreeMap;

use sickbay_sdk::Notification;
use sickbay_sdk::prelude::*;
use sickbay_sdk::sinks::{Level, TEXT, TITLE, Texts, accepted, cut_bytes, cut_characters, one_line};

/// A longer one becomes an attachment.
const MESSAGE_BYTES_MAX: usize = 4_096;
const TITLE_CHARACTERS_MAX: usize = 250;
/// As ntfy has it where nothing is said: 3 of 1 to 5.
const PRIORITY_DEFAULT: u8 = 3;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The server.
    #[serde(default = "default_url")]
    #[schemars(length(min = 1, max = 8192))]
    url: String,
    /// The topic; on a public server it is a password: {{secret:NAME}}.
    #[schemars(length(min = 1, max = 64))]
    topic: String,
    /// Access token of the server: {{secret:NAME}}.
    #[serde(default)]
    token: String,
    /// Template of the title.
    #[serde(default = "default_title")]
    #[schemars(extend("format" = "minijinja"))]
    title: String,
    /// Template of the message.
    #[serde(default = "default_text")]
    #[schemars(extend("format" = "minijinja"))]
    text: String,
    /// Priorities from 1 to 5 by severity, or any word of the label `severity`, where they are to be others than
    /// { P0 = 5, P1 = 4, P2 = 3, P3 = 2 }.
    #[serde(default)]
    priorities: BTreeMap<String, u8>,
    /// Tags beside that of the level.
    #[serde(default)]
    #[schemars(length(max = 16))]
    tags: Vec<String>,
    /// What a tap opens; the page of the first alert where absent.
    #[serde(default)]
    click: Option<String>,
}

fn default_url() -> String {
    "https://ntfy.sh/".to_owned()
}

fn default_title() -> String {
    TITLE.to_owned()
}

fn default_text() -> String {
    TEXT.to_owned()
}

/// What the server says of a message.
#[derive(Deserialize)]
struct Published {
    id: String,
}

struct Ntfy;

impl Sink for Ntfy {
    const NAME: &'static str = "ntfy";
    const SUMMARY: &'static str = "Sends a push message by ntfy";
    type Config = Config;

    fn example() -> Value {
        json!({ "topic": "sickbay-alerts", "token": "{{secret:ntfy-token}}" })
    }

    fn needs() -> Vec<Need> {
        vec![
            Need::new("http", "publishes the message", "http = [\"POST {url}\"]"),
            Need::new("secrets", "logs in", "secrets = [{ name = \"ntfy-token\", to = [\"{url}*\"] }]"),
        ]
    }

    fn deliver(request: &SinkRequest<Config>) -> Result<Receipt, DeliveryError> {
        let SinkRequest { config, notification, .. } = request;
        if notification.phase == Phase::Other {
            return Ok(Receipt::default());
        }
        let mut call = http::post(&config.url).redirects_max(0);
        if !config.token.is_empty() {
            call = call.header("authorization", format!("Bearer {}", config.token));
        }
        let answer = accepted(call.json(&message(config, notification)?).send()?)?;
        // It is out, whatever the server calls it.
        Ok(answer.json::<Published>().map_or_else(|_| Receipt::default(), |published| Receipt::new(published.id)))
    }
}

fn message(config: &Config, notification: &Notification) -> Result<Value, DeliveryError> {
    let texts = Texts::about(notification);
    let level = Level::of_all(notification);
    let mut tags = vec![tag(level)];
    tags.extend(config.tags.iter().map(String::as_str));
    let mut message = json!({
        "topic": config.topic,
        "title": cut_characters(&one_line(&texts.render("title", &config.title)?), TITLE_CHARACTERS_MAX),
        "message": cut_bytes(texts.render("text", &config.text)?, MESSAGE_BYTES_MAX),
        "priority": priority(config, notification, level),
        "tags": tags,
    });
    let first_page = notification.alerts.iter().find_map(|alert| alert.link());
    if let Some(click) = config.click.as_deref().or(first_page) {
        message["click"] = click.into();
    }
    Ok(message)
}

/// What is over or taken wakes nobody.
fn priority(config: &Config, notification: &Notification, level: Level) -> u8 {
    if level <= Level::Acknowledged {
        return PRIORITY_DEFAULT;
    }
    let of = |word: &str| config.priorities.get(word).map(|priority| (*priority).clamp(1, 5)).or_else(|| usual(word));
    let urgent = notification.alerts.iter().filter(|alert| Level::of(alert) > Level::Acknowledged);
    let named = urgent.map(|alert| alert.by_severity(of).unwrap_or(PRIORITY_DEFAULT)).max();
    // Of alerts without room here only the worst severity is known.
    let is_all = named.is_some() && notification.more() == 0;
    let counted = if is_all { None } else { of(&notification.severity) };
    named.max(counted).unwrap_or(PRIORITY_DEFAULT)
}

fn usual(word: &str) -> Option<u8> {
    match word {
        "P0" | "critical" | "page" => Some(5),
        "P1" | "error" => Some(4),
        "P2" | "warning" => Some(3),
        "P3" | "info" => Some(2),
        _ => None,
    }
}

/// The short names of pictures, as ntfy shows them.
fn tag(level: Level) -> &'static str {
    match level {
        Level::Critical => "rotating_light",
        Level::Warning => "warning",
        Level::Unknown => "grey_question",
        Level::Acknowledged => "eyes",
        Level::Resolved => "white_check_mark",
    }
}

sickbay_sdk::plugin! {
    name: "ntfy",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Push messages by ntfy",
    licence: "Apache-2.0",
    sinks: [Ntfy],
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::Alert;
    use sickbay_sdk::testing::{self, FakeHost, alert, assert_sink_well_described, notification, response};

    use super::*;

    fn publish(config: Value, notification: Notification) -> (Value, FakeHost) {
        let mut host = FakeHost::default().http(Ok(response(200, r#"{"id": "xE73Iyuabi"}"#)));
        assert_eq!(host.deliver::<Ntfy>(config, notification), Ok(Receipt::new("xE73Iyuabi")));
        let message = serde_json::from_slice(host.sent[0].request.body.as_deref().unwrap_or_default()).expect("JSON");
        (message, host)
    }

    /// As the host has it: the label is as it was written, the severity P0 to P3.
    fn severe(word: &str) -> Notification {
        let alert = Alert { url: Some("https://sickbay.example/1".to_owned()), ..testing::severe(word) };
        Notification { severity: alert.severity.clone(), ..notification(vec![alert]) }
    }

    #[test]
    fn a_message_has_title_text_priority_tags_and_a_page() {
        let (message, host) = publish(Ntfy::example(), severe("P0"));
        assert_eq!((&message["topic"], &message["priority"]), (&json!("sickbay-alerts"), &json!(5)));
        assert_eq!(message["title"], "CRITICAL test: the service does not answer");
        assert!(message["message"].as_str().is_some_and(|text| text.contains("(Reported)")), "{message}");
        assert_eq!((&message["tags"], &message["click"]), (&json!(["rotating_light"]), &json!("https://sickbay.example/1")));
        let authorization = host.sent[0].request.headers.iter().find(|header| header.name == "authorization");
        assert_eq!(authorization.map(|header| header.value.as_str()), Some("Bearer {{secret:ntfy-token}}"));
        assert_eq!(host.sent[0].request.url, "https://ntfy.sh/");
    }

    #[test]
    fn priorities_go_by_severity_and_the_configuration_knows_better() {
        for (severity, priority) in
            [("P0", 5), ("critical", 5), ("page", 5), ("P1", 4), ("error", 4), ("P2", 3), ("warning", 3), ("P3", 2), ("whatever", 2)]
        {
            assert_eq!(publish(json!({ "topic": "t" }), severe(severity)).0["priority"], priority, "{severity}");
        }
        let config = json!({ "topic": "t", "priorities": { "P3": 1 }, "tags": ["db"], "click": "https://wiki.example/" });
        let (message, _) = publish(config, severe("P3"));
        assert_eq!((&message["priority"], &message["click"]), (&json!(1), &json!("https://wiki.example/")));
        assert_eq!(message["tags"], json!(["rotating_light", "db"]));
        let (message, _) = publish(json!({ "topic": "t", "priorities": { "sev-2": 4 } }), severe("sev-2"));
        assert_eq!(message["priority"], 4);
    }

    #[test]
    fn the_most_urgent_alert_that_fires_sets_the_priority() {
        let over = Alert { phase: Phase::Resolved, ..testing::severe("critical") };
        let told = notification(vec![over, testing::severe("info"), testing::severe("error")]);
        assert_eq!(publish(json!({ "topic": "t" }), told).0["priority"], 4);
        let extras = vec![sickbay_sdk::Label::new("more", "9")];
        let more = Notification { severity: "P0".to_owned(), extras, ..notification(vec![testing::severe("info")]) };
        assert_eq!(publish(json!({ "topic": "t" }), more).0["priority"], 5, "one of those that are only counted is worse");
    }

    #[test]
    fn what_is_over_wakes_nobody() {
        let over = Notification { severity: "P0".to_owned(), ..notification(vec![Alert { phase: Phase::Resolved, ..alert() }]) };
        let (message, _) = publish(json!({ "topic": "t" }), over);
        assert_eq!((&message["priority"], &message["tags"]), (&json!(3), &json!(["white_check_mark"])));
    }

    #[test]
    fn a_long_message_is_cut_to_what_a_phone_shows() {
        let (message, _) = publish(json!({ "topic": "t", "text": "{{ 'äöü' * 2000 }}" }), notification(vec![alert()]));
        assert!(message["message"].as_str().is_some_and(|text| text.len() <= MESSAGE_BYTES_MAX && text.ends_with('…')));
    }

    #[test]
    fn an_answer_that_cannot_be_read_does_not_have_it_sent_again() {
        let mut host = FakeHost::default().http(Ok(response(200, "published")));
        assert_eq!(host.deliver::<Ntfy>(Ntfy::example(), notification(vec![alert()])), Ok(Receipt::default()));
    }

    #[test]
    fn it_is_described_as_the_host_asks() {
        assert_sink_well_described::<Ntfy>();
    }
}
