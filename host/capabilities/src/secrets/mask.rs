//! Placeholders in the place of secrets: what the guest is given of an answer.
//!
//! All secrets of the run are looked for, not only those of the request: a server may give back later what it was sent before. Where two
//! things overlap, all of both goes, and the longer one is named.
//!
//! A dialogue is received in pieces as a guest likes them. A piece that would end within a secret ends behind it; where its end is, from 4
//! bytes on, only the beginning of one, more must come to tell. So of a secret that a guest picks apart it is given 3 letters at most.
//!
//! A file is read in pieces too, but by its offsets, which must stay right: a secret in it becomes stars, as many as it has bytes. What
//! stands round a piece is known here, so nothing is given away.
//!
//! A text is looked through window by window ([`WINDOW_BYTES`]), and the same is found whatever their size. The work grows with the text and
//! with what the run's secrets are; long answers are masked off the run's thread (`threads.rs`).
//!
//! Limits: what is held back is at most [`REACH_PER_BYTE`] bytes for each of the longest secret of the run, and so is what is read round a
//! piece of a file; of a spelling that is longer the part on one side of an edge is not masked.
//!
//! Invariant: this file performs no I/O.
//! Invariant: where nobody waits for the work any more, all of a text is hidden.

use std::cmp::Reverse;
use std::ops::Range;

use ::http::{HeaderMap, HeaderValue};
use url::Url;

use super::placeholder::{Entry, PLACEHOLDER_BYTES, Placeholders};
use super::spelling::{CUT_BYTES_MIN, Spelling};
use super::value::Value;
use super::view::{self, End, Reading};

/// A byte takes so many in the longest spelling that programs write: two hexadecimal digits, each an entity of HTML in a URL
/// (`%26%23x61%3B`).
const REACH_PER_BYTE: usize = 24;
/// An escape that began before.
const REACH_BYTES_LEAST: usize = 64;
/// Of what went before a piece so many bytes are known: longer than the longest escapes of fewer bytes than count as a beginning.
const GIVEN_BYTES: usize = 128;
/// Of a text, looked through at once.
const WINDOW_BYTES: usize = 64 << 10;
/// Small texts are looked through together, up to so many bytes.
const BATCH_BYTES: usize = 64 << 10;

/// One text of an answer that has many.
pub(crate) enum Part<'answer> {
    Text(&'answer mut String),
    Bytes(&'answer mut Vec<u8>),
}

impl Part<'_> {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Part::Text(text) => text.as_bytes(),
            Part::Bytes(bytes) => bytes,
        }
    }

    fn put(self, masked: Vec<u8>) {
        match self {
            Part::Text(text) => *text = String::from_utf8_lossy(&masked).into_owned(),
            Part::Bytes(bytes) => *bytes = masked,
        }
    }
}

/// What is to be replaced, and by which placeholder of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    range: Range<usize>,
    index: usize,
    /// Of the longest place that it is made of.
    longest: usize,
}

impl Hit {
    fn new(range: Range<usize>, index: usize) -> Hit {
        Hit { longest: range.len(), range, index }
    }
}

impl Placeholders {
    /// `text` with placeholders for secrets; None where no secret is in it.
    pub(crate) fn mask_bytes(&self, text: &[u8], end: End) -> Option<Vec<u8>> {
        let secrets = self.hits(text, end);
        if secrets.is_empty() {
            return None;
        }
        // A placeholder that stands there stays whole.
        let hits = merged([secrets, self.placeholder_hits(text)].concat());
        Some(replace(text, &hits, |index| self.entries()[index].placeholder().to_owned()))
    }

    /// A body that is at most `bytes_max` long again: placeholders are mostly longer than secrets.
    pub(crate) fn mask_body(&self, body: Vec<u8>, end: End, bytes_max: usize) -> (Vec<u8>, End) {
        let Some(mut masked) = self.mask_bytes(&body, end) else { return (body, end) };
        if masked.len() <= bytes_max {
            return (masked, end);
        }
        masked.truncate(bytes_max);
        (masked, End::Cut)
    }

    /// Masks the texts of an answer, each of them whole. Gives by how many bytes they grew: placeholders are mostly longer than secrets.
    pub(crate) fn mask_parts<'answer>(&self, parts: impl IntoIterator<Item = Part<'answer>>) -> u64 {
        if self.is_empty() {
            return 0;
        }
        let (mut batch, mut joined, mut grown) = (Vec::new(), Vec::new(), 0);
        for part in parts {
            if part.bytes().len() >= BATCH_BYTES {
                grown += self.mask_part(part);
                continue;
            }
            joined.extend_from_slice(part.bytes());
            // It is part of no escape: what is found in a text alone is found in front of it too.
            joined.push(0);
            batch.push(part);
            if joined.len() >= BATCH_BYTES {
                grown += self.mask_batch(&mut batch, &mut joined);
            }
        }
        grown + self.mask_batch(&mut batch, &mut joined)
    }

    /// Most have no secret in them: `joined`, where all of them stand behind each other, tells so for all at once.
    fn mask_batch(&self, batch: &mut Vec<Part<'_>>, joined: &mut Vec<u8>) -> u64 {
        let is_clean = self.hits(joined, End::Whole).is_empty();
        joined.clear();
        batch.drain(..).filter(|_| !is_clean).map(|part| self.mask_part(part)).sum()
    }

    fn mask_part(&self, part: Part<'_>) -> u64 {
        let Some(masked) = self.mask_bytes(part.bytes(), End::Whole) else { return 0 };
        let grown = masked.len().saturating_sub(part.bytes().len());
        part.put(masked);
        u64::try_from(grown).unwrap_or(u64::MAX)
    }

    /// How far round a piece of a text one must look for secrets that are partly in it; none where the run has no secret.
    pub(crate) fn reach(&self) -> Option<usize> {
        let longest = self.secrets().iter().map(|(_, value)| value.bytes().len()).max();
        longest.map(|bytes| bytes * REACH_PER_BYTE + REACH_BYTES_LEAST)
    }

    /// `wanted` of a text, as far as it goes, with a star for each byte of a secret.
    pub(crate) fn star_out(&self, mut text: Vec<u8>, wanted: Range<usize>) -> Vec<u8> {
        // Of a file that is still written to, the beginning of a secret may be all that is there.
        for hit in self.hits(&text, End::Cut) {
            text[hit.range].fill(b'*');
        }
        text.truncate(wanted.end);
        text.drain(..wanted.start.min(text.len()));
        text
    }

    /// Where a piece of a dialogue ends that would end behind `length` bytes of `held`; None where more must come to tell. `given` is the
    /// end of what went before, and `End::Whole` that nothing more comes.
    pub(crate) fn piece_end(&self, given: &[u8], held: &[u8], length: usize, end: End) -> Option<usize> {
        let Some(reach) = self.reach() else { return Some(length) };
        // What begins earlier does not reach beyond the piece, and what ends later did not begin in it.
        let first = length.saturating_sub(reach);
        let before: &[u8] = if first == 0 { given } else { &[] };
        let text = [before, &held[first..held.len().min(length + reach)]].concat();
        let at = before.len() + length - first;
        let hits = match end {
            End::Whole => self.hits(&text, End::Cut),
            End::Cut => self.hits(&text, End::Whole),
        };
        let hits = merged(hits);
        let ends = hits.iter().find(|hit| hit.range.start < at && at < hit.range.end).map_or(at, |hit| hit.range.end);
        // The end of a secret may look like the beginning of the same.
        let is_known = |start: usize| hits.iter().any(|hit| hit.range.start <= start && hit.range.end == text.len());
        let is_open = end == End::Cut && self.begun(&text).into_iter().any(|start| start < ends && !is_known(start));
        if is_open { None } else { Some(ends + first - before.len()) }
    }

    /// A piece of a dialogue with placeholders for secrets, and for what is in it of one that began before. `given` becomes the end of what
    /// went before the next.
    pub(crate) fn mask_piece(&self, given: &mut Vec<u8>, piece: Vec<u8>, end: End) -> Vec<u8> {
        if self.is_empty() {
            return piece;
        }
        let before = given.len();
        given.extend_from_slice(&piece);
        let mut hits = self.hits(given, end);
        hits.retain(|hit| hit.range.end > before);
        let masked = if hits.is_empty() {
            piece
        } else {
            hits.extend(self.placeholder_hits(given).into_iter().filter(|hit| hit.range.start >= before));
            let mut hits = merged(hits);
            for hit in &mut hits {
                hit.range.start = hit.range.start.max(before);
            }
            replace(given, &hits, |index| self.entries()[index].placeholder().to_owned()).split_off(before)
        };
        *given = given.split_off(given.len().saturating_sub(GIVEN_BYTES));
        masked
    }

    pub(crate) fn mask_headers(&self, headers: &mut HeaderMap) {
        if self.is_empty() {
            return;
        }
        for value in headers.values_mut() {
            if let Some(masked) = self.mask_bytes(value.as_bytes(), End::Whole) {
                // What is left of the value was fit for a header, and so is a placeholder.
                *value = HeaderValue::from_bytes(&masked).unwrap_or_else(|_| HeaderValue::from_static(""));
            }
        }
    }

    /// Path and query; a host is never changed. A secret that stands there as it is or percent-encoded is filled in again when the URL is
    /// followed, so that the server gets what it asked for.
    pub(crate) fn mask_url(&self, url: &mut Url) {
        if self.is_empty() {
            return;
        }
        if let Some(path) = self.mask_bytes(url.path().as_bytes(), End::Whole) {
            url.set_path(&String::from_utf8_lossy(&path));
        }
        let query = url.query().and_then(|query| self.mask_bytes(query.as_bytes(), End::Whole));
        if let Some(query) = query {
            url.set_query(Some(&*String::from_utf8_lossy(&query)));
        }
    }

    /// Every place where a secret of the run stands in `text`.
    pub(super) fn hits(&self, text: &[u8], end: End) -> Vec<Hit> {
        self.hits_by(text, end, WINDOW_BYTES)
    }

    /// The same in windows of so many bytes.
    pub(super) fn hits_by(&self, text: &[u8], end: End, window: usize) -> Vec<Hit> {
        let secrets = self.secrets();
        let Some((first, _)) = secrets.first() else { return Vec::new() };
        let spellings = || secrets.iter().flat_map(|(index, value)| value.spellings().iter().map(move |spelling| (*index, spelling)));
        // One that began before, the letter beside it, and the one of which it was not known what comes behind.
        let kept = spellings().map(|(_, spelling)| spelling.length()).max().unwrap_or_default() + 2;
        let mut hits = Vec::new();
        for mut reading in readings(text, end, &secrets) {
            let sought = spellings().filter(|(_, spelling)| reading.is_for(spelling.alphabet()));
            let mut sought: Vec<Sought<'_>> = sought.map(|(index, spelling)| Sought { spelling, index, last: None }).collect();
            while reading.advance(window, kept) {
                if self.is_abandoned() {
                    return vec![Hit::new(0..text.len(), *first)];
                }
                for sought in &mut sought {
                    sought.look(&reading, &mut hits);
                }
                reading.see();
            }
            hits.extend(sought.into_iter().filter_map(|sought| sought.last));
        }
        hits
    }

    /// Where secrets begin of which only the beginning stands at the end of `text`.
    fn begun(&self, text: &[u8]) -> Vec<usize> {
        let secrets = self.secrets();
        let mut begun = Vec::new();
        for mut reading in readings(text, End::Cut, &secrets) {
            reading.advance(usize::MAX, 0);
            let spellings = secrets.iter().flat_map(|(_, value)| value.spellings());
            for spelling in spellings.filter(|spelling| reading.is_for(spelling.alphabet())) {
                let (length, whole) = (spelling.begun(reading.bytes()), reading.bytes().len());
                if length >= CUT_BYTES_MIN {
                    begun.push(reading.place(whole - length..whole).start);
                }
            }
        }
        begun
    }

    fn secrets(&self) -> Vec<(usize, &Value)> {
        self.entries().iter().enumerate().filter_map(|(index, entry)| secret(index, entry)).collect()
    }

    /// Every place where a placeholder of the run stands in `text`.
    pub(super) fn placeholder_hits(&self, text: &[u8]) -> Vec<Hit> {
        self.find(text).into_iter().map(|found| Hit::new(found.at..found.at + PLACEHOLDER_BYTES, found.index)).collect()
    }
}

/// The readings of `text` in which any of `secrets` may be found.
fn readings<'text>(text: &'text [u8], end: End, secrets: &[(usize, &Value)]) -> impl Iterator<Item = Reading<'text>> + use<'text> {
    let spaces = secrets.iter().any(|(_, value)| value.bytes().contains(&b' '));
    view::all(text, end, spaces)
}

/// One spelling of a secret, looked for in one reading.
struct Sought<'run> {
    spelling: &'run Spelling,
    index: usize,
    /// The last one found: the next may overlap it.
    last: Option<Hit>,
}

impl Sought<'_> {
    /// Those that overlap become one: a secret that repeats itself stands all over a long repetition.
    fn look(&mut self, reading: &Reading<'_>, hits: &mut Vec<Hit>) {
        let Sought { spelling, index, last } = self;
        spelling.find(reading, |range| {
            let hit = Hit::new(spelling.place(range, reading), *index);
            match last {
                Some(before) if hit.range.start < before.range.end => {
                    before.range.end = hit.range.end;
                    before.longest = before.range.len();
                }
                _ => hits.extend(last.replace(hit)),
            }
        });
    }
}

/// Plain text that a guest had encoded is no secret.
fn secret(index: usize, entry: &Entry) -> Option<(usize, &Value)> {
    (!entry.names().is_empty()).then(|| (index, entry.value()))
}

/// In order, and those that overlap as one.
pub(super) fn merged(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.sort_unstable_by_key(|hit| (hit.range.start, Reverse(hit.range.end), hit.index));
    let mut merged: Vec<Hit> = Vec::with_capacity(hits.len());
    for hit in hits {
        match merged.last_mut() {
            Some(before) if hit.range.start < before.range.end => {
                before.range.end = before.range.end.max(hit.range.end);
                if hit.longest > before.longest {
                    (before.index, before.longest) = (hit.index, hit.longest);
                }
            }
            _ => merged.push(hit),
        }
    }
    merged
}

/// `hits` as [`merged`] gives them.
pub(super) fn replace(text: &[u8], hits: &[Hit], put: impl Fn(usize) -> String) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(text.len() + hits.len() * PLACEHOLDER_BYTES);
    let mut rest = 0;
    for hit in hits {
        replaced.extend_from_slice(&text[rest..hit.range.start]);
        replaced.extend_from_slice(put(hit.index).as_bytes());
        rest = hit.range.end;
    }
    replaced.extend_from_slice(&text[rest..]);
    replaced
}
