//! What a grant of `redis` looks like.
//!
//! ```text
//! { source = "cache", commands = ["INFO", "LLEN", "CLIENT LIST"], keys = ["celery*"] }
//! ```
//! - `source` is the name of a `[sources.redis.NAME]`.
//! - `commands`, in any case. `LLEN` is the command with all its arguments. `CLIENT LIST` is that subcommand alone. A container alone
//!   (`CLIENT`) and `*` grant only what the server does not class as `@admin` or `@dangerous`: those are granted by their whole name.
//!   On a server that has no such classes (before 6), they grant only what is flagged `readonly`.
//! - `keys` are patterns over the bytes of a key, in which `*` stands for any bytes. Without `keys`, only commands that name no key. What
//!   can reach or tell of keys that it does not name (`KEYS`, `SCAN`, scripts, `SORT ... BY`), or reaches another database (`MOVE`,
//!   `COPY ... DB`), needs exactly `"*"`.
//!
//! One grant must cover a command whole, with every key of it.

use crate::glob::{Glob, STARS_MAX};
use crate::grants::GrantError;

use super::commands;

const COMMANDS_MAX: usize = 256;
const KEYS_MAX: usize = 64;
/// A pattern in bytes.
const KEY_BYTES_MAX: usize = 512;

const COMMAND_FORM: &str = "write `LLEN`, `CLIENT LIST` or `*`";
const KEY_FORM: &str = "write a key or a pattern: `celery*`";

/// One entry of `grants.redis`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    source: Box<str>,
    commands: Vec<CommandPattern>,
    keys: Vec<KeyPattern>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum CommandPattern {
    Any,
    Named(Box<str>),
    Within { container: Box<str>, second: Box<str> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum KeyPattern {
    Any,
    /// Over letters that stand for one byte each.
    Matching(Glob),
}

/// How a grant covers a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cover {
    No,
    /// Along with others: by `*`, or by the container that it belongs to.
    Along,
    /// By its whole name.
    ByName,
}

impl Grant {
    /// Grants nothing yet.
    pub fn new(source: &str) -> Grant {
        Grant { source: source.into(), commands: Vec::new(), keys: Vec::new() }
    }

    /// Adds one text of `commands`.
    pub fn allow_command(&mut self, text: &str) -> Result<(), GrantError> {
        if self.commands.len() >= COMMANDS_MAX {
            return Err(error(format!("more than {COMMANDS_MAX} commands"), "split the check"));
        }
        self.commands.push(parse_command(text)?);
        Ok(())
    }

    /// Adds one text of `keys`.
    pub fn allow_key(&mut self, text: &str) -> Result<(), GrantError> {
        if self.keys.len() >= KEYS_MAX {
            return Err(error(format!("more than {KEYS_MAX} key patterns"), "one pattern with `*` can stand for many keys"));
        }
        self.keys.push(parse_key(text)?);
        Ok(())
    }

    pub(super) fn is_of(&self, source: &str) -> bool {
        *self.source == *source
    }

    /// `container`: the command means nothing without its subcommand.
    pub(super) fn covers(&self, name: &str, second: Option<&str>, container: bool) -> Cover {
        let cover = |pattern: &CommandPattern| match pattern {
            CommandPattern::Any => Cover::Along,
            CommandPattern::Named(named) if **named == *name => {
                if container {
                    Cover::Along
                } else {
                    Cover::ByName
                }
            }
            CommandPattern::Within { container, second: wanted } if **container == *name && second == Some(&**wanted) => Cover::ByName,
            CommandPattern::Named(_) | CommandPattern::Within { .. } => Cover::No,
        };
        self.commands.iter().map(cover).max().unwrap_or(Cover::No)
    }

    pub(super) fn has_every_key(&self) -> bool {
        self.keys.contains(&KeyPattern::Any)
    }

    pub(super) fn has_key(&self, key: &[u8]) -> bool {
        let key = bytewise(key);
        self.keys.iter().any(|pattern| match pattern {
            KeyPattern::Any => true,
            KeyPattern::Matching(glob) => glob.matches(&key),
        })
    }
}

/// One letter for each byte, so that a text pattern matches bytes of any encoding.
fn bytewise(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

const WHY: &str = "a grant names each command that may be sent, and the keys that it may touch";

fn error(message: String, hint: impl Into<String>) -> GrantError {
    GrantError { message, reason: WHY, hint: hint.into(), offset: 0 }
}

fn parse_command(text: &str) -> Result<CommandPattern, GrantError> {
    if text == "*" {
        return Ok(CommandPattern::Any);
    }
    let shown = text.escape_debug().take(commands::WORD_BYTES_MAX).collect::<String>();
    let mut words = text.split_ascii_whitespace();
    let (Some(name), second, None) = (words.next(), words.next(), words.next()) else {
        return Err(error(format!("`{shown}` is no command"), COMMAND_FORM));
    };
    if let Some((container, second)) = name.split_once('|')
        && commands::is_word(container.as_bytes())
        && commands::is_word(second.as_bytes())
    {
        let why = "a command and its subcommand are two words, as they are sent";
        return Err(error(format!("`{shown}` is no command"), format!("write `{container} {second}`")).because(why));
    }
    if !commands::is_word(name.as_bytes()) || second.is_some_and(|second| !commands::is_word(second.as_bytes())) {
        return Err(error(format!("`{shown}` is no command"), COMMAND_FORM));
    }
    let (name, second) = (name.to_ascii_uppercase(), second.map(str::to_ascii_uppercase));
    // A container alone stands for those of its subcommands that can be granted.
    if (second.is_some() || !commands::is_container(&name))
        && let Some(why) = commands::refused(&name, second.as_deref())
    {
        let reason = "a connection goes on to other checks, and no call may hold up or change what they find";
        return Err(error(format!("`{shown}` cannot be granted: {why}"), "leave it out").because(reason));
    }
    Ok(match second {
        None => CommandPattern::Named(name.into()),
        Some(second) => CommandPattern::Within { container: name.into(), second: second.into() },
    })
}

fn parse_key(text: &str) -> Result<KeyPattern, GrantError> {
    if text.is_empty() || text.len() > KEY_BYTES_MAX {
        return Err(error(format!("a key pattern has 1 to {KEY_BYTES_MAX} bytes, this has {}", text.len()), KEY_FORM));
    }
    if text.bytes().all(|byte| byte == b'*') {
        return Ok(KeyPattern::Any);
    }
    let glob = Glob::new(&bytewise(text.as_bytes()));
    glob.map(KeyPattern::Matching).ok_or_else(|| {
        let error = error(format!("the key pattern has more than {STARS_MAX} `*`"), "one `*` stands for any bytes");
        error.because("each one costs time at every command")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(commands: &[&str], keys: &[&str]) -> Grant {
        let mut grant = Grant::new("cache");
        for command in commands {
            grant.allow_command(command).unwrap_or_else(|error| panic!("{command}: {error}"));
        }
        for key in keys {
            grant.allow_key(key).unwrap_or_else(|error| panic!("{key}: {error}"));
        }
        grant
    }

    #[test]
    fn a_command_is_granted_by_its_whole_name_or_along_with_others() {
        let named = grant(&["llen", " Client  list "], &[]);
        assert_eq!(named.covers("LLEN", Some("CELERY"), false), Cover::ByName);
        assert_eq!(named.covers("CLIENT", Some("LIST"), true), Cover::ByName);
        for (name, second) in [("CLIENT", Some("KILL")), ("CLIENT", None), ("LLENX", None), ("GET", None)] {
            assert_eq!(named.covers(name, second, name == "CLIENT"), Cover::No, "{name} {second:?}");
        }
        assert_eq!(grant(&["CLIENT"], &[]).covers("CLIENT", Some("LIST"), true), Cover::Along);
        assert_eq!(grant(&["*"], &[]).covers("LLEN", None, false), Cover::Along);
        assert_eq!(grant(&["*", "LLEN"], &[]).covers("LLEN", None, false), Cover::ByName, "the better of two counts");
        assert_eq!(grant(&[], &["*"]).covers("LLEN", None, false), Cover::No);
    }

    #[test]
    fn keys_match_byte_by_byte() {
        let granted = grant(&["GET"], &["celery*", "é?", "a*\u{ff}"]);
        for (key, matches) in [
            (&b"celery"[..], true),
            (b"celery\xff\x00\n", true),
            (b"xcelery", false),
            (b"CELERY", false),
            (b"\xc3\xa9?", true),
            (b"\xe9?", false),
            (b"\xc3\xa9x", false),
            (b"a\xc3\xbf", true),
            (b"a\xff", false),
            (b"", false),
        ] {
            assert_eq!(granted.has_key(key), matches, "{key:?}");
        }
        assert!(!granted.has_every_key() && !grant(&["GET"], &["a*", "*a"]).has_every_key());
        assert!(grant(&["GET"], &["**"]).has_every_key() && grant(&["GET"], &["**"]).has_key(b"\xff"));
        assert!(!grant(&["GET"], &[]).has_key(b"a"), "without `keys` no key is granted");
    }

    #[test]
    fn what_is_no_grant_says_what_to_write() {
        for (command, part) in [
            ("", "is no command"),
            ("GET a b", "is no command"),
            ("GET\"", "is no command"),
            ("L*", "is no command"),
            ("CLIENT|LIST", "write `CLIENT LIST`"),
            ("select", "changes the connection"),
            ("CLIENT REPLY", "changes the connection"),
            ("MULTI", "transaction"),
            ("MONITOR", "stream"),
            ("BLPOP", "wait"),
            ("acl getuser", "hashes"),
        ] {
            let error = Grant::new("cache").allow_command(command).expect_err("no grant");
            assert!(error.to_string().contains(part), "{command}: {error}");
        }
        for key in ["", "*a*b*c*d*e*f*g*h*i*j*k*l*m*n*o*p*q", &"k".repeat(KEY_BYTES_MAX + 1)] {
            Grant::new("cache").allow_key(key).expect_err("no pattern");
        }
    }
}
