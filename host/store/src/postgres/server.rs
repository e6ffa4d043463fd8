//! Which server and database a URL names, and how a session there begins.
//!
//! What the URL leaves out comes from where every client of PostgreSQL looks: `PGHOST`, `PGUSER`, `PGPASSWORD`, `PGSSLMODE` and their
//! like, and the password file (`PGPASSFILE`, else `~/.pgpass`).
//!
//! Every session says itself what it relies on (search path, timeouts), since no default of a server or a role can be trusted to be
//! right. So a pooler may stand between only if it gives each session a connection of its own.
//!
//! Invariant: neither the URL nor its user or password is in the name of the database, in `Debug` or in an error.

use std::{fmt, time::Duration};

use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, postgres::PgConnectOptions, raw_sql};
use url::Url;

use super::failure::{failed, within};
use crate::StoreError;

/// Everything of Sickbay is in it.
pub(super) const SCHEMA: &str = "sickbay";
/// From the first packet to a session that is ready.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// No statement takes longer; the server ends it.
const STATEMENT_MAX: Duration = Duration::from_secs(15);
/// How long a statement waits for a lock, and a start for another Sickbay to end.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(3);
/// The server ends a session that leaves a transaction open for longer.
const IDLE_IN_TRANSACTION_MAX: Duration = Duration::from_secs(60);

const HINT: &str = "write `url = \"postgres://USER:PASSWORD@HOST:5432/DATABASE\"`; what is no letter or digit in user and password is \
                    written as `%` and two hex digits";
/// What may stand behind `?`.
const PARAMETERS: [&str; 11] =
    ["host", "hostaddr", "port", "user", "dbname", "password", "sslmode", "sslrootcert", "sslcert", "sslkey", "application_name"];
const PARAMETERS_HINT: &str =
    "behind `?` may stand host, hostaddr, port, user, dbname, password, sslmode, sslrootcert, sslcert, sslkey, application_name";

/// What a session is for.
#[derive(Clone, Copy)]
pub(super) enum Role {
    Writer,
    /// It cannot write.
    Reader,
}

#[derive(Clone)]
pub(crate) struct Server {
    options: PgConnectOptions,
    /// Database and host, for messages.
    label: String,
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Server({})", self.label)
    }
}

impl Server {
    pub(crate) fn parse(text: &str) -> Result<Server, StoreError> {
        let wrong = |reason| StoreError::Address { reason, hint: HINT };
        let url = Url::parse(text).map_err(|_| wrong("is no URL"))?;
        if !url.has_authority() {
            return Err(wrong("has no `//` behind `postgres:`"));
        }
        // A password that is not encoded ends the host too early: what follows would be taken for something that may be shown.
        if url.fragment().is_some() || url.path().contains('@') {
            return Err(wrong("has `#`, `?` or `/` in its user or password"));
        }
        if url.query_pairs().any(|(key, _)| !PARAMETERS.contains(&&*key)) {
            return Err(StoreError::Address { reason: "has a parameter that is not known", hint: PARAMETERS_HINT });
        }
        if url.host_str().is_some_and(|host| host.contains(',')) {
            return Err(StoreError::Address { reason: "names several servers", hint: "name one, or an address that follows the primary" });
        }
        let options = PgConnectOptions::from_url(&url).map_err(|_| wrong("has a parameter with a value that PostgreSQL does not know"))?;
        let Some(database) = options.get_database() else { return Err(wrong("names no database")) };
        let label = format!("the PostgreSQL database `{database}` on {}", place(&options));
        Ok(Server { options: prepared(options), label })
    }

    /// For messages.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn failed(&self, operation: &'static str) -> impl Fn(sqlx::Error) -> StoreError + Send + Sync + '_ {
        move |error| failed(operation, &self.label, error)
    }

    /// A session that is ready for its role.
    pub(super) async fn connect(&self, role: Role) -> Result<PgConnection, sqlx::Error> {
        within(CONNECT_MAX, self.establish(role)).await
    }

    async fn establish(&self, role: Role) -> Result<PgConnection, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        raw_sql(AssertSqlSafe(settings(role))).execute(&mut connection).await?;
        Ok(connection)
    }
}

/// Without the user: some put a token there.
fn place(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(folder) => folder.display().to_string(),
        None if options.get_host().starts_with('/') => options.get_host().to_owned(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

fn prepared(mut options: PgConnectOptions) -> PgConnectOptions {
    // The brackets of an IPv6 address belong to the URL alone.
    if let Some(bare) = options.get_host().strip_prefix('[').and_then(|host| host.strip_suffix(']')).map(str::to_owned) {
        options = options.host(&bare);
    }
    if options.get_application_name().is_none() {
        options = options.application_name("sickbay");
    }
    // No column is a floating-point number, and poolers refuse to be told how to show one.
    options.extra_float_digits(None::<i8>).disable_statement_logging()
}

/// What a session is told before anything else.
///
/// Temporary tables come last in the search path, so that none can stand for one of ours. The server notices within half a minute that
/// the host is gone, and lets go of its locks: by itself it may take hours. Plans are not compiled: that takes longer than running them.
/// A version that can end idle sessions leaves these alone.
fn settings(role: Role) -> String {
    let writes = match role {
        Role::Writer => "",
        Role::Reader => "SET default_transaction_read_only = on; ",
    };
    format!(
        "{writes}SET search_path = {SCHEMA}, pg_temp; SET default_transaction_isolation = 'read committed'; \
         SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}; \
         SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; SET tcp_user_timeout = 30000; \
         SET jit = off; \
         SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'",
        STATEMENT_MAX.as_millis(),
        LOCK_WAIT_MAX.as_millis(),
        IDLE_IN_TRANSACTION_MAX.as_millis(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(url: &str) -> String {
        Server::parse(url).unwrap_or_else(|error| panic!("{error}")).label
    }

    #[test]
    fn a_database_is_named_by_its_place_and_never_by_its_user() {
        assert_eq!(label("postgres://me:secret@db.internal:5433/checks"), "the PostgreSQL database `checks` on db.internal:5433");
        assert_eq!(label("postgresql://me@[::1]:5432/checks?sslmode=disable"), "the PostgreSQL database `checks` on [::1]:5432");
        assert_eq!(label("postgres://me@%2Frun%2Fpostgresql/checks"), "the PostgreSQL database `checks` on /run/postgresql");
        assert_eq!(label("postgres:///checks?host=/run/postgresql"), "the PostgreSQL database `checks` on /run/postgresql");
    }

    #[test]
    fn an_ipv6_address_is_dialled_without_its_brackets() {
        let server = Server::parse("postgres://me@[::1]:5432/checks").unwrap();
        assert_eq!(server.options.get_host(), "::1");
    }

    #[test]
    fn what_is_no_url_of_a_database_is_refused_with_a_hint_and_without_its_password() {
        for (url, why) in [
            ("postgres:sickbay", "no `//`"),
            ("postgres://me:secret@db:99999/checks", "is no URL"),
            // Not encoded: the host would be `me`, the port 12, and the rest the name of a database.
            ("postgres://me:12/secret@db/checks", "in its user or password"),
            ("postgres://me:12#secret@db/checks", "in its user or password"),
            ("postgres://me:12?secret@db/checks", "not known"),
            ("postgres://me:secret@db/checks?pass=secret", "not known"),
            ("postgres://me:secret@db/checks?options=-c%20x", "not known"),
            ("postgres://me:secret@db/checks?sslmode=secret", "does not know"),
            ("postgres://me:secret@one,two/checks", "several servers"),
        ] {
            let message = match Server::parse(url) {
                Err(error) => error.to_string(),
                Ok(server) => panic!("{url} was taken for {server:?}"),
            };
            assert!(message.contains(why) && message.contains("hint: "), "{url}: {message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let server = Server::parse("postgres://me:secret@db/checks").unwrap();
        assert_eq!(format!("{server:?}"), "Server(the PostgreSQL database `checks` on db:5432)");
    }
}
