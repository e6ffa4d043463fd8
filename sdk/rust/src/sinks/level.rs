//! How bad an alert is, as a person is to see it.

use crate::{Alert, Notification, Phase, Status};

/// In the order in which one outweighs another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Resolved,
    /// A person has taken it.
    Acknowledged,
    /// Nobody can judge the target.
    Unknown,
    Warning,
    Critical,
}

impl Level {
    pub fn of(alert: &Alert) -> Level {
        match (alert.phase, alert.status) {
            (Phase::Resolved, _) => Level::Resolved,
            (Phase::Acknowledged, _) => Level::Acknowledged,
            (Phase::Firing | Phase::Other, Status::Critical) => Level::Critical,
            (Phase::Firing | Phase::Other, Status::Unknown) => Level::Unknown,
            // Its last run was well, and that is not confirmed yet.
            (Phase::Firing | Phase::Other, Status::Warning | Status::Ok) => Level::Warning,
        }
    }

    /// The worst of the alerts.
    pub fn of_all(notification: &Notification) -> Level {
        let worst = notification.alerts.iter().map(Level::of).max();
        worst.unwrap_or(if notification.phase == Phase::Resolved { Level::Resolved } else { Level::Unknown })
    }

    /// `critical`, `warning`, `unknown`, `acknowledged`, `resolved`.
    pub fn word(self) -> &'static str {
        match self {
            Level::Resolved => "resolved",
            Level::Acknowledged => "acknowledged",
            Level::Unknown => "unknown",
            Level::Warning => "warning",
            Level::Critical => "critical",
        }
    }

    /// `#rrggbb`: red, amber, grey, blue, green.
    pub fn colour(self) -> &'static str {
        match self {
            Level::Resolved => "#2eb67d",
            Level::Acknowledged => "#1d9bd1",
            Level::Unknown => "#8d8d8d",
            Level::Warning => "#ecb22e",
            Level::Critical => "#e01e5a",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{alert, notification};

    fn phased(phase: Phase, status: Status) -> Alert {
        Alert { phase, status, ..alert() }
    }

    #[test]
    fn what_is_over_or_taken_is_no_longer_as_bad_as_its_check() {
        assert_eq!(Level::of(&phased(Phase::Resolved, Status::Critical)), Level::Resolved);
        assert_eq!(Level::of(&phased(Phase::Acknowledged, Status::Critical)), Level::Acknowledged);
        assert_eq!(Level::of(&phased(Phase::Firing, Status::Critical)), Level::Critical);
        assert_eq!(Level::of(&phased(Phase::Firing, Status::Ok)), Level::Warning);
    }

    #[test]
    fn a_notification_is_as_bad_as_the_worst_of_its_alerts() {
        let all =
            [phased(Phase::Resolved, Status::Ok), phased(Phase::Firing, Status::Unknown), phased(Phase::Acknowledged, Status::Critical)];
        assert_eq!(Level::of_all(&notification(all.to_vec())), Level::Unknown);
        assert_eq!(Level::of_all(&notification(vec![phased(Phase::Resolved, Status::Ok)])), Level::Resolved);
        assert_eq!(Level::of_all(&notification(Vec::new())), Level::Unknown);
    }
}
