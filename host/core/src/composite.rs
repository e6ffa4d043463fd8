//! Composite checks: one check that stands for several others, judged from what is confirmed of them.
//!
//! Without a quorum it is as bad as the worst of its members (critical, unknown, warning, ok). With `healthy_min` it is ok while so many are
//! healthy (ok or warning), critical when they could not be so many even if every unknown one were, and unknown in between.

use crate::{Metric, MetricKind, Report, Status};

/// Checks that one composite may have.
pub const MEMBERS_MAX: usize = 1_000;
/// Names that a summary tells.
const NAMES_SHOWN_MAX: usize = 5;

/// What a composite of `members` (names and confirmed statuses) reports.
pub fn report(members: &[(&str, Status)], healthy_min: Option<usize>) -> Report {
    let count = |wanted: fn(Status) -> bool| members.iter().filter(|(_, status)| wanted(*status)).count();
    let healthy = count(|status| matches!(status, Status::Ok | Status::Warning));
    let unknown = count(|status| status == Status::Unknown);
    let status = match healthy_min {
        None => members.iter().map(|(_, status)| *status).reduce(Status::worse).unwrap_or_default(),
        Some(wanted) if healthy >= wanted => Status::Ok,
        Some(wanted) if healthy + unknown >= wanted => Status::Unknown,
        Some(_) => Status::Critical,
    };
    let metrics = [("healthy", healthy), ("members", members.len())].map(|(name, value)| Metric {
        name: name.to_owned(),
        value: value as f64,
        kind: MetricKind::Gauge,
        unit: String::new(),
        labels: Vec::new(),
    });
    Report { status, summary: summary(members, healthy, healthy_min), metrics: metrics.into(), ..Report::default() }
}

/// `1 of 3 healthy, 2 wanted; critical: a, b`
fn summary(members: &[(&str, Status)], healthy: usize, healthy_min: Option<usize>) -> String {
    let wanted = healthy_min.map_or_else(String::new, |wanted| format!(", {wanted} wanted"));
    let mut summary = format!("{healthy} of {} healthy{wanted}", members.len());
    for bad in [Status::Critical, Status::Unknown, Status::Warning] {
        let names: Vec<&str> = members.iter().filter(|(_, status)| *status == bad).map(|(name, _)| *name).collect();
        if names.is_empty() {
            continue;
        }
        let more = match names.len().saturating_sub(NAMES_SHOWN_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let shown: Vec<&str> = names.into_iter().take(NAMES_SHOWN_MAX).collect();
        summary.push_str(&format!("; {bad}: {}{more}", shown.join(", ")));
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Critical, Ok, Unknown, Warning};

    fn status(members: &[Status], healthy_min: Option<usize>) -> Status {
        let members: Vec<(&str, Status)> = members.iter().map(|status| ("a", *status)).collect();
        report(&members, healthy_min).status
    }

    #[test]
    fn without_a_quorum_the_worst_member_decides() {
        for (members, wanted) in [
            (vec![Ok, Ok], Ok),
            (vec![Ok, Warning], Warning),
            (vec![Warning, Unknown], Unknown),
            (vec![Unknown, Critical], Critical),
            (vec![], Unknown),
        ] {
            assert_eq!(status(&members, None), wanted, "{members:?}");
        }
    }

    #[test]
    fn with_a_quorum_the_healthy_are_counted_and_the_unknown_give_the_benefit_of_the_doubt() {
        for (members, wanted) in [
            (vec![Ok, Warning, Critical], Ok),
            (vec![Ok, Unknown, Critical], Unknown),
            (vec![Ok, Critical, Critical], Critical),
            (vec![Unknown, Unknown, Unknown], Unknown),
        ] {
            assert_eq!(status(&members, Some(2)), wanted, "{members:?}");
        }
    }

    #[test]
    fn the_summary_names_who_is_not_well() {
        let members = [("a", Critical), ("b", Ok), ("c", Critical), ("d", Unknown)];
        let report = report(&members, Some(2));
        assert_eq!(report.summary, "1 of 4 healthy, 2 wanted; critical: a, c; unknown: d");
        let values: Vec<f64> = report.metrics.iter().map(|metric| metric.value).collect();
        assert_eq!(values, [1.0, 4.0]);
        let many: Vec<(&str, Status)> = (0..8).map(|_| ("x", Critical)).collect();
        assert_eq!(super::report(&many, None).summary, "0 of 8 healthy; critical: x, x, x, x, x and 3 more");
    }
}
