//! What checks name: databases in `[sources]` and secrets in `[secrets]`.
//!
//! A URL may hold a password, so it comes from the environment or a file: `${NAME}` in `url` is replaced, `url_file` is read.
//!
//! Invariant: no diagnostic quotes a URL, a variable's value or what a file holds; only names and paths.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use sickbay_capabilities::{postgres, redis, secrets};

use super::diagnostic::{Problem, shown};
use super::settings::Scope;
use super::text::{Placed, PostgresSourceText, RedisSourceText, SecretText, SourcesText};
use super::values::{self, DurationBounds};

const NAMES_MAX: usize = 1_000;
const URL_FILE_BYTES_MAX: u64 = 4 << 10;
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
            scope.note(name.span(), problem.hint("write where it comes from, for example: env = \"API_TOKEN\""));
            continue;
        };
        let previous = origin(previous_env.as_ref(), previous_file.as_ref(), scope);
        tables.insert(name.value().clone(), secrets::SecretSettings { current, previous });
    }
    tables
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
                scope.note(name.span(), problem);
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
    let (place, text) = url_text(name, url.as_ref(), url_file.as_ref(), scope)?;
    let parsed = postgres::Endpoint::parse(&text).map_err(|error| unusable(error.message, error.hint));
    let endpoint = match parsed {
        Ok(endpoint) => endpoint.within(scope.dir),
        Err(problem) => {
            scope.note(place.span(), problem);
            return None;
        }
    };
    if !endpoint.ignored().is_empty() {
        let problem = Problem::warning(format!("parameters of the URL are not used: {}", endpoint.ignored().join(", ")));
        scope.note(place.span(), problem.hint("remove them"));
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
    Some(settings)
}

fn redis_source(name: &Placed<String>, written: &RedisSourceText, scope: &mut Scope<'_>) -> Option<redis::RedisSettings> {
    let RedisSourceText { url, url_file, cluster, sentinels, connections_max, ca_file, cert_file, key_file } = written;
    let (place, text) = url_text(name, url.as_ref(), url_file.as_ref(), scope)?;
    let endpoint = match redis::Endpoint::parse(&text) {
        Ok(endpoint) => endpoint,
        Err(error) => {
            scope.note(place.span(), unusable(error.message, error.hint));
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
            scope.note(one.span(), problem.hint("write both `cert_file` and `key_file`, or neither"));
            None
        }
    };
    if let Err(error) = settings.check() {
        scope.note(place.span(), Problem::new(error.message).hint(error.hint));
        return None;
    }
    Some(settings)
}

fn topology(cluster: Option<&Placed<bool>>, sentinels: Option<&[Placed<String>]>, scope: &mut Scope<'_>) -> Option<redis::Topology> {
    match (cluster.filter(|cluster| *cluster.value()), sentinels) {
        (Some(cluster), Some(_)) => {
            let problem = Problem::new("a source is a cluster or behind sentinels, not both");
            scope.note(cluster.span(), problem.hint("remove `cluster` or `sentinels`"));
            None
        }
        (Some(_), None) => Some(redis::Topology::Cluster),
        (None, None) => Some(redis::Topology::Server),
        (None, Some(urls)) => {
            let mut endpoints = Vec::new();
            for url in urls {
                let read = expanded(url.value())
                    .and_then(|text| redis::Endpoint::parse(&text).map_err(|error| unusable(error.message, error.hint)));
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

/// The URL of a source, and where it is written.
fn url_text<'w>(
    name: &'w Placed<String>,
    url: Option<&'w Placed<String>>,
    url_file: Option<&'w Placed<String>>,
    scope: &mut Scope<'_>,
) -> Option<(&'w Placed<String>, String)> {
    let (place, read) = match (url, url_file) {
        (Some(url), None) => (url, expanded(url.value())),
        (None, Some(file)) => (file, of_file(&scope.dir.join(file.value()))),
        _ => {
            let problem = Problem::new(format!("the source `{}` has not exactly one of `url` and `url_file`", shown(name.value())));
            (name, Err(problem.hint("write where it is, for example: url = \"${DATABASE_URL}\"")))
        }
    };
    match read {
        Ok(text) => Some((place, text)),
        Err(problem) => {
            scope.note(place.span(), problem);
            None
        }
    }
}

/// `text` with the values of its `${NAME}`.
fn expanded(text: &str) -> Result<String, Problem> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        filled.push_str(before);
        let Some((variable, behind)) = after.split_once('}') else {
            return Err(Problem::new("a `${` is not closed").hint("write `${NAME}`"));
        };
        let value = env::var(variable).map_err(|_| {
            Problem::new(format!("the environment variable `{}` is not set", shown(variable)))
                .hint("set it where Sickbay is started, or name a file with `url_file`")
        })?;
        filled.push_str(&value);
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn of_file(path: &Path) -> Result<String, Problem> {
    let failed = |why: String| {
        Problem::new(format!("`url_file` cannot be read: {}", path.display())).reason(why).hint("it holds nothing but the URL, in one line")
    };
    let mut text = String::new();
    let opened = fs::File::open(path).map_err(|error| failed(error.to_string()))?;
    opened.take(URL_FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| failed(error.to_string()))?;
    if text.len() as u64 > URL_FILE_BYTES_MAX {
        return Err(failed(format!("it has more than {URL_FILE_BYTES_MAX} bytes")));
    }
    Ok(text.trim().to_owned())
}

fn unusable(message: String, hint: String) -> Problem {
    Problem::new("the source's URL cannot be used").reason(message).hint(hint)
}

fn no_word(key: &str, word: &str, words: &str) -> Problem {
    Problem::new(format!("`{key}` is not `{}`", shown(word))).hint(format!("write {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_stands_anywhere_in_a_url() {
        // A test has it, whatever starts it.
        let path = env::var("PATH").unwrap();
        assert_eq!(expanded("redis://:${PATH}@cache/${PATH}").unwrap(), format!("redis://:{path}@cache/{path}"));
        assert_eq!(expanded("redis://cache").unwrap(), "redis://cache");
        assert!(expanded("redis://${SICKBAY_NO_SUCH_VARIABLE}").is_err());
        assert!(expanded("redis://${OPEN").is_err());
    }

    #[test]
    fn a_file_holds_the_url_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("url");
        fs::write(&path, "redis://cache:6379\n").unwrap();
        assert_eq!(of_file(&path).unwrap(), "redis://cache:6379");
        fs::write(&path, vec![b'a'; 5_000]).unwrap();
        assert!(of_file(&path).is_err());
        assert!(of_file(&folder.path().join("none")).is_err());
    }
}
