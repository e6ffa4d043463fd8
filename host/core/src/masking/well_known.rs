//! Shapes that everybody knows. One pass finds every place where one of them may begin (a mark); what it is is decided there.
//!
//! A shape is in the table only if hardly anything else looks like it: each says why. UUIDs, digests and other random numbers look like nothing
//! in particular and stay, unless a name such as `token` says what they are.
//!
//! Invariant: what was looked at for a shape is not looked at again for the same one, so that no text makes work pile up.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::named::{self, Bond, Name, looks_drawn};

/// What is to be hidden; or how far there is nothing: no mark of the shape that ends before counts.
pub(super) type Found = Result<Range<usize>, usize>;

/// What has to follow a mark.
enum Shape {
    /// At least so many characters of an alphabet, of which all are hidden, with the mark; which has to be written just so.
    Token { alphabet: fn(u8) -> bool, least: usize },
    /// A value: the mark is the end of its name.
    Value(Name),
    /// What is decided by more than that.
    Other(fn(&str, Range<usize>) -> Found),
}

const SHAPES_LEN: usize = 19;
/// Of a name; no mark has more.
const TAIL_BYTES: usize = 32;

/// Marks, in any case of letters, and what has to follow them.
static SHAPES: [(&[&str], Shape); SHAPES_LEN] = [
    // Nothing else is armoured so; certificates and public keys have other labels.
    (&["-----begin "], Shape::Other(private_key)),
    // `user:password@` in front of a host. Behind a port there is no `@`.
    (&["://"], Shape::Other(url_password)),
    // `bearer` and `basic` are words too: what follows must look drawn, unless a header is named in front.
    (&["bearer "], Shape::Other(bearer)),
    (&["basic "], Shape::Other(basic)),
    (&["authorization"], Shape::Value(Name::Authorization)),
    // A name that goes on behind the mark (`password_reset_count`) is another name.
    (&["password", "passwd", "passphrase"], Shape::Value(Name::Password)),
    // `PWD=/srv` is the working directory of a process.
    (&["pwd"], Shape::Value(Name::Pwd)),
    // Tokens are also what parsers stumble over, secrets also the names of secrets: see `named` for how sure a text must be.
    (
        &[
            "token",
            "secret",
            "api_key",
            "apikey",
            "api-key",
            "access_key",
            "accesskey",
            "access-key",
            "secret_key",
            "secretkey",
            "secret-key",
        ],
        Shape::Value(Name::Credential),
    ),
    // PagerDuty's keys look like any digest, and message brokers have routing keys too: name and length together are sure.
    (
        &["routing_key", "routingkey", "routing-key", "integration_key", "integrationkey", "integration-key", "service_key", "servicekey"],
        Shape::Value(Name::RoutingKey),
    ),
    // Ids of AWS's access keys, long and short lived: these four letters in front of exactly sixteen are no word.
    (&["AKIA", "ASIA"], Shape::Other(aws_key)),
    // Three parts in base64url, the first one JSON (`{"` is `eyJ`).
    (&["eyJ"], Shape::Other(web_token)),
    // A prefix that was made to be found, and more behind it than any name has: GitHub (two), GitLab, Slack, Stripe, npm, Google, and signing
    // secrets of Standard Webhooks.
    (&["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], Shape::Token { alphabet: is_alphanumeric, least: 36 }),
    (&["github_pat_"], Shape::Token { alphabet: is_word, least: 22 }),
    (&["glpat-"], Shape::Token { alphabet: is_base64url, least: 20 }),
    (&["xoxa-", "xoxb-", "xoxp-", "xoxr-", "xoxs-"], Shape::Token { alphabet: is_base64url, least: 10 }),
    (&["sk_live_", "rk_live_"], Shape::Token { alphabet: is_alphanumeric, least: 16 }),
    (&["npm_"], Shape::Token { alphabet: is_alphanumeric, least: 36 }),
    (&["AIza"], Shape::Token { alphabet: is_base64url, least: 35 }),
    (&["whsec_"], Shape::Token { alphabet: is_base64, least: 16 }),
];

/// All marks at once.
struct Marks {
    automaton: AhoCorasick,
    /// Of each mark, as it is written, the shape.
    of: Vec<(&'static str, usize)>,
}

static MARKS: LazyLock<Marks> = LazyLock::new(|| {
    let of_shape = |(index, (marks, _)): (usize, &'static (&'static [&'static str], Shape))| marks.iter().map(move |mark| (*mark, index));
    let of: Vec<(&'static str, usize)> = SHAPES.iter().enumerate().flat_map(of_shape).collect();
    let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(of.iter().map(|(mark, _)| mark));
    Marks { automaton: automaton.expect("some dozens of short marks"), of }
});

/// Adds every stretch of `text` that is to be hidden.
pub(super) fn find(text: &str, hidden: &mut Vec<Range<usize>>) {
    let marks = &*MARKS;
    let mut looked_to = [0; SHAPES_LEN];
    for hit in marks.automaton.find_overlapping_iter(text) {
        let (mark, index) = marks.of[hit.pattern().as_usize()];
        if hit.end() <= looked_to[index] {
            continue;
        }
        let found = match SHAPES[index].1 {
            Shape::Token { alphabet, least } if text[hit.range()] == *mark => token(text, hit.range(), alphabet, least),
            Shape::Token { .. } => Err(hit.end()),
            Shape::Value(name) => named::value(text, hit.range(), name),
            Shape::Other(look) => look(text, hit.range()),
        };
        looked_to[index] = match found {
            Ok(stretch) => {
                let end = stretch.end;
                hidden.push(stretch);
                end
            }
            Err(end) => end,
        };
    }
}

/// Whether `name` ends with a mark that says what `value` is.
pub(super) fn is_secret(name: &str, value: &str, bond: Bond) -> bool {
    let marks = &*MARKS;
    let tail = &name[name.ceil_char_boundary(name.len().saturating_sub(TAIL_BYTES))..];
    marks.automaton.find_overlapping_iter(tail).filter(|hit| hit.end() == tail.len()).any(|hit| {
        let (_, index) = marks.of[hit.pattern().as_usize()];
        matches!(SHAPES[index].1, Shape::Value(name) if named::is_secret(name, value, bond))
    })
}

fn token(text: &str, mark: Range<usize>, alphabet: fn(u8) -> bool, least: usize) -> Found {
    let end = run(text, mark.end, alphabet);
    let length = end - mark.end;
    if length >= least || (length > 0 && is_cut(text, end)) { Ok(mark.start..end) } else { Err(mark.end) }
}

/// From its first line to its last, or to the end of a text that was cut.
fn private_key(text: &str, mark: Range<usize>) -> Found {
    const LAST: &str = "-----END ";
    const RULE: &str = "-----";
    let label_end = run(text, mark.end, is_label);
    if !text[mark.end..label_end].contains("PRIVATE KEY") {
        return Err(label_end);
    }
    let Some(last) = text[label_end..].find(LAST) else { return Ok(mark.start..text.len()) };
    let end = run(text, label_end + last + LAST.len(), is_label);
    Ok(mark.start..if text[end..].starts_with(RULE) { end + RULE.len() } else { end })
}

/// The password alone: who it belongs to, and where, helps to mend what failed.
fn url_password(text: &str, mark: Range<usize>) -> Found {
    /// Of a URL with a password that should have been percent-encoded.
    const UNENCODED_BYTES_MAX: usize = 256;
    let end = run(text, mark.end, is_authority);
    let Some((user, rest)) = text[mark.end..end].split_once(':') else { return Err(end) };
    let begin = mark.end + user.len() + 1;
    let is_port = rest.bytes().all(|byte| byte.is_ascii_digit());
    let length = match rest.rfind('@') {
        _ if user.contains('@') => return Err(end),
        Some(at) => at,
        None if is_port || user.starts_with('[') => return Err(end),
        None => {
            let near = &text[begin..text.floor_char_boundary(begin + UNENCODED_BYTES_MAX)];
            let url = &near[..run(near, 0, is_url)];
            // Where the text was cut, the `@` may have been.
            let cut = rest.trim_end_matches('.').trim_end_matches('…').len();
            match url.rfind('@') {
                Some(at) => at,
                None if cut < rest.len() && !rest[..cut].bytes().all(|byte| byte.is_ascii_digit()) => cut,
                None => return Err(end),
            }
        }
    };
    let password = begin..begin + length;
    if named::stays(&text[password.clone()]) { Err(end) } else { Ok(password) }
}

fn bearer(text: &str, mark: Range<usize>) -> Found {
    let begin = run(text, mark.end, is_blank);
    let end = run(text, begin, is_token68);
    // A sentence may end here, or a text that was cut.
    let value = text[begin..end].trim_end_matches('.');
    let was_cut = end - begin - value.len() >= 3 || is_cut(text, end);
    let counts = (value.len() >= 6 && looks_drawn(value)) || (!value.is_empty() && was_cut);
    if counts { Ok(begin..begin + value.len()) } else { Err(end) }
}

/// `user:password` in base64, which comes in fours.
fn basic(text: &str, mark: Range<usize>) -> Found {
    let begin = run(text, mark.end, is_blank);
    let end = run(text, begin, is_base64);
    let value = &text[begin..end];
    let counts = value.len() >= 8 && value.len().is_multiple_of(4) && looks_drawn(value);
    if counts || (!value.is_empty() && is_cut(text, end)) { Ok(begin..end) } else { Err(end) }
}

fn aws_key(text: &str, mark: Range<usize>) -> Found {
    const LENGTH: usize = 16;
    let is_of_key = |byte: &&u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let length = text.as_bytes()[mark.end..].iter().take(LENGTH + 1).take_while(is_of_key).count();
    let end = mark.end + length;
    let is_mark = text[mark.clone()].bytes().all(|byte| byte.is_ascii_uppercase());
    if is_mark && (length == LENGTH || (length > 0 && is_cut(text, end))) { Ok(mark.start..end) } else { Err(mark.end) }
}

fn web_token(text: &str, mark: Range<usize>) -> Found {
    /// A JWS has three, a JWE five.
    const PARTS_MAX: usize = 5;
    /// The shortest header, `{"alg":""}`, has more.
    const HEADER_BYTES_MIN: usize = 12;
    let mut end = run(text, mark.end, is_base64url);
    if text[mark.clone()] != *"eyJ" || (end - mark.start < HEADER_BYTES_MIN && !is_cut(text, end)) {
        return Err(mark.end);
    }
    let mut parts = 1;
    while parts < PARTS_MAX && text[end..].starts_with('.') && !is_cut(text, end) {
        let next = run(text, end + 1, is_base64url);
        // The third may be empty; behind it a full stop ends a sentence.
        if next == end + 1 && parts != 2 {
            break;
        }
        (end, parts) = (next, parts + 1);
    }
    if parts >= 3 || is_cut(text, end) { Ok(mark.start..end) } else { Err(end) }
}

/// Where the characters of an alphabet that begin at `from` end.
pub(super) fn run(text: &str, from: usize, alphabet: fn(u8) -> bool) -> usize {
    text.as_bytes()[from..].iter().position(|byte| !alphabet(*byte)).map_or(text.len(), |length| from + length)
}

/// Whether the text was cut here.
fn is_cut(text: &str, at: usize) -> bool {
    text[at..].starts_with('…') || text[at..].starts_with("...")
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// What a credential behind `Bearer` is made of.
fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

fn is_label(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' '
}

fn is_url(byte: u8) -> bool {
    byte > b' ' && !matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\' | 0x7f)
}

fn is_authority(byte: u8) -> bool {
    is_url(byte) && !matches!(byte, b'/' | b'?' | b'#')
}
