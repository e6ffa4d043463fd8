//! `call`: a call that reads the text out twice.

use sickbay_sdk::prelude::*;
use sickbay_sdk::sinks::{Texts, cut_characters, one_line};

use crate::account::{self, Config, Resolved};

/// Twilio takes 4,000 characters of TwiML; a text stands in it twice, and `&` as five.
const TEXT_CHARACTERS_MAX: usize = 380;

pub(crate) struct Call;

impl Sink for Call {
    const NAME: &'static str = "call";
    const SUMMARY: &'static str = "Calls and reads the text out";
    type Config = Config;

    fn example() -> Value {
        account::example()
    }

    fn needs() -> Vec<Need> {
        account::needs("Calls")
    }

    fn deliver(request: &SinkRequest<Config>) -> Result<Receipt, DeliveryError> {
        let SinkRequest { config, notification, .. } = request;
        if !account::is_told(config, notification.phase, Resolved::Silent) {
            return Ok(Receipt::default());
        }
        let text = one_line(&Texts::about(notification).render("text", &config.text)?);
        let twiml = spoken(&text);
        account::make(config, "Calls", &[("To", config.to.as_str()), ("From", config.from.as_str()), ("Twiml", twiml.as_str())])
    }
}

/// What Twilio is to do when somebody answers.
fn spoken(text: &str) -> String {
    let text = escaped(&cut_characters(text, TEXT_CHARACTERS_MAX));
    format!("<Response><Say>{text}</Say><Pause length=\"1\"/><Say>{text}</Say></Response>")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::Alert;
    use sickbay_sdk::testing::{FakeHost, alert, notification, response};

    use super::*;

    #[test]
    fn a_call_reads_the_text_out() {
        let mut host = FakeHost::default().http(Ok(response(201, r#"{"sid": "CA7"}"#)));
        assert_eq!(host.deliver::<Call>(Call::example(), notification(vec![alert()])), Ok(Receipt::new("CA7")));
        assert!(host.sent[0].request.url.ends_with("/Calls.json"));
        let body = String::from_utf8_lossy(host.sent[0].request.body.as_deref().unwrap_or_default()).into_owned();
        assert!(body.starts_with("To=%2B15550199&From=%2B15550100&Twiml=%3CResponse%3E%3CSay%3ECRITICAL%20test"), "{body}");
    }

    #[test]
    fn nobody_is_called_because_all_is_well() {
        let resolved = || notification(vec![Alert { phase: Phase::Resolved, ..alert() }]);
        let mut host = FakeHost::default();
        assert_eq!(host.deliver::<Call>(Call::example(), resolved()), Ok(Receipt::default()));
        let mut config = Call::example();
        config["resolved"] = true.into();
        let mut host = FakeHost::default().http(Ok(response(201, "")));
        host.deliver::<Call>(config, resolved()).expect("delivered");
        assert_eq!(host.sent.len(), 1);
    }

    #[test]
    fn text_of_an_alert_is_said_and_never_an_instruction() {
        assert_eq!(
            spoken("a</Say><Dial>1</Dial> & b"),
            "<Response><Say>a&lt;/Say&gt;&lt;Dial&gt;1&lt;/Dial&gt; &amp; b</Say><Pause length=\"1\"/>\
             <Say>a&lt;/Say&gt;&lt;Dial&gt;1&lt;/Dial&gt; &amp; b</Say></Response>"
        );
        assert!(spoken(&"&".repeat(5_000)).chars().count() <= 4_000);
    }
}
