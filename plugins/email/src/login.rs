//! Logging in at a mail server: PLAIN, or LOGIN where it offers nothing better (RFC 4954).
//!
//! Both are one base64 of the password, which only the host can make.

use sickbay_sdk::net::Connection;
use sickbay_sdk::net::reply::{Reply, ask};
use sickbay_sdk::prelude::*;

use crate::smtp::expect;

pub(crate) fn login(connection: &Connection, offered: &Reply, user: &str, password: &str) -> Result<(), DeliveryError> {
    if offers(offered, "PLAIN") {
        let token = encoded(&format!("\0{user}\0{password}"))?;
        expect(ask(connection, &format!("AUTH PLAIN {token}"))?, &[235], "AUTH PLAIN")?;
        return Ok(());
    }
    if offers(offered, "LOGIN") {
        expect(ask(connection, "AUTH LOGIN")?, &[334], "AUTH LOGIN")?;
        expect(ask(connection, &encoded(user)?)?, &[334], "the user")?;
        expect(ask(connection, &encoded(password)?)?, &[235], "the password")?;
        return Ok(());
    }
    Err(DeliveryError::retryable("the mail server offers neither AUTH PLAIN nor AUTH LOGIN; hint: leave `user` out, or encrypt with `tls`"))
}

fn encoded(text: &str) -> Result<String, secrets::SecretError> {
    secrets::encode(text, "base64")
}

/// `250-AUTH PLAIN LOGIN`; older servers write `AUTH=PLAIN`.
fn offers(offered: &Reply, mechanism: &str) -> bool {
    offered.lines.iter().any(|line| {
        let mut words = line.split([' ', '=']);
        words.next().is_some_and(|word| word.eq_ignore_ascii_case("AUTH")) && words.any(|word| word.eq_ignore_ascii_case(mechanism))
    })
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{Dialogue, FakeHost};

    use super::*;

    fn logged_in(offered: &str, answers: &[&str]) -> (Result<(), DeliveryError>, Vec<String>) {
        let mut host = FakeHost::default().net(Ok(Dialogue::answering(answers)));
        let offered = Reply { code: 250, lines: vec!["mail".to_owned(), offered.to_owned()] };
        let outcome = host.serve(|| {
            let connection = net::tcp("mail:25").open()?;
            login(&connection, &offered, "sickbay", "{{secret:x}}")
        });
        (outcome, host.said.iter().map(|bytes| String::from_utf8_lossy(bytes).trim_end().to_owned()).collect())
    }

    #[test]
    fn login_is_used_where_plain_is_not_offered() {
        let (outcome, said) = logged_in("AUTH=LOGIN CRAM-MD5", &["334 user\r\n", "334 password\r\n", "235 in\r\n"]);
        assert_eq!((outcome, said), (Ok(()), ["AUTH LOGIN", "base64(sickbay)", "base64({{secret:x}})"].map(str::to_owned).to_vec()));
    }

    #[test]
    fn a_password_that_is_wrong_is_tried_again_and_a_server_that_takes_none_is_told() {
        for code in [530, 534, 535] {
            let (outcome, _) = logged_in("AUTH PLAIN", &[format!("{code} no\r\n").as_str()]);
            assert_eq!(outcome, Err(DeliveryError::retryable(format!("AUTH PLAIN was answered by {code} no"))));
        }
        let (outcome, _) = logged_in("AUTH PLAIN", &["504 no such mechanism\r\n"]);
        assert_eq!(outcome, Err(DeliveryError::permanent("AUTH PLAIN was answered by 504 no such mechanism")));
        let (outcome, said) = logged_in("SIZE 1000", &[]);
        assert!(matches!(outcome, Err(DeliveryError::Retryable(retry)) if retry.message.contains("neither")));
        assert!(said.is_empty());
    }
}
