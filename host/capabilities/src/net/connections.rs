//! What a run has open. Dropping it closes everything.
//!
//! A guest holds a number for each connection, which the engine keeps for it: no guest can make one up, and none is given twice.

use std::collections::BTreeMap;

use super::client::Opened;
use super::dialogue::Dialogue;
use crate::failure::Failure;

/// As the contract says.
pub(super) const CONNECTIONS_MAX: usize = 8;

#[derive(Default)]
pub(crate) struct Connections {
    last: u32,
    open: BTreeMap<u32, Open>,
}

struct Open {
    opened: Opened,
    /// None while a call works with it, and for good when that call was abandoned.
    dialogue: Option<Dialogue>,
}

impl Connections {
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Asked before a connection is made.
    pub(super) fn ensure_room(&self) -> Result<(), Failure> {
        if self.open.len() < CONNECTIONS_MAX {
            return Ok(());
        }
        Err(Failure::Invalid(format!("{CONNECTIONS_MAX} connections are open, more at once are not made; hint: drop one")))
    }

    pub(super) fn add(&mut self, dialogue: Dialogue, opened: Opened) -> u32 {
        self.last += 1;
        self.open.insert(self.last, Open { opened, dialogue: Some(dialogue) });
        self.last
    }

    pub(super) fn opened(&self, number: u32) -> Option<&Opened> {
        self.open.get(&number).map(|open| &open.opened)
    }

    /// For one call, which puts it back.
    pub(super) fn take(&mut self, number: u32) -> Result<Dialogue, Failure> {
        let dialogue = self.open.get_mut(&number).and_then(|open| open.dialogue.take());
        dialogue.ok_or_else(|| Failure::Invalid("the connection is closed already".to_owned()))
    }

    pub(super) fn put_back(&mut self, number: u32, dialogue: Dialogue) {
        if let Some(open) = self.open.get_mut(&number) {
            open.dialogue = Some(dialogue);
        }
    }

    pub(super) fn close(&mut self, number: u32) {
        self.open.remove(&number);
    }
}
