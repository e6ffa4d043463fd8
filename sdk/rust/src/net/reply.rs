//! Replies of SMTP and FTP: a code of three digits, on one line or on several (RFC 5321, 4.2).

use super::Connection;
use crate::Error;

/// A longer reply is none.
const LINES_MAX: usize = 100;
const SHOWN_CHARS_MAX: usize = 100;

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    /// What stands behind the code, line by line.
    pub lines: Vec<String>,
}

impl Reply {
    /// Reads the next one.
    pub fn receive(connection: &Connection) -> Result<Reply, Error> {
        let mut lines = Vec::new();
        while lines.len() < LINES_MAX {
            let line = connection.receive_line()?;
            let (code, is_last, text) = parse(&line).ok_or_else(|| Error::service("protocol", format!("no reply: {}", shown(&line))))?;
            lines.push(text.to_owned());
            if is_last {
                return Ok(Reply { code, lines });
            }
        }
        Err(Error::service("protocol", format!("a reply of more than {LINES_MAX} lines")))
    }

    /// The reply when it has this code; `step` names what it answers.
    pub fn expect(self, code: u16, step: &str) -> Result<Reply, Error> {
        if self.code == code {
            return Ok(self);
        }
        let text = self.lines.first().map(String::as_str).unwrap_or_default();
        Err(Error::service("protocol", format!("{step} was answered by {} {}, expected {code}", self.code, shown(text))))
    }
}

/// Sends one line and reads the reply.
pub fn ask(connection: &Connection, line: &str) -> Result<Reply, Error> {
    connection.send(format!("{line}\r\n").as_bytes())?;
    Reply::receive(connection)
}

/// What a server said, fit for one line of a summary.
pub fn shown(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).take(SHOWN_CHARS_MAX).collect()
}

fn parse(line: &str) -> Option<(u16, bool, &str)> {
    let code = line.get(..3).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()?;
    match line.get(3..)?.chars().next() {
        None => Some((code, true, "")),
        Some(' ') => Some((code, true, &line[4..])),
        Some('-') => Some((code, false, &line[4..])),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_code_and_tells_whether_it_is_the_last() {
        assert_eq!(parse("250-STARTTLS"), Some((250, false, "STARTTLS")));
        assert_eq!(parse("220 ready"), Some((220, true, "ready")));
        assert_eq!(parse("221"), Some((221, true, "")));
        for line in ["", "22", "HTTP/1.1 400", "+OK", "2201 x"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
