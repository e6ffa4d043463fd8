//! The files that the main file names: which they are, and what they hold.
//!
//! Limits: [`FILES_MAX`] of them are looked at.

use std::path::{Path, PathBuf};

use sickbay_capabilities::postgres;

use super::text::{FileText, Placed, PostgresSourceText};
use super::url_text::UrlKey;

const FILES_MAX: usize = 10_000;

struct NamedFile {
    path: PathBuf,
    holds: Holds,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// Of a token.
    Hash,
    Certificate,
    /// Of a certificate.
    Key,
    /// With a password, mostly.
    Url,
    /// One of `[secrets]`.
    Secret,
}

/// Those that are read with the main file, so that a change of one is a change of the configuration. A secret is none of them: it is
/// read when a run needs it.
pub(super) fn watched(file: &FileText, dir: &Path) -> Vec<PathBuf> {
    paths(file, dir, |holds| holds != Holds::Secret)
}

/// Those that nobody but Sickbay should be able to read.
pub(super) fn confidential(file: &FileText, dir: &Path) -> Vec<PathBuf> {
    paths(file, dir, |holds| matches!(holds, Holds::Key | Holds::Url | Holds::Secret))
}

fn paths(file: &FileText, dir: &Path, wanted: impl Fn(Holds) -> bool) -> Vec<PathBuf> {
    let named = all(file, dir).into_iter().filter(|named| wanted(named.holds)).map(|named| named.path);
    let mut paths: Vec<PathBuf> = named.take(FILES_MAX).collect();
    paths.sort();
    paths.dedup();
    paths
}

fn all(file: &FileText, dir: &Path) -> Vec<NamedFile> {
    let mut all = Vec::new();
    let mut add = |holds: Holds, path: Option<&Placed<String>>| {
        all.extend(path.map(|path| NamedFile { path: dir.join(path.value()), holds }));
    };
    for token in &file.token {
        add(Holds::Hash, token.value().hash_file.as_ref());
    }
    if let Some(tls) = file.server.as_ref().and_then(|server| server.tls.as_ref()) {
        add(Holds::Certificate, Some(&tls.cert_file));
        add(Holds::Key, Some(&tls.key_file));
    }
    add(Holds::Url, file.store.as_ref().and_then(|store| store.url_file.as_ref()));
    add(Holds::Certificate, file.egress.as_ref().and_then(|egress| egress.ca_file.as_ref()));
    for source in file.sources.redis.values() {
        let source = source.value();
        add(Holds::Url, source.url_file.as_ref());
        add(Holds::Certificate, source.ca_file.as_ref());
        add(Holds::Certificate, source.cert_file.as_ref());
        add(Holds::Key, source.key_file.as_ref());
    }
    for source in file.sources.postgres.values() {
        add(Holds::Url, source.value().url_file.as_ref());
    }
    for secret in file.secrets.values() {
        add(Holds::Secret, secret.value().file.as_ref());
        add(Holds::Secret, secret.value().previous_file.as_ref());
    }
    all.extend(file.sources.postgres.values().flat_map(|source| in_url(source.value(), dir)));
    all
}

/// What the URL of a source names: certificates and a key.
fn in_url(source: &PostgresSourceText, dir: &Path) -> Vec<NamedFile> {
    let key = UrlKey::of(source.url.as_ref(), source.url_file.as_ref()).ok().flatten();
    // What is wrong with it is told where the source is judged.
    let text = key.and_then(|key| key.text(dir).ok());
    let Some(endpoint) = text.and_then(|text| postgres::Endpoint::parse(&text).ok()) else { return Vec::new() };
    let endpoint = endpoint.within(dir);
    let file = |path: &Path, holds| NamedFile { path: path.to_path_buf(), holds };
    let certificates = endpoint.certificate_files().map(|path| file(path, Holds::Certificate));
    certificates.chain(endpoint.key_file().map(|path| file(path, Holds::Key))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        [server]
        tls = { cert_file = "server.pem", key_file = "server.key" }
        [[token]]
        name = "me"
        role = "viewer"
        hash_file = "me.token"
        [store]
        url_file = "/run/secrets/store.url"
        [egress]
        ca_file = "ca.pem"
        [sources.postgres.main]
        url = "postgres://monitor@db/app?sslmode=verify-full&sslrootcert=db/ca.pem&sslcert=db/me.pem&sslkey=db/me.key"
        [sources.postgres.other]
        url_file = "other.url"
        [sources.redis.cache]
        url_file = "cache.url"
        ca_file = "cache.pem"
        [secrets.api]
        file = "api.token"
        previous_file = "api.token.old"
        [secrets.hook]
        env = "HOOK"
    "#;

    fn names(paths: &[PathBuf]) -> Vec<&str> {
        paths.iter().map(|path| path.to_str().expect("UTF-8")).collect()
    }

    #[test]
    fn what_is_read_with_the_main_file_is_watched_and_what_runs_read_is_not() {
        let file: FileText = toml::from_str(FILE).expect("the file is right");
        assert_eq!(
            names(&watched(&file, Path::new("/etc/s"))),
            [
                "/etc/s/ca.pem",
                "/etc/s/cache.pem",
                "/etc/s/cache.url",
                "/etc/s/db/ca.pem",
                "/etc/s/db/me.key",
                "/etc/s/db/me.pem",
                "/etc/s/me.token",
                "/etc/s/other.url",
                "/etc/s/server.key",
                "/etc/s/server.pem",
                "/run/secrets/store.url",
            ]
        );
    }

    #[test]
    fn what_holds_a_password_or_a_key_is_confidential() {
        let file: FileText = toml::from_str(FILE).expect("the file is right");
        assert_eq!(
            names(&confidential(&file, Path::new("/etc/s"))),
            [
                "/etc/s/api.token",
                "/etc/s/api.token.old",
                "/etc/s/cache.url",
                "/etc/s/db/me.key",
                "/etc/s/other.url",
                "/etc/s/server.key",
                "/run/secrets/store.url",
            ]
        );
    }
}
