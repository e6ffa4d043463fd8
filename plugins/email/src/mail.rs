//! One mail, from its parts to its bytes.
//!
//! Invariant: an address holds no blank, no control character and no angle bracket: it can end neither a line nor a command.

use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::message_id::MessageId;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::{BodyPart, MimePart};
use sickbay_sdk::{Error, Label, Notification, sinks};

/// Incidents that a mail refers to.
const INCIDENTS_MAX: usize = 10;

/// Who sends or receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mailbox<'text> {
    name: Option<&'text str>,
    pub(crate) address: &'text str,
}

impl<'text> Mailbox<'text> {
    /// `a@example.com`, or `A name <a@example.com>`.
    pub(crate) fn parse(text: &'text str) -> Result<Mailbox<'text>, Error> {
        let (name, address) = match text.strip_suffix('>').and_then(|text| text.split_once('<')) {
            Some((name, address)) => (Some(name.trim()).filter(|name| !name.is_empty()), address),
            None => (None, text),
        };
        let is_unfit = |character: char| character.is_control() || matches!(character, '<' | '>');
        let is_whole = address.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
        let is_broken = address.contains(char::is_whitespace) || address.contains(is_unfit);
        if !is_whole || is_broken || name.is_some_and(|name| name.contains(is_unfit)) {
            return Err(Error::configuration("an address of `from` or `to` is none; hint: write a@example.com or A name <a@example.com>"));
        }
        Ok(Mailbox { name, address })
    }

    fn domain(&self) -> &'text str {
        self.address.rsplit_once('@').map_or("localhost", |(_, domain)| domain)
    }

    fn header(&self) -> Address<'text> {
        Address::new_address(self.name, self.address)
    }
}

/// What is sent.
pub(crate) struct Mail<'request> {
    pub(crate) from: Mailbox<'request>,
    pub(crate) to: Vec<Mailbox<'request>>,
    /// On one line.
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: Option<String>,
    pub(crate) sent_at_ms: u64,
    pub(crate) notification: &'request Notification,
}

impl Mail<'_> {
    /// The same for each attempt at a notification.
    fn message_id(&self) -> String {
        self.id(&self.notification.idempotency_key)
    }

    /// Of the first mail of the group: what later ones answer to.
    pub(crate) fn thread_id(&self) -> String {
        self.notification.reference.clone().unwrap_or_else(|| self.message_id())
    }

    /// What it belongs to, the oldest first.
    fn references(&self) -> Vec<String> {
        let incidents =
            self.notification.alerts.iter().take(INCIDENTS_MAX).map(|alert| self.id(&format!("incident.{}", alert.incident_id)));
        incidents.chain(self.notification.reference.clone()).collect()
    }

    fn id(&self, text: &str) -> String {
        let fit = |character: char| if character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_') { character } else { '-' };
        let text: String = text.chars().map(fit).collect();
        format!("{text}@{}", self.from.domain())
    }

    /// As it goes over the wire, with a dot before each that begins a line, and the line that ends it.
    pub(crate) fn to_wire(&self) -> Vec<u8> {
        dot_stuffed(&self.to_bytes())
    }

    fn to_bytes(&self) -> Vec<u8> {
        let references = self.references();
        let mut message = MessageBuilder::new()
            .message_id(self.message_id())
            .date(self.sent_at_ms / 1000)
            .from(self.from.header())
            .to(self.to.iter().map(Mailbox::header).collect::<Vec<Address<'_>>>())
            .subject(self.subject.as_str())
            // Nobody who is away answers to it.
            .header("Auto-Submitted", Raw::new("auto-generated"));
        if let Some(last) = references.last() {
            message = message.in_reply_to(last.clone()).references(MessageId::from(references.clone()));
        }
        let mut bytes = Vec::new();
        message.body(self.body()).serialize(&mut bytes);
        bytes
    }

    fn body(&self) -> MimePart<'static> {
        let text = part("text/plain", &self.text);
        match &self.html {
            None => text,
            // A boundary of its own would be made of the time. No encoded text has `=_` in it.
            Some(html) => {
                let key = Label::new("key", self.notification.idempotency_key.as_str());
                let boundary = format!("=_sickbay_{}", sinks::fingerprint(&[key]));
                let content_type = ContentType::new("multipart/alternative").attribute("boundary", boundary);
                MimePart::new(content_type, BodyPart::Multipart(vec![text, part("text/html", html)]))
            }
        }
    }
}

fn part(content_type: &'static str, text: &str) -> MimePart<'static> {
    MimePart::new(content_type, BodyPart::Text(text.replace("\r\n", "\n").replace('\n', "\r\n").into()))
}

/// RFC 5321, 4.5.2.
fn dot_stuffed(message: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(message.len() + 64);
    let mut begins_line = true;
    for &byte in message {
        if begins_line && byte == b'.' {
            stuffed.push(b'.');
        }
        begins_line = byte == b'\n';
        stuffed.push(byte);
    }
    if !stuffed.ends_with(b"\r\n") {
        stuffed.extend_from_slice(b"\r\n");
    }
    stuffed.extend_from_slice(b".\r\n");
    stuffed
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{alert, notification};

    use super::*;

    fn mail(notification: &Notification) -> Mail<'_> {
        Mail {
            from: Mailbox::parse("Sickbay <sickbay@example.com>").expect("an address"),
            to: vec![Mailbox::parse("oncall@example.com").expect("an address")],
            subject: "CRITICAL test: ausgefallen, größer".to_owned(),
            text: "first\n.second\n".to_owned(),
            html: Some("<p>first</p>".to_owned()),
            sent_at_ms: 1_767_225_600_000,
            notification,
        }
    }

    fn lines(mail: &Mail<'_>) -> Vec<String> {
        String::from_utf8(mail.to_wire()).expect("ASCII").split("\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn a_mail_is_plain_text_and_html_with_headers_that_thread() {
        let told = notification(vec![alert()]);
        let lines = lines(&mail(&told));
        for line in [
            "Message-ID: <test-key@example.com>",
            "Date: Thu, 1 Jan 2026 00:00:00 +0000",
            "To: <oncall@example.com>",
            "In-Reply-To: <incident.01INCIDENT@example.com>",
            "References: <incident.01INCIDENT@example.com>",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
            "first",
            "..second",
            "<p>first</p>",
        ] {
            assert!(lines.iter().any(|found| found == line), "{line} is not in {lines:#?}");
        }
        let whole = lines.join("\n");
        assert!(whole.contains("multipart/alternative") && whole.contains("text/plain") && whole.contains("text/html"), "{whole}");
        assert!(whole.contains("Subject: =?utf-8?") && whole.is_ascii(), "{whole}");
        assert_eq!(lines[lines.len() - 2..], [".", ""]);
    }

    #[test]
    fn later_mails_answer_to_the_first_of_the_group() {
        let told = Notification { reference: Some("first-key@example.com".to_owned()), ..notification(vec![alert()]) };
        let mail = mail(&told);
        assert_eq!(mail.thread_id(), "first-key@example.com");
        let lines = lines(&mail);
        assert!(lines.iter().any(|line| line == "In-Reply-To: <first-key@example.com>"), "{lines:#?}");
        let whole = lines.join("\n");
        assert!(whole.contains("<incident.01INCIDENT@example.com>") && whole.contains("<first-key@example.com>"), "{whole}");
    }

    #[test]
    fn the_same_notification_is_the_same_mail_and_a_key_makes_no_header() {
        let told = Notification { idempotency_key: "a>\r\nBcc: x@y".to_owned(), ..notification(vec![alert()]) };
        let (one, two) = (mail(&told).to_wire(), mail(&told).to_wire());
        assert_eq!(one, two);
        assert!(String::from_utf8_lossy(&one).contains("Message-ID: <a---Bcc--x-y@example.com>\r\n"));
    }

    #[test]
    fn a_mail_without_html_has_one_part() {
        let told = notification(vec![alert()]);
        let mail = Mail { html: None, ..mail(&told) };
        assert!(!String::from_utf8_lossy(&mail.to_wire()).contains("multipart"));
    }

    #[test]
    fn what_could_end_a_command_is_no_address() {
        assert_eq!(Mailbox::parse("A B <a@b>"), Ok(Mailbox { name: Some("A B"), address: "a@b" }));
        assert_eq!(Mailbox::parse("<a@b>"), Ok(Mailbox { name: None, address: "a@b" }));
        for text in ["", "a", "@b", "a@", "a@b>\r\nRCPT TO:<c@d>", "a b@c", "<a@b", "a@b\r\n", "x <<a@b>"] {
            assert!(Mailbox::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_dot_that_begins_a_line_is_doubled_and_one_dot_ends_it() {
        assert_eq!(dot_stuffed(b".a\r\n..\r\nb."), b"..a\r\n...\r\nb.\r\n.\r\n");
        assert_eq!(dot_stuffed(b""), b"\r\n.\r\n");
    }
}
