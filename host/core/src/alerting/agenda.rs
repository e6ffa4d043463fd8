//! What is to be done when: each thing at most once, the earliest first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::config::SinkName;
use super::group::GroupKey;
use super::id::{DeliveryId, IncidentId, SilenceId};
use crate::Timestamp;

/// What time brings about. Of those at the same time the upper ones come first: what mutes is known before what is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A silence begins or ends.
    Silence(SilenceId),
    /// A named interval may begin or end.
    Interval(Arc<str>),
    /// A maintenance window, by its place in the configuration.
    Maintenance(usize),
    AckExpires(IncidentId),
    PostedEnds(IncidentId),
    /// Nothing was heard of an attempt.
    Lease(DeliveryId),
    GiveUp(DeliveryId),
    /// A sink that is no longer configured has not come back.
    SinkGone(SinkName),
    Flush(GroupKey),
    Rung(IncidentId, GroupKey),
    Reminder(GroupKey, SinkName),
}

#[derive(Debug, PartialEq)]
pub(super) struct Agenda<Entry> {
    by_time: BTreeSet<(Timestamp, Entry)>,
    times: BTreeMap<Entry, Timestamp>,
}

impl<Entry: Clone + Ord> Agenda<Entry> {
    pub(super) fn new() -> Agenda<Entry> {
        Agenda { by_time: BTreeSet::new(), times: BTreeMap::new() }
    }

    /// The entry is due at `at`, whatever it was before; never where there is no time.
    pub(super) fn set(&mut self, entry: Entry, at: Option<Timestamp>) {
        let before = match at {
            Some(at) => self.times.insert(entry.clone(), at),
            None => self.times.remove(&entry),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, entry.clone()));
        }
        if let Some(at) = at {
            self.by_time.insert((at, entry));
        }
    }

    pub(super) fn time_of(&self, entry: &Entry) -> Option<Timestamp> {
        self.times.get(entry).copied()
    }

    pub(super) fn first(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Those that are due, the earliest first.
    pub(super) fn due(&self, now: Timestamp) -> impl Iterator<Item = &Entry> {
        self.by_time.iter().take_while(move |(at, _)| *at <= now).map(|(_, entry)| entry)
    }

    /// Takes the earliest that is due.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<Entry> {
        if self.first()? > now {
            return None;
        }
        let (_, entry) = self.by_time.pop_first()?;
        self.times.remove(&entry);
        Some(entry)
    }

    pub(super) fn retain(&mut self, keeps: impl Fn(&Entry) -> bool) {
        self.by_time.retain(|(_, entry)| keeps(entry));
        self.times.retain(|entry, _| keeps(entry));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_due_at_its_last_time_only() {
        let mut agenda = Agenda::new();
        agenda.set("a", Some(Timestamp(5)));
        agenda.set("b", Some(Timestamp(3)));
        agenda.set("a", Some(Timestamp(2)));
        agenda.set("c", Some(Timestamp(1)));
        agenda.set("c", None);
        assert_eq!((agenda.first(), agenda.time_of(&"c")), (Some(Timestamp(2)), None));
        assert_eq!(agenda.due(Timestamp(3)).copied().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(agenda.pop_due(Timestamp(2)), Some("a"));
        assert_eq!(agenda.pop_due(Timestamp(2)), None);
        agenda.retain(|entry| *entry != "b");
        assert_eq!(agenda.pop_due(Timestamp(9)), None);
    }
}
