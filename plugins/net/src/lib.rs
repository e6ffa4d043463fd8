//! Checks below HTTP: ports, certificates, names, mail servers, and who should be listening.
//!
//! Each kind connects or looks up once, plays its dialogue, and judges what came. A service that does not answer is critical by the
//! SDK's mapping of errors.

mod dns;
mod listeners;
mod phases;
mod smtp;
mod starttls;
mod tcp;
mod tls;

use dns::Dns;
use listeners::Listeners;
use smtp::Smtp;
use tcp::Tcp;
use tls::Tls;

/// HOST:PORT, an IPv6 address in brackets.
pub(crate) const ADDRESS: &str = r"^([^\s:/\[\]]+|\[[^\s/\[\]]+\]):[0-9]{1,5}$";

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

    #[test]
    fn what_an_address_and_a_record_may_be_stands_in_the_schema() {
        let properties = |schema: schemars::Schema| schema.to_value()["properties"].clone();
        for schema in [schemars::schema_for!(tcp::Config), schemars::schema_for!(tls::Config), schemars::schema_for!(smtp::Config)] {
            assert_eq!(properties(schema)["address"]["pattern"], ADDRESS);
        }
        let listeners = properties(schemars::schema_for!(listeners::Config));
        assert_eq!([&listeners["open"]["items"]["pattern"], &listeners["closed"]["items"]["pattern"]], [ADDRESS, ADDRESS]);
        let dns = properties(schemars::schema_for!(dns::Config));
        assert!(dns["record"]["enum"].as_array().is_some_and(|records| records.iter().any(|record| record == "MX")), "{dns}");
    }
}
