//! Where a source is and how it is entered: `[sources.postgres.NAME]` of the configuration.
//!
//! The environment (`PGHOST`, `PGPASSWORD`, ...) and `~/.pgpass` are not asked: what a source is stands in the configuration alone.
//!
//! Invariant: neither `Debug` nor an error shows a part of a URL.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use crate::source::{self, ClientCertificate, UrlError};

/// Connections to a source, where nothing is written.
pub const CONNECTIONS_DEFAULT: u32 = 4;
pub const CONNECTIONS_MOST: u32 = 1000;
/// How long a statement may take, where nothing is written.
pub const STATEMENT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

const PORT_DEFAULT: u16 = 5432;
/// Names of parameters that are told as ignored.
const IGNORED_MAX: usize = 8;
const IGNORED_BYTES_MAX: usize = 32;

const URL_FORM: &str = "write `postgres://user:password@host:5432/database`, or `postgres:///database?host=/run/postgresql&user=name`";
const ENCODING: &str =
    "a password with other signs than letters and digits is percent-encoded: `%23` for `#`, `%40` for `@`, `%2F` for `/`";

/// One `[sources.postgres.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresSettings {
    pub endpoint: Endpoint,
    pub access: Access,
    /// Connections at once, in use and kept.
    pub connections_max: u32,
    pub statement_timeout: Duration,
    pub dialect: Dialect,
    /// Something between here and the server hands the same server connection to several clients.
    pub pooled: bool,
}

impl PostgresSettings {
    /// As it is where nothing but a URL is written.
    pub fn new(endpoint: Endpoint) -> PostgresSettings {
        PostgresSettings {
            endpoint,
            access: Access::default(),
            connections_max: CONNECTIONS_DEFAULT,
            statement_timeout: STATEMENT_TIMEOUT_DEFAULT,
            dialect: Dialect::default(),
            pooled: false,
        }
    }

    pub(super) fn manner(&self) -> Manner {
        match (self.dialect, self.pooled) {
            (Dialect::PgBouncer, _) => Manner::Console,
            (Dialect::Postgres, true) => Manner::Pooled,
            (Dialect::Postgres, false) => Manner::Direct,
        }
    }
}

/// What may be done. The lesser of the source's and the grant's holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    #[default]
    ReadOnly,
    ReadWrite,
}

impl Access {
    pub const WORDS: [&str; 2] = ["read-only", "read-write"];

    /// None where `word` is neither.
    pub fn from_word(word: &str) -> Option<Access> {
        match word {
            "read-only" => Some(Access::ReadOnly),
            "read-write" => Some(Access::ReadWrite),
            _ => None,
        }
    }
}

/// What answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    #[default]
    Postgres,
    /// PgBouncer's own console, which speaks only the simple protocol.
    PgBouncer,
}

impl Dialect {
    pub const WORDS: [&str; 2] = ["postgres", "pgbouncer"];

    /// None where `word` is neither.
    pub fn from_word(word: &str) -> Option<Dialect> {
        match word {
            "postgres" => Some(Dialect::Postgres),
            "pgbouncer" => Some(Dialect::PgBouncer),
            _ => None,
        }
    }
}

/// How a connection is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// A server session of our own.
    Direct,
    /// A server session that others use too, between our transactions.
    Pooled,
    /// No server at all.
    Console,
}

/// A server and how it is entered, out of a URL.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub(super) address: Address,
    pub(super) user: String,
    pub(super) password: Option<String>,
    pub(super) database: String,
    pub(super) encryption: Encryption,
    /// PEM; in place of the system's certificates.
    pub(super) ca_file: Option<PathBuf>,
    pub(super) client_certificate: Option<ClientCertificate>,
    pub(super) application_name: Option<String>,
    /// As the server takes it: `-c search_path=app`.
    pub(super) options: Option<String>,
    ignored: Vec<String>,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Address {
    Tcp {
        host: String,
        port: u16,
    },
    /// The socket is `.s.PGSQL.PORT` in the folder.
    Unix {
        folder: PathBuf,
        port: u16,
    },
}

/// `sslmode`, as libpq has it. A UNIX socket is never encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    Never,
    /// Where the server has it, and lets the source in with it.
    Preferred,
    /// Whoever the server is.
    Required,
    /// And its certificate is from a CA that is trusted.
    Issuer,
    /// And for the host of the URL.
    IssuerAndName,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Endpoint(..)")
    }
}

/// The parts of a URL as they are written, parameters last: they win.
#[derive(Default)]
struct Written {
    host: Option<String>,
    port: Option<u16>,
    user: Option<String>,
    password: Option<String>,
    database: Option<String>,
    encryption: Option<Encryption>,
    /// `sslrootcert=system`, which libpq takes with full verification only.
    system_ca: bool,
    ca_file: Option<PathBuf>,
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    application_name: Option<String>,
    options: Option<String>,
    ignored: Vec<String>,
}

impl Endpoint {
    /// Schemes `postgres` and `postgresql`. Of libpq's parameters `host`, `port`, `user`, `password`, `dbname`, `sslmode`, `sslrootcert`,
    /// `sslcert`, `sslkey`, `application_name`, `options`; others are left out (see [`Endpoint::ignored`]), because a URL is often shared
    /// with the application that it was made for.
    pub fn parse(text: &str) -> Result<Endpoint, UrlError> {
        Endpoint::read(text).map_err(|error| source::likelier(text, error, &["postgres", "postgresql"], ENCODING))
    }

    fn read(text: &str) -> Result<Endpoint, UrlError> {
        if text.contains('#') {
            return Err(UrlError::new("the URL has a `#`", ENCODING));
        }
        let url = Url::parse(text.trim()).map_err(|_| UrlError::new("the URL is none of PostgreSQL", URL_FORM))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(UrlError::new("the URL is none of PostgreSQL", URL_FORM));
        }
        let mut written = Written {
            host: present(url.host_str())?.map(without_brackets),
            port: url.port(),
            user: present(Some(url.username()))?,
            password: url.password().map(decoded).transpose()?,
            database: present(url.path().strip_prefix('/'))?,
            ..Written::default()
        };
        for parameter in url.query().unwrap_or_default().split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            written.take(&decoded(name)?, decoded(value)?)?;
        }
        written.into_endpoint()
    }

    /// Parameters that have no meaning here, for a warning.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// Files of certificates that the URL names.
    pub fn certificate_files(&self) -> impl Iterator<Item = &Path> {
        let own = self.client_certificate.as_ref().map(|own| own.cert_file.as_path());
        self.ca_file.as_deref().into_iter().chain(own)
    }

    /// The file of the key that the URL names.
    pub fn key_file(&self) -> Option<&Path> {
        self.client_certificate.as_ref().map(|own| own.key_file.as_path())
    }

    /// Files that are named relatively are those of `folder`.
    #[must_use]
    pub fn within(mut self, folder: &Path) -> Endpoint {
        self.ca_file = self.ca_file.map(|file| folder.join(file));
        self.client_certificate = self
            .client_certificate
            .map(|files| ClientCertificate { cert_file: folder.join(files.cert_file), key_file: folder.join(files.key_file) });
        self
    }

    /// `text` without what only the operator may know: the server's messages quote some of it.
    pub(super) fn redacted(&self, text: &str) -> String {
        // What is shorter stands by chance in many words.
        const SHORTEST: usize = 4;
        let mut text = text.to_owned();
        for (word, name) in [("user", &self.user), ("role", &self.user), ("database", &self.database)] {
            text = text.replace(&format!("{word} \"{name}\""), &format!("{word} \"...\""));
            if name.len() >= SHORTEST {
                text = text.replace(&format!("{word} {name}"), &format!("{word} ..."));
            }
        }
        let host = match &self.address {
            Address::Tcp { host, .. } => Some(host.as_str()),
            Address::Unix { .. } => None,
        };
        for secret in [host, self.password.as_deref()].into_iter().flatten().filter(|secret| secret.len() >= SHORTEST) {
            text = text.replace(secret, "...");
        }
        text
    }
}

impl Written {
    fn take(&mut self, name: &str, value: String) -> Result<(), UrlError> {
        match name {
            "host" | "hostaddr" => self.host = Some(without_brackets(value)),
            "port" => self.port = Some(value.parse().map_err(|_| UrlError::new("`port` in the URL is none", URL_FORM))?),
            "user" => self.user = Some(value),
            "password" => self.password = Some(value),
            "dbname" => self.database = Some(value),
            "sslmode" | "ssl-mode" => self.encryption = Some(encryption(&value)?),
            "sslrootcert" | "ssl-root-cert" if value == "system" => self.system_ca = true,
            "sslrootcert" | "ssl-root-cert" => self.ca_file = Some(value.into()),
            "sslcert" | "ssl-cert" => self.cert_file = Some(value.into()),
            "sslkey" | "ssl-key" => self.key_file = Some(value.into()),
            "application_name" => self.application_name = Some(value),
            "options" => self.options = Some(value),
            other if self.ignored.len() < IGNORED_MAX => {
                let plain = other.chars().filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-'));
                self.ignored.push(plain.take(IGNORED_BYTES_MAX).collect());
            }
            _ => {}
        }
        Ok(())
    }

    fn into_endpoint(self) -> Result<Endpoint, UrlError> {
        let host = self.host.filter(|host| !host.is_empty()).ok_or_else(|| UrlError::new("the URL names no host", URL_FORM))?;
        let port = self.port.unwrap_or(PORT_DEFAULT);
        if host.contains(',') {
            return Err(UrlError::new("the URL names several hosts", "a source is one server: write a source for each"));
        }
        if port == 0 {
            return Err(UrlError::new("the URL has the port 0", URL_FORM));
        }
        let user = self.user.filter(|user| !user.is_empty()).ok_or_else(|| UrlError::new("the URL names no user", URL_FORM))?;
        let client_certificate = match (self.cert_file, self.key_file) {
            (Some(cert_file), Some(key_file)) => Some(ClientCertificate { cert_file, key_file }),
            (None, None) => None,
            _ => return Err(UrlError::new("`sslcert` and `sslkey` stand alone in the URL", "write both or none")),
        };
        let encryption = match (self.encryption, &self.ca_file) {
            _ if self.system_ca => Encryption::IssuerAndName,
            (None, _) => Encryption::Preferred,
            // As libpq does: who names a CA wants it to count.
            (Some(Encryption::Required), Some(_)) => Encryption::Issuer,
            (Some(encryption), _) => encryption,
        };
        let address = if host.starts_with('/') { Address::Unix { folder: host.into(), port } } else { Address::Tcp { host, port } };
        Ok(Endpoint {
            address,
            database: self.database.filter(|database| !database.is_empty()).unwrap_or_else(|| user.clone()),
            user,
            password: self.password,
            encryption,
            ca_file: self.ca_file,
            client_certificate,
            application_name: self.application_name,
            options: self.options,
            ignored: self.ignored,
        })
    }
}

fn encryption(word: &str) -> Result<Encryption, UrlError> {
    Ok(match word {
        "disable" => Encryption::Never,
        "allow" | "prefer" => Encryption::Preferred,
        "require" => Encryption::Required,
        "verify-ca" => Encryption::Issuer,
        "verify-full" => Encryption::IssuerAndName,
        _ => return Err(UrlError::new("`sslmode` in the URL is no word that is known", encryption_hint(word))),
    })
}

/// The word that was meant, never the one that is written.
fn encryption_hint(written: &str) -> String {
    const WORDS: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
    const SLIPS_MAX: usize = 2;
    let written = written.to_ascii_lowercase();
    let slips = |word: &&str| strsim::damerau_levenshtein(&written, word);
    match WORDS.into_iter().min_by_key(slips).filter(|word| slips(word) <= SLIPS_MAX) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "write `disable`, `prefer`, `require`, `verify-ca` or `verify-full`".to_owned(),
    }
}

fn present(part: Option<&str>) -> Result<Option<String>, UrlError> {
    part.filter(|part| !part.is_empty()).map(decoded).transpose()
}

/// IPv6 addresses stand in brackets.
fn without_brackets(host: String) -> String {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.to_owned(),
        None => host,
    }
}

/// Percent-encoding undone. A `+` stays one, as in libpq.
fn decoded(text: &str) -> Result<String, UrlError> {
    let wrong = || UrlError::new("the URL has a `%` that encodes nothing, or no text", ENCODING);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = after;
            continue;
        }
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()).ok_or_else(wrong)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        rest = after.get(2..).unwrap_or_default();
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    if text.contains('\0') { Err(wrong()) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> Endpoint {
        Endpoint::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    #[test]
    fn a_url_tells_where_the_server_is_and_how_it_is_entered() {
        let all = endpoint(
            "postgresql://mon%40itor:p%3Aw%2B+@db.internal:6432/or%20ders?sslmode=verify-full&sslrootcert=ca.pem&application_name=a%20b\
             &options=-c%20search_path%3Dapp",
        );
        assert!(all.address == Address::Tcp { host: "db.internal".to_owned(), port: 6432 });
        assert_eq!((all.user.as_str(), all.password.as_deref(), all.database.as_str()), ("mon@itor", Some("p:w++"), "or ders"));
        assert_eq!((all.encryption, all.ca_file.as_deref()), (Encryption::IssuerAndName, Some(Path::new("ca.pem"))));
        assert_eq!((all.application_name.as_deref(), all.options.as_deref()), (Some("a b"), Some("-c search_path=app")));

        let least = endpoint("postgres://monitor@db.internal");
        assert!(least.address == Address::Tcp { host: "db.internal".to_owned(), port: 5432 });
        assert_eq!((least.password.as_deref(), least.database.as_str(), least.encryption), (None, "monitor", Encryption::Preferred));

        assert!(endpoint("postgres://u@[::1]:7000/d").address == Address::Tcp { host: "::1".to_owned(), port: 7000 });
        let socket = Address::Unix { folder: "/run/postgresql".into(), port: 5433 };
        assert!(endpoint("postgres:///d?host=/run/postgresql&port=5433&user=u").address == socket);
        assert!(endpoint("postgres://u@%2Frun%2Fpostgresql:5433/d").address == socket);
    }

    #[test]
    fn a_slip_in_sslmode_is_told_with_the_word_that_was_meant() {
        let hint = |mode: &str| Endpoint::parse(&format!("postgres://u@h/d?sslmode={mode}")).expect_err(mode).hint;
        for (written, meant) in
            [("verify_full", "verify-full"), ("required", "require"), ("VERIFY-CA", "verify-ca"), ("disabled", "disable")]
        {
            assert_eq!(hint(written), format!("did you mean `{meant}`?"));
        }
        for strange in ["true", "on", "secret", ""] {
            assert!(hint(strange).starts_with("write `disable`"), "{strange}");
        }
    }

    #[test]
    fn a_slip_in_the_scheme_and_a_password_with_a_slash_are_told_as_such() {
        let told = |url: &str| Endpoint::parse(url).expect_err(url);
        assert_eq!(told("postgre://u:secret@h/d").hint, "did you mean `postgres://`?");
        assert_eq!(told("postgressql://u:secret@h/d").hint, "did you mean `postgresql://`?");
        for url in ["postgres://u:sec/ret@h/d", "postgres://u:12/ret@h/d"] {
            let error = told(url);
            assert!(error.message.contains("has a `/`") && error.hint.contains("`%2F`"), "{error}");
        }
        assert_eq!(told("mysql://u:secret@h/d").hint, URL_FORM);
    }

    #[test]
    fn a_ca_that_is_named_counts_and_is_found_beside_the_configuration() {
        let url = endpoint("postgres://u@h/d?sslmode=require&sslrootcert=ca.pem&sslcert=/etc/c.pem&sslkey=k.pem")
            .within(Path::new("/etc/sickbay"));
        assert_eq!(url.encryption, Encryption::Issuer);
        assert_eq!(url.certificate_files().collect::<Vec<_>>(), [Path::new("/etc/sickbay/ca.pem"), Path::new("/etc/c.pem")]);
        assert_eq!(url.key_file(), Some(Path::new("/etc/sickbay/k.pem")));
        assert_eq!(endpoint("postgres://u@h/d?sslrootcert=system").encryption, Encryption::IssuerAndName);
    }

    #[test]
    fn parameters_of_other_programs_are_left_out_and_told() {
        let url = endpoint("postgres://u@h/d?schema=public&connection_limit=5&pgbouncer=true&%22x%0a=1");
        assert_eq!(url.ignored(), ["schema", "connection_limit", "pgbouncer", "x"]);
    }

    #[test]
    fn a_url_that_cannot_be_used_is_not_quoted() {
        for url in [
            "",
            "secret",
            "mysql://secret:secret@secret/secret",
            "postgres://",
            "postgres:///secret",
            "postgres://secret-host/secret",
            "postgres://secret:sec#ret@secret-host/secret",
            "postgres://secret:sec%ret@secret-host/secret",
            "postgres://secret:sec%00ret@secret-host/secret",
            "postgres://secret:%ff@secret-host/secret",
            "postgres://secret@secret-host:0/secret",
            "postgres://secret@secret-host,secret-host/secret",
            "postgres://secret@secret-host/secret?sslmode=secret",
            "postgres://secret@secret-host/secret?port=secret",
            "postgres://secret@secret-host/secret?sslcert=secret",
            "postgres://secret@secret host/secret",
        ] {
            let error = Endpoint::parse(url).expect_err(url);
            assert!(!error.to_string().contains("secret"), "{url}: {error}");
        }
    }

    #[test]
    fn no_part_of_a_url_is_shown() {
        let settings = PostgresSettings::new(endpoint("postgres://secret-user:secret@secret-host/secret?options=secret"));
        assert!(!format!("{settings:?}").contains("secret"), "{settings:?}");
    }

    #[test]
    fn messages_of_the_server_lose_what_is_the_operators() {
        let url = endpoint("postgres://monitor:pass-word@db.internal/orders");
        for (message, told) in [
            ("password authentication failed for user \"monitor\"", "password authentication failed for user \"...\""),
            ("database \"orders\" does not exist", "database \"...\" does not exist"),
            ("permission denied for database orders", "permission denied for database ..."),
            ("could not reach db.internal with pass-word", "could not reach ... with ..."),
            ("relation \"orders\" does not exist", "relation \"orders\" does not exist"),
        ] {
            assert_eq!(url.redacted(message), told);
        }
    }
}
