//! What is kept beside results: incidents, silences, deliveries, counts of objectives, who did what, and their like.
//!
//! A document is a JSON object with what the store needs to find it again. What it means is known to who wrote it.
//!
//! Some are announced: the events of the host tell them, and they have a number in the one sequence with the results.
//!
//! Invariant: of several changes to one document in a transaction the last counts; it is announced where one of them says so.

use std::collections::{HashMap, HashSet};

use sickbay_core::Timestamp;

/// What kind of thing a document is. The numbers are in databases: they never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The parent is the check, where it is of one.
    Incident = 1,
    /// A line of an incident's timeline; the parent is the incident.
    Event = 2,
    /// What a sink was told of a group; the parent is the sink.
    Ledger = 3,
    /// The parent is the sink.
    Delivery = 4,
    Group = 5,
    Silence = 6,
    /// What one day counted for an objective; the parent is the objective.
    Slo = 7,
    /// What is unusual about a check.
    Check = 8,
    /// How a sink stands.
    Sink = 9,
    /// What somebody did by the API; the parent is who. Written once.
    Audit = 10,
    /// A window in which nobody is told, made by the API.
    Maintenance = 11,
}

impl Kind {
    pub const ALL: [Kind; 11] = [
        Kind::Incident,
        Kind::Event,
        Kind::Ledger,
        Kind::Delivery,
        Kind::Group,
        Kind::Silence,
        Kind::Slo,
        Kind::Check,
        Kind::Sink,
        Kind::Audit,
        Kind::Maintenance,
    ];

    pub(crate) fn number(self) -> i16 {
        self as i16
    }

    pub(crate) fn of(number: i16) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub kind: Kind,
    /// One of its kind has it. No NUL.
    pub id: String,
    /// What it belongs to; empty where there is none. No NUL.
    pub parent: String,
    /// The order of lists, and its age.
    pub at: Timestamp,
    /// Still needed to decide: read at the start, never removed by age.
    pub open: bool,
    /// A JSON object as text.
    pub body: String,
}

/// A document with its place in the one sequence of the whole host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    pub seq: u64,
    pub document: Document,
}

/// What a transaction does to one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Writes it, whether it is there or not.
    Put(Document),
    /// Writes it, and gives it the next number, behind the results of the transaction. One that it had is left out from then on.
    Announce(Document),
    Remove(Kind, String),
}

impl Change {
    fn key(&self) -> (Kind, &str) {
        match self {
            Change::Put(document) | Change::Announce(document) => (document.kind, &document.id),
            Change::Remove(kind, id) => (*kind, id),
        }
    }
}

/// A page of a list, newest first.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    pub kind: Kind,
    /// Only those that belong to it.
    pub parent: Option<&'a str>,
    /// Only those that stand behind this one in the list: its time and id.
    pub before: Option<(Timestamp, &'a str)>,
    /// At most [`crate::READ_ROWS_MAX`].
    pub limit: u32,
}

/// What a transaction writes and removes, each document once.
#[derive(Debug, Default)]
pub(crate) struct Net<'a> {
    pub(crate) put: Vec<&'a Document>,
    /// In the order of their numbers.
    pub(crate) announced: Vec<&'a Document>,
    pub(crate) removed: Vec<(Kind, &'a str)>,
}

/// What remains of `changes` at the end.
pub(crate) fn net(changes: &[Change]) -> Net<'_> {
    let last: HashMap<(Kind, &str), usize> = changes.iter().enumerate().map(|(place, change)| (change.key(), place)).collect();
    let announced: HashSet<(Kind, &str)> = changes.iter().filter(|change| matches!(change, Change::Announce(_))).map(Change::key).collect();
    let mut net = Net::default();
    for (place, change) in changes.iter().enumerate() {
        if last.get(&change.key()) != Some(&place) {
            continue;
        }
        match change {
            Change::Put(document) | Change::Announce(document) if announced.contains(&change.key()) => net.announced.push(document),
            Change::Put(document) | Change::Announce(document) => net.put.push(document),
            Change::Remove(kind, id) => net.removed.push((*kind, id)),
        }
    }
    net
}

/// A document that is written, with its number where it has one.
pub(crate) type Row<'a> = (Option<i64>, &'a Document);

impl<'a> Net<'a> {
    /// What is written; `first` is the number of the first one that is announced.
    pub(crate) fn rows(&self, first: i64) -> Vec<Row<'a>> {
        let put = self.put.iter().map(|document| (None, *document));
        put.chain(self.announced.iter().zip(first..).map(|(document, seq)| (Some(seq), *document))).collect()
    }
}

/// Bodies in one statement.
const STATEMENT_BYTES_MAX: usize = 4 << 20;

/// Rows by statements: each has at most `len_max`, and as many as [`STATEMENT_BYTES_MAX`] holds, but at least one.
pub(crate) fn statements<'r, 'a>(rows: &'r [Row<'a>], len_max: usize) -> Vec<&'r [Row<'a>]> {
    let (mut statements, mut begin, mut bytes) = (Vec::new(), 0, 0_usize);
    for (place, (_, document)) in rows.iter().enumerate() {
        let is_full = place - begin == len_max || bytes + document.body.len() > STATEMENT_BYTES_MAX;
        if is_full && place > begin {
            statements.push(&rows[begin..place]);
            (begin, bytes) = (place, 0);
        }
        bytes += document.body.len();
    }
    if begin < rows.len() {
        statements.push(&rows[begin..]);
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(id: &str, body: &str) -> Document {
        let (kind, parent, at) = (Kind::Silence, String::new(), Timestamp(1));
        Document { kind, id: id.to_owned(), parent, at, open: true, body: body.to_owned() }
    }

    #[test]
    fn of_several_changes_to_one_document_the_last_counts() {
        let remove = |id: &str| Change::Remove(Kind::Silence, id.to_owned());
        let changes = [
            Change::Put(document("a", "1")),
            Change::Put(document("b", "1")),
            remove("b"),
            remove("c"),
            Change::Put(document("a", "2")),
            Change::Put(document("c", "3")),
        ];
        let net = net(&changes);
        assert_eq!(net.put, [&document("a", "2"), &document("c", "3")]);
        assert_eq!(net.removed, [(Kind::Silence, "b")]);
    }

    #[test]
    fn what_was_announced_once_in_a_transaction_is_announced_in_its_last_form() {
        let changes = [
            Change::Announce(document("a", "1")),
            Change::Announce(document("b", "1")),
            Change::Put(document("a", "2")),
            Change::Put(document("c", "1")),
            Change::Announce(document("d", "1")),
            Change::Remove(Kind::Silence, "d".to_owned()),
        ];
        let net = net(&changes);
        assert_eq!(net.announced, [&document("b", "1"), &document("a", "2")]);
        let rows: Vec<(Option<i64>, &str)> = net.rows(7).iter().map(|(seq, document)| (*seq, document.id.as_str())).collect();
        assert_eq!(rows, [(None, "c"), (Some(7), "b"), (Some(8), "a")]);
        assert_eq!(net.removed, [(Kind::Silence, "d")]);
    }

    #[test]
    fn a_statement_has_so_many_rows_and_so_many_bytes() {
        let (small, large) = (document("a", "x"), document("b", &"x".repeat(STATEMENT_BYTES_MAX)));
        let lens = |documents: &[&Document], len_max| -> Vec<usize> {
            let rows: Vec<Row<'_>> = documents.iter().map(|document| (None, *document)).collect();
            statements(&rows, len_max).iter().map(|rows| rows.len()).collect()
        };
        assert_eq!(lens(&[], 2), Vec::<usize>::new());
        assert_eq!(lens(&[&small, &small, &small, &small, &small], 2), [2, 2, 1]);
        assert_eq!(lens(&[&small, &large, &large, &small], 9), [1, 1, 1, 1]);
    }

    #[test]
    fn every_kind_is_known_by_its_number() {
        assert_eq!(Kind::ALL.map(|kind| Kind::of(kind.number())), Kind::ALL.map(Some));
        assert_eq!((Kind::of(0), Kind::of(12)), (None, None));
    }
}
