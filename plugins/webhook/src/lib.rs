//! The sink `webhook`: posts a notification as Alertmanager does, so that receivers which exist keep working.
//!
//! `message` makes the body, `signature` signs it as Standard Webhooks has it.

mod message;
mod signature;
mod webhook;

use webhook::Webhook;

sickbay_sdk::plugin! {
    name: "webhook",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Posts alerts as Alertmanager's webhook does, signed as Standard Webhooks has it",
    licence: "Apache-2.0",
    sinks: [Webhook],
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::assert_sink_well_described;

    use super::*;

    #[test]
    fn the_kind_is_described_as_the_host_asks() {
        assert_sink_well_described::<Webhook>();
    }
}
