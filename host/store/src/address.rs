//! Which store a URL names.

use std::path::{Path, PathBuf};

use crate::{StoreError, postgres::Server};

#[derive(Debug)]
pub(crate) enum Address {
    Memory,
    /// Absolute, so SQLite cannot take it for one of its own `file:` addresses.
    File(PathBuf),
    Server(Box<Server>),
}

const HINT: &str = "write `url = \"sqlite:sickbay.db\"`";

pub(crate) fn parse(url: &str, base: &Path) -> Result<Address, StoreError> {
    let wrong = |reason| Err(StoreError::Address { reason, hint: HINT });
    match url.split_once(':') {
        Some(("sqlite", ":memory:")) => Ok(Address::Memory),
        Some(("sqlite", file)) => {
            let file = file.strip_prefix("//").unwrap_or(file);
            if file.is_empty() {
                return wrong("names no file");
            }
            if file.contains('?') {
                return wrong("has options behind `?`: there are none");
            }
            if file.contains('\0') {
                return wrong("has a NUL character in it");
            }
            let path = base.join(file);
            Ok(Address::File(std::path::absolute(&path).unwrap_or(path)))
        }
        Some(("postgres" | "postgresql", _)) => Server::parse(url).map(|server| Address::Server(Box::new(server))),
        _ => wrong("is neither `sqlite:FILE` nor `sqlite::memory:` nor `postgres://HOST/DATABASE`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(url: &str) -> PathBuf {
        match parse(url, Path::new("/etc/sickbay")) {
            Ok(Address::File(path)) => path,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_is_relative_to_the_folder_of_the_configuration() {
        assert_eq!(file("sqlite:sickbay.db"), Path::new("/etc/sickbay/sickbay.db"));
        assert_eq!(file("sqlite://data/sickbay.db"), Path::new("/etc/sickbay/data/sickbay.db"));
        assert_eq!(file("sqlite:/var/lib/sickbay.db"), Path::new("/var/lib/sickbay.db"));
        assert_eq!(file("sqlite:///var/lib/sickbay.db"), Path::new("/var/lib/sickbay.db"));
    }

    #[test]
    fn memory_is_a_name_of_its_own() {
        assert!(matches!(parse("sqlite::memory:", Path::new("/")), Ok(Address::Memory)));
    }

    #[test]
    fn what_is_no_store_is_refused_with_a_hint_and_without_its_password() {
        for url in ["mysql://root:secret@db/x", "secret", "", "sqlite:", "sqlite:x?mode=ro&key=secret", "postgres://u:secret@h/d?x=y"] {
            let message = match parse(url, Path::new("/")) {
                Err(error) => error.to_string(),
                Ok(address) => panic!("{url} was taken for {address:?}"),
            };
            assert!(message.contains("hint: "), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn both_schemes_of_postgresql_name_a_server() {
        for url in ["postgres://db/sickbay", "postgresql://db/sickbay"] {
            assert!(matches!(parse(url, Path::new("/")), Ok(Address::Server(_))));
        }
    }
}
