//! `sms`: a text message.

use sickbay_sdk::prelude::*;
use sickbay_sdk::sinks::{Texts, cut_characters};

use crate::account::{self, Config, Resolved};

/// Twilio refuses a longer one.
const BODY_CHARACTERS_MAX: usize = 1_600;
/// A messaging service chooses the number by itself.
const SERVICE: &str = "MG";

pub(crate) struct Sms;

impl Sink for Sms {
    const NAME: &'static str = "sms";
    const SUMMARY: &'static str = "Sends a text message";
    type Config = Config;

    fn example() -> Value {
        account::example()
    }

    fn needs() -> Vec<Need> {
        account::needs("Messages")
    }

    fn deliver(request: &SinkRequest<Config>) -> Result<Receipt, DeliveryError> {
        let SinkRequest { config, notification, .. } = request;
        if !account::is_told(config, notification.phase, Resolved::Told) {
            return Ok(Receipt::default());
        }
        let body = cut_characters(&Texts::about(notification).render("text", &config.text)?, BODY_CHARACTERS_MAX);
        let from = if config.from.starts_with(SERVICE) { "MessagingServiceSid" } else { "From" };
        account::make(config, "Messages", &[("To", config.to.as_str()), (from, config.from.as_str()), ("Body", body.as_str())])
    }
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, alert, notification, response};
    use sickbay_sdk::{Alert, Notification};

    use super::*;

    const MADE: &str = r#"{"sid": "SM7"}"#;

    fn config(more: Value) -> Value {
        let mut config = Sms::example();
        config.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        config
    }

    fn phased(phase: Phase) -> Notification {
        notification(vec![Alert { phase, ..alert() }])
    }

    fn body(host: &FakeHost) -> String {
        String::from_utf8_lossy(host.sent[0].request.body.as_deref().unwrap_or_default()).into_owned()
    }

    #[test]
    fn a_message_goes_out_with_the_login_that_the_host_fills_in() {
        let mut host = FakeHost::default().http(Ok(response(201, MADE)));
        assert_eq!(host.deliver::<Sms>(Sms::example(), phased(Phase::Firing)), Ok(Receipt::new("SM7")));
        let request = &host.sent[0].request;
        assert_eq!(request.url, "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000000/Messages.json");
        let authorization = request.headers.iter().find(|header| header.name == "authorization").map(|header| header.value.as_str());
        assert_eq!(authorization, Some("Basic base64(AC00000000000000000000000000000000:{{secret:twilio-token}})"));
        let expected = "To=%2B15550199&From=%2B15550100&Body=CRITICAL%20test%3A%20the%20service%20does%20not%20answer";
        assert_eq!(body(&host), expected);
    }

    #[test]
    fn a_messaging_service_and_an_api_key_stand_in_their_places() {
        let mut host = FakeHost::default().http(Ok(response(201, MADE)));
        host.deliver::<Sms>(config(json!({ "from": "MG1", "key_sid": "SK1" })), phased(Phase::Firing)).expect("delivered");
        assert!(body(&host).contains("&MessagingServiceSid=MG1&"), "{}", body(&host));
        assert!(host.sent[0].request.headers[0].value.starts_with("Basic base64(SK1:"));
    }

    #[test]
    fn a_message_is_at_most_1600_characters() {
        let mut host = FakeHost::default().http(Ok(response(201, MADE)));
        host.deliver::<Sms>(config(json!({ "text": "{{ 'x' * 2000 }}" })), phased(Phase::Firing)).expect("delivered");
        let text = body(&host).rsplit("Body=").next().map(str::len);
        assert_eq!(text, Some(BODY_CHARACTERS_MAX - 1 + "%E2%80%A6".len()));
    }

    #[test]
    fn it_is_told_that_all_is_well_unless_nobody_wants_to_know_and_who_took_it_is_left_alone() {
        let told = |more: Value, phase| {
            let mut host = FakeHost::default().http(Ok(response(201, MADE)));
            host.deliver::<Sms>(config(more), phased(phase)).expect("delivered");
            host.sent.len()
        };
        assert_eq!(told(json!({}), Phase::Resolved), 1);
        assert_eq!(told(json!({ "resolved": false }), Phase::Resolved), 0);
        assert_eq!((told(json!({}), Phase::Acknowledged), told(json!({}), Phase::Other)), (0, 0));
    }

    #[test]
    fn a_number_that_is_none_is_refused_and_too_many_messages_are_tried_again() {
        let deliver = |answer| FakeHost::default().http(Ok(answer)).deliver::<Sms>(Sms::example(), phased(Phase::Firing));
        assert!(matches!(deliver(response(400, r#"{"code":21211}"#)), Err(DeliveryError::Permanent(message)) if message.contains("21211")));
        assert!(matches!(deliver(response(429, "")), Err(DeliveryError::Retryable(_))));
        assert_eq!(deliver(response(201, "")), Ok(Receipt::default()));
    }
}
