//! `slack`: posts the message, by an incoming webhook or by `chat.postMessage`.
//!
//! A bot's first message of a group begins a thread, whose place is the receipt's reference: what comes later goes into it, and that all is
//! well is shown in the channel too. Where the channel was changed since, or the thread is gone, a new one begins.

use sickbay_sdk::Notification;
use sickbay_sdk::http::Call;
use sickbay_sdk::prelude::*;
use sickbay_sdk::sinks::{TITLE, accepted, one_line};

use crate::message;

/// Errors of Slack's own that pass.
const PASSING: [&str; 7] =
    ["fatal_error", "internal_error", "ratelimited", "rate_limited", "request_timeout", "service_unavailable", "team_added_to_org"];
/// What is wrong with a token. It is tried again: the token can be mended meanwhile.
const OF_TOKENS: [&str; 6] = ["account_inactive", "invalid_auth", "missing_scope", "not_authed", "token_expired", "token_revoked"];
/// The thread is not there any more, or takes no replies.
const THREAD_GONE: [&str; 3] = ["cannot_reply_to_message", "message_not_found", "thread_not_found"];

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    { "title": "an incoming webhook: `url`", "required": ["url"] },
    { "title": "a bot: `token` and `channel`", "required": ["token", "channel"] }
]))]
pub(crate) struct Config {
    /// An incoming webhook: https://hooks.slack.com/services/T.../B.../{{secret:NAME}}.
    #[serde(default)]
    url: Option<String>,
    /// A bot's token (xoxb-...) with the scope chat:write, in place of url: {{secret:NAME}}.
    #[serde(default)]
    token: Option<String>,
    /// Where a bot writes: a channel's id or name.
    #[serde(default)]
    channel: Option<String>,
    /// Where a bot posts to.
    #[serde(default = "default_api_url")]
    api_url: String,
    /// Template of the first line, in Slack's markup.
    #[serde(default = "default_title")]
    #[schemars(extend("format" = "minijinja"))]
    pub(crate) title: String,
    /// Template of further text; the attachments tell the rest.
    #[serde(default)]
    #[schemars(extend("format" = "minijinja"))]
    pub(crate) text: String,
}

fn default_api_url() -> String {
    "https://slack.com/api/chat.postMessage".to_owned()
}

fn default_title() -> String {
    TITLE.to_owned()
}

/// What Slack answers to a bot.
#[derive(Deserialize)]
struct Posted {
    ok: bool,
    #[serde(default)]
    error: String,
    /// The time of the message, which is its name in the channel.
    #[serde(default)]
    ts: Option<String>,
}

pub(crate) struct Slack;

impl Sink for Slack {
    const NAME: &'static str = "slack";
    const SUMMARY: &'static str = "Posts a message with coloured attachments";
    type Config = Config;

    fn example() -> Value {
        json!({ "url": "https://hooks.slack.com/services/T000/B000/{{secret:slack-hook}}" })
    }

    fn needs() -> Vec<Need> {
        vec![
            Need::new("http", "posts the message; a bot to https://slack.com/api/chat.postMessage", "http = [\"POST {url}\"]"),
            Need::new(
                "secrets",
                "the webhook's key; a bot's token goes to https://slack.com/api/chat.postMessage",
                "secrets = [{ name = \"slack-hook\", to = [\"https://hooks.slack.com/services/*\"] }]",
            ),
        ]
    }

    fn deliver(request: &SinkRequest<Config>) -> Result<Receipt, DeliveryError> {
        let SinkRequest { config, notification, .. } = request;
        if notification.phase == Phase::Other {
            return Ok(Receipt::default());
        }
        let message = message::of(config, notification)?;
        match (&config.url, &config.token, &config.channel) {
            (Some(url), None, None) => {
                accepted(http::post(url).redirects_max(0).json(&message).send()?)?;
                Ok(Receipt::default())
            }
            (None, Some(token), Some(channel)) => {
                let bot = Bot { url: &config.api_url, token, channel };
                bot.post(notification, message)
            }
            _ => Err(Error::configuration("`config` has `url`, or `token` and `channel`").into()),
        }
    }
}

struct Bot<'config> {
    url: &'config str,
    token: &'config str,
    channel: &'config str,
}

impl Bot<'_> {
    fn post(&self, notification: &Notification, mut message: Value) -> Result<Receipt, DeliveryError> {
        message["channel"] = self.channel.into();
        let thread = notification.reference.as_deref().and_then(|reference| self.thread(reference));
        if let Some(thread) = thread {
            let mut reply = message.clone();
            reply["thread_ts"] = thread.into();
            reply["reply_broadcast"] = (notification.phase == Phase::Resolved).into();
            let posted = self.send(&reply)?;
            if posted.ok {
                return Ok(self.receipt(thread));
            }
            if !THREAD_GONE.contains(&posted.error.as_str()) {
                return Err(refused(&posted.error));
            }
        }
        let posted = self.send(&message)?;
        match posted.ts {
            _ if !posted.ok => Err(refused(&posted.error)),
            Some(ts) => Ok(self.receipt(&ts)),
            None => Ok(Receipt::default()),
        }
    }

    fn send(&self, message: &Value) -> Result<Posted, DeliveryError> {
        let call: Call = http::post(self.url)
            .redirects_max(0)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json; charset=utf-8")
            .json(message);
        Ok(accepted(call.send()?)?.json()?)
    }

    /// With the channel, as the configuration has it: a thread is in one.
    fn receipt(&self, ts: &str) -> Receipt {
        Receipt::new(format!("{ts} {}", self.channel))
    }

    fn thread<'reference>(&self, reference: &'reference str) -> Option<&'reference str> {
        let (ts, channel) = reference.split_once(' ')?;
        (channel == self.channel).then_some(ts)
    }
}

fn refused(error: &str) -> DeliveryError {
    let message = format!("Slack said {}", one_line(error));
    if PASSING.contains(&error) || OF_TOKENS.contains(&error) {
        DeliveryError::retryable(message)
    } else {
        DeliveryError::permanent(message)
    }
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::Alert;
    use sickbay_sdk::testing::{FakeHost, alert, notification, response};

    use super::*;

    fn bot() -> Value {
        json!({ "token": "{{secret:slack-token}}", "channel": "#oncall" })
    }

    fn answering(answers: &[&str]) -> FakeHost {
        answers.iter().fold(FakeHost::default(), |host, answer| host.http(Ok(response(200, answer))))
    }

    fn later(phase: Phase, reference: &str) -> Notification {
        Notification { reference: Some(reference.to_owned()), ..notification(vec![Alert { phase, ..alert() }]) }
    }

    fn sent(host: &FakeHost, position: usize) -> Value {
        serde_json::from_slice(host.sent[position].request.body.as_deref().unwrap_or_default()).expect("JSON")
    }

    #[test]
    fn a_webhook_is_posted_to_and_gives_no_reference() {
        let mut host = answering(&["ok"]);
        assert_eq!(host.deliver::<Slack>(Slack::example(), notification(vec![alert()])), Ok(Receipt::default()));
        assert_eq!(host.sent[0].request.url, "https://hooks.slack.com/services/T000/B000/{{secret:slack-hook}}");
        assert!(sent(&host, 0).get("channel").is_none());
    }

    #[test]
    fn a_bot_begins_a_thread_and_goes_on_in_it() {
        let mut host = answering(&[r#"{"ok":true,"ts":"1.5"}"#, r#"{"ok":true,"ts":"2.5"}"#]);
        let begun = host.deliver::<Slack>(bot(), notification(vec![alert()]));
        assert_eq!(begun, Ok(Receipt::new("1.5 #oncall")));
        assert_eq!(host.deliver::<Slack>(bot(), later(Phase::Resolved, "1.5 #oncall")), begun);
        let (first, second) = (sent(&host, 0), sent(&host, 1));
        assert_eq!((&first["channel"], first.get("thread_ts")), (&json!("#oncall"), None));
        assert_eq!((&second["thread_ts"], &second["reply_broadcast"]), (&json!("1.5"), &json!(true)));
        let authorization = host.sent[0].request.headers.iter().find(|header| header.name == "authorization");
        assert_eq!(authorization.map(|header| header.value.as_str()), Some("Bearer {{secret:slack-token}}"));
    }

    #[test]
    fn a_thread_that_is_gone_or_of_another_channel_is_begun_anew() {
        let mut host = answering(&[r#"{"ok":false,"error":"thread_not_found"}"#, r#"{"ok":true,"ts":"3.5"}"#]);
        assert_eq!(host.deliver::<Slack>(bot(), later(Phase::Firing, "1.5 #oncall")), Ok(Receipt::new("3.5 #oncall")));
        assert_eq!((sent(&host, 0).get("thread_ts"), sent(&host, 1).get("thread_ts")), (Some(&json!("1.5")), None));
        let mut host = answering(&[r#"{"ok":true,"ts":"4.5"}"#]);
        assert_eq!(host.deliver::<Slack>(bot(), later(Phase::Firing, "1.5 #elsewhere")), Ok(Receipt::new("4.5 #oncall")));
        assert_eq!(sent(&host, 0).get("thread_ts"), None);
    }

    #[test]
    fn an_error_of_slack_is_a_refusal_unless_it_passes() {
        let deliver = |answer: &str| answering(&[answer]).deliver::<Slack>(bot(), notification(vec![alert()]));
        assert_eq!(deliver(r#"{"ok":false,"error":"channel_not_found"}"#), Err(DeliveryError::permanent("Slack said channel_not_found")));
        assert_eq!(deliver(r#"{"ok":false,"error":"ratelimited"}"#), Err(DeliveryError::retryable("Slack said ratelimited")));
        assert_eq!(deliver(r#"{"ok":false,"error":"invalid_auth"}"#), Err(DeliveryError::retryable("Slack said invalid_auth")));
        assert!(matches!(deliver("<html>"), Err(DeliveryError::Retryable(_))));
        let mut host = FakeHost::default().http(Ok(response(404, "no_service")));
        let outcome = host.deliver::<Slack>(Slack::example(), notification(vec![alert()]));
        assert_eq!(outcome, Err(DeliveryError::permanent("HTTP 404: no_service")));
    }

    #[test]
    fn there_is_a_webhook_or_a_bot() {
        let both = json!({ "url": "https://x/", "token": "t", "channel": "#c" });
        for config in [json!({}), json!({ "token": "t" }), both] {
            let outcome = FakeHost::default().deliver::<Slack>(config, notification(vec![alert()]));
            assert!(matches!(outcome, Err(DeliveryError::Retryable(retry)) if retry.message.contains("`url`")));
        }
    }
}
