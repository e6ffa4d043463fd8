//! One kind of sink, and how a delivery goes.
//!
//! parse the configuration -> [`Sink::deliver`] -> fit the answer into the contract's bounds
//!
//! Only what the receiver refused for good is given up: [`DeliveryError::Permanent`], or a status of 400 to 499 other than 401, 403, 407,
//! 408, 425 and 429 by [`Response::error_for_status`](crate::http::Response::error_for_status). Everything else is tried again, what the plugin or
//! its configuration did too, such as a credential that is wrong: a duplicate is better than a miss.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bindings::exports::sickbay::plugin::sink as wire;
use crate::bindings::sickbay::plugin::files::FileError;
use crate::bindings::sickbay::plugin::http::HttpError;
use crate::bindings::sickbay::plugin::net::NetError;
use crate::bindings::sickbay::plugin::postgres::PostgresError;
use crate::bindings::sickbay::plugin::redis::RedisError;
use crate::bindings::sickbay::plugin::secrets::SecretError;
use crate::bindings::sickbay::plugin::system::SystemError;
use crate::http::StatusError;
use crate::report::{FAILURE_MESSAGE_BYTES_MAX, cut};
use crate::{DeliveryError, Error, Label, Need, Notification, Receipt, Retry};

/// One kind of sink that a plugin offers.
pub trait Sink {
    /// What the configuration writes as `kind = "..."`: `[a-z0-9-]`, unique among the sinks of its plugin.
    const NAME: &'static str;

    /// One line for a person.
    const SUMMARY: &'static str;

    /// Whether the receiver has a use for being told that a person took an incident, by itself: one that stops calling others then. Without it
    /// an acknowledgement is told with the next news of its group; an operator may say otherwise, by `acknowledgements`.
    const TELLS_ACKNOWLEDGEMENTS: bool = false;

    /// What the operator writes as `config`, as for a [`Check`](crate::Check).
    type Config: DeserializeOwned + JsonSchema;

    /// A small configuration that works.
    fn example() -> Value;

    /// The grants that a delivery needs.
    fn needs() -> Vec<Need> {
        Vec::new()
    }

    /// Tells once. An error of a call may be passed on with `?`: it is tried again, unless the receiver refused for good.
    fn deliver(request: &SinkRequest<Self::Config>) -> Result<Receipt, DeliveryError>;
}

/// What a sink is asked.
#[derive(Clone, Debug)]
pub struct SinkRequest<C> {
    /// Name of the sink in the configuration.
    pub sink: String,
    pub kind: String,
    /// A secret in it is a placeholder, which the host replaces on the way out.
    pub config: C,
    /// The call is ended this long after it began. Calls of the host end sooner, so that there is time to answer.
    pub timeout_ms: u32,
    /// What to tell.
    pub notification: Notification,
    pub extras: Vec<Label>,
}

impl<C: DeserializeOwned> SinkRequest<C> {
    fn parse(request: wire::Request) -> Result<SinkRequest<C>, Error> {
        let config = serde_json::from_str(&request.config).map_err(|error| Error::configuration(error.to_string()))?;
        Ok(SinkRequest {
            sink: request.sink,
            kind: request.kind,
            config,
            timeout_ms: request.timeout_ms,
            notification: request.notification,
            extras: request.extras,
        })
    }
}

impl Receipt {
    /// The receiver has it, and calls it so: a message id, a dedup key. `Receipt::default()` is for one that gives no name.
    pub fn new(reference: impl Into<String>) -> Receipt {
        Receipt { reference: Some(reference.into()), extras: Vec::new() }
    }

    /// The receiver was told each alert that is named, and nothing of those that a notification only counts: the host has them told by another
    /// one, which follows at once.
    #[must_use]
    pub fn of_named_alerts(mut self) -> Receipt {
        self.extras.push(Label { name: "tells".to_owned(), value: "named".to_owned() });
        self
    }
}

#[allow(clippy::derivable_impls, reason = "the type is generated")]
impl Default for Receipt {
    fn default() -> Receipt {
        Receipt { reference: None, extras: Vec::new() }
    }
}

impl DeliveryError {
    /// The receiver could not take it now.
    pub fn retryable(message: impl Into<String>) -> DeliveryError {
        DeliveryError::Retryable(Retry { message: message.into(), after_ms: None })
    }

    /// The receiver could not take it now, and asked to wait.
    pub fn retryable_after_ms(message: impl Into<String>, after_ms: u32) -> DeliveryError {
        DeliveryError::Retryable(Retry { message: message.into(), after_ms: Some(after_ms) })
    }

    /// The receiver refused it, and trying again cannot help.
    pub fn permanent(message: impl Into<String>) -> DeliveryError {
        DeliveryError::Permanent(message.into())
    }

    fn fit(mut self) -> DeliveryError {
        match &mut self {
            DeliveryError::Retryable(Retry { message, .. }) | DeliveryError::Permanent(message) => cut(message, FAILURE_MESSAGE_BYTES_MAX),
        }
        self
    }
}

impl From<Error> for DeliveryError {
    fn from(error: Error) -> DeliveryError {
        match error {
            Error::Service { message, .. } | Error::Plugin { message, .. } => DeliveryError::retryable(message),
        }
    }
}

impl From<StatusError> for DeliveryError {
    fn from(error: StatusError) -> DeliveryError {
        let message = error.to_string();
        match error.retry_after_ms {
            _ if error.is_for_good() => DeliveryError::permanent(message),
            Some(after_ms) => DeliveryError::retryable_after_ms(message, after_ms),
            None => DeliveryError::retryable(message),
        }
    }
}

/// What a call fails with passes through [`Error`], which knows what it means.
macro_rules! through_error {
    ($($error:ty),+) => {
        $(impl From<$error> for DeliveryError {
            fn from(error: $error) -> DeliveryError {
                Error::from(error).into()
            }
        })+
    };
}

through_error!(HttpError, PostgresError, RedisError, NetError, FileError, SecretError, SystemError);

/// One delivery from the contract's request to the contract's answer.
pub fn deliver<S: Sink>(request: wire::Request) -> Result<Receipt, DeliveryError> {
    let asked = SinkRequest::parse(request).map_err(DeliveryError::from);
    asked.and_then(|request| S::deliver(&request)).map_err(DeliveryError::fit)
}

#[cfg(test)]
mod tests {
    use crate::http::{Header, HttpError};
    use crate::prelude::*;
    use crate::testing::{FakeHost, alert, assert_sink_well_described, notification, response};
    use crate::{Alert, Denial, Notification};

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Config {
        url: String,
    }

    struct Hook;

    impl Sink for Hook {
        const NAME: &'static str = "hook";
        const SUMMARY: &'static str = "Posts";
        type Config = Config;

        fn example() -> Value {
            json!({ "url": "http://localhost/" })
        }

        fn deliver(request: &SinkRequest<Config>) -> Result<Receipt, DeliveryError> {
            let answer =
                http::post(&request.config.url).json(&json!({ "group": request.notification.group })).send()?.error_for_status()?;
            Ok(if answer.body.is_empty() { Receipt::default() } else { Receipt::new(answer.json::<String>()?) })
        }
    }

    fn deliver(host: &mut FakeHost) -> Result<Receipt, DeliveryError> {
        host.deliver::<Hook>(Hook::example(), notification(vec![alert()]))
    }

    #[test]
    fn what_was_delivered_has_a_receipt() {
        let mut host = FakeHost::default().http(Ok(response(202, ""))).http(Ok(response(201, "\"m7\"")));
        let told = Notification { group: "g".to_owned(), ..notification(Vec::new()) };
        assert_eq!(host.deliver::<Hook>(Hook::example(), told), Ok(Receipt::default()));
        assert_eq!(host.sent[0].request.body.as_deref(), Some(&br#"{"group":"g"}"#[..]));
        assert_eq!(deliver(&mut host), Ok(Receipt::new("m7")));
    }

    #[test]
    fn only_what_the_receiver_refused_for_good_is_given_up() {
        for status in [400, 404, 410, 422] {
            let mut host = FakeHost::default().http(Ok(response(status, "")));
            assert_eq!(deliver(&mut host), Err(DeliveryError::permanent(format!("HTTP {status}"))));
        }
        for status in [302, 401, 403, 407, 408, 425, 429, 500, 503] {
            let mut host = FakeHost::default().http(Ok(response(status, "")));
            assert_eq!(deliver(&mut host), Err(DeliveryError::retryable(format!("HTTP {status}"))));
        }
        let denial = Denial { reason: "no grant".to_owned(), hint: "http = [\"POST x\"]".to_owned() };
        for (error, message) in [
            (HttpError::Refused("the port is closed".to_owned()), "the port is closed"),
            (HttpError::Denied(denial), "no grant; hint: http = [\"POST x\"]"),
            (HttpError::Quota("bytes_out is used up".to_owned()), "bytes_out is used up"),
            (HttpError::Invalid("no URL".to_owned()), "no URL"),
        ] {
            assert_eq!(deliver(&mut FakeHost::default().http(Err(error))), Err(DeliveryError::retryable(message)));
        }
    }

    #[test]
    fn what_cannot_be_understood_is_tried_again() {
        let mut host = FakeHost::default().http(Ok(response(200, "<html>")));
        assert!(matches!(deliver(&mut host), Err(DeliveryError::Retryable(_))));
        let answer = host.deliver::<Hook>(json!({ "link": "x" }), notification(vec![alert()]));
        assert!(matches!(answer, Err(DeliveryError::Retryable(retry)) if retry.message.contains("link")));
    }

    #[test]
    fn a_receiver_says_when_to_come_again() {
        let mut busy = response(429, "");
        busy.headers.push(Header { name: "Retry-After".into(), value: "30".into() });
        assert_eq!(deliver(&mut FakeHost::default().http(Ok(busy))), Err(DeliveryError::retryable_after_ms("HTTP 429", 30_000)));
    }

    #[test]
    fn a_long_message_is_cut_to_the_bound() {
        let mut host = FakeHost::default().http(Err(HttpError::Refused("x".repeat(2_000))));
        assert!(matches!(deliver(&mut host), Err(DeliveryError::Retryable(retry)) if retry.message.len() <= 1024));
    }

    #[test]
    fn a_notification_fires_while_any_of_its_alerts_does() {
        let resolved = || Alert { phase: Phase::Resolved, ..alert() };
        assert_eq!(notification(vec![resolved(), alert()]).phase, Phase::Firing);
        assert_eq!(notification(vec![resolved()]).phase, Phase::Resolved);
    }

    #[test]
    fn it_is_described_as_the_host_asks() {
        assert_sink_well_described::<Hook>();
    }
}
