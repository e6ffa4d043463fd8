//! Where a source is and how it is entered: `[sources.redis.NAME]` of the configuration.
//!
//! Invariant: neither `Debug` nor an error shows a part of a URL.

use std::fmt;
use std::path::PathBuf;

use ::redis::{ConnectionAddr, IntoConnectionInfo, ProtocolVersion, parse_redis_url};

use crate::source::{self, ClientCertificate, UrlError};

/// Connections to a source, where nothing is written.
pub const CONNECTIONS_DEFAULT: u32 = 4;
pub const CONNECTIONS_MOST: u32 = 1000;
/// Sentinels of one source.
const SENTINELS_MAX: usize = 16;

const URL_FORM: &str = "write `redis://user:password@host:6379/0`, `rediss://...` for TLS, or `unix:///path/of/redis.sock`";

const ENCODING: &str =
    "a password with other signs than letters and digits is percent-encoded: `%23` for `#`, `%40` for `@`, `%2F` for `/`";
const SCHEMES: [&str; 3] = ["redis", "rediss", "unix"];

/// One `[sources.redis.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisSettings {
    pub endpoint: Endpoint,
    pub topology: Topology,
    /// Connections at once, in use and kept.
    pub connections_max: u32,
    /// Certificates in PEM that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// For a server that asks for one.
    pub client_certificate: Option<ClientCertificate>,
}

/// What is behind the URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topology {
    /// One server, whose redirects are not followed.
    Server,
    /// A node of a cluster, whose redirects are followed with the same credentials.
    Cluster,
    /// The host of the URL is the name of a master, and these know where it is.
    Sentinels(Vec<Endpoint>),
}

impl RedisSettings {
    /// As it is where nothing but a URL is written.
    pub fn new(endpoint: Endpoint) -> RedisSettings {
        RedisSettings {
            endpoint,
            topology: Topology::Server,
            connections_max: CONNECTIONS_DEFAULT,
            ca_file: None,
            client_certificate: None,
        }
    }

    /// What is wrong with the parts together.
    pub fn check(&self) -> Result<(), UrlError> {
        if let (Topology::Cluster | Topology::Sentinels(_), Address::Unix(_)) = (&self.topology, &self.endpoint.address) {
            return Err(UrlError::new("a UNIX socket is one server", "leave `cluster` and `sentinels` out"));
        }
        match &self.topology {
            Topology::Cluster if self.endpoint.database != 0 => {
                Err(UrlError::new("a cluster has only the database 0", "end the URL at its port"))
            }
            Topology::Sentinels(sentinels) if sentinels.is_empty() || sentinels.len() > SENTINELS_MAX => {
                Err(UrlError::new(format!("`sentinels` has {} URLs", sentinels.len()), format!("write 1 to {SENTINELS_MAX}")))
            }
            Topology::Sentinels(sentinels) if sentinels.iter().any(|sentinel| matches!(sentinel.address, Address::Unix(_))) => {
                Err(UrlError::new("a sentinel is reached by host and port", "write `redis://10.0.0.1:26379`"))
            }
            _ => Ok(()),
        }
    }

    /// Whether any connection of the source is in TLS.
    pub(super) fn is_encrypted(&self) -> bool {
        let sentinels: &[Endpoint] = match &self.topology {
            Topology::Sentinels(sentinels) => sentinels,
            Topology::Server | Topology::Cluster => &[],
        };
        self.endpoint.encrypted || sentinels.iter().any(|sentinel| sentinel.encrypted)
    }
}

/// A server and how it is entered, out of a URL.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub(super) address: Address,
    pub(super) encrypted: bool,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) database: i64,
    pub(super) protocol: Protocol,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Address {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Resp2,
    Resp3,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Endpoint(..)")
    }
}

impl Endpoint {
    /// Schemes `redis`, `rediss`, `unix` and their `valkey` names; of options `protocol` (2 or 3), for UNIX sockets also `db`, `user`, `pass`.
    pub fn parse(text: &str) -> Result<Endpoint, UrlError> {
        Endpoint::read(text).map_err(|error| source::likelier(text, error, &SCHEMES, ENCODING))
    }

    fn read(text: &str) -> Result<Endpoint, UrlError> {
        let mut url = parse_redis_url(text).ok_or_else(|| UrlError::new("the URL is none of Redis", URL_FORM))?;
        if url.fragment().is_some() {
            let hint = "certificates are always held against their names; name the CA with `ca_file`";
            return Err(UrlError::new("the URL ends with a `#...`", hint));
        }
        let is_socket = url.scheme().contains("unix");
        let options: &[&str] = if is_socket { &["protocol", "db", "user", "pass"] } else { &["protocol"] };
        if url.query_pairs().any(|(option, _)| !options.iter().any(|known| **known == *option)) {
            return Err(UrlError::new("the URL has an option that is not known", format!("the options are `{}`", options.join("`, `"))));
        }
        let encrypted = matches!(url.scheme(), "rediss" | "valkeys");
        // The crate's own TLS is not used: what it makes of the rest is the same without.
        if encrypted && url.set_scheme("redis").is_err() {
            return Err(UrlError::new("the URL is none of Redis", URL_FORM));
        }
        let info =
            url.into_connection_info().map_err(|error| UrlError::new(format!("the URL cannot be used: {}", why(&error)), URL_FORM))?;
        let entry = info.redis_settings();
        let (username, password) = (entry.username().map(str::to_owned), entry.password().map(str::to_owned));
        if username.is_some() && password.is_none() {
            return Err(UrlError::new("the URL names a user without a password", URL_FORM));
        }
        if entry.db() < 0 {
            return Err(UrlError::new("the URL's database is below 0", URL_FORM));
        }
        let address = match info.addr() {
            ConnectionAddr::Tcp(host, port) if *port != 0 => Address::Tcp { host: host.clone(), port: *port },
            ConnectionAddr::Unix(path) => Address::Unix(path.clone()),
            _ => return Err(UrlError::new("the URL names no server", URL_FORM)),
        };
        let protocol = if entry.protocol() == ProtocolVersion::RESP3 { Protocol::Resp3 } else { Protocol::Resp2 };
        Ok(Endpoint { address, encrypted, username, password, database: entry.db(), protocol })
    }

    /// What sentinels call the master: the host of the URL.
    pub(super) fn host(&self) -> &str {
        match &self.address {
            Address::Tcp { host, .. } => host,
            Address::Unix(_) => "",
        }
    }
}

/// The fixed part of the crate's message, since the other part may quote the URL.
fn why(error: &::redis::RedisError) -> String {
    let message = error.to_string();
    message.split(" - ").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> Endpoint {
        Endpoint::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    #[test]
    fn a_url_tells_where_the_server_is_and_how_it_is_entered() {
        let all = endpoint("rediss://mon%40itor:p%3Aw@cache.internal:6380/3?protocol=resp3");
        assert!(all.address == Address::Tcp { host: "cache.internal".to_owned(), port: 6380 });
        assert_eq!((all.username.as_deref(), all.password.as_deref(), all.database), (Some("mon@itor"), Some("p:w"), 3));
        assert!(all.encrypted && all.protocol == Protocol::Resp3);

        let least = endpoint("redis://cache.internal");
        assert!(least.address == Address::Tcp { host: "cache.internal".to_owned(), port: 6379 });
        assert_eq!((least.username.as_deref(), least.password.as_deref(), least.database), (None, None, 0));
        assert!(!least.encrypted && least.protocol == Protocol::Resp2);

        assert_eq!(endpoint("redis://:pw@[::1]:7000").password.as_deref(), Some("pw"));
        assert!(endpoint("redis://:pw@[::1]:7000").address == Address::Tcp { host: "::1".to_owned(), port: 7000 });
        assert!(endpoint("valkeys://cache.internal").encrypted);

        let socket = endpoint("unix:///run/redis.sock?db=2&user=monitor&pass=pw");
        assert!(socket.address == Address::Unix(PathBuf::from("/run/redis.sock")));
        assert_eq!((socket.username.as_deref(), socket.password.as_deref(), socket.database), (Some("monitor"), Some("pw"), 2));
    }

    #[test]
    fn a_url_that_cannot_be_used_is_not_quoted() {
        for url in [
            "",
            "secret-host",
            "http://secret-host/",
            "redis://",
            "redis://secret@secret-host",
            "redis://secret-host/secret",
            "redis://secret-host/-1",
            "redis://secret-host:0",
            "redis://secret-host?protocol=secret",
            "redis://secret-host?ssl_cert_reqs=secret",
            "rediss://secret-host/#insecure",
            "redis://0.0.0.0",
            "redis://%ff:secret@secret-host",
        ] {
            let error = Endpoint::parse(url).expect_err(url);
            assert!(!error.to_string().contains("secret"), "{url}: {error}");
        }
    }

    #[test]
    fn a_slip_in_the_scheme_and_a_password_with_a_slash_are_told_as_such() {
        let told = |url: &str| Endpoint::parse(url).expect_err(url);
        assert_eq!(told("redsi://:secret@h").hint, "did you mean `redis://`?");
        let error = told("redis://:sec/ret@h:6379");
        assert!(error.message.contains("has a `/`") && error.hint.contains("`%2F`"), "{error}");
    }

    #[test]
    fn no_part_of_a_url_is_shown() {
        let mut settings = RedisSettings::new(endpoint("redis://secret-user:secret@secret-host/1"));
        settings.topology = Topology::Sentinels(vec![endpoint("redis://:secret@secret-host")]);
        assert!(!format!("{settings:?}").contains("secret"), "{settings:?}");
    }

    #[test]
    fn what_does_not_go_together_is_told() {
        let with = |url: &str, topology: Topology| RedisSettings { topology, ..RedisSettings::new(endpoint(url)) }.check();
        let sentinels = |urls: &[&str]| Topology::Sentinels(urls.iter().map(|url| endpoint(url)).collect());
        assert_eq!(with("redis://a/1", Topology::Server), Ok(()));
        assert_eq!(with("redis://a", Topology::Cluster), Ok(()));
        assert_eq!(with("redis://main/1", sentinels(&["redis://a:26379", "redis://b:26379"])), Ok(()));
        assert!(with("redis://a/1", Topology::Cluster).is_err());
        assert!(with("unix:///run/redis.sock", Topology::Cluster).is_err());
        assert!(with("redis://main", sentinels(&[])).is_err());
        assert!(with("redis://main", sentinels(&["unix:///run/sentinel.sock"])).is_err());
    }
}
