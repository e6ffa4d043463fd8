//! One delivery: a sink is asked to tell one notification. Always on a fresh instance.
//!
//! Limits: a message has [`MESSAGE_BYTES_MAX`] on one line. A reference of more than [`REFERENCE_BYTES_MAX`] is left out: what is cut names nothing.

use std::time::{Duration, Instant};

use sickbay_core::EndCause;

use crate::answer::one_line;
use crate::bindings::exports::sickbay::plugin::sink;
use crate::notification::{MESSAGE_BYTES_MAX, REFERENCE_BYTES_MAX, SinkRequest, asked};
use crate::plugin::{Settled, bounded, fresh_store, settle};
use crate::{Lend, Limits, Plugin, RunUsage};

/// The extra of a receipt by which a sink says that it told the alerts that are named and not those that are only counted.
const TELLS_NAMED: (&str, &str) = ("tells", "named");

/// All that one delivery can come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkFinding {
    /// The receiver has it; `reference` is what it is called there.
    Delivered { reference: Option<String> },
    /// The same of the alerts that are named; those that are only counted it was not told.
    DeliveredNamed { reference: Option<String> },
    /// The receiver could not take it now. It may have it all the same: an answer can be lost.
    Retry { message: String, after_ms: Option<u32> },
    /// Trying again cannot help.
    Refused { message: String },
    /// The host ended the run.
    Ended(EndCause),
}

/// How a delivery ended.
pub struct DeliveryOutcome<L> {
    pub finding: SinkFinding,
    pub usage: RunUsage,
    /// What the guest wrote to stdout and stderr, at most `log_bytes`.
    pub output: String,
    /// Where the guest was when it crashed, innermost first.
    pub backtrace: Vec<String>,
    /// What was lent comes back, with what it saw.
    pub lent: L,
}

impl<L: Lend> Plugin<L> {
    /// One delivery: fresh instance, `sink.deliver`, at most `timeout` on the wall clock.
    ///
    /// Every way that a guest can end is a [`SinkFinding`]; nothing it does is an error of the host.
    pub async fn deliver(&self, request: &SinkRequest<'_>, lent: L, limits: &Limits, timeout: Duration) -> DeliveryOutcome<L> {
        let began = Instant::now();
        let asked = asked(request, timeout);
        let (mut store, cpu) = fresh_store(&self.engine, lent, limits);
        let call = async {
            self.show_folders(&mut store).await;
            let instance = self.pre.instantiate_async(&mut store).await?;
            let guest = self.exported.sink(&mut store, &instance)?;
            guest.call_deliver(&mut store, &asked).await
        };
        let ended = bounded(call, &cpu, &self.lane, timeout).await;
        let Settled { ended, usage, output, backtrace } = settle(&store, &cpu, limits, timeout, began, ended);
        let finding = match ended {
            Ok(answer) => finding(answer, store.data().lent().denied_aside()),
            Err(cause) => SinkFinding::Ended(cause),
        };
        DeliveryOutcome { finding, usage, output, backtrace, lent: store.data_mut().take_lent() }
    }
}

/// With what the guest was denied and not told, which it cannot tell itself. What it takes for a refusal of the receiver is none then: the
/// grant can be mended, so it is tried again.
fn finding(answer: Result<sink::Receipt, sink::DeliveryError>, denied: Option<String>) -> SinkFinding {
    let told = |said: &str| match &denied {
        None => one_line(said, MESSAGE_BYTES_MAX),
        Some(denied) => one_line(&format!("{}; {denied}", one_line(said, MESSAGE_BYTES_MAX / 2)), MESSAGE_BYTES_MAX),
    };
    match answer {
        Ok(receipt) => {
            let tells_named = receipt.extras.iter().any(|extra| (extra.name.as_str(), extra.value.as_str()) == TELLS_NAMED);
            let reference = receipt.reference.filter(|reference| reference.len() <= REFERENCE_BYTES_MAX);
            if tells_named { SinkFinding::DeliveredNamed { reference } } else { SinkFinding::Delivered { reference } }
        }
        Err(sink::DeliveryError::Retryable(retry)) => SinkFinding::Retry { message: told(&retry.message), after_ms: retry.after_ms },
        Err(sink::DeliveryError::Permanent(message)) if denied.is_some() => SinkFinding::Retry { message: told(&message), after_ms: None },
        Err(sink::DeliveryError::Permanent(message)) => SinkFinding::Refused { message: told(&message) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::sickbay::plugin::types;

    fn receipt(reference: &str) -> Result<sink::Receipt, sink::DeliveryError> {
        Ok(sink::Receipt { reference: Some(reference.to_owned()), extras: Vec::new() })
    }

    fn retry(message: &str, after_ms: Option<u32>) -> Result<sink::Receipt, sink::DeliveryError> {
        Err(sink::DeliveryError::Retryable(sink::Retry { message: message.to_owned(), after_ms }))
    }

    fn refusal(message: &str) -> Result<sink::Receipt, sink::DeliveryError> {
        Err(sink::DeliveryError::Permanent(message.to_owned()))
    }

    #[test]
    fn what_a_sink_says_is_bounded() {
        assert_eq!(finding(receipt("OPS-7"), None), SinkFinding::Delivered { reference: Some("OPS-7".to_owned()) });
        let long = "x".repeat(REFERENCE_BYTES_MAX + 1);
        assert_eq!(finding(receipt(&long), None), SinkFinding::Delivered { reference: None });
        let busy = SinkFinding::Retry { message: "HTTP 429 slow down".to_owned(), after_ms: Some(7_000) };
        assert_eq!(finding(retry("HTTP 429\nslow down", Some(7_000)), None), busy);
        let SinkFinding::Refused { message } = finding(refusal(&long), None) else { panic!("it is refused") };
        assert!(message.len() <= MESSAGE_BYTES_MAX && message.ends_with('…'), "{}", message.len());
    }

    #[test]
    fn a_sink_can_say_that_it_told_only_what_is_named() {
        let extra = |value: &str| types::Label { name: "tells".to_owned(), value: value.to_owned() };
        let of = |value: &str| finding(Ok(sink::Receipt { reference: None, extras: vec![extra(value)] }), None);
        assert_eq!(of("named"), SinkFinding::DeliveredNamed { reference: None });
        assert_eq!(of("all"), SinkFinding::Delivered { reference: None });
    }

    #[test]
    fn what_was_denied_is_told_and_is_no_refusal_of_the_receiver() {
        let denied = || Some("not granted; hint: add this line".to_owned());
        let told = SinkFinding::Retry { message: "fetch failed; not granted; hint: add this line".to_owned(), after_ms: None };
        assert_eq!(finding(refusal("fetch failed"), denied()), told);
        assert_eq!(finding(retry("fetch failed", None), denied()), told);
        assert_eq!(finding(receipt("OPS-7"), denied()), SinkFinding::Delivered { reference: Some("OPS-7".to_owned()) });
    }
}
