//! Deliveries as the API shows them.

use serde::{Deserialize, Serialize};
use sickbay_core::Timestamp;
use sickbay_core::alerting::{Abandoned, Cause, Delivery, DeliveryState, Hold};
use utoipa::ToSchema;

use crate::clock::rfc3339;

/// Incidents that are named.
const INCIDENTS_SHOWN_MAX: usize = 100;

/// One notification on its way to one sink, from its making to its end.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeliveryItem {
    /// The idempotency key too.
    pub id: String,
    pub sink: String,
    /// `pending`, `attempting`, `delivered`, `refused`, `expired` or `abandoned`.
    pub state: String,
    /// Why it was made: `opened`, `resolved`, `acknowledged`, `reminder` or `resent`.
    pub cause: String,
    /// The delivery that it says again.
    pub resent_of: Option<String>,
    /// Firing while any alert of the group is.
    pub phase: String,
    /// The worst of its alerts.
    pub severity: String,
    pub route: String,
    pub group: String,
    /// At most 100.
    pub incidents: Vec<String>,
    /// Of all that it is about.
    pub incidents_count: usize,
    /// Attempts that were begun.
    pub attempts: u32,
    pub created_at: String,
    pub next_attempt_at: Option<String>,
    /// An attempt of which nothing was heard by then is taken for lost.
    pub lease_until: Option<String>,
    /// Until then nothing is attempted at its sink, where that is so.
    pub held_until: Option<String>,
    /// Why not, as a sentence.
    pub held_because: Option<String>,
    pub give_up_at: String,
    pub ended_at: Option<String>,
    /// Why it was abandoned: `ResolvedBeforeSent`, `Outdated` or `SinkRemoved`.
    pub reason: Option<String>,
    pub last_error: Option<String>,
}

impl DeliveryItem {
    /// `hold` is that of its sink.
    pub fn of(delivery: &Delivery, hold: Option<Hold>) -> DeliveryItem {
        let hold = hold.filter(|_| matches!(delivery.state, DeliveryState::Pending { .. }));
        let state = State::of(&delivery.state);
        DeliveryItem {
            id: delivery.id.to_string(),
            sink: delivery.sink.to_string(),
            state: state.name.to_owned(),
            cause: cause(delivery.cause).to_owned(),
            resent_of: match delivery.cause {
                Cause::Resent { of } => Some(of.to_string()),
                Cause::Opened | Cause::Resolved | Cause::Acknowledged | Cause::Reminder => None,
            },
            phase: delivery.phase.as_str().to_owned(),
            severity: delivery.severity.as_str().to_owned(),
            route: delivery.route.to_string(),
            group: delivery.group.to_string(),
            incidents: delivery.covers.iter().take(INCIDENTS_SHOWN_MAX).map(|cover| cover.incident.to_string()).collect(),
            incidents_count: delivery.covers.len(),
            attempts: delivery.attempts,
            created_at: rfc3339(delivery.created_at),
            next_attempt_at: state.next_attempt_at.map(rfc3339),
            lease_until: state.lease_until.map(rfc3339),
            held_until: hold.map(|hold| rfc3339(hold.until)),
            held_because: hold.map(|hold| hold.reason.to_string()),
            give_up_at: rfc3339(delivery.give_up_at),
            ended_at: state.ended_at.map(rfc3339),
            reason: state.reason.map(str::to_owned),
            last_error: delivery.last_error.clone(),
        }
    }
}

/// The name of a state.
pub(crate) fn state_name(state: &DeliveryState) -> &'static str {
    State::of(state).name
}

/// All of them, in the order of a delivery's life.
pub(crate) const STATE_NAMES: [&str; 6] = ["pending", "attempting", "delivered", "refused", "expired", "abandoned"];

#[derive(Default)]
struct State {
    name: &'static str,
    next_attempt_at: Option<Timestamp>,
    lease_until: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    reason: Option<&'static str>,
}

impl State {
    fn of(state: &DeliveryState) -> State {
        let ended = |name, at: &Timestamp| State { name, ended_at: Some(*at), ..State::default() };
        match state {
            DeliveryState::Pending { next_attempt_at } => {
                State { name: "pending", next_attempt_at: Some(*next_attempt_at), ..State::default() }
            }
            DeliveryState::Attempting { lease_until } => State { name: "attempting", lease_until: Some(*lease_until), ..State::default() },
            DeliveryState::Delivered { at } => ended("delivered", at),
            DeliveryState::Refused { at } => ended("refused", at),
            DeliveryState::Expired { at } => ended("expired", at),
            DeliveryState::Abandoned { at, reason } => State { reason: Some(abandoned(*reason)), ..ended("abandoned", at) },
        }
    }
}

fn abandoned(reason: Abandoned) -> &'static str {
    match reason {
        Abandoned::ResolvedBeforeSent => "ResolvedBeforeSent",
        Abandoned::Outdated => "Outdated",
        Abandoned::SinkRemoved => "SinkRemoved",
    }
}

fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Opened => "opened",
        Cause::Resolved => "resolved",
        Cause::Acknowledged => "acknowledged",
        Cause::Reminder => "reminder",
        Cause::Resent { .. } => "resent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_has_its_name_and_its_times() {
        let at = Timestamp(1);
        let states = [
            DeliveryState::Pending { next_attempt_at: at },
            DeliveryState::Attempting { lease_until: at },
            DeliveryState::Delivered { at },
            DeliveryState::Refused { at },
            DeliveryState::Expired { at },
            DeliveryState::Abandoned { at, reason: Abandoned::Outdated },
        ];
        assert_eq!(states.each_ref().map(state_name), STATE_NAMES);
        let abandoned = State::of(&states[5]);
        assert_eq!((abandoned.ended_at, abandoned.reason, abandoned.lease_until), (Some(at), Some("Outdated"), None));
        assert_eq!((State::of(&states[0]).next_attempt_at, State::of(&states[0]).ended_at), (Some(at), None));
    }
}
