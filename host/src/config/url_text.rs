//! The text of a URL that may hold a password: `url`, in which `${NAME}` stands for an environment variable, or `url_file`, a file that
//! holds nothing else. The command line names a URL in the same two ways.
//!
//! Limits: [`FILE_BYTES_MAX`] for the file.
//!
//! Invariant: no message quotes the text, a variable's value or what the file holds; only names and paths.

use std::env;
use std::path::Path;

use url::Url;

use super::diagnostic::{Problem, shown};
use super::place::Span;
use super::read::named_file;
use super::text::Placed;
use super::tls_files;
use crate::failure::Failure;

const FILE_BYTES_MAX: u64 = 4 << 10;

/// The one of the two keys that is written.
#[derive(Clone, Copy)]
pub(super) enum UrlKey<'w> {
    Url(&'w Placed<String>),
    File(&'w Placed<String>),
}

impl<'w> UrlKey<'w> {
    /// None where neither is written. Where both are, the error is the place of `url_file`.
    pub(super) fn of(url: Option<&'w Placed<String>>, url_file: Option<&'w Placed<String>>) -> Result<Option<UrlKey<'w>>, Span> {
        match (url, url_file) {
            (Some(url), None) => Ok(Some(UrlKey::Url(url))),
            (None, Some(file)) => Ok(Some(UrlKey::File(file))),
            (None, None) => Ok(None),
            (Some(_), Some(file)) => Err(file.span()),
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            UrlKey::Url(_) => "url",
            UrlKey::File(_) => "url_file",
        }
    }

    pub(super) fn span(self) -> Span {
        match self {
            UrlKey::Url(written) | UrlKey::File(written) => written.span(),
        }
    }

    /// A relative `url_file` is one of `dir`.
    pub(super) fn text(self, dir: &Path) -> Result<String, Problem> {
        match self {
            UrlKey::Url(url) => expanded(url.value()),
            UrlKey::File(file) => in_file(self.as_str(), file.value(), dir),
        }
    }
}

/// A store that the command line names.
#[derive(Clone, Copy)]
pub enum StoreArgument<'a> {
    /// `--OPTION URL`
    Url { option: &'static str, url: &'a str },
    /// `--OPTION FILE`
    File { option: &'static str, file: &'a Path },
}

impl StoreArgument<'_> {
    /// Whether a password stands in it as it is, where everybody on the machine sees it (`ps`).
    pub fn shows_password(self) -> bool {
        match self {
            StoreArgument::Url { url, .. } => !url.contains("${") && Url::parse(url).is_ok_and(|url| url.password().is_some()),
            StoreArgument::File { .. } => false,
        }
    }

    /// The URL. Relative files are those of the folder that the program is started in.
    pub fn url(self) -> Result<String, Failure> {
        let (option, read) = match self {
            StoreArgument::Url { option, url } => (option, expanded(url)),
            StoreArgument::File { option, file } => (option, in_file(option, &file.to_string_lossy(), Path::new(""))),
        };
        let judged = read.and_then(|url| tls_files::store(option, &url).map(|()| url));
        judged.map_err(|Problem { message, reason, .. }| {
            let why = reason.map_or_else(String::new, |reason| format!(": {reason}"));
            let hint = "write `--import-from URL`, with `${NAME}` where an environment variable holds a password, or \
                        `--import-from-file FILE` with a file that holds the URL and nothing else";
            Failure::usage(format!("{message}{why}")).with_hint(hint)
        })
    }
}

/// `text` with the values of its `${NAME}`.
pub(super) fn expanded(text: &str) -> Result<String, Problem> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        filled.push_str(before);
        let Some((variable, behind)) = after.split_once('}') else {
            return Err(Problem::new("a `${` is not closed")
                .reason("it is not clear where the variable's name ends")
                .hint("write `${NAME}`"));
        };
        let value = env::var(variable).map_err(|_| {
            Problem::new(format!("the environment variable `{}` is not set", shown(variable)))
                .reason("the rest of the URL alone would lead elsewhere, or nowhere")
                .hint("set it where Sickbay is started, or name a file with `url_file`")
        })?;
        filled.push_str(&value);
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn in_file(key: &str, file: &str, dir: &Path) -> Result<String, Problem> {
    let content = named_file(key, file, dir, FILE_BYTES_MAX)?;
    let text = std::str::from_utf8(&content).map_err(|_| {
        Problem::new(format!("`{key}` holds no URL"))
            .reason(format!("\"{}\" is not UTF-8", shown(file)))
            .hint("write the URL into it and nothing else, in one line")
    })?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

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
    fn a_store_on_the_command_line_is_named_as_in_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("url");
        let named = |url: &str| StoreArgument::Url { option: "--import-from", url }.url().map_err(|failure| failure.to_string());
        let in_file = || StoreArgument::File { option: "--import-from-file", file: &file }.url().map_err(|failure| failure.to_string());
        let path = env::var("PATH").unwrap();
        assert_eq!(named("postgres://me:${PATH}@db/x"), Ok(format!("postgres://me:{path}@db/x")));
        assert_eq!(named("${SICKBAY_NO_SUCH_VARIABLE}"), Err("the environment variable `SICKBAY_NO_SUCH_VARIABLE` is not set: the rest of the URL alone would lead elsewhere, or nowhere".to_owned()));
        let shows = |url: &str| StoreArgument::Url { option: "--import-from", url }.shows_password();
        assert!(shows("postgres://me:hunter2@db/x") && !shows("postgres://me:${PATH}@db/x") && !shows("sqlite:sickbay.db"));
        assert!(in_file().is_err_and(|told| told.starts_with("`--import-from-file` is no file that can be read: there is no ")));
        fs::write(&file, "postgres://me:hunter2@db/x\n").unwrap();
        assert_eq!(in_file(), Ok("postgres://me:hunter2@db/x".to_owned()));
        let told = named("postgres://me:hunter2@db/x?sslrootcert=/dev/zero").unwrap_err();
        assert!(told.starts_with("`sslrootcert` in `--import-from` is no file") && !told.contains("hunter2"), "{told}");
    }

    #[test]
    fn a_file_holds_the_url_alone() {
        let folder = tempfile::tempdir().unwrap();
        let read = || in_file("url_file", "url", folder.path());
        fs::write(folder.path().join("url"), "redis://cache:6379\n").unwrap();
        assert_eq!(read().unwrap(), "redis://cache:6379");
        for secret in [&b"\xff hunter2"[..], &b"hunter2 ".repeat(600)] {
            fs::write(folder.path().join("url"), secret).unwrap();
            let problem = read().unwrap_err();
            assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
        }
        assert!(in_file("url_file", "none", folder.path()).is_err());
        assert!(in_file("url_file", ".", folder.path()).is_err(), "it is a folder");
    }
}
