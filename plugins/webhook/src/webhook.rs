//! `webhook`: one request for each notification.

use std::collections::BTreeMap;

use sickbay_sdk::prelude::*;
use sickbay_sdk::sinks::accepted;

use crate::{message, signature};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Absolute URL, http:// or https://; a part of it may be {{secret:NAME}}.
    #[schemars(length(min = 1, max = 8192))]
    url: String,
    /// Request headers by name, such as authorization = "Bearer {{secret:NAME}}".
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Name of the secret to sign with (Standard Webhooks): `whsec_` and base64, as the receiver has it, or any other text, whose
    /// bytes are the key.
    #[serde(default)]
    #[schemars(length(min = 1))]
    signing_secret: Option<String>,
    /// The `receiver` of the message; the name of the sink where absent.
    #[serde(default)]
    receiver: Option<String>,
    /// The `externalURL` of the message: where Sickbay's page is; `external_url` of `[server]` where absent.
    #[serde(default)]
    external_url: String,
    /// Bound of the whole exchange; the sink's own timeout bounds it too.
    #[serde(default)]
    #[schemars(range(min = 1))]
    timeout_ms: Option<u32>,
}

pub(crate) struct Webhook;

impl Sink for Webhook {
    const NAME: &'static str = "webhook";
    const SUMMARY: &'static str = "Posts Alertmanager's webhook message, version 4";
    type Config = Config;

    fn example() -> Value {
        json!({ "url": "https://hooks.example.com/sickbay", "signing_secret": "hook-key" })
    }

    fn needs() -> Vec<Need> {
        vec![
            Need::new("http", "posts the message", "http = [\"POST {url}\"]"),
            Need::new("secrets", "signs it, where signing_secret says so", "secrets = [{ name = \"{signing_secret}\", to = [] }]"),
        ]
    }

    fn deliver(request: &SinkRequest<Config>) -> Result<Receipt, DeliveryError> {
        let SinkRequest { config, notification, .. } = request;
        if notification.phase == Phase::Other {
            return Ok(Receipt::default());
        }
        let key = &notification.idempotency_key;
        let receiver = config.receiver.as_deref().unwrap_or(&request.sink);
        let own = Some(config.external_url.as_str()).filter(|url| !url.is_empty());
        let external_url = own.or(notification.external_url()).unwrap_or_default();
        let body = message::of(receiver, external_url, notification).to_string();
        // A redirect would be followed by another request than this one.
        let mut call = http::post(&config.url).redirects_max(0).header("content-type", "application/json").header("webhook-id", key);
        for (name, value) in &config.headers {
            call = call.header(name, value);
        }
        if let Some(secret) = &config.signing_secret {
            let timestamp = clock::now_ms() / 1000;
            let signatures = signature::of(secret, key, timestamp, &body)?;
            call = call.header("webhook-timestamp", timestamp.to_string()).header("webhook-signature", signatures);
        }
        call.options.timeout_ms = config.timeout_ms;
        accepted(call.body(body).send()?)?;
        Ok(Receipt::new(key))
    }
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::http::HttpError;
    use sickbay_sdk::secrets::SecretInfo;
    use sickbay_sdk::testing::{FakeHost, alert, notification, response};

    use super::*;

    fn host(versions: u32) -> FakeHost {
        let mut host = FakeHost { now_ms: 1_700_000_000_500, ..FakeHost::default() };
        host.secrets.insert("hook-key".to_owned(), SecretInfo { changed_at: None, versions });
        host
    }

    fn header<'host>(host: &'host FakeHost, name: &str) -> Option<&'host str> {
        let headers = &host.sent[0].request.headers;
        headers.iter().find(|header| header.name == name).map(|header| header.value.as_str())
    }

    #[test]
    fn the_message_goes_out_signed_with_the_key_of_the_notification() {
        let mut host = host(1).http(Ok(response(200, "")));
        let receipt = host.deliver::<Webhook>(Webhook::example(), notification(vec![alert()]));
        assert_eq!(receipt, Ok(Receipt::new("test-key")));
        assert_eq!(header(&host, "webhook-id"), Some("test-key"));
        assert_eq!(header(&host, "webhook-timestamp"), Some("1700000000"));
        let body = String::from_utf8_lossy(host.sent[0].request.body.as_deref().unwrap_or_default()).into_owned();
        let signed = header(&host, "webhook-signature").map(signature::decoded);
        assert_eq!(signed, Some(vec![format!("hmac-sha256:hook-key:test-key.1700000000.{body}")]));
        assert_eq!(host.sent[0].options.redirects_max, 0);
    }

    #[test]
    fn while_a_secret_is_rotated_each_version_signs() {
        let mut host = host(2).http(Ok(response(200, "")));
        host.deliver::<Webhook>(Webhook::example(), notification(vec![alert()])).expect("delivered");
        let signed = header(&host, "webhook-signature").map(signature::decoded).unwrap_or_default();
        assert!(signed.len() == 2 && signed[1].starts_with("hmac-sha256:previous hook-key:test-key."), "{signed:?}");
    }

    #[test]
    fn without_a_signing_secret_nothing_is_signed_and_headers_are_those_of_the_configuration() {
        let mut host = FakeHost::default().http(Ok(response(200, "")));
        let config =
            json!({ "url": "http://localhost/", "headers": { "authorization": "Bearer {{secret:hook-token}}" }, "timeout_ms": 700 });
        host.deliver::<Webhook>(config, notification(vec![alert()])).expect("delivered");
        assert_eq!((header(&host, "webhook-signature"), header(&host, "webhook-id")), (None, Some("test-key")));
        assert_eq!(header(&host, "authorization"), Some("Bearer {{secret:hook-token}}"));
        assert_eq!(host.sent[0].options.timeout_ms, Some(700));
    }

    #[test]
    fn the_page_is_that_of_the_host_where_the_sink_names_none() {
        for (own, page) in [("", "https://sickbay.example"), ("https://other.example", "https://other.example")] {
            let mut host = FakeHost::default().http(Ok(response(200, "")));
            let extras = vec![sickbay_sdk::Label::new("external_url", "https://sickbay.example")];
            let told = sickbay_sdk::Notification { extras, ..notification(vec![alert()]) };
            host.deliver::<Webhook>(json!({ "url": "http://localhost/", "external_url": own }), told).expect("delivered");
            let message: Value = serde_json::from_slice(host.sent[0].request.body.as_deref().unwrap_or_default()).expect("JSON");
            assert_eq!(message["externalURL"], page);
        }
    }

    #[test]
    fn what_the_receiver_says_decides_whether_it_is_tried_again() {
        let deliver = |answer| host(1).http(answer).deliver::<Webhook>(Webhook::example(), notification(vec![alert()]));
        assert_eq!(deliver(Ok(response(422, "no such field"))), Err(DeliveryError::permanent("HTTP 422: no such field")));
        for passing in [Ok(response(401, "")), Ok(response(503, "")), Ok(response(302, "")), Err(HttpError::Connect("reset".into()))] {
            assert!(matches!(deliver(passing), Err(DeliveryError::Retryable(_))));
        }
    }

    #[test]
    fn a_secret_that_is_not_granted_is_told_and_nothing_is_sent() {
        let mut host = FakeHost::default();
        let outcome = host.deliver::<Webhook>(Webhook::example(), notification(vec![alert()]));
        assert!(matches!(outcome, Err(DeliveryError::Retryable(retry)) if retry.message.contains("hook-key")));
        assert!(host.sent.is_empty());
    }

    #[test]
    fn a_word_of_a_later_version_is_passed_over() {
        let told = sickbay_sdk::Notification { phase: Phase::Other, ..notification(vec![alert()]) };
        assert_eq!(FakeHost::default().deliver::<Webhook>(Webhook::example(), told), Ok(Receipt::default()));
    }
}
