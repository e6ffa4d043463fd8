//! A number against what was allowed.

use sickbay_sdk::Report;

/// What a metric may be, and what it is called when it is more.
pub(crate) struct Limit {
    pub(crate) metric: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) failure: &'static str,
    /// Above it: warning.
    pub(crate) warning: Option<f64>,
    /// Above it: critical.
    pub(crate) critical: Option<f64>,
}

impl Limit {
    /// Judges one value; `summary` is asked for only when a limit is passed.
    pub(crate) fn judge(&self, report: Report, value: f64, summary: impl FnOnce() -> String) -> Report {
        let passed = |limit: Option<f64>| limit.filter(|limit| value > *limit);
        if let Some(limit) = passed(self.critical) {
            self.evidence(report, value, limit).critical(self.failure, summary())
        } else if let Some(limit) = passed(self.warning) {
            self.evidence(report, value, limit).warning(self.failure, summary())
        } else {
            report
        }
    }

    fn evidence(&self, report: Report, value: f64, limit: f64) -> Report {
        report.evidence(self.metric, rounded(value), format!("at most {limit}"), self.unit)
    }
}

/// A ratio of which nothing is nothing.
pub(crate) fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// `0.934` as `93 %`.
pub(crate) fn percent(ratio: f64) -> String {
    format!("{} %", (ratio * 100.0).round() as i64)
}

/// Bytes for a person: `1.5 GiB`.
pub(crate) fn binary_size(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = bytes;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    let tenths = (size * 10.0).round() as i64;
    if unit == 0 { format!("{} B", tenths / 10) } else { format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]) }
}

/// Evidence is for people: four places are enough.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::Status;

    use super::*;

    const LIMIT: Limit = Limit { metric: "used_ratio", unit: "ratio", failure: "disk", warning: Some(0.8), critical: Some(0.9) };

    fn judge(value: f64) -> Report {
        LIMIT.judge(Report::ok("fine"), value, || "full".into())
    }

    #[test]
    fn a_limit_is_passed_by_what_is_above_it() {
        assert_eq!(judge(0.8).status, Status::Ok);
        assert_eq!(judge(0.81).status, Status::Warning);
        assert_eq!(judge(0.9).status, Status::Warning);
        assert_eq!(judge(0.91).status, Status::Critical);
    }

    #[test]
    fn the_evidence_names_the_limit_that_was_passed() {
        let report = judge(0.912_345);
        assert_eq!(report.evidence[0].actual, "0.9123");
        assert_eq!(report.evidence[0].expected, "at most 0.9");
        assert_eq!((report.summary.as_str(), report.failure.as_deref()), ("full", Some("disk")));
    }

    #[test]
    fn sizes_and_ratios_are_written_for_people() {
        assert_eq!(binary_size(512.0), "512 B");
        assert_eq!(binary_size(1536.0 * 1024.0 * 1024.0), "1.5 GiB");
        assert_eq!(percent(0.934), "93 %");
        assert_eq!(ratio(1.0, 0.0), 0.0);
    }
}
