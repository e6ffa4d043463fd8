//! Receivers that take one alert at a time.

use super::answer::accepted;
use crate::http::{self, CALLS_MAX, Call};
use crate::{Alert, DeliveryError, Receipt, Retry, log};

/// Sends a call for each alert, [`CALLS_MAX`] at once. What one alert meets does not hold up the others.
///
/// Where any has to be tried again, all are: the receiver has to know by a key what it has already. Where some were refused for good and
/// others were not, the receipt is that of those that it took, so that it is told their end too; the log names the others.
pub fn send_each(calls: Vec<(&Alert, Call)>) -> Result<Receipt, DeliveryError> {
    let (alerts, calls): (Vec<&Alert>, Vec<Call>) = calls.into_iter().unzip();
    let mut has_taken = false;
    let mut refused: Vec<(&Alert, String)> = Vec::new();
    for (alerts, calls) in alerts.chunks(CALLS_MAX).zip(calls.chunks(CALLS_MAX)) {
        let mut passing: Option<Retry> = None;
        for (alert, answer) in alerts.iter().zip(http::send_many(calls)) {
            match answer.map_err(DeliveryError::from).and_then(accepted) {
                Ok(_) => has_taken = true,
                Err(DeliveryError::Permanent(why)) => refused.push((*alert, why)),
                Err(DeliveryError::Retryable(now)) => passing = Some(longer(passing, now)),
            }
        }
        // Who says that it is too much is not sent more.
        if let Some(retry) = passing {
            return Err(DeliveryError::Retryable(retry));
        }
    }
    match refused.first() {
        Some((_, why)) if !has_taken => Err(DeliveryError::permanent(why.as_str())),
        _ => {
            for (alert, why) in &refused {
                let fields = [("incident", alert.incident_id.as_str()), ("check", alert.check.as_str()), ("why", why.as_str())];
                log::error("the receiver refused one alert of several", &fields);
            }
            Ok(Receipt::default().of_named_alerts())
        }
    }
}

/// A long wait outweighs a short one.
fn longer(before: Option<Retry>, now: Retry) -> Retry {
    match before {
        Some(before) => Retry { after_ms: before.after_ms.max(now.after_ms), message: before.message },
        None => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Header, HttpError, Response};
    use crate::testing::{FakeHost, alert, response};

    fn sent(answers: Vec<Result<Response, HttpError>>) -> (Result<Receipt, DeliveryError>, FakeHost) {
        let alerts: Vec<Alert> = (0..answers.len()).map(|number| Alert { incident_id: format!("I{number}"), ..alert() }).collect();
        let mut host = answers.into_iter().fold(FakeHost::default(), FakeHost::http);
        let outcome = host.serve(|| send_each(alerts.iter().map(|alert| (alert, http::post("http://localhost/"))).collect()));
        (outcome, host)
    }

    #[test]
    fn where_any_was_taken_the_end_is_told_and_the_log_names_what_was_refused() {
        for answers in [[202, 400], [400, 202]] {
            let (outcome, host) = sent(answers.map(|status| Ok(response(status, "invalid"))).to_vec());
            assert_eq!(outcome, Ok(Receipt::default().of_named_alerts()));
            let incident = if answers[0] == 400 { "I0" } else { "I1" };
            assert_eq!(host.lines.len(), 1);
            let field = |name: &str| host.lines[0].fields.iter().find(|field| field.name == name).map(|field| field.value.as_str());
            assert_eq!((field("incident"), field("why")), (Some(incident), Some("HTTP 400: invalid")));
        }
    }

    #[test]
    fn where_none_was_taken_it_is_refused() {
        let (outcome, host) = sent(vec![Ok(response(400, "invalid")), Ok(response(422, ""))]);
        assert_eq!((outcome, host.lines.len()), (Err(DeliveryError::permanent("HTTP 400: invalid")), 0));
    }

    #[test]
    fn what_has_to_be_tried_again_outweighs_all_else() {
        let mut busy = response(429, "");
        busy.headers.push(Header { name: "retry-after".to_owned(), value: "60".to_owned() });
        let (outcome, _) = sent(vec![Ok(response(400, "")), Err(HttpError::Timeout("slow".into())), Ok(busy), Ok(response(202, ""))]);
        assert_eq!(outcome, Err(DeliveryError::retryable_after_ms("slow", 60_000)));
    }

    #[test]
    fn of_no_alert_there_is_nothing_to_send() {
        assert_eq!(sent(Vec::new()).0, Ok(Receipt::default().of_named_alerts()));
    }
}
