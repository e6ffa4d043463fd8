//! The sink `pagerduty`: one event for each alert, by the Events API v2.
//!
//! The incident's id is the `dedup_key`: PagerDuty joins what has the same key to one incident, so that a repeated event changes nothing, and
//! finds by it what is acknowledged and resolved. `event` makes an event, `pagerduty` sends them.

mod event;
mod pagerduty;

use pagerduty::PagerDuty;

sickbay_sdk::plugin! {
    name: "pagerduty",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Triggers, acknowledges and resolves incidents in PagerDuty",
    licence: "Apache-2.0",
    sinks: [PagerDuty],
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::assert_sink_well_described;

    use super::*;

    #[test]
    fn the_kind_is_described_as_the_host_asks() {
        assert_sink_well_described::<PagerDuty>();
    }
}
