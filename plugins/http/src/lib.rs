//! Checks that speak HTTP: `http` judges an answer, `websocket` an upgrade.
//!
//! Each kind sends one request and judges what came back in a pure function. Metrics are reported whatever the verdict;
//! a service that did not answer at all is critical by the SDK's mapping of errors.

mod certificate;
mod expectation;
mod http_check;
mod latency;
mod websocket_check;

use http_check::Http;
use websocket_check::Websocket;

sickbay_sdk::plugin! {
    name: "http",
    version: env!("CARGO_PKG_VERSION"),
    summary: "HTTP requests and WebSocket upgrades: status, content, latency, certificate",
    checks: [Http, Websocket],
}

/// What any request may end with, by the SDK's mapping of errors.
pub(crate) const CALL_FAILURES: [&str; 6] = ["dns", "connection", "refused", "tls", "timeout", "protocol"];

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::assert_well_described;

    use super::*;

    #[test]
    fn the_kinds_are_described_as_the_host_asks() {
        assert_well_described::<Http>();
        assert_well_described::<Websocket>();
    }
}
