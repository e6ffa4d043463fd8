//! The sink `slack`: one message for each notification, with a coloured attachment for each alert.
//!
//! By an incoming webhook (`url`), or as a bot (`token` and `channel`), which keeps what belongs together in one thread. `message` makes the
//! message, `slack` posts it.

mod message;
mod slack;

use slack::Slack;

sickbay_sdk::plugin! {
    name: "slack",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Messages in Slack, coloured by level, in threads",
    licence: "Apache-2.0",
    sinks: [Slack],
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::assert_sink_well_described;

    use super::*;

    #[test]
    fn the_kind_is_described_as_the_host_asks() {
        assert_sink_well_described::<Slack>();
    }
}
