//! The ledger: for each group and sink, which incidents the sink knows of, or may know of.
//!
//! An entry is written before a sink is called, so after a crash what may have been said is known. A resolve is owed exactly for what stands
//! here, whatever muting, routes or configuration say by then; when the sink has acknowledged it the incident is struck out.
//!
//! Invariant: an incident stands at most once for each sink: in the group in which that sink was first told. So a sink hears of it once,
//! through however many routes it comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::config::SinkName;
use super::group::GroupKey;
use super::id::IncidentId;
use super::incident::Phase;
use crate::Timestamp;

/// What a sink knows of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The last phase that it acknowledged, or the one that it was first told.
    pub phase: Phase,
    pub standing: Standing,
    /// Whether it was told this incident or only how many there are.
    pub is_named: bool,
    /// The last reminder only counted it, and the sink hears only what is named: it is told by the next, which follows at once.
    #[serde(default)]
    pub is_left: bool,
}

impl Told {
    /// Whether the sink is to be told the end.
    pub fn is_owed(self) -> bool {
        self.standing != Standing::Declined
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// An attempt was made and its outcome is not known.
    MayKnow,
    /// The sink acknowledged it.
    Knows,
    /// The sink refused it for good, or was never reached in time: it does not know, and is not told before the next reminder.
    Declined,
}

/// When what was told is told again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reminder {
    #[default]
    Never,
    At(Timestamp),
    /// It was time, and everything was muted or taken by a person; as soon as that ends.
    Overdue,
}

impl Reminder {
    pub fn is_due(self, now: Timestamp) -> bool {
        match self {
            Reminder::Never => false,
            Reminder::At(at) => at <= now,
            Reminder::Overdue => true,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    pub group: GroupKey,
    pub sink: SinkName,
    pub told: BTreeMap<IncidentId, Told>,
    /// When the sink last acknowledged something.
    pub last_told_at: Option<Timestamp>,
    /// What the sink called the notification, in its last receipt.
    pub reference: Option<Arc<str>>,
    pub reminder: Reminder,
    /// Something is to be told as soon as the notification on its way has ended.
    pub is_waiting: bool,
}

impl LedgerEntry {
    pub(super) fn new(group: GroupKey, sink: SinkName) -> LedgerEntry {
        LedgerEntry {
            group,
            sink,
            told: BTreeMap::new(),
            last_told_at: None,
            reference: None,
            reminder: Reminder::Never,
            is_waiting: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::{Chance, LabelSet};

    #[test]
    fn an_entry_is_stored_with_its_incidents_by_id() {
        let id = IncidentId::next(&mut Chance::seeded(1), Timestamp(1));
        let mut entry = LedgerEntry::new(GroupKey::new("{}", &LabelSet::default()), "oncall".into());
        entry.told.insert(id, Told { phase: Phase::Firing, standing: Standing::MayKnow, is_named: true, is_left: false });
        entry.reminder = Reminder::At(Timestamp(7));
        let json = serde_json::to_string(&entry).expect("an entry is JSON");
        assert!(json.contains(&format!(r#""told":{{"{id}":{{"phase":"firing","standing":"MayKnow""#)), "{json}");
        assert_eq!(serde_json::from_str::<LedgerEntry>(&json).expect("the same entry"), entry);
    }

    #[test]
    fn what_a_sink_may_know_is_owed_an_end() {
        let told = |standing| Told { phase: Phase::Firing, standing, is_named: true, is_left: false };
        assert!(told(Standing::MayKnow).is_owed() && told(Standing::Knows).is_owed() && !told(Standing::Declined).is_owed());
        assert!(Reminder::At(Timestamp(1)).is_due(Timestamp(1)) && !Reminder::At(Timestamp(2)).is_due(Timestamp(1)));
        assert!(Reminder::Overdue.is_due(Timestamp(0)) && !Reminder::Never.is_due(Timestamp(9)));
    }
}
