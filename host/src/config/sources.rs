//! What checks name: databases in `[sources]` and secrets in `[secrets]`.
//!
//! A source's URL may hold a password, so it comes from the environment or a file (`url_text`). A secret that cannot be used is a warning:
//! it is read again by every run that needs it, and may be there by then.
//!
//! Invariant: no diagnostic quotes a URL, a variable's value or what a file holds; only names and paths.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sickbay_capabilities::{TlsFile, postgres, redis, secrets};

use super::diagnostic::{Problem, shown};
use super::settings::Scope;
use super::text::{Placed, PostgresSourceText, RedisSourceText, SecretText, SourcesText};
use super::tls_files;
use super::url_text::{UrlKey, expanded};
use super::values::{self, DurationBounds};

const NAMES_MAX: usize = 1_000;
const STATEMENT_TIMEOUT: DurationBounds = DurationBounds {
    least: std::time::Duration::from_millis(10),
    least_text: "10ms",
    most: std::time::Duration::from_secs(600),
    most_text: "10m",
};

/// All sources by kind and name.
#[derive(Default)]
pub(super) struct SourceTables {
    pub postgres: BTreeMap<String, postgres::PostgresSettings>,
    pub redis: BTreeMap<String, redis::RedisSettings>,
}

pub(super) fn sources(written: &SourcesText, scope: &mut Scope<'_>) -> SourceTables {
    let mut tables = SourceTables::default();
    for (name, source) in named(&written.postgres, "source", scope) {
        if let Some(settings) = postgres_source(name, source.value(), scope) {
            tables.postgres.insert(name.value().clone(), settings);
        }
    }
    for (name, source) in named(&written.redis, "source", scope) {
        if let Some(settings) = redis_source(name, source.value(), scope) {
            tables.redis.insert(name.value().clone(), settings);
        }
    }
    tables
}

pub(super) fn secrets(
    written: &BTreeMap<Placed<String>, Placed<SecretText>>,
    scope: &mut Scope<'_>,
) -> BTreeMap<String, secrets::SecretSettings> {
    let mut tables = BTreeMap::new();
    for (name, secret) in named(written, "secret", scope) {
        let SecretText { env, file, previous_env, previous_file } = secret.value();
        let Some(current) = origin(env.as_ref(), file.as_ref(), scope) else {
            let problem = Problem::new(format!("the secret `{}` has not exactly one of `env` and `file`", shown(name.value())));
            let problem = problem.reason("it comes from one place, and never stands in this file");
            scope.note(name.span(), problem.hint("write where it comes from, for example: env = \"API_TOKEN\""));
            continue;
        };
        if let (Some(_), Some(file)) = (previous_env, previous_file) {
            let problem = Problem::new(format!("the secret `{}` has both `previous_env` and `previous_file`", shown(name.value())));
            let problem = problem.reason("while it is rotated there is one value before the present one");
            scope.note(file.span(), problem.hint("remove one of them"));
        }
        let previous = origin(previous_env.as_ref(), previous_file.as_ref(), scope);
        tables.insert(name.value().clone(), secrets::SecretSettings { current, previous });
    }
    for unusable in secrets::unusable(&tables) {
        if let Some(name) = written.keys().find(|name| *name.value() == unusable.name) {
            scope.note(name.span(), unusable_secret(&unusable));
        }
    }
    tables
}

fn unusable_secret(unusable: &secrets::Unusable) -> Problem {
    const HINT_MARK: &str = "; hint: ";
    let told = unusable.to_string();
    match told.split_once(HINT_MARK) {
        Some((message, hint)) => Problem::warning(message).hint(hint),
        None => Problem::warning(told),
    }
}

/// Tables with names that can be used, at most [`NAMES_MAX`].
fn named<'w, T>(
    written: &'w BTreeMap<Placed<String>, Placed<T>>,
    what: &str,
    scope: &mut Scope<'_>,
) -> Vec<(&'w Placed<String>, &'w Placed<T>)> {
    let mut usable = Vec::new();
    for (name, table) in written {
        match values::name(what, name.value()) {
            _ if usable.len() >= NAMES_MAX => {
                let problem = Problem::new(format!("too many {what}s")).reason(format!("there are more than {NAMES_MAX}"));
                scope.note(name.span(), problem.hint("remove those that no grant names, or run a second host"));
                break;
            }
            Ok(()) => usable.push((name, table)),
            Err(problem) => scope.note(name.span(), problem),
        }
    }
    usable
}

/// None where not exactly one of the two is written.
fn origin(env: Option<&Placed<String>>, file: Option<&Placed<String>>, scope: &Scope<'_>) -> Option<secrets::Origin> {
    match (env, file) {
        (Some(variable), None) => Some(secrets::Origin::Env(variable.value().clone())),
        (None, Some(file)) => Some(secrets::Origin::File(scope.dir.join(file.value()))),
        _ => None,
    }
}

fn postgres_source(name: &Placed<String>, written: &PostgresSourceText, scope: &mut Scope<'_>) -> Option<postgres::PostgresSettings> {
    let PostgresSourceText { url, url_file, access, connections_max, statement_timeout, dialect, pooled } = written;
    let (key, text) = url_text(name, url.as_ref(), url_file.as_ref(), scope)?;
    let parsed = postgres::Endpoint::parse(&text).map_err(|error| unusable(error.message, error.hint));
    let endpoint = match parsed {
        Ok(endpoint) => endpoint.within(scope.dir),
        Err(problem) => {
            scope.note(key.span(), problem);
            return None;
        }
    };
    if !endpoint.ignored().is_empty() {
        let problem = Problem::warning(format!("parameters of the URL are not used: {}", endpoint.ignored().join(", ")));
        scope.note(key.span(), problem.reason("Sickbay has no use for them, or sets them itself").hint("remove them"));
    }
    let mut settings = postgres::PostgresSettings::new(endpoint);
    settings.access = scope.read(access.as_ref(), settings.access, |word| {
        postgres::Access::from_word(word).ok_or_else(|| no_word("access", word, "\"read-only\" or \"read-write\""))
    });
    settings.dialect = scope.read(dialect.as_ref(), settings.dialect, |word| {
        postgres::Dialect::from_word(word).ok_or_else(|| no_word("dialect", word, "\"postgres\" or \"pgbouncer\""))
    });
    settings.connections_max = scope.read(connections_max.as_ref(), settings.connections_max, |number| {
        values::number("connections_max", *number, 1, postgres::CONNECTIONS_MOST)
    });
    settings.statement_timeout = scope.read(statement_timeout.as_ref(), settings.statement_timeout, |text| {
        values::duration("statement_timeout", text, &STATEMENT_TIMEOUT)
    });
    settings.pooled = pooled.as_ref().map_or(settings.pooled, |pooled| *pooled.value());
    tls_files::note(&settings.flawed_files(), |file| (tls_files::in_url(file, key.as_str()), key.span()), scope);
    Some(settings)
}

fn redis_source(name: &Placed<String>, written: &RedisSourceText, scope: &mut Scope<'_>) -> Option<redis::RedisSettings> {
    let RedisSourceText { url, url_file, cluster, sentinels, connections_max, ca_file, cert_file, key_file } = written;
    let (key, text) = url_text(name, url.as_ref(), url_file.as_ref(), scope)?;
    let endpoint = match redis::Endpoint::parse(&text) {
        Ok(endpoint) => endpoint,
        Err(error) => {
            scope.note(key.span(), unusable(error.message, error.hint));
            return None;
        }
    };
    let mut settings = redis::RedisSettings::new(endpoint);
    settings.topology = topology(cluster.as_ref(), sentinels.as_deref(), scope)?;
    settings.connections_max = scope.read(connections_max.as_ref(), settings.connections_max, |number| {
        values::number("connections_max", *number, 1, redis::CONNECTIONS_MOST)
    });
    let beside = |file: &Placed<String>| -> PathBuf { scope.dir.join(file.value()) };
    settings.ca_file = ca_file.as_ref().map(beside);
    settings.client_certificate = match (cert_file, key_file) {
        (Some(cert), Some(key)) => Some(redis::ClientCertificate { cert_file: beside(cert), key_file: beside(key) }),
        (None, None) => None,
        (Some(one), None) | (None, Some(one)) => {
            let problem = Problem::new("a certificate needs its key, and a key its certificate");
            let problem = problem.reason("the server asks for proof that the certificate's key is here");
            scope.note(one.span(), problem.hint("write both `cert_file` and `key_file`, or neither"));
            None
        }
    };
    if let Err(error) = settings.check() {
        let problem = Problem::new("the settings of the source do not go together").reason(error.message);
        scope.note(key.span(), problem.hint(error.hint));
        return None;
    }
    let named = |file| {
        let (name, written) = match file {
            TlsFile::Ca => ("ca_file", ca_file),
            TlsFile::Certificate => ("cert_file", cert_file),
            TlsFile::Key => ("key_file", key_file),
        };
        (name.to_owned(), written.as_ref().map_or(key.span(), Placed::span))
    };
    tls_files::note(&settings.flawed_files(), named, scope);
    Some(settings)
}

fn topology(cluster: Option<&Placed<bool>>, sentinels: Option<&[Placed<String>]>, scope: &mut Scope<'_>) -> Option<redis::Topology> {
    match (cluster.filter(|cluster| *cluster.value()), sentinels) {
        (Some(cluster), Some(_)) => {
            let problem = Problem::new("a source is a cluster or behind sentinels, not both")
                .reason("a cluster has no single master that sentinels could name");
            scope.note(cluster.span(), problem.hint("remove `cluster` or `sentinels`"));
            None
        }
        (Some(_), None) => Some(redis::Topology::Cluster),
        (None, None) => Some(redis::Topology::Server),
        (None, Some(urls)) => {
            let mut endpoints = Vec::new();
            for url in urls {
                let read =
                    expanded(url.value()).and_then(|text| redis::Endpoint::parse(&text).map_err(|error| unusable_sentinel(error.message)));
                match read {
                    Ok(endpoint) => endpoints.push(endpoint),
                    Err(problem) => {
                        scope.note(url.span(), problem);
                        return None;
                    }
                }
            }
            Some(redis::Topology::Sentinels(endpoints))
        }
    }
}

/// The URL of a source, and the key that says it.
fn url_text<'w>(
    name: &Placed<String>,
    url: Option<&'w Placed<String>>,
    url_file: Option<&'w Placed<String>>,
    scope: &mut Scope<'_>,
) -> Option<(UrlKey<'w>, String)> {
    let key = match UrlKey::of(url, url_file) {
        Ok(Some(key)) => key,
        Ok(None) => {
            let problem = Problem::new(format!("the source `{}` has neither `url` nor `url_file`", shown(name.value())));
            let problem = problem.reason("a source has no default address");
            scope.note(name.span(), problem.hint("write where it is, for example: url = \"${DATABASE_URL}\""));
            return None;
        }
        Err(file) => {
            let problem = Problem::new(format!("the source `{}` has both `url` and `url_file`", shown(name.value())));
            scope.note(file, problem.reason("it would be left to chance which of the two is entered").hint("remove one of them"));
            return None;
        }
    };
    match key.text(scope.dir) {
        Ok(text) => Some((key, text)),
        Err(problem) => {
            scope.note(key.span(), problem);
            None
        }
    }
}

fn unusable_sentinel(message: String) -> Problem {
    let hint = "write each as `redis://10.0.0.1:26379`, with `user:password@` before the host where it asks for one";
    Problem::new("a URL of `sentinels` cannot be used").reason(message).hint(hint)
}

fn unusable(message: String, hint: String) -> Problem {
    Problem::new("the source's URL cannot be used").reason(message).hint(hint)
}

fn no_word(key: &str, word: &str, words: &str) -> Problem {
    Problem::new(format!("`{key}` is not `{}`", shown(word)))
        .reason("it has two words, and no other is guessed at")
        .hint(format!("write {words}"))
}
