//! `{{secret:NAME}}` in a `config`.
//!
//! What is read is the `config` as JSON text, or one text of it: neither the form nor a placeholder holds anything that JSON would escape.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::placeholder;
use crate::grants::GrantError;

const OPEN: &str = "{{";
const CLOSE: &str = "}}";
const WORD: &str = "secret";
const FORM: &str = "write `{{secret:NAME}}` for the secret of `[secrets.NAME]`";

const NAME_BYTES_MAX: usize = 63;
/// Different secrets of one `config`.
pub const NAMES_MAX: usize = 16;
/// Places of one `config` that name a secret.
const USES_MAX: usize = 64;

/// A `config` that names secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Text, and the secret that follows it.
    pieces: Vec<(Box<str>, Arc<str>)>,
    rest: Box<str>,
}

impl Template {
    /// None for a text that names no secret.
    pub fn parse(text: &str) -> Result<Option<Template>, GrantError> {
        let mut pieces: Vec<(Box<str>, Arc<str>)> = Vec::new();
        // Where the text before the next secret begins, and from where on that one is looked for.
        let (mut start, mut at) = (0, 0);
        while let Some(offset) = text[at..].find(OPEN) {
            let open = at + offset;
            if !is_meant(&text[open + OPEN.len()..]) {
                at = open + 1;
                continue;
            }
            let (name, length) = parse_name(&text[open..], open)?;
            if pieces.len() >= USES_MAX {
                return Err(error(open, format!("more than {USES_MAX} uses of secrets in one `config`"), "split the check"));
            }
            pieces.push((Box::from(&text[start..open]), Arc::from(name)));
            start = open + length;
            at = start;
        }
        let template = Template { pieces, rest: Box::from(&text[start..]) };
        match template.names().len() {
            0 => Ok(None),
            1..=NAMES_MAX => Ok(Some(template)),
            names => Err(error(0, format!("a `config` with {names} secrets, at most {NAMES_MAX} may be named"), "split the check")),
        }
    }

    pub fn names(&self) -> BTreeSet<&str> {
        self.pieces.iter().map(|(_, name)| &**name).collect()
    }

    /// The text as a guest may see it: what a JSON Schema is to be held against.
    pub fn sample(&self) -> String {
        self.render(|_| placeholder::SAMPLE)
    }

    /// The text with what stands for each secret in its place.
    pub(super) fn render<'placeholder>(&self, stands_for: impl Fn(&str) -> &'placeholder str) -> String {
        let mut text = String::new();
        for (before, name) in &self.pieces {
            text.push_str(before);
            text.push_str(stands_for(name));
        }
        text.push_str(&self.rest);
        text
    }
}

/// `[a-z0-9][a-z0-9._-]{0,62}`, as all names of the configuration.
pub(super) fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let begins = text.bytes().next().is_some_and(is_plain);
    begins && text.len() <= NAME_BYTES_MAX && text.bytes().all(|byte| is_plain(byte) || matches!(byte, b'.' | b'_' | b'-'))
}

/// How to write a secret in a text for people.
pub(super) fn written(name: &str) -> String {
    format!("{OPEN}{WORD}:{name}{CLOSE}")
}

/// Other templates with `{{` are the plugin's own business; this one is ours also where it is not well written.
fn is_meant(inside: &str) -> bool {
    let word = inside.trim_start_matches(' ').strip_prefix(WORD);
    word.is_some_and(|rest| rest.trim_start_matches(' ').starts_with(':'))
}

/// The name in the form at the front of `text`, and how long the form is. `start` is where `text` begins.
fn parse_name(text: &str, start: usize) -> Result<(&str, usize), GrantError> {
    let before = OPEN.len() + WORD.len() + ":".len();
    if !text[OPEN.len()..].starts_with("secret:") {
        return Err(error(start, "a secret is named without blanks", FORM));
    }
    let after = &text[before..];
    let Some(length) = after.find(CLOSE) else {
        return Err(error(start, "the `{{` of a secret is not closed", FORM));
    };
    let name = &after[..length];
    if !is_name(name) {
        let shown: String = name.escape_debug().take(NAME_BYTES_MAX).collect();
        return Err(error(start + before, format!("`{shown}` is no name of a secret"), FORM));
    }
    Ok((name, before + length + CLOSE.len()))
}

const WHY: &str = "what a secret is filled into has one spelling, so that no other text is taken for it; their number is bounded";

fn error(offset: usize, message: impl Into<String>, hint: &str) -> GrantError {
    GrantError { message: message.into(), reason: WHY, hint: hint.to_owned(), offset }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).unwrap_or_else(|| panic!("{text} names no secret"))
    }

    #[test]
    fn a_text_without_secrets_is_no_template() {
        for text in
            ["", "{}", r#"{"a":{"b":{}}}"#, "{{name}}", "{{ value }}", "{{secrets}}", "{{secretary:x}}", "{{", "secret:x", "${SECRET}"]
        {
            assert_eq!(Template::parse(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn every_secret_gets_what_stands_for_it() {
        let text = r#"{"url":"https://a/{{secret:a.b}}/{{secret:c-d_1}}","headers":[{"value":"Bearer {{secret:a.b}}"}]}"#;
        let template = template(text);
        assert_eq!(template.names().into_iter().collect::<Vec<_>>(), ["a.b", "c-d_1"]);
        let rendered = template.render(|name| if name == "a.b" { "X" } else { "Y" });
        assert_eq!(rendered, r#"{"url":"https://a/X/Y","headers":[{"value":"Bearer X"}]}"#);
        assert_eq!(template.render(|name| if name == "a.b" { "{{secret:a.b}}" } else { "{{secret:c-d_1}}" }), text);
        assert!(template.sample().contains(placeholder::SAMPLE) && !template.sample().contains("{{"));
    }

    #[test]
    fn braces_round_it_are_text() {
        assert_eq!(template("{{{secret:a}}}").render(|_| "X"), "{X}");
        assert_eq!(template("{{ {{secret:a}} }}").render(|_| "X"), "{{ X }}");
        assert_eq!(template("ü{{secret:a}}ü").render(|_| "X"), "üXü");
    }

    #[test]
    fn what_is_not_well_written_says_where() {
        let long = format!("{{{{secret:{}}}}}", "a".repeat(NAME_BYTES_MAX + 1));
        for (text, offset, part) in [
            ("Bearer {{ secret:a }}", 7, "without blanks"),
            ("{{secret :a}}", 0, "without blanks"),
            ("{{secret:a", 0, "not closed"),
            ("{{secret:a}", 0, "not closed"),
            ("{{secret:}}", 9, "no name"),
            ("{{secret:A}}", 9, "no name"),
            ("{{secret: a}}", 9, "no name"),
            ("{{secret:a b}}", 9, "no name"),
            ("{{secret:-a}}", 9, "no name"),
            ("{{secret:a\"}}", 9, "no name"),
            (long.as_str(), 9, "no name"),
        ] {
            let error = Template::parse(text).expect_err(text);
            assert_eq!(error.offset, offset, "{text}: {error}");
            assert!(error.message.contains(part) && error.hint.contains("{{secret:NAME}}"), "{text}: {error}");
        }
    }

    #[test]
    fn a_config_names_few_secrets() {
        let names = |count: usize| (0..count).map(|number| format!("{{{{secret:n{number}}}}}")).collect::<String>();
        assert_eq!(template(&names(NAMES_MAX)).names().len(), NAMES_MAX);
        assert!(Template::parse(&names(NAMES_MAX + 1)).is_err());
        assert!(Template::parse(&"{{secret:a}}".repeat(USES_MAX)).is_ok());
        assert!(Template::parse(&"{{secret:a}}".repeat(USES_MAX + 1)).is_err());
    }
}
