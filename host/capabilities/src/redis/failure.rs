//! How a call can fail, in the arms of the contract, and which error replies are about the connection rather than the command.

use crate::denial::Denial;
use crate::meter::Exceeded;
use crate::source::{self, Unreached};

/// Also for servers before 6, which have no word of their own for it.
pub(super) const WRONG_PASSWORD: &str = "the server refused the source's user or password; hint: mend them in its `url`";

/// No message names a host, a user, a password or a database.
#[derive(Debug)]
pub(super) enum Failure {
    Denied(Denial),
    /// The guest asked for something that cannot be done, or the source is configured wrongly.
    Invalid(String),
    Quota(String),
    Connect(String),
    Authentication(String),
    Timeout(String),
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
            Failure::Timeout(message) => Failure::Timeout(named(message)),
            Failure::Other(message) => Failure::Other(named(message)),
            other => other,
        }
    }
}

/// An error reply that means that there is no connection to speak of, whatever was asked.
pub(super) fn refusal(text: &str) -> Option<Failure> {
    if text.starts_with("NOAUTH") {
        let message = "the server asks for a password and the source has none; hint: put it into the source's `url`";
        return Some(Failure::Authentication(message.to_owned()));
    }
    if text.starts_with("WRONGPASS") {
        return Some(Failure::Authentication(WRONG_PASSWORD.to_owned()));
    }
    if text.starts_with("ERR max number of clients") {
        return Some(Failure::Connect("the server has no connection left (`maxclients`)".to_owned()));
    }
    if text.starts_with("DENIED") {
        let message = "the server takes no connections from other machines (`protected-mode`)";
        return Some(Failure::Connect(message.to_owned()));
    }
    None
}

/// The first word of an error reply: `LOADING`. What follows is the server's own text and may name things.
pub(super) fn code(text: &str) -> &str {
    const CODE_BYTES_MAX: usize = 32;
    let word = text.split(' ').next().unwrap_or_default();
    let plain = word.len() <= CODE_BYTES_MAX && !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    if plain { word } else { "an error" }
}

/// An error reply of a command, where the server's own text names a host or a user: the same without.
pub(super) fn without_names(source: &str, text: &str) -> Option<String> {
    let code = code(text);
    if matches!(code, "MOVED" | "ASK") {
        return Some(format!("{code} the key is on another node of a cluster; hint: `cluster = true` in `[sources.redis.{source}]`"));
    }
    let rest = text.strip_prefix("NOPERM User ")?;
    let after = rest.find(" has no permissions")?;
    Some(format!("NOPERM this user{}", &rest[after..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_about_the_connection_are_told_from_errors_of_a_command() {
        assert!(matches!(refusal("NOAUTH Authentication required."), Some(Failure::Authentication(_))));
        assert!(matches!(refusal("WRONGPASS invalid username-password pair"), Some(Failure::Authentication(_))));
        // The contract has no arm for it: SDKs know it by this word.
        assert!(matches!(refusal("ERR max number of clients reached"), Some(Failure::Connect(why)) if why.contains("`maxclients`")));
        assert!(matches!(refusal("DENIED Redis is running in protected mode"), Some(Failure::Connect(_))));
        for text in ["WRONGTYPE Operation against a key", "LOADING Redis is loading", "ERR unknown command", "NOPERM this user", ""] {
            assert!(refusal(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_failure_to_connect_names_its_source() {
        let told = |failure: Failure| match failure.of_source("cache") {
            Failure::Authentication(message) | Failure::Connect(message) => message,
            other => panic!("another failure: {other:?}"),
        };
        assert_eq!(told(Failure::Connect("no sentinel knows the master".to_owned())), "source `cache`: no sentinel knows the master");
        let refused = told(refusal("WRONGPASS invalid username-password pair").expect("a refusal"));
        assert!(refused.starts_with("source `cache`: the server refused the source's user or password; hint: "), "{refused}");
    }

    #[test]
    fn names_are_left_out_of_errors() {
        let moved = without_names("cache", "MOVED 3999 10.0.0.7:6381").expect("another text");
        assert!(moved.starts_with("MOVED ") && moved.contains("[sources.redis.cache]") && !moved.contains("10.0.0.7"), "{moved}");
        assert_eq!(
            without_names("cache", "NOPERM User secret has no permissions to run the 'get' command").as_deref(),
            Some("NOPERM this user has no permissions to run the 'get' command")
        );
        for text in ["NOPERM this user has no permissions to run the 'get' command", "WRONGTYPE Operation", ""] {
            assert_eq!(without_names("cache", text), None, "{text}");
        }
    }

    #[test]
    fn of_an_error_only_its_code_is_told() {
        assert_eq!(code("LOADING Redis is loading the dataset in memory"), "LOADING");
        for text in ["", "secret host", "ERR\r\n x", " x"] {
            assert_eq!(code(text), "an error", "{text:?}");
        }
    }
}
