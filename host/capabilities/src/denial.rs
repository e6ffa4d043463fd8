//! A capability says no: which one, why, and the line of configuration that would allow it.

use crate::contract::types;

/// What a plugin can be denied. The words are the closed list of the metric label `capability`.
/// `state` and `log` are not here: every run has them, within their bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    Http,
    Postgres,
    Redis,
    Net,
    Secrets,
    Files,
    System,
}

impl Capability {
    pub const ALL: [Capability; 7] = [
        Capability::Http,
        Capability::Postgres,
        Capability::Redis,
        Capability::Net,
        Capability::Secrets,
        Capability::Files,
        Capability::System,
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
