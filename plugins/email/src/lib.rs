//! The sink `email`: one mail for each notification, by SMTP.
//!
//! `email` is the configuration and the steps, `mail` makes the mail, `smtp` hands it to a server, `login` logs in there.

mod email;
mod login;
mod mail;
mod smtp;

use email::Email;

sickbay_sdk::plugin! {
    name: "email",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Mail by SMTP, with STARTTLS and login",
    licence: "Apache-2.0",
    sinks: [Email],
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::assert_sink_well_described;

    use super::*;

    #[test]
    fn the_kind_is_described_as_the_host_asks() {
        assert_sink_well_described::<Email>();
    }
}
