//! `email`: renders the texts, makes the mail, hands it over.
//!
//! The Message-ID comes from the notification's key, so that a mail that was handed over twice is one to its readers. All mails about an
//! incident refer to one id made of the incident's, and those about a group to the first mail of it, so that they thread.

use sickbay_sdk::prelude::*;
use sickbay_sdk::sinks::{HTML_KEY, TEXT, TITLE, Texts, cut_bytes, cut_characters, one_line};

use crate::mail::{Mail, Mailbox};
use crate::smtp;

/// The host lends a run 100 calls, and a recipient costs two.
const RECIPIENTS_MAX: usize = 20;
/// Longer ones are cut off in lists of mails.
const SUBJECT_CHARACTERS_MAX: usize = 200;
/// Of each of both texts: the contract sends 1 MiB at once, and an encoded text is longer.
const TEXT_BYTES_MAX: usize = 128 << 10;

/// What the HTML is made of where the configuration has none.
const HTML: &str = include_str!("mail.html");

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The mail server, host:port: 587 with starttls, 465 with implicit, 25 inside.
    #[schemars(regex(pattern = r"^([^\s:/\[\]]+|\[[^\s/\[\]]+\]):[0-9]{1,5}$"), example = "mail.example.com:587")]
    pub(crate) address: String,
    /// How the connection is encrypted: after STARTTLS, from the first byte (implicit), or not at all (none). Where a server does not offer
    /// STARTTLS, nothing is sent.
    #[serde(default)]
    pub(crate) tls: Tls,
    /// Name that the certificate must be for, where it is not the host of the address.
    #[serde(default)]
    pub(crate) server_name: Option<String>,
    /// The name that is said in EHLO.
    #[serde(default = "default_hello")]
    #[schemars(length(min = 1, max = 255), regex(pattern = "^[A-Za-z0-9.:\\[\\]-]+$"))]
    pub(crate) hello: String,
    /// Who logs in; nobody where absent.
    #[serde(default)]
    pub(crate) user: Option<String>,
    /// The password: {{secret:NAME}}.
    #[serde(default)]
    pub(crate) password: String,
    /// Whom it is from: sickbay@example.com, or Sickbay <sickbay@example.com>.
    #[schemars(length(min = 3, max = 320))]
    from: String,
    /// Whom it is for, at most 20.
    #[schemars(length(min = 1, max = 20))]
    to: Vec<String>,
    /// Template of the subject.
    #[serde(default = "default_title")]
    #[schemars(extend("format" = "minijinja"))]
    title: String,
    /// Template of the plain text.
    #[serde(default = "default_text")]
    #[schemars(extend("format" = "minijinja"))]
    text: String,
    /// Template of the HTML, where what it names is escaped; "" sends plain text alone.
    #[serde(default = "default_html")]
    #[schemars(extend("format" = "minijinja"))]
    html: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tls {
    #[default]
    Starttls,
    Implicit,
    None,
}

fn default_hello() -> String {
    "sickbay".to_owned()
}

fn default_title() -> String {
    TITLE.to_owned()
}

fn default_text() -> String {
    TEXT.to_owned()
}

fn default_html() -> String {
    HTML.to_owned()
}

pub(crate) struct Email;

impl Sink for Email {
    const NAME: &'static str = "email";
    const SUMMARY: &'static str = "Sends a mail by SMTP";
    type Config = Config;

    fn example() -> Value {
        json!({
            "address": "mail.example.com:587",
            "user": "sickbay",
            "password": "{{secret:smtp-password}}",
            "from": "Sickbay <sickbay@example.com>",
            "to": ["oncall@example.com"],
        })
    }

    fn needs() -> Vec<Need> {
        vec![
            Need::new("net", "talks to the mail server; `tls://` with tls = \"implicit\"", "net = [\"tcp://{address}\"]"),
            Need::new("secrets", "logs in, once it is encrypted", "secrets = [{ name = \"smtp-password\", to = [\"tls://{address}\"] }]"),
        ]
    }

    fn deliver(request: &SinkRequest<Config>) -> Result<Receipt, DeliveryError> {
        let SinkRequest { config, notification, .. } = request;
        if notification.phase == Phase::Other {
            return Ok(Receipt::default());
        }
        if config.to.len() > RECIPIENTS_MAX {
            return Err(
                Error::configuration(format!("`to` has more than {RECIPIENTS_MAX} addresses; hint: name a list, or another sink")).into()
            );
        }
        let texts = Texts::about(notification);
        let html = texts.render(HTML_KEY, &config.html)?;
        let mail = Mail {
            from: Mailbox::parse(&config.from)?,
            to: config.to.iter().map(|to| Mailbox::parse(to)).collect::<Result<Vec<_>, Error>>()?,
            subject: cut_characters(&one_line(&texts.render("title", &config.title)?), SUBJECT_CHARACTERS_MAX),
            text: cut_bytes(texts.render("text", &config.text)?, TEXT_BYTES_MAX),
            // Half of a page is none: a longer one stays away.
            html: Some(html).filter(|html| !html.is_empty() && html.len() <= TEXT_BYTES_MAX),
            sent_at_ms: clock::now_ms(),
            notification,
        };
        for (address, error) in smtp::send(config, &mail)? {
            log::warn("the mail server did not take a recipient", &[("to", address.as_str()), ("why", smtp::said(&error))]);
        }
        Ok(Receipt::new(mail.thread_id()))
    }
}
