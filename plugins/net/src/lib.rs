//! Checks below HTTP: ports, certificates, names, mail servers, and who should be listening.
//!
//! Each kind connects or looks up once, plays its dialogue, and judges what came. A service that does not answer is critical by the
//! SDK's mapping of errors.

mod dns;
mod listeners;
mod phases;
mod reply;
mod smtp;
mod starttls;
mod tcp;
mod tls;

use dns::Dns;
use listeners::Listeners;
use smtp::Smtp;
use tcp::Tcp;
use tls::Tls;

sickbay_sdk::plugin! {
    name: "net",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Ports, certificates, names, mail servers, and who should be listening",
    checks: [Tcp, Tls, Dns, Smtp, Listeners],
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::assert_well_described;

    use super::*;

    #[test]
    fn the_kinds_are_described_as_the_host_asks() {
        assert_well_described::<Tcp>();
        assert_well_described::<Tls>();
        assert_well_described::<Dns>();
        assert_well_described::<Smtp>();
        assert_well_described::<Listeners>();
    }
}
