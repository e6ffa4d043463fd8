//! What the simulated hours are made of; a promise that nothing puts to the test is none.

use std::fmt::Debug;

use super::super::*;

/// Lines of timelines, ends of deliveries, their reasons, and notifications that do not name all.
pub(super) const EVERYTHING: [&str; 41] = [
    "Opened",
    "StatusChanged",
    "FlappingBegan",
    "FlappingEnded",
    "Acknowledged",
    "AckExpired",
    "NoteAdded",
    "Muted SilencedBy",
    "Muted InMaintenance",
    "Muted Unreachable",
    "Muted InhibitedBy",
    "Muted MutedTime",
    "Muted OutsideActiveTime",
    "Unmuted",
    "Escalated",
    "Notified",
    "DeliveryFailed",
    "DeliveryRefused",
    "DeliveryExpired",
    "Resent",
    "Relabelled",
    "SinkRemoved",
    "ResolvedBeforeSent",
    "Resolved Recovered",
    "Resolved CheckRemoved",
    "Resolved Ended",
    "Resolved TimedOut",
    "state Pending",
    "state Attempting",
    "state Delivered",
    "state Refused",
    "state Expired",
    "state Abandoned ResolvedBeforeSent",
    "state Abandoned Outdated",
    "state Abandoned SinkRemoved",
    "cause Opened",
    "cause Resolved",
    "cause Acknowledged",
    "cause Reminder",
    "cause Resent",
    "counted",
];

/// What there is in a change, by name.
pub(super) fn names(changes: &Changes) -> Vec<String> {
    let of_event = |event: &IncidentEvent| match &event.kind {
        EventKind::Muted { by } => format!("Muted {}", first_word(by)),
        EventKind::Resolved { reason } => format!("Resolved {}", first_word(reason)),
        kind => first_word(kind),
    };
    let of_delivery = |delivery: &Delivery| {
        let state = match &delivery.state {
            DeliveryState::Abandoned { reason, .. } => format!("state Abandoned {}", first_word(reason)),
            state => format!("state {}", first_word(state)),
        };
        let counted = (delivery.more > 0).then(|| "counted".to_owned());
        [Some(state), Some(format!("cause {}", first_word(&delivery.cause))), counted].into_iter().flatten()
    };
    changes.events.iter().map(of_event).chain(changes.deliveries.iter().flat_map(of_delivery)).collect()
}

fn first_word(value: &impl Debug) -> String {
    format!("{value:?}").chars().take_while(char::is_ascii_alphanumeric).collect()
}
