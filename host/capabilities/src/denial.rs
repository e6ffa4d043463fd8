//! A capability says no: which one, why, and the line of configuration that would allow it.

use crate::contract::types;

/// What a plugin can use, and be denied; `state` every run has, within its bounds. The words are the closed list of the metric label
/// `capability`. `log` is not here: its lines are no calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    Http,
    Postgres,
    Redis,
    Net,
    Secrets,
    Files,
    System,
    State,
}

impl Capability {
    /// In the order of their declaration: counts are kept by it.
    pub const ALL: [Capability; 8] = [
        Capability::Http,
        Capability::Postgres,
        Capability::Redis,
        Capability::Net,
        Capability::Secrets,
        Capability::Files,
        Capability::System,
        Capability::State,
    ];

    /// The key in `grants` of the configuration, and the value of the metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Capability::Http => "http",
            Capability::Postgres => "postgres",
            Capability::Redis => "redis",
            Capability::Net => "net",
            Capability::Secrets => "secrets",
            Capability::Files => "files",
            Capability::System => "system",
            Capability::State => "state",
        }
    }
}

/// Why it was denied. The words are the closed list of the metric label `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DenialReason {
    /// No grant of the check names it.
    NotGranted,
    /// The name is granted, but it resolves only to addresses that are neither public nor listed in `[egress] private`.
    PrivateAddress,
    /// An address that no configuration can open: metadata services, link-local, unspecified, multicast, and other spellings of
    /// addresses that are not public.
    ForbiddenAddress,
    /// A granted address answered with a redirect to one that is denied.
    Redirect,
    /// This version of Sickbay does not lend it.
    Unsupported,
}

impl DenialReason {
    /// In the order of their declaration: counts are kept by it.
    pub const ALL: [DenialReason; 5] = [
        DenialReason::NotGranted,
        DenialReason::PrivateAddress,
        DenialReason::ForbiddenAddress,
        DenialReason::Redirect,
        DenialReason::Unsupported,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            DenialReason::NotGranted => "not_granted",
            DenialReason::PrivateAddress => "private_address",
            DenialReason::ForbiddenAddress => "forbidden_address",
            DenialReason::Redirect => "redirect",
            DenialReason::Unsupported => "unsupported",
        }
    }
}

/// One denial: what the guest is told, and what is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    pub capability: Capability,
    pub reason: DenialReason,
    /// What was denied and why, for a person. Names no more of a target than host and port.
    pub message: String,
    /// Where a grant can allow it, exactly the line to add.
    pub hint: String,
}

impl Denial {
    /// The same denial, met behind a redirect: counted as such, since the first address was granted.
    pub(crate) fn behind_redirect(self) -> Denial {
        Denial { reason: DenialReason::Redirect, message: format!("a redirect leads on: {}", self.message), ..self }
    }
}

impl From<Denial> for types::Denial {
    fn from(denial: Denial) -> types::Denial {
        types::Denial { reason: denial.message, hint: denial.hint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closed_lists_are_in_the_order_by_which_counts_are_kept() {
        assert!(Capability::ALL.iter().enumerate().all(|(index, capability)| *capability as usize == index));
        assert!(DenialReason::ALL.iter().enumerate().all(|(index, reason)| *reason as usize == index));
    }
}
