//! A sink and nothing else, through the bare contract: it posts what the first alert says to the `url` of its configuration, and then does what
//! `then` says: `trap`, or `garbage` in the place of what the receiver answered, or `lie` that it was refused.

use serde_json::Value;

wit_bindgen::generate!({
    path: "../../../wit",
    world: "sink-plugin",
});

use exports::sickbay::plugin::plugin::{Descriptor, Guest as PluginGuest, Kind};
use exports::sickbay::plugin::sink::{DeliveryError, Guest as SinkGuest, Receipt, Request, Retry};
use sickbay::plugin::http;
use sickbay::plugin::log;

/// What a terminal or a page would act on.
const GARBAGE: &str = "\u{1b}[2J\u{202e}\n</script><img src=x onerror=alert(1)>\u{2028}";

pub struct Tell;

impl PluginGuest for Tell {
    fn describe() -> Descriptor {
        Descriptor {
            name: "tell".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Posts what an alert says".to_owned(),
            checks: Vec::new(),
            recoveries: Vec::new(),
            sinks: vec![Kind {
                name: "post".to_owned(),
                summary: "Posts what the first alert says".to_owned(),
                config_schema: "{}".to_owned(),
                example: "{\"url\":\"https://hooks.example/\"}".to_owned(),
                needs: Vec::new(),
                metrics: Vec::new(),
                failures: Vec::new(),
                extras: Vec::new(),
            }],
            homepage: None,
            licence: None,
            extras: Vec::new(),
        }
    }
}

impl SinkGuest for Tell {
    fn deliver(request: Request) -> Result<Receipt, DeliveryError> {
        let config: Value = serde_json::from_str(&request.config).map_err(|error| DeliveryError::Permanent(error.to_string()))?;
        let notification = request.notification;
        let text = notification.alerts.first().map(|alert| alert.summary.clone()).unwrap_or_default();
        log::write(log::Level::Info, &format!("attempt {}", notification.attempt), &[]);
        let posted = http::Request {
            method: "POST".to_owned(),
            url: config["url"].as_str().unwrap_or_default().to_owned(),
            headers: vec![http::Header { name: "idempotency-key".to_owned(), value: notification.idempotency_key }],
            body: Some(text.into_bytes()),
        };
        let options = http::Options {
            timeout_ms: None,
            redirects_max: 0,
            body_bytes_max: None,
            reuse: true,
            accept_untrusted: false,
            connect_to: None,
            extras: Vec::new(),
        };
        let answered = http::send(&posted, &options);
        match config["then"].as_str() {
            Some("trap") => panic!("the sink gives up"),
            Some("garbage") => return Ok(Receipt { reference: Some(GARBAGE.repeat(10_000)), extras: Vec::new() }),
            Some("lie") => return Err(DeliveryError::Permanent(GARBAGE.repeat(10_000))),
            _ => {}
        }
        match answered {
            Ok(answer) if answer.status < 300 => {
                Ok(Receipt { reference: Some(String::from_utf8_lossy(&answer.body).into_owned()), extras: Vec::new() })
            }
            Ok(answer) if answer.status < 500 => Err(DeliveryError::Permanent(format!("the receiver answered {}", answer.status))),
            Ok(answer) => {
                Err(DeliveryError::Retryable(Retry { message: format!("the receiver answered {}", answer.status), after_ms: None }))
            }
            Err(error) => Err(DeliveryError::Retryable(Retry { message: format!("{error:?}"), after_ms: Some(5_000) })),
        }
    }
}

#[cfg(target_family = "wasm")]
export!(Tell);
