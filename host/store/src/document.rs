//! What is kept beside results: incidents, silences, deliveries, counts of objectives and their like.
//!
//! A document is a JSON object with what the store needs to find it again. What it means is known to who wrote it.
//!
//! Invariant: of several changes to one document in a transaction the last counts.

use std::collections::HashMap;

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
}

impl Kind {
    pub const ALL: [Kind; 9] =
        [Kind::Incident, Kind::Event, Kind::Ledger, Kind::Delivery, Kind::Group, Kind::Silence, Kind::Slo, Kind::Check, Kind::Sink];

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

/// What a transaction does to one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Writes it, whether it is there or not.
    Put(Document),
    Remove(Kind, String),
}

impl Change {
    fn key(&self) -> (Kind, &str) {
        match self {
            Change::Put(document) => (document.kind, &document.id),
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
    pub(crate) removed: Vec<(Kind, &'a str)>,
}

/// What remains of `changes` at the end.
pub(crate) fn net(changes: &[Change]) -> Net<'_> {
    let last: HashMap<(Kind, &str), usize> = changes.iter().enumerate().map(|(place, change)| (change.key(), place)).collect();
    let mut net = Net::default();
    for (place, change) in changes.iter().enumerate() {
        if last.get(&change.key()) != Some(&place) {
            continue;
        }
        match change {
            Change::Put(document) => net.put.push(document),
            Change::Remove(kind, id) => net.removed.push((*kind, id)),
        }
    }
    net
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
    fn every_kind_is_known_by_its_number() {
        assert_eq!(Kind::ALL.map(|kind| Kind::of(kind.number())), Kind::ALL.map(Some));
        assert_eq!((Kind::of(0), Kind::of(10)), (None, None));
    }
}
