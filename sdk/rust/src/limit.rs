//! A number against what is allowed, and how numbers are told to a person.
//!
//! A limit is passed by what is beyond it: a ratio limit of 1 never is from above.

use crate::Report;

/// What a metric may be, and what it is called when it is not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// The metric that the evidence names.
    pub metric: &'static str,
    pub unit: &'static str,
    /// The failure kind.
    pub failure: &'static str,
    pub warning: Option<f64>,
    pub critical: Option<f64>,
}

impl Limit {
    /// Judges a value that must not be above the limits; `summary` is asked for only when it is.
    pub fn at_most(&self, report: Report, value: f64, summary: impl FnOnce() -> String) -> Report {
        self.judge(report, value, |limit| value > limit, "at most", summary)
    }

    /// Judges a value that must not be below the limits.
    pub fn at_least(&self, report: Report, value: f64, summary: impl FnOnce() -> String) -> Report {
        self.judge(report, value, |limit| value < limit, "at least", summary)
    }

    fn judge(&self, report: Report, value: f64, is_beyond: impl Fn(f64) -> bool, word: &str, summary: impl FnOnce() -> String) -> Report {
        let evidence = |report: Report, limit: f64| report.evidence(self.metric, rounded(value), format!("{word} {limit}"), self.unit);
        if let Some(limit) = self.critical.filter(|limit| is_beyond(*limit)) {
            evidence(report, limit).critical(self.failure, summary())
        } else if let Some(limit) = self.warning.filter(|limit| is_beyond(*limit)) {
            evidence(report, limit).warning(self.failure, summary())
        } else {
            report
        }
    }
}

/// A ratio of which nothing is nothing.
pub fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// `0.934` as `93 %`.
pub fn percent(ratio: f64) -> String {
    format!("{} %", (ratio * 100.0).round() as i64)
}

/// How many of what: `1 table`, `2 tables`. A word takes an `s`; where more is to change, the text is written out.
pub fn counted(number: f64, what: &str) -> String {
    let end = if number == 1.0 { "" } else { "s" };
    format!("{number} {what}{end}")
}

/// Bytes for a person: `1.5 GiB`.
pub fn binary_size(bytes: f64) -> String {
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

/// A span for a person, in its two largest units: `3 h 20 min`.
pub fn span(seconds: f64) -> String {
    const UNITS: [(i64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let whole = seconds.abs().round() as i64;
    let largest = UNITS.iter().position(|(unit, _)| whole >= *unit).unwrap_or(UNITS.len() - 1);
    let (unit, name) = UNITS[largest];
    match UNITS.get(largest + 1) {
        Some((next, next_name)) if whole % unit >= *next => format!("{} {name} {} {next_name}", whole / unit, whole % unit / next),
        _ => format!("{} {name}", whole / unit),
    }
}

/// Evidence is for people: four places are enough.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Status;

    const LIMIT: Limit = Limit { metric: "used_ratio", unit: "ratio", failure: "memory", warning: Some(0.8), critical: Some(0.9) };

    #[test]
    fn a_value_is_judged_by_the_limit_that_it_passes() {
        let status = |value| LIMIT.at_most(Report::ok(""), value, || "much".into()).status;
        assert_eq!([status(0.8), status(0.81), status(0.91)], [Status::Ok, Status::Warning, Status::Critical]);
    }

    #[test]
    fn the_evidence_names_the_limit_that_was_passed() {
        let report = LIMIT.at_most(Report::ok("fine"), 0.912_345, || "full".into());
        assert_eq!((report.evidence[0].actual.as_str(), report.evidence[0].expected.as_str()), ("0.9123", "at most 0.9"));
        assert_eq!((report.summary.as_str(), report.failure.as_deref()), ("full", Some("memory")));
    }

    #[test]
    fn a_value_that_must_be_large_is_judged_from_below() {
        let limit = Limit { warning: Some(0.9), critical: Some(0.5), ..LIMIT };
        let report = limit.at_least(Report::ok(""), 0.4, || "little".into());
        assert_eq!((report.status, report.evidence[0].expected.as_str()), (Status::Critical, "at least 0.5"));
        assert_eq!(limit.at_least(Report::ok(""), 0.9, || "little".into()).status, Status::Ok);
    }

    #[test]
    fn spans_and_sizes_are_told_in_two_units_and_one() {
        assert_eq!([span(12_000.0), span(59.6), span(0.0), span(86_400.0)], ["3 h 20 min", "1 min", "0 s", "1 d"]);
        assert_eq!([binary_size(10.0), binary_size(1536.0)], ["10 B", "1.5 KiB"]);
        assert_eq!([counted(1.0, "table"), counted(0.0, "table"), counted(2.0, "large table")], ["1 table", "0 tables", "2 large tables"]);
        assert_eq!((percent(0.934).as_str(), ratio(1.0, 0.0)), ("93 %", 0.0));
    }
}
