//! Members that nothing is known of yet: a composite or an objective that could only say `unknown` waits for them, and leaves no result.
//!
//! A member is waited for until it has run since the configuration was read and something is confirmed of it, at most until it would have had
//! the results that confirm it: from then on it is overdue, and `unknown` is the truth.
//!
//! Invariant: who asks out of turn is answered at once, with whatever is known.

use sickbay_core::{Policy, Status, Timestamp};

use super::run::Runner;
use crate::clock;
use crate::config::Origin;
use crate::live::{LiveCheck, Observed};

impl Runner {
    /// Whether one of the members of `check` is waited for. Composites have no circles, so this ends.
    pub(super) fn awaits_members(&self, check: &LiveCheck) -> bool {
        let began = self.live.reload.load().loaded_at.max(self.live.started_at);
        self.awaits_members_at(check, began, clock::now())
    }

    pub(super) fn awaits_members_at(&self, check: &LiveCheck, began: Timestamp, now: Timestamp) -> bool {
        let table = self.live.checks();
        let is_awaited = |name: &str| table.get(name).is_some_and(|member| self.is_awaited(member, began, now));
        match check.spec.origin {
            Origin::Plugin | Origin::Push { .. } => false,
            Origin::Composite => {
                let is_unknown =
                    |name: &str| table.get(name).is_some_and(|member| member.with(|seen| seen.state.hard_status == Status::Unknown));
                let mut members = check.spec.composite.iter().flat_map(|composite| &composite.members);
                members.any(|name| is_unknown(name) && is_awaited(name))
            }
            Origin::Slo => {
                let slos = self.live.slos.load();
                slos.of_check(&check.name).is_some_and(|slo| slo.spec.members.iter().any(|member| is_awaited(&member.check)))
            }
        }
    }

    fn is_awaited(&self, member: &LiveCheck, began: Timestamp, now: Timestamp) -> bool {
        let is_heard_of = member.with(|observed| is_heard_of(observed, member.spec.policy, began));
        !is_heard_of && (now <= overdue_from(member, began) || self.awaits_members_at(member, began, now))
    }
}

/// Whether it ran since `began`, and its status is confirmed.
fn is_heard_of(observed: &Observed, policy: Policy, began: Timestamp) -> bool {
    let state = &observed.state;
    let is_confirmed = state.hard_status != Status::Unknown || state.unknowns >= policy.failures;
    is_confirmed && observed.last.as_ref().is_some_and(|last| last.started_at >= began)
}

/// When it would have had as many results as confirm a failure, had it begun then.
fn overdue_from(member: &LiveCheck, began: Timestamp) -> Timestamp {
    let spec = &member.spec;
    let last_due = match spec.origin {
        // Its schedule only looks at its silence.
        Origin::Push { within } => member.schedule.next_after(began.plus(within)),
        Origin::Plugin | Origin::Composite | Origin::Slo => (0..spec.policy.failures).fold(began, |at, _| member.schedule.next_after(at)),
    };
    last_due.plus(spec.timeout)
}
