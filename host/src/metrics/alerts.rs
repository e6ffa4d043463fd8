//! The families about alerts: notifications, what is on its way, incidents that are open.

use sickbay_core::Timestamp;

use super::exposition::{Exposition, MetricType};
use crate::alerting::{NotificationOutcome, Tally};
use crate::live::Live;

pub fn write(out: &mut Exposition, live: &Live, now: Timestamp) {
    families(out, &live.alerts.tally(now));
}

fn families(out: &mut Exposition, tally: &Tally) {
    notifications(out, tally);
    const PENDING: &str = "sickbay_outbox_pending";
    out.family(PENDING, MetricType::Gauge, "Notifications that are on their way to a sink.");
    out.series(PENDING).integer(tally.pending);
    const OLDEST: &str = "sickbay_outbox_oldest_age_seconds";
    out.family(OLDEST, MetricType::Gauge, "Time since the oldest notification on its way was made; 0 where there is none.");
    out.series(OLDEST).number(tally.oldest_age.as_secs_f64());
    incidents(out, tally);
}

fn notifications(out: &mut Exposition, tally: &Tally) {
    const NAME: &str = "sickbay_notifications_total";
    if tally.notifications.is_empty() {
        return;
    }
    out.family(
        NAME,
        MetricType::Counter,
        "Notifications by outcome: delivered, refused, expired, abandoned, and attempts that failed and are made again: failed.",
    );
    for (sink, counts) in &tally.notifications {
        for (outcome, count) in NotificationOutcome::ALL.iter().zip(counts) {
            out.series(NAME).label("sink", sink).label("outcome", outcome.as_str()).integer(*count);
        }
    }
}

fn incidents(out: &mut Exposition, tally: &Tally) {
    const NAME: &str = "sickbay_incidents";
    out.family(NAME, MetricType::Gauge, "Open incidents, by severity and phase: firing, acknowledged.");
    for (severity, counts) in Tally::SEVERITIES.iter().zip(&tally.incidents) {
        for (phase, count) in Tally::PHASES.iter().zip(counts) {
            out.series(NAME).label("severity", severity.as_str()).label("phase", phase.as_str()).integer(*count);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_sink_has_every_outcome_and_each_severity_every_phase() {
        let tally = Tally {
            notifications: vec![("oncall".into(), [3, 1, 0, 0, 2])],
            pending: 2,
            oldest_age: Duration::from_millis(1_500),
            incidents: [[0, 0], [1, 2], [0, 0], [0, 0]],
        };
        let mut out = Exposition::default();
        families(&mut out, &tally);
        let text = out.into_text();
        for line in [
            r#"sickbay_notifications_total{sink="oncall",outcome="delivered"} 3"#,
            r#"sickbay_notifications_total{sink="oncall",outcome="failed"} 1"#,
            r#"sickbay_notifications_total{sink="oncall",outcome="abandoned"} 2"#,
            "sickbay_outbox_pending 2",
            "sickbay_outbox_oldest_age_seconds 1.5",
            r#"sickbay_incidents{severity="P1",phase="firing"} 1"#,
            r#"sickbay_incidents{severity="P1",phase="acknowledged"} 2"#,
        ] {
            assert!(text.lines().any(|written| written == line), "{line} is not in\n{text}");
        }
        assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), 5 + 2 + 8);
    }
}
