//! SMTP (RFC 5321) as far as one mail needs it: EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA.
//!
//! A reply of 5xx is a refusal, unless it is about the login, which can be mended meanwhile; any other that was not expected is tried again.
//! A recipient that the server does not take keeps the mail from nobody else: only where none is left the mail is not handed over.
//!
//! Invariant: unless the configuration says `tls = "none"`, nothing but EHLO and STARTTLS goes out before the connection is encrypted.

use sickbay_sdk::net::Connection;
use sickbay_sdk::net::reply::{Reply, ask, shown};
use sickbay_sdk::prelude::*;

use crate::email::{Config, Tls};
use crate::login::login;
use crate::mail::Mail;

/// Of a login: it is missing, too weak, wrong, or wants encryption (RFC 4954).
const CODES_OF_LOGIN: [u16; 4] = [530, 534, 535, 538];

/// Gives the recipients that the server did not take, each with why.
pub(crate) fn send(config: &Config, mail: &Mail<'_>) -> Result<Vec<(String, DeliveryError)>, DeliveryError> {
    let connection = connect(config)?;
    expect(Reply::receive(&connection)?, &[220], "connecting")?;
    let mut offered = greet(&connection, config)?;
    if config.tls == Tls::Starttls {
        offered = encrypt(&connection, config, &offered)?;
    }
    if let Some(user) = &config.user {
        login(&connection, &offered, user, &config.password)?;
    }
    let refused = address(&connection, mail)?;
    expect(ask(&connection, "DATA")?, &[354], "DATA")?;
    connection.send(&mail.to_wire())?;
    expect(Reply::receive(&connection)?, &[250], "the mail")?;
    // The server has it; what comes of a farewell does not matter.
    let _ = connection.send(b"QUIT\r\n");
    Ok(refused)
}

fn connect(config: &Config) -> Result<Connection, DeliveryError> {
    let mut connect = if config.tls == Tls::Implicit { net::tls(&config.address) } else { net::tcp(&config.address) };
    connect.target.server_name = config.server_name.clone();
    Ok(connect.open()?)
}

/// What the server can do.
fn greet(connection: &Connection, config: &Config) -> Result<Reply, DeliveryError> {
    expect(ask(connection, &format!("EHLO {}", config.hello))?, &[250], "EHLO")
}

fn encrypt(connection: &Connection, config: &Config, offered: &Reply) -> Result<Reply, DeliveryError> {
    if !offered.lines.iter().any(|line| line.eq_ignore_ascii_case("STARTTLS")) {
        let message = format!("{} does not offer STARTTLS; hint: tls = \"implicit\" or, in the clear, tls = \"none\"", config.address);
        return Err(DeliveryError::retryable(message));
    }
    expect(ask(connection, "STARTTLS")?, &[220], "STARTTLS")?;
    connection.start_tls()?;
    greet(connection, config)
}

/// From whom, and for whom.
fn address(connection: &Connection, mail: &Mail<'_>) -> Result<Vec<(String, DeliveryError)>, DeliveryError> {
    expect(ask(connection, &format!("MAIL FROM:<{}>", mail.from.address))?, &[250], "MAIL")?;
    let mut refused = Vec::new();
    for to in &mail.to {
        if let Err(error) = expect(ask(connection, &format!("RCPT TO:<{}>", to.address))?, &[250, 251], "RCPT") {
            refused.push((to.address.to_owned(), error));
        }
    }
    if refused.len() < mail.to.len() {
        return Ok(refused);
    }
    let passing = refused.iter().position(|(_, error)| matches!(error, DeliveryError::Retryable(_)));
    let error = refused.into_iter().nth(passing.unwrap_or(0)).map(|(_, error)| error);
    Err(error.unwrap_or_else(|| DeliveryError::permanent("there is no recipient")))
}

/// The reply where it has one of these codes; `step` names what it answers.
pub(crate) fn expect(reply: Reply, codes: &[u16], step: &str) -> Result<Reply, DeliveryError> {
    if codes.contains(&reply.code) {
        return Ok(reply);
    }
    let message = format!("{step} was answered by {} {}", reply.code, shown(&reply.lines.join(" ")));
    let is_for_good = (500..600).contains(&reply.code) && !CODES_OF_LOGIN.contains(&reply.code);
    Err(if is_for_good { DeliveryError::permanent(message) } else { DeliveryError::retryable(message) })
}

pub(crate) fn said(error: &DeliveryError) -> &str {
    match error {
        DeliveryError::Retryable(retry) => &retry.message,
        DeliveryError::Permanent(message) => message,
    }
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::net::NetError;
    use sickbay_sdk::testing::{Dialogue, FakeHost, alert, notification, tls_until};

    use super::*;
    use crate::email::Email;

    const BEFORE_TLS: [&str; 4] = ["220 mail ready\r\n", "250-mail\r\n", "250 STARTTLS\r\n", "220 go\r\n"];

    fn config(more: Value) -> Value {
        let mut config = Email::example();
        config.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        config
    }

    fn host(answers: &[&str]) -> FakeHost {
        FakeHost::default().net(Ok(Dialogue::answering(answers).with_tls(tls_until(u64::MAX))))
    }

    fn deliver(host: &mut FakeHost, config: Value) -> Result<Receipt, DeliveryError> {
        host.deliver::<Email>(config, notification(vec![alert()]))
    }

    /// All but the mail itself.
    fn said_lines(host: &FakeHost) -> Vec<String> {
        let lines = host.said.iter().map(|bytes| String::from_utf8_lossy(bytes).trim_end().to_owned());
        lines.filter(|line| !line.contains("Message-ID")).collect()
    }

    #[test]
    fn a_mail_is_handed_over_encrypted_and_logged_in() {
        let after =
            ["250-mail\r\n", "250 AUTH LOGIN PLAIN\r\n", "235 in\r\n", "250 from\r\n", "250 to\r\n", "354 go\r\n", "250 queued\r\n"];
        let mut host = host(&[&BEFORE_TLS[..], &after].concat());
        assert_eq!(deliver(&mut host, Email::example()), Ok(Receipt::new("test-key@example.com")));
        let expected = [
            "EHLO sickbay",
            "STARTTLS",
            "EHLO sickbay",
            "AUTH PLAIN base64(\0sickbay\0{{secret:smtp-password}})",
            "MAIL FROM:<sickbay@example.com>",
            "RCPT TO:<oncall@example.com>",
            "DATA",
            "QUIT",
        ];
        assert_eq!(said_lines(&host), expected);
        assert_eq!((host.targets[0].address.as_str(), host.targets[0].tls), ("mail.example.com:587", false));
        let mail = String::from_utf8_lossy(&host.said[7]).into_owned();
        assert!(mail.contains("Subject: CRITICAL test: the service does not answer\r\n") && mail.ends_with("\r\n.\r\n"), "{mail}");
    }

    #[test]
    fn a_server_that_does_not_encrypt_is_told_nothing() {
        let mut host = host(&["220 mail\r\n", "250 AUTH PLAIN\r\n"]);
        let outcome = deliver(&mut host, Email::example());
        assert!(matches!(outcome, Err(DeliveryError::Retryable(retry)) if retry.message.contains("STARTTLS")));
        assert_eq!(said_lines(&host), ["EHLO sickbay"]);
    }

    #[test]
    fn encryption_from_the_first_byte_and_none_at_all_are_choices() {
        let answers = ["220 mail\r\n", "250 mail\r\n", "250 from\r\n", "250 to\r\n", "354 go\r\n", "250 queued\r\n"];
        for (tls, encrypted) in [("implicit", true), ("none", false)] {
            let mut host = host(&answers);
            let mut config = config(json!({ "tls": tls }));
            config.as_object_mut().expect("an object").remove("user");
            deliver(&mut host, config).expect("delivered");
            assert_eq!(host.targets[0].tls, encrypted);
            assert!(!said_lines(&host).iter().any(|line| line == "STARTTLS" || line.starts_with("AUTH")));
        }
    }

    #[test]
    fn a_recipient_that_is_refused_keeps_the_mail_from_nobody_else() {
        let answers =
            ["220 mail\r\n", "250 mail\r\n", "250 from\r\n", "550 no such user\r\n", "250 to\r\n", "354 go\r\n", "250 queued\r\n"];
        let mut config = config(json!({ "tls": "none", "to": ["gone@example.com", "oncall@example.com"] }));
        config.as_object_mut().expect("an object").remove("user");
        let mut host = host(&answers);
        deliver(&mut host, config).expect("delivered");
        let field = |name: &str| host.lines[0].fields.iter().find(|field| field.name == name).map(|field| field.value.as_str());
        assert_eq!((field("to"), field("why")), (Some("gone@example.com"), Some("RCPT was answered by 550 no such user")));
    }

    #[test]
    fn a_refusal_is_for_good_and_a_busy_server_is_tried_again() {
        let mut plain = config(json!({ "tls": "none", "to": ["a@example.com", "b@example.com"] }));
        plain.as_object_mut().expect("an object").remove("user");
        let greeted = ["220 mail\r\n", "250 mail\r\n", "250 from\r\n"];
        let outcome = |answers: &[&str]| deliver(&mut host(&[&greeted[..], answers].concat()), plain.clone());
        let gone = outcome(&["550 no such user\r\n", "551 gone\r\n"]);
        assert_eq!(gone, Err(DeliveryError::permanent("RCPT was answered by 550 no such user")));
        let greylisted = outcome(&["550 no such user\r\n", "451 try later\r\n"]);
        assert_eq!(greylisted, Err(DeliveryError::retryable("RCPT was answered by 451 try later")));
        let too_large = outcome(&["250 a\r\n", "250 b\r\n", "354 go\r\n", "552 too large\r\n"]);
        assert_eq!(too_large, Err(DeliveryError::permanent("the mail was answered by 552 too large")));
        let without_login = deliver(&mut host(&["220 mail\r\n", "250 mail\r\n", "530 log in first\r\n"]), plain.clone());
        assert_eq!(without_login, Err(DeliveryError::retryable("MAIL was answered by 530 log in first")));
        assert!(matches!(deliver(&mut host(&["421 busy\r\n"]), plain.clone()), Err(DeliveryError::Retryable(_))));
        let mut closed = FakeHost::default().net(Err(NetError::Refused("the port is closed".into())));
        assert_eq!(deliver(&mut closed, plain), Err(DeliveryError::retryable("the port is closed")));
    }

    #[test]
    fn a_mail_whose_end_was_not_answered_is_tried_again() {
        let mut plain = config(json!({ "tls": "none" }));
        plain.as_object_mut().expect("an object").remove("user");
        let mut host = host(&["220 mail\r\n", "250 mail\r\n", "250 from\r\n", "250 to\r\n", "354 go\r\n"]);
        assert!(matches!(deliver(&mut host, plain), Err(DeliveryError::Retryable(_))));
    }
}
