//! What stands for a secret in a run: drawn at random, known to this run alone.
//!
//! It is `sbsecret-` and 32 hexadecimal digits: letters that stand unchanged in URLs, headers, JSON and forms. 128 bits are not guessed, so
//! that whoever writes a row, an answer or a URL cannot have a secret filled in.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use memchr::memmem;
use ring::rand::{SecureRandom, SystemRandom};

use super::escape::hex;
use super::value::Value;
use crate::abandoned::Abandoned;

const MARK: &str = "sbsecret-";
const RANDOM_BYTES: usize = 16;
pub(super) const PLACEHOLDER_BYTES: usize = MARK.len() + 2 * RANDOM_BYTES;
/// One that stands for nothing.
pub(super) const SAMPLE: &str = "sbsecret-00000000000000000000000000000000";
/// In one run, those of its `config` and those of `encode` together.
pub(super) const PLACEHOLDERS_MAX: usize = 128;

const _: () = assert!(SAMPLE.len() == PLACEHOLDER_BYTES);

/// All placeholders of one run. To clone it copies no secret; an empty one holds nothing.
#[derive(Clone, Default)]
pub struct Placeholders {
    entries: Vec<Arc<Entry>>,
    /// Of a copy that works on another thread.
    abandoned: Option<Abandoned>,
}

pub(super) struct Entry {
    placeholder: Box<str>,
    value: Arc<Value>,
    /// The secrets that the value holds, each once; none where a guest had plain text encoded.
    names: Box<[Arc<str>]>,
}

/// A placeholder in a text.
#[derive(Clone, Copy)]
pub(super) struct Found<'run> {
    pub(super) at: usize,
    /// Which of the run's.
    pub(super) index: usize,
    pub(super) entry: &'run Entry,
}

/// No placeholder can be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DrawError {
    #[error("the run has {most} placeholders of secrets already; hint: encode a text once and keep what it gave", most = PLACEHOLDERS_MAX)]
    TooMany,
    #[error("the system gives no random numbers")]
    NoRandomness,
}

impl Entry {
    pub(super) fn placeholder(&self) -> &str {
        &self.placeholder
    }

    pub(super) fn value(&self) -> &Value {
        &self.value
    }

    pub(super) fn names(&self) -> &[Arc<str>] {
        &self.names
    }
}

impl Placeholders {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    /// A copy that stops to work once nobody waits for it: from there on it hides whole texts.
    pub(super) fn until(&self, abandoned: Abandoned) -> Placeholders {
        Placeholders { entries: self.entries.clone(), abandoned: Some(abandoned) }
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.as_ref().is_some_and(Abandoned::is_so)
    }

    /// Draws one for `value`.
    pub(super) fn draw(&mut self, value: Arc<Value>, names: Box<[Arc<str>]>) -> Result<&str, DrawError> {
        if self.entries.len() >= PLACEHOLDERS_MAX {
            return Err(DrawError::TooMany);
        }
        let index = self.entries.len();
        self.entries.push(Arc::new(Entry { placeholder: draw()?, value, names }));
        Ok(&self.entries[index].placeholder)
    }

    /// Holds a configured secret to be masked by its name: there are as many as the configuration has.
    pub(super) fn hold(&mut self, value: Arc<Value>, name: &str) -> Result<(), DrawError> {
        self.entries.push(Arc::new(Entry { placeholder: draw()?, value, names: Box::new([Arc::<str>::from(name)]) }));
        Ok(())
    }

    /// Every placeholder of this run in `text`, in order.
    pub(super) fn find(&self, text: &[u8]) -> Vec<Found<'_>> {
        let mut found = Vec::new();
        if self.is_empty() {
            return found;
        }
        let mut at = 0;
        while let Some(offset) = memmem::find(&text[at..], MARK.as_bytes()) {
            at += offset;
            let known = text.get(at..at + PLACEHOLDER_BYTES).and_then(|whole| self.known(whole));
            match known {
                Some((index, entry)) => {
                    found.push(Found { at, index, entry });
                    at += PLACEHOLDER_BYTES;
                }
                // The mark does not overlap itself.
                None => at += MARK.len(),
            }
        }
        found
    }

    /// Does a placeholder of this run stand in `text`?
    pub(super) fn stand_in(&self, text: &[u8]) -> bool {
        !self.find(text).is_empty()
    }

    fn known(&self, whole: &[u8]) -> Option<(usize, &Entry)> {
        let index = self.entries.iter().position(|entry| entry.placeholder.as_bytes() == whole)?;
        self.entries.get(index).map(|entry| (index, &**entry))
    }
}

/// Shows how many there are.
impl fmt::Debug for Placeholders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Placeholders({})", self.entries.len())
    }
}

/// The secrets behind what was found, each once.
pub(super) fn names_of(found: &[Found<'_>]) -> BTreeSet<Arc<str>> {
    found.iter().flat_map(|found| found.entry.names().iter().map(Arc::clone)).collect()
}

/// `text` with a `*` for each text of the form, whether it is a placeholder of some run or not: what a line of configuration can say of it.
pub(crate) fn starred(text: &str) -> Cow<'_, str> {
    let mut starred = String::new();
    let (mut start, mut at) = (0, 0);
    while let Some(offset) = text[at..].find(MARK) {
        let mark = at + offset;
        let end = mark + PLACEHOLDER_BYTES;
        let is_placeholder =
            text.as_bytes().get(mark + MARK.len()..end).is_some_and(|digits| digits.iter().all(|digit| hex(*digit).is_some()));
        at = mark + MARK.len();
        if is_placeholder {
            starred.push_str(&text[start..mark]);
            starred.push('*');
            start = end;
            at = end;
        }
    }
    if start == 0 {
        return Cow::Borrowed(text);
    }
    starred.push_str(&text[start..]);
    Cow::Owned(starred)
}

fn draw() -> Result<Box<str>, DrawError> {
    let mut random = [0; RANDOM_BYTES];
    SystemRandom::new().fill(&mut random).map_err(|_| DrawError::NoRandomness)?;
    let mut placeholder = String::with_capacity(PLACEHOLDER_BYTES);
    placeholder.push_str(MARK);
    for byte in random {
        // Writing to a text does not fail.
        let _ = write!(placeholder, "{byte:02x}");
    }
    Ok(placeholder.into())
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn drawn(values: &[&str]) -> Placeholders {
        let mut placeholders = Placeholders::default();
        for value in values {
            let names: [Arc<str>; 1] = [Arc::from(*value)];
            placeholders.draw(Arc::new(Value::new(Zeroizing::new(value.as_bytes().to_vec()))), names.into()).expect("drawn");
        }
        placeholders
    }

    #[test]
    fn no_two_placeholders_are_the_same_and_all_have_one_form() {
        let values = ["same"; PLACEHOLDERS_MAX];
        let (one, other) = (drawn(&values), drawn(&values));
        let all: BTreeSet<&str> = one.entries().iter().chain(other.entries()).map(|entry| entry.placeholder()).collect();
        assert_eq!(all.len(), 2 * PLACEHOLDERS_MAX);
        for placeholder in all {
            let digits = placeholder.strip_prefix("sbsecret-").expect("the mark");
            assert!(digits.len() == 32 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')), "{placeholder}");
        }
    }

    #[test]
    fn a_run_has_few_placeholders() {
        let mut full = drawn(&["same"; PLACEHOLDERS_MAX]);
        let more = full.draw(Arc::new(Value::new(Zeroizing::new(b"more".to_vec()))), Box::default());
        assert_eq!(more.map(str::to_owned), Err(DrawError::TooMany));
    }

    #[test]
    fn only_placeholders_of_the_run_are_found() {
        let (run, other) = (drawn(&["first", "second"]), drawn(&["first"]));
        let of = |run: &Placeholders, index: usize| run.entries()[index].placeholder().to_owned();
        let (first, second, foreign) = (of(&run, 0), of(&run, 1), of(&other, 0));
        for (text, expected) in [
            (first.clone(), vec![(0, 0)]),
            (format!("x{second}{first}y"), vec![(1, 1), (42, 0)]),
            (format!("sbsecret-{first}"), vec![(9, 0)]),
            (format!("sbsecret-sbsecret-{first}{SAMPLE}"), vec![(18, 0)]),
            (foreign, vec![]),
            (SAMPLE.to_owned(), vec![]),
            (first[..40].to_owned(), vec![]),
            (first.to_uppercase(), vec![]),
            (first.replace('-', "%2d"), vec![]),
            (String::new(), vec![]),
        ] {
            let found: Vec<(usize, usize)> = run.find(text.as_bytes()).iter().map(|found| (found.at, found.index)).collect();
            assert_eq!(found, expected, "{text}");
            assert_eq!(run.stand_in(text.as_bytes()), !expected.is_empty());
        }
        assert!(Placeholders::default().find(first.as_bytes()).is_empty());
    }

    #[test]
    fn a_line_of_configuration_has_a_star_for_each() {
        for (text, expected) in [
            ("/plain", "/plain"),
            ("/bot{}/send", "/bot*/send"),
            ("{}", "*"),
            ("{}{}x", "**x"),
            ("sbsecret-{}", "sbsecret-*"),
            ("/sbsecret-123", "/sbsecret-123"),
            ("/sbsecret-ü0000000000000000000000000000000", "/sbsecret-ü0000000000000000000000000000000"),
        ] {
            assert_eq!(starred(&text.replace("{}", SAMPLE)), expected, "{text}");
        }
    }

    #[test]
    fn neither_secrets_nor_placeholders_are_shown() {
        let placeholders = drawn(&["correct horse"]);
        assert_eq!(format!("{placeholders:?}"), "Placeholders(1)");
    }
}
