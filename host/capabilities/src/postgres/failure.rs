//! How a call can fail, in the arms of the contract, and what is made of the server's own errors.

use super::settings::{Encryption, Endpoint};
use crate::denial::Denial;
use crate::meter::Exceeded;
use crate::secrets::{End, Placeholders};
use crate::source::{self, Unreached};

/// Of a message of the server, and of its detail.
const TEXT_BYTES_MAX: usize = 1 << 10;
const ELLIPSIS: char = '…';

/// No message names a host, a user, a password or a database.
#[derive(Debug)]
pub(super) enum Failure {
    Denied(Denial),
    /// The guest asked for something that cannot be done, or the source is configured wrongly.
    Invalid(String),
    Quota(String),
    Connect(String),
    Authentication(String),
    /// By who asks and how, before a password counts: `28000`.
    NotAdmitted(String),
    TooManyConnections(String),
    Timeout(String),
    Server(ServerError),
    Other(String),
}

impl From<Denial> for Failure {
    fn from(denial: Denial) -> Failure {
        Failure::Denied(denial)
    }
}

impl From<Exceeded> for Failure {
    fn from(exceeded: Exceeded) -> Failure {
        Failure::Quota(exceeded.to_string())
    }
}

impl From<Unreached> for Failure {
    fn from(unreached: Unreached) -> Failure {
        match unreached {
            Unreached::Host(message) => Failure::Invalid(message),
            Unreached::Server(message) => Failure::Connect(message),
        }
    }
}

impl Failure {
    /// Of making a connection to `source`, whose name stands in it then.
    pub(super) fn of_source(self, source: &str) -> Failure {
        let named = |message: String| source::named(source, message);
        match self {
            Failure::Invalid(message) => Failure::Invalid(named(message)),
            Failure::Connect(message) => Failure::Connect(named(message)),
            Failure::Authentication(message) => Failure::Authentication(named(message)),
            Failure::NotAdmitted(message) => Failure::NotAdmitted(named(message)),
            Failure::Other(message) => Failure::Other(named(message)),
            other => other,
        }
    }

    /// With placeholders for the secrets in the server's own words; all others are the host's.
    pub(super) fn masked(mut self, secrets: &Placeholders) -> Failure {
        if let Failure::Server(error) = &mut self
            && !secrets.is_empty()
        {
            error.mask(secrets);
        }
        self
    }
}

/// The server's own refusal, as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ServerError {
    pub(super) sqlstate: String,
    /// `ERROR`, `FATAL`, `PANIC`
    pub(super) severity: String,
    pub(super) message: String,
    pub(super) detail: Option<String>,
}

impl ServerError {
    /// The fields of an `ErrorResponse`: a letter and a text each.
    pub(super) fn parse(body: &[u8]) -> ServerError {
        let mut error = ServerError::default();
        let mut local_severity = String::new();
        for field in body.split(|byte| *byte == 0) {
            let Some((letter, text)) = field.split_first() else { continue };
            let text = || String::from_utf8_lossy(text).into_owned();
            match letter {
                b'C' => error.sqlstate = text(),
                b'V' => error.severity = text(),
                b'S' => local_severity = text(),
                b'M' => error.message = text(),
                b'D' => error.detail = Some(text()),
                _ => {}
            }
        }
        // Servers before 9.6 and PgBouncer send only the one that may be translated.
        if error.severity.is_empty() {
            error.severity = local_severity;
        }
        error
    }

    /// Each text is as long as it may be.
    fn mask(&mut self, secrets: &Placeholders) {
        let texts = [&mut self.sqlstate, &mut self.severity, &mut self.message].into_iter().chain(&mut self.detail);
        for text in texts {
            let (told, end) = match text.strip_suffix(ELLIPSIS) {
                Some(told) => (told, End::Cut),
                None => (text.as_str(), End::Whole),
            };
            if let Some(masked) = secrets.mask_bytes(told.as_bytes(), end) {
                let masked = String::from_utf8_lossy(&masked);
                *text = if end == End::Cut { one_line(&format!("{masked}{ELLIPSIS}")) } else { one_line(&masked) };
            }
        }
    }

    pub(super) fn is_fatal(&self) -> bool {
        matches!(self.severity.as_str(), "FATAL" | "PANIC")
    }

    /// Cancelled: by `statement_timeout`, or by somebody.
    pub(super) fn is_cancelled(&self) -> bool {
        self.sqlstate == "57014"
    }

    /// A statement that was prepared earlier does not fit any more: its tables changed, or the server forgot it.
    pub(super) fn is_about_preparing(&self) -> bool {
        matches!(self.sqlstate.as_str(), "0A000" | "26000" | "42P05")
    }

    /// The arm that it belongs to, without what only the operator may know.
    pub(super) fn into_failure(self, source: &str, endpoint: &Endpoint) -> Failure {
        let sqlstate = one_line(&self.sqlstate);
        if sqlstate == "28000" {
            return Failure::NotAdmitted(self.refusal(source, endpoint.encryption));
        }
        if sqlstate.starts_with("28") {
            return Failure::Authentication(self.refusal(source, endpoint.encryption));
        }
        // PgBouncer has no code of its own for it.
        if sqlstate == "53300" || self.message.starts_with("no more connections allowed") {
            return Failure::TooManyConnections(format!("the server of source `{source}` has no connection left ({sqlstate})"));
        }
        if sqlstate == "08P01" && self.message.starts_with("unsupported startup parameter") {
            return Failure::Invalid(format!(
                "a PgBouncer stands before the server of source `{source}` ({sqlstate}); \
                 hint: `pooled = true` in `[sources.postgres.{source}]` (its console: `dialect = \"pgbouncer\"`)"
            ));
        }
        let told = |text: &str| one_line(&endpoint.redacted(text));
        Failure::Server(ServerError {
            severity: one_line(&self.severity),
            message: told(&self.message),
            detail: self.detail.as_deref().map(told),
            sqlstate,
        })
    }

    /// Why the server lets the source not in. The names in its words are never translated.
    fn refusal(&self, source: &str, encryption: Encryption) -> String {
        let sqlstate = one_line(&self.sqlstate);
        if self.message.contains("client certificate") {
            return format!(
                "the server wants a certificate of source `{source}` ({sqlstate}); hint: name `sslcert` and `sslkey` in its `url`"
            );
        }
        if !self.message.contains("pg_hba.conf") {
            return format!("the server refused the user or password of source `{source}` ({sqlstate})");
        }
        let hint = match encryption {
            Encryption::Never => "it may want TLS, and the source's `url` has `sslmode=disable`",
            _ => "add one for this machine, the source's user and its database",
        };
        format!("no line of the server's `pg_hba.conf` lets source `{source}` in ({sqlstate}); hint: {hint}")
    }
}

/// At most [`TEXT_BYTES_MAX`] without control characters; a cut ends with an ellipsis.
fn one_line(text: &str) -> String {
    let fits = text.len() <= TEXT_BYTES_MAX;
    let end = if fits { text.len() } else { text.floor_char_boundary(TEXT_BYTES_MAX - ELLIPSIS.len_utf8()) };
    let line = text[..end].chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    line.chain((!fits).then_some(ELLIPSIS)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::tests::{drawn, placeholder};

    fn failure(fields: &str) -> Failure {
        let endpoint = Endpoint::parse("postgres://monitor:pass-word@db.internal/orders").expect("a URL");
        ServerError::parse(fields.replace('|', "\0").as_bytes()).into_failure("main", &endpoint)
    }

    #[test]
    fn an_error_of_the_server_is_told_as_it_came() {
        let Failure::Server(error) = failure("SFEHLER|VERROR|C42P01|Mrelation \"x\" does not exist|Dno\nsuch|P15|Fparse.c||") else {
            panic!("an error of the server");
        };
        let expected = ServerError {
            sqlstate: "42P01".to_owned(),
            severity: "ERROR".to_owned(),
            message: "relation \"x\" does not exist".to_owned(),
            detail: Some("no such".to_owned()),
        };
        assert_eq!(error, expected);
    }

    #[test]
    fn who_the_source_is_is_told_to_nobody() {
        let Failure::Authentication(message) = failure("SFATAL|C28P01|Mpassword authentication failed for user \"monitor\"||") else {
            panic!("an error of authentication");
        };
        assert_eq!(message, "the server refused the user or password of source `main` (28P01)");
        let Failure::Server(error) = failure("SFATAL|C3D000|Mdatabase \"orders\" does not exist||") else { panic!("an error") };
        assert_eq!((error.severity.as_str(), error.message.as_str()), ("FATAL", "database \"...\" does not exist"));
    }

    #[test]
    fn a_server_that_lets_nobody_in_is_not_told_as_a_wrong_password() {
        let refused = "SFATAL|C28000|Mno pg_hba.conf entry for host \"10.0.0.7\", user \"monitor\", database \"orders\", no encryption||";
        for (mode, hint) in [("disable", "`sslmode=disable`"), ("prefer", "add one for this machine")] {
            let endpoint = Endpoint::parse(&format!("postgres://monitor@db.internal/orders?sslmode={mode}")).expect("a URL");
            let failure = ServerError::parse(refused.replace('|', "\0").as_bytes()).into_failure("main", &endpoint);
            let Failure::NotAdmitted(message) = failure else { panic!("an error of authentication") };
            assert!(message.contains("`pg_hba.conf` lets source `main`") && message.contains(hint), "{message}");
            assert!(!message.contains("10.0.0.7") && !message.contains("orders"), "{message}");
        }
        let Failure::NotAdmitted(message) = failure("SFATAL|C28000|Mconnection requires a valid client certificate||") else {
            panic!("an error of authentication");
        };
        assert!(message.contains("`sslcert` and `sslkey`"), "{message}");
    }

    #[test]
    fn a_server_without_room_is_told_from_other_errors() {
        for fields in ["SFATAL|C53300|Msorry, too many clients already||", "SFATAL|C08P01|Mno more connections allowed (max_client_conn)||"]
        {
            assert!(matches!(failure(fields), Failure::TooManyConnections(_)), "{fields}");
        }
        assert!(matches!(failure("SFATAL|C57P03|Mthe database system is starting up||"), Failure::Server(_)));
    }

    #[test]
    fn a_pooler_that_nobody_told_of_is_recognised() {
        let Failure::Invalid(message) = failure("SFATAL|C08P01|Munsupported startup parameter in options: x||") else {
            panic!("a mistake")
        };
        assert!(message.starts_with("a PgBouncer stands before the server of source `main` (08P01); hint: `pooled = true`"), "{message}");
        assert!(matches!(failure("SERROR|C08P01|Minvalid message format||"), Failure::Server(_)));
    }

    #[test]
    fn a_failure_to_connect_names_its_source_once() {
        let Failure::Connect(message) = Failure::Connect("the server refused the connection".to_owned()).of_source("main") else {
            panic!("another failure")
        };
        assert_eq!(message, "source `main`: the server refused the connection");
        let refused = failure("SFATAL|C28P01|Mno||").of_source("main");
        assert!(matches!(&refused, Failure::Authentication(message) if message.matches("`main`").count() == 1), "{refused:?}");
    }

    #[test]
    fn a_secret_in_the_servers_words_is_masked_also_where_they_were_cut() {
        let secrets = drawn(&[("key", b"swordfish")]);
        let placeholder = placeholder(&secrets, 0);
        let masked = |fields: &str| match failure(fields).masked(&secrets) {
            Failure::Server(error) => error,
            other => panic!("another failure: {other:?}"),
        };
        let error = masked("SERROR|CP0001|Mno swordfish|Dnor c3dvcmRmaXNo||");
        assert_eq!((error.message, error.detail), (format!("no {placeholder}"), Some(format!("nor {placeholder}"))));
        let long = masked(&format!("SERROR|CP0001|M{}swordfish||", "x".repeat(TEXT_BYTES_MAX - 8)));
        assert!(long.message.len() <= TEXT_BYTES_MAX && long.message.ends_with('…'), "{}", long.message);
        assert!(!long.message.contains("swor"), "{}", long.message);
    }

    #[test]
    fn long_texts_are_cut_between_letters() {
        let cut = one_line(&"日".repeat(1000));
        assert!(cut.len() <= TEXT_BYTES_MAX && cut.ends_with("日…"), "{}", cut.len());
        assert_eq!(one_line(&"a".repeat(TEXT_BYTES_MAX)).len(), TEXT_BYTES_MAX);
        assert_eq!(one_line("a\tb\u{7f}"), "a b ");
    }
}
