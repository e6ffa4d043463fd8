//! Sinks that reach a phone by Twilio: `sms` sends one text message for each notification, `call` calls and reads it out.
//!
//! Each tells one number: a request that tells one of several and fails at the next would tell the first again. Name a sink for each.

mod account;
mod call;
mod form;
mod sms;

use call::Call;
use sms::Sms;

sickbay_sdk::plugin! {
    name: "twilio",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Text messages and calls by Twilio",
    licence: "Apache-2.0",
    sinks: [Sms, Call],
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::assert_sink_well_described;

    use super::*;

    #[test]
    fn the_kinds_are_described_as_the_host_asks() {
        assert_sink_well_described::<Sms>();
        assert_sink_well_described::<Call>();
    }
}
