//! Replies as they come: bytes go in, the contract's flat list of nodes comes out. RESP2 and RESP3.
//!
//! A reply in pre-order needs no tree: `pending` counts the values that are still to come, an array of n adds n, and the reply is whole
//! when none is left. So nothing here recurses, and no depth has to be bounded.
//!
//! Invariant: this file performs no I/O, and holds no more than one reply: a length that does not fit is refused before its bytes are taken.
//!
//! Limits: [`NODES_MAX`], [`CALL_NODES_MAX`], [`LINE_BYTES_MAX`]. Attributes and pushes (RESP3) are left out of the reply.

use crate::contract::redis::{Node, Reply};

/// Nodes of one reply.
pub(super) const NODES_MAX: usize = 100_000;
/// Nodes of all replies of one call.
pub(super) const CALL_NODES_MAX: usize = 400_000;
/// A line that is no bulk: a status, an error, a number, a length.
const LINE_BYTES_MAX: usize = 64 << 10;
/// Attributes within attributes.
const SKIPPED_DEPTH_MAX: usize = 8;

/// Why bytes are no reply that may be taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ReplyError {
    /// More bytes than may come.
    TooLarge,
    TooManyNodes,
    /// Not the protocol.
    Malformed,
}

/// What became of the bytes that were there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The reply is whole.
    Whole,
    /// At least as many more bytes are needed.
    Needs(usize),
}

/// One reply in the making.
pub(super) struct Parser {
    nodes: Reply,
    /// Values that are still to come, of the reply or of what is being skipped.
    pending: u64,
    /// What is being skipped, the innermost last.
    skipped: Vec<Skipped>,
    nodes_left: u64,
}

/// How it was before something that does not belong to the reply began.
struct Skipped {
    nodes: usize,
    pending: u64,
}

enum Element {
    /// One is taken, so many bytes long.
    Taken(usize),
    Needs(usize),
}

impl Parser {
    pub(super) fn new(nodes_max: usize) -> Parser {
        Parser { nodes: Vec::new(), pending: 1, skipped: Vec::new(), nodes_left: u64::try_from(nodes_max).unwrap_or(u64::MAX) }
    }

    /// Takes whole elements from the front of `bytes`; says how many bytes that were. `bytes_left` may come, `bytes` included.
    pub(super) fn parse(&mut self, bytes: &[u8], bytes_left: u64) -> Result<(usize, Step), ReplyError> {
        let mut taken = 0;
        loop {
            let left = bytes_left.saturating_sub(length_of(taken));
            match self.element(&bytes[taken..], left)? {
                Element::Taken(count) => taken += count,
                Element::Needs(count) => return Ok((taken, Step::Needs(count))),
            }
            if self.pending == 0 {
                return Ok((taken, Step::Whole));
            }
        }
    }

    pub(super) fn into_reply(self) -> Reply {
        self.nodes
    }

    fn element(&mut self, bytes: &[u8], bytes_left: u64) -> Result<Element, ReplyError> {
        let Some(end) = line_end(bytes)? else { return Ok(Element::Needs(1)) };
        let (Some(kind), Some(line)) = (bytes.first(), bytes.get(1..end)) else { return Err(ReplyError::Malformed) };
        let after = end + 2;
        match kind {
            b'$' | b'=' | b'!' => return self.bulk(*kind, line, bytes, after, bytes_left),
            b'+' => self.add(Node::Simple(text(line)), 0)?,
            b'-' => self.add(Node::Failed(text(line)), 0)?,
            b':' => self.add(Node::Int(number(line)?), 0)?,
            b',' => self.add(Node::Float(number(line)?), 0)?,
            b'(' => self.add(Node::BigNumber(text(line)), 0)?,
            b'_' => self.add(Node::Nil, 0)?,
            b'#' => match line {
                b"t" => self.add(Node::Boolean(true), 0)?,
                b"f" => self.add(Node::Boolean(false), 0)?,
                _ => return Err(ReplyError::Malformed),
            },
            b'*' | b'~' | b'%' => self.aggregate(*kind, line)?,
            b'|' => self.skip(length(line)?.unwrap_or(0).saturating_mul(2))?,
            // Stands before a reply, never within one.
            b'>' if self.nodes.is_empty() && self.skipped.is_empty() => self.skip(length(line)?.unwrap_or(0))?,
            _ => return Err(ReplyError::Malformed),
        }
        Ok(Element::Taken(after))
    }

    /// A string, a verbatim string or a long error: as many bytes as its line says, and a line break.
    fn bulk(&mut self, kind: u8, line: &[u8], bytes: &[u8], after: usize, bytes_left: u64) -> Result<Element, ReplyError> {
        let Some(announced) = length(line)? else {
            self.add(Node::Nil, 0)?;
            return Ok(Element::Taken(after));
        };
        let whole = announced.checked_add(length_of(after) + 2).filter(|whole| *whole <= bytes_left);
        let whole = whole.and_then(|whole| usize::try_from(whole).ok()).ok_or(ReplyError::TooLarge)?;
        let end = whole - 2;
        let (Some(content), Some(b"\r\n")) = (bytes.get(after..end), bytes.get(end..whole)) else {
            // Either not all of it is there, or it does not end where it says.
            return if bytes.len() < whole { Ok(Element::Needs(whole - bytes.len())) } else { Err(ReplyError::Malformed) };
        };
        self.add(
            match kind {
                b'!' => Node::Failed(text(content)),
                // `txt:` and then the text.
                b'=' => Node::Bulk(content.get(4..).unwrap_or_default().to_vec()),
                _ => Node::Bulk(content.to_vec()),
            },
            0,
        )?;
        Ok(Element::Taken(whole))
    }

    fn aggregate(&mut self, kind: u8, line: &[u8]) -> Result<(), ReplyError> {
        let Some(count) = length(line)? else { return self.add(Node::Nil, 0) };
        let told = u32::try_from(count).map_err(|_| ReplyError::TooManyNodes)?;
        match kind {
            b'%' => self.add(Node::MapOf(told), count.saturating_mul(2)),
            b'~' => self.add(Node::SetOf(told), count),
            _ => self.add(Node::ArrayOf(told), count),
        }
    }

    /// One value that has come, with `children` to come after it.
    fn add(&mut self, node: Node, children: u64) -> Result<(), ReplyError> {
        // What is announced must fit as well, before any of it is taken.
        if self.pending.saturating_add(children) > self.nodes_left {
            return Err(ReplyError::TooManyNodes);
        }
        self.nodes_left -= 1;
        self.nodes.push(node);
        self.pending = self.pending - 1 + children;
        self.settle();
        Ok(())
    }

    /// The next `values` do not belong to the reply.
    fn skip(&mut self, values: u64) -> Result<(), ReplyError> {
        if self.skipped.len() >= SKIPPED_DEPTH_MAX || self.pending.saturating_add(values) > self.nodes_left {
            return Err(ReplyError::TooManyNodes);
        }
        self.skipped.push(Skipped { nodes: self.nodes.len(), pending: self.pending });
        self.pending = values;
        self.settle();
        Ok(())
    }

    fn settle(&mut self) {
        while self.pending == 0
            && let Some(before) = self.skipped.pop()
        {
            self.nodes.truncate(before.nodes);
            self.pending = before.pending;
        }
    }
}

/// Where the line at the front of `bytes` ends, its line break not counted; None where it goes on.
fn line_end(bytes: &[u8]) -> Result<Option<usize>, ReplyError> {
    let searched = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    match searched.iter().position(|&byte| byte == b'\r') {
        Some(at) => match bytes.get(at + 1) {
            Some(b'\n') => Ok(Some(at)),
            Some(_) => Err(ReplyError::Malformed),
            None => Ok(None),
        },
        None if bytes.len() >= LINE_BYTES_MAX => Err(ReplyError::Malformed),
        None => Ok(None),
    }
}

/// None for the null of RESP2.
fn length(line: &[u8]) -> Result<Option<u64>, ReplyError> {
    if line == b"-1" { Ok(None) } else { number(line).map(Some) }
}

fn number<N: std::str::FromStr>(line: &[u8]) -> Result<N, ReplyError> {
    std::str::from_utf8(line).ok().and_then(|text| text.parse().ok()).ok_or(ReplyError::Malformed)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn length_of(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Takes passwords out of the answer to `CONFIG GET`. That one is empty is still told.
pub(super) fn redact_settings(reply: &mut [Node]) {
    for pair in reply.get_mut(1..).unwrap_or_default().chunks_exact_mut(2) {
        if let [Node::Bulk(name), Node::Bulk(value)] = pair
            && is_secret(name)
            && !value.is_empty()
        {
            *value = b"(redacted)".to_vec();
        }
    }
}

/// `requirepass`, `masterauth`, `tls-key-file-pass`, ...
fn is_secret(setting: &[u8]) -> bool {
    let setting = setting.to_ascii_lowercase();
    setting.ends_with(b"pass") || setting.ends_with(b"auth")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A reply as text on one line.
    pub(in super::super) fn told(reply: &[Node]) -> String {
        let node = |node: &Node| match node {
            Node::Nil => "_".to_owned(),
            Node::Int(value) => format!(":{value}"),
            Node::Float(value) => format!(",{value}"),
            Node::Boolean(value) => format!("#{value}"),
            Node::Simple(text) => format!("+{text}"),
            Node::Bulk(bytes) => format!("${}", bytes.escape_ascii()),
            Node::Failed(text) => format!("-{text}"),
            Node::ArrayOf(count) => format!("*{count}"),
            Node::MapOf(count) => format!("%{count}"),
            Node::SetOf(count) => format!("~{count}"),
            Node::BigNumber(digits) => format!("({digits}"),
            Node::Other(text) => format!("?{text}"),
        };
        reply.iter().map(node).collect::<Vec<_>>().join(" ")
    }

    fn parse(bytes: &[u8], nodes_max: usize, bytes_max: u64) -> Result<(usize, String), ReplyError> {
        let mut parser = Parser::new(nodes_max);
        match parser.parse(bytes, bytes_max)? {
            (taken, Step::Whole) => Ok((taken, told(&parser.into_reply()))),
            (_, Step::Needs(count)) => panic!("{count} more bytes needed after {}", bytes.escape_ascii()),
        }
    }

    const REPLIES: [(&[u8], &str); 22] = [
        (b"+OK\r\n", "+OK"),
        (b"-WRONGTYPE Operation\r\n", "-WRONGTYPE Operation"),
        (b":-42\r\n", ":-42"),
        (b"$5\r\nhello\r\n", "$hello"),
        (b"$4\r\n\r\n\xff\x00\r\n", "$\\r\\n\\xff\\x00"),
        (b"$0\r\n\r\n", "$"),
        (b"$-1\r\n", "_"),
        (b"*-1\r\n", "_"),
        (b"*0\r\n", "*0"),
        (b"*2\r\n:1\r\n*2\r\n+a\r\n*0\r\n", "*2 :1 *2 +a *0"),
        (b"_\r\n", "_"),
        (b"#t\r\n", "#true"),
        (b",1.5\r\n", ",1.5"),
        (b",-inf\r\n", ",-inf"),
        (b"(12345678901234567890123\r\n", "(12345678901234567890123"),
        (b"!9\r\nERR a\r\nbc\r\n", "-ERR a\r\nbc"),
        (b"=8\r\ntxt:text\r\n", "$text"),
        (b"%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n", "%2 +a :1 +b *1 :2"),
        (b"~2\r\n+a\r\n+b\r\n", "~2 +a +b"),
        (b"|1\r\n+ttl\r\n*1\r\n:3\r\n*2\r\n|1\r\n+x\r\n:1\r\n:1\r\n:2\r\n", "*2 :1 :2"),
        (b">2\r\n+invalidate\r\n*1\r\n$1\r\na\r\n:7\r\n", ":7"),
        (b">0\r\n|0\r\n+OK\r\n", "+OK"),
    ];

    #[test]
    fn every_kind_of_reply_is_told_in_pre_order() {
        for (bytes, expected) in REPLIES {
            let with_more = [bytes, b"+NEXT\r\n"].concat();
            let told = parse(&with_more, 100, 1000).unwrap_or_else(|error| panic!("{}: {error:?}", bytes.escape_ascii()));
            assert_eq!(told, (bytes.len(), expected.to_owned()), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_reply_that_comes_byte_by_byte_is_the_same() {
        for (bytes, expected) in REPLIES {
            let mut parser = Parser::new(100);
            let (mut buffer, mut whole) = (Vec::new(), false);
            for &byte in bytes {
                assert!(!whole, "{}", bytes.escape_ascii());
                buffer.push(byte);
                let (taken, step) = parser.parse(&buffer, 1000).expect("a reply");
                buffer.drain(..taken);
                whole = step == Step::Whole;
            }
            assert!(whole && buffer.is_empty(), "{}", bytes.escape_ascii());
            assert_eq!(told(&parser.into_reply()), expected);
        }
    }

    #[test]
    fn what_is_announced_beyond_a_bound_is_refused_before_it_comes() {
        for (bytes, nodes_max, bytes_max, error) in [
            (&b"$1000000000\r\n"[..], 10, 1000, ReplyError::TooLarge),
            (b"$991\r\n", 10, 998, ReplyError::TooLarge),
            (b"$18446744073709551615\r\n", 10, u64::MAX, ReplyError::TooLarge),
            (b"*1000000000\r\n", 100, 1000, ReplyError::TooManyNodes),
            (b"*18446744073709551615\r\n", 100, 1000, ReplyError::TooManyNodes),
            (b"%50\r\n", 100, 1000, ReplyError::TooManyNodes),
            (b"*9\r\n*1\r\n", 10, 1000, ReplyError::TooManyNodes),
            (b"|1000\r\n", 10, 1000, ReplyError::TooManyNodes),
        ] {
            assert_eq!(Parser::new(nodes_max).parse(bytes, bytes_max), Err(error), "{}", bytes.escape_ascii());
        }
        assert!(parse(b"*9\r\n+1\r\n+2\r\n+3\r\n+4\r\n+5\r\n+6\r\n+7\r\n+8\r\n+9\r\n", 10, 1000).is_ok());
        assert_eq!(Parser::new(10).parse(b"$990\r\n", 998), Ok((0, Step::Needs(992))), "998 in all, of which 6 are there");
    }

    #[test]
    fn what_is_not_the_protocol_is_refused() {
        let endless = vec![b'+'; LINE_BYTES_MAX];
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"\r\n",
            b"+a\rb\r\n",
            b":\r\n",
            b":1.5\r\n",
            b":1 \r\n",
            b"$-2\r\n",
            b"$?\r\n",
            b"$1\r\nab\r\n",
            b"#x\r\n",
            b",x\r\n",
            b"*1\r\n>1\r\n+a\r\n",
            b"\xff\r\n",
            &endless,
        ] {
            let outcome = Parser::new(100).parse(bytes, 1 << 20);
            assert_eq!(outcome, Err(ReplyError::Malformed), "{}", bytes[..bytes.len().min(32)].escape_ascii());
        }
        let deep: Vec<u8> = b"|1\r\n".repeat(SKIPPED_DEPTH_MAX + 1);
        assert_eq!(Parser::new(100).parse(&deep, 1000), Err(ReplyError::TooManyNodes));
    }

    #[test]
    fn a_reply_nested_without_end_takes_no_stack() {
        let depth = 50_000;
        let bytes = [b"*1\r\n".repeat(depth), b":1\r\n".to_vec()].concat();
        let mut parser = Parser::new(NODES_MAX);
        assert_eq!(parser.parse(&bytes, 1 << 20), Ok((bytes.len(), Step::Whole)));
        assert_eq!(parser.into_reply().len(), depth + 1);
    }

    #[test]
    fn passwords_are_taken_out_of_settings() {
        let bytes = b"*6\r\n$11\r\nrequirepass\r\n$6\r\nsecret\r\n$10\r\nmasterauth\r\n$0\r\n\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n";
        let mut parser = Parser::new(100);
        assert_eq!(parser.parse(bytes, 1000), Ok((bytes.len(), Step::Whole)));
        let mut reply = parser.into_reply();
        redact_settings(&mut reply);
        assert_eq!(told(&reply), "*6 $requirepass $(redacted) $masterauth $ $maxmemory $0");
        for setting in ["tls-key-file-pass", "primaryauth", "SENTINEL-PASS"] {
            assert!(is_secret(setting.as_bytes()), "{setting}");
        }
        assert!(!is_secret(b"tls-auth-clients") && !is_secret(b"maxmemory"));
    }
}
