//! A guest's commands, held against the contract's bounds and packed as they go out.

use std::time::Duration;

use super::commands;
use super::failure::Failure;
use crate::contract::redis::Command;

/// Commands of one `run-many`.
pub(super) const COMMANDS_MAX: usize = 256;
/// Arguments of a command, its name not counted.
pub(super) const ARGUMENTS_MAX: usize = 1000;
/// A command with its arguments.
pub(super) const COMMAND_BYTES_MAX: usize = 1 << 20;

/// What one call asks for.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) source: String,
    pub(super) commands: Vec<Asked>,
    pub(super) timeout: Option<Duration>,
}

/// One command.
#[derive(Debug)]
pub(super) struct Asked {
    /// In capitals.
    pub(super) name: String,
    /// The first argument in capitals, where it has the form of a subcommand.
    pub(super) second: Option<String>,
    /// As the guest gave them, the name first.
    pub(super) parts: Command,
    /// The same as it goes over the wire.
    pub(super) packed: Vec<u8>,
}

impl Request {
    pub(super) fn new(source: String, commands: Vec<Command>, timeout_ms: Option<u32>) -> Result<Request, Failure> {
        let commands = commands.into_iter().map(Asked::new).collect::<Result<Vec<_>, _>>()?;
        Ok(Request { source, commands, timeout: timeout_ms.map(|timeout_ms| Duration::from_millis(timeout_ms.into())) })
    }

    /// What the commands take on the wire.
    pub(super) fn bytes(&self) -> u64 {
        self.commands.iter().map(|asked| u64::try_from(asked.packed.len()).unwrap_or(u64::MAX)).fold(0, u64::saturating_add)
    }
}

impl Asked {
    pub(super) fn new(parts: Command) -> Result<Asked, Failure> {
        let Some((name, arguments)) = parts.split_first() else {
            return Err(invalid("a command without a name; hint: the first part is the name: `LLEN`"));
        };
        if arguments.len() > ARGUMENTS_MAX {
            return Err(invalid(format!("a command with {} arguments, at most {ARGUMENTS_MAX} are sent", arguments.len())));
        }
        let bytes = parts.iter().map(Vec::len).fold(0, usize::saturating_add);
        if bytes > COMMAND_BYTES_MAX {
            return Err(invalid(format!("a command of {bytes} bytes, at most {COMMAND_BYTES_MAX} are sent")));
        }
        let name = capitals(name).ok_or_else(|| invalid("the name of a command is one word of letters and digits; hint: `LLEN`"))?;
        let second = arguments.first().and_then(|first| capitals(first));
        let packed = ::redis::pack_command(&parts);
        Ok(Asked { name, second, parts, packed })
    }

    pub(super) fn arguments(&self) -> &[Vec<u8>] {
        self.parts.get(1..).unwrap_or_default()
    }

    /// For a message or a grant: with the subcommand where the command means nothing without it.
    pub(super) fn words(&self, container: bool) -> String {
        match &self.second {
            Some(second) if container => format!("{} {second}", self.name),
            _ => self.name.clone(),
        }
    }
}

fn capitals(part: &[u8]) -> Option<String> {
    if commands::is_word(part) { std::str::from_utf8(part).ok().map(str::to_ascii_uppercase) } else { None }
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::Invalid(message.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(parts: &[&[u8]]) -> Result<Asked, Failure> {
        Asked::new(parts.iter().map(|part| part.to_vec()).collect())
    }

    #[test]
    fn a_command_is_packed_part_by_part_and_nothing_in_it_is_read() {
        let asked = asked(&[b"set", b"a\r\nb", b""]).expect("a command");
        assert_eq!((asked.name.as_str(), asked.second), ("SET", None));
        assert_eq!(asked.packed, b"*3\r\n$3\r\nset\r\n$4\r\na\r\nb\r\n$0\r\n\r\n");
    }

    #[test]
    fn the_bounds_of_the_contract_hold() {
        let many = vec![b"a".to_vec(); ARGUMENTS_MAX + 1];
        assert!(Asked::new(many.clone()).is_ok(), "a name and as many arguments as may be");
        let large = [b"SET".to_vec(), b"a".to_vec(), vec![0; COMMAND_BYTES_MAX]];
        for parts in [Vec::new(), [many, vec![Vec::new()]].concat(), large.to_vec()] {
            assert!(matches!(Asked::new(parts), Err(Failure::Invalid(_))));
        }
        for name in [&b""[..], b"GET a", b"GET\r\nSET", b"\xff", b"CLIENT|LIST"] {
            assert!(matches!(asked(&[name]), Err(Failure::Invalid(_))), "{name:?}");
        }
    }

    #[test]
    fn a_request_counts_what_goes_over_the_wire() {
        let request = Request::new("cache".to_owned(), vec![vec![b"PING".to_vec()], vec![b"PING".to_vec()]], None).expect("a request");
        assert_eq!(request.bytes(), 2 * 14);
    }
}
