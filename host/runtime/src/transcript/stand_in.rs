//! What stands for a secret while a run is replayed: a text of the form that placeholders have, always the same for a name, and no secret's.
//!
//! A transcript names secrets as a configuration does: `{{secret:NAME}}`. The guest is given the stand-in in their place, because a
//! placeholder is what it would be given, with its length and its letters; what the guest says is told with the names again.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Transcript;

const OPEN: &str = "{{secret:";
const CLOSE: &str = "}}";
/// As placeholders begin.
const MARK: &str = "sbsecret-";
const DIGITS: usize = 32;
/// Names looked for in one transcript.
const NAMES_MAX: usize = 128;

/// The written names of the secrets of one transcript, each with its stand-in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StandIns(BTreeMap<String, String>);

impl StandIns {
    pub(crate) fn of(transcript: &Transcript) -> StandIns {
        let mut stand_ins = StandIns::default();
        for value in [&transcript.request, &transcript.action, &transcript.token] {
            stand_ins.look_through(value);
        }
        for call in &transcript.calls {
            stand_ins.look_through(&call.asked);
            stand_ins.look_through(&call.answer);
        }
        stand_ins
    }

    fn look_through(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.note(text),
            Value::Array(items) => items.iter().for_each(|item| self.look_through(item)),
            Value::Object(table) => table.values().for_each(|value| self.look_through(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn note(&mut self, text: &str) {
        let mut rest = text;
        while let Some((_, after)) = rest.split_once(OPEN) {
            rest = after;
            let Some((name, _)) = after.split_once(CLOSE) else { return };
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
            if is_name && self.0.len() < NAMES_MAX {
                self.0.insert(format!("{OPEN}{name}{CLOSE}"), stand_in(name));
            }
        }
    }

    /// With stand-ins for names; None where there is none.
    pub(crate) fn fill(&self, text: &[u8]) -> Option<Vec<u8>> {
        replaced(text, self.0.iter().map(|(name, stand_in)| (name.as_bytes(), stand_in.as_bytes())))
    }

    /// With names for stand-ins; None where there is none.
    pub(crate) fn mask(&self, text: &[u8]) -> Option<Vec<u8>> {
        replaced(text, self.0.iter().map(|(name, stand_in)| (stand_in.as_bytes(), name.as_bytes())))
    }

    /// [`StandIns::mask`] in every text.
    pub(crate) fn mask_json(&self, value: &mut Value) {
        if self.0.is_empty() {
            return;
        }
        match value {
            Value::String(text) => self.mask_text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_json(item)),
            Value::Object(table) => table.values_mut().for_each(|value| self.mask_json(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    pub(crate) fn mask_text(&self, text: &mut String) {
        if let Some(masked) = self.mask(text.as_bytes()) {
            *text = String::from_utf8_lossy(&masked).into_owned();
        }
    }
}

/// It is no placeholder of any run: nobody fills it in.
fn stand_in(name: &str) -> String {
    format!("{MARK}{}", &crate::digest(name.as_bytes())[..DIGITS])
}

fn replaced<'texts>(text: &[u8], pairs: impl Iterator<Item = (&'texts [u8], &'texts [u8])>) -> Option<Vec<u8>> {
    let mut changed: Option<Vec<u8>> = None;
    for (from, to) in pairs {
        let whole = changed.as_deref().unwrap_or(text);
        if let Some(first) = find(whole, from) {
            changed = Some(with_each(whole, first, from, to));
        }
    }
    changed
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn with_each(text: &[u8], first: usize, from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(text.len());
    let (mut rest, mut next) = (text, Some(first));
    while let Some(at) = next {
        result.extend_from_slice(&rest[..at]);
        result.extend_from_slice(to);
        rest = &rest[at + from.len()..];
        next = find(rest, from);
    }
    result.extend_from_slice(rest);
    result
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_become_stand_ins_and_stand_ins_names() {
        let transcript = Transcript {
            request: json!({ "config": { "token": "{{secret:a}}", "other": ["x{{secret:b.c}}y{{secret:a}}", "{{secret:}} {{secret:a b}} {{secret:"] } }),
            ..Transcript::default()
        };
        let stand_ins = StandIns::of(&transcript);
        assert_eq!(stand_ins.0.keys().collect::<Vec<_>>(), ["{{secret:a}}", "{{secret:b.c}}"]);
        let filled = stand_ins.fill(b"x{{secret:b.c}}y{{secret:a}}{{secret:a}}").expect("names are in it");
        let text = String::from_utf8(filled.clone()).expect("text");
        assert!(!text.contains("{{") && text.matches(MARK).count() == 3 && text.len() == 2 + 3 * (MARK.len() + DIGITS), "{text}");
        assert_eq!(stand_ins.mask(&filled).as_deref(), Some(&b"x{{secret:b.c}}y{{secret:a}}{{secret:a}}"[..]));
        assert_eq!((stand_ins.fill(b"plain"), stand_ins.mask(b"plain")), (None, None));
        let mut value = json!({ "a": [text, 5] });
        stand_ins.mask_json(&mut value);
        assert_eq!(value, json!({ "a": ["x{{secret:b.c}}y{{secret:a}}{{secret:a}}", 5] }));
    }

    #[test]
    fn a_name_has_one_stand_in_and_no_other_name_has_it() {
        assert_eq!(stand_in("a"), stand_in("a"));
        assert_ne!(stand_in("a"), stand_in("b"));
    }
}
