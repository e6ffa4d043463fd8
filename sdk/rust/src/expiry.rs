//! How long a certificate is still good for.

use crate::{MetricInfo, Report};

const DAY_SECONDS: f64 = 86_400.0;
const METRIC: &str = "certificate_expires_seconds";

/// The failure kinds that [`Expiry::judge`] may report.
pub const FAILURES: [&str; 2] = ["certificate", "expired"];

/// When an expiry that comes closer is worth a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    pub warning_days: u32,
    pub critical_days: u32,
}

impl Expiry {
    /// Adds the metric and judges it. `what` is the subject of the summary: `the certificate`.
    pub fn judge(&self, report: Report, not_after_ms: u64, now_ms: u64, what: &str) -> Report {
        let seconds = (not_after_ms as f64 - now_ms as f64) / 1000.0;
        let report = report.metric(METRIC, seconds, "seconds");
        let days = (seconds.abs() / DAY_SECONDS).floor() as i64;
        if seconds <= 0.0 {
            evidence(report, seconds, 0).critical("expired", format!("{what} expired {days} days ago"))
        } else if seconds < f64::from(self.critical_days) * DAY_SECONDS {
            evidence(report, seconds, self.critical_days).critical("certificate", format!("{what} expires in {days} days"))
        } else if seconds < f64::from(self.warning_days) * DAY_SECONDS {
            evidence(report, seconds, self.warning_days).warning("certificate", format!("{what} expires in {days} days"))
        } else {
            report
        }
    }
}

fn evidence(report: Report, seconds: f64, days: u32) -> Report {
    report.evidence(METRIC, seconds.round(), format!("at least {}", u64::from(days) * 86_400), "seconds")
}

/// Description of what [`Expiry::judge`] adds.
pub fn described() -> MetricInfo {
    MetricInfo::gauge(METRIC, "seconds", "until the certificate expires, negative afterwards")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Status;

    #[test]
    fn a_certificate_is_judged_by_the_days_it_has_left() {
        const DAY_MS: u64 = 86_400_000;
        let now_ms = 1_000 * DAY_MS;
        let cases = [
            (now_ms + 22 * DAY_MS, Status::Ok, None),
            (now_ms + 20 * DAY_MS, Status::Warning, Some("certificate")),
            (now_ms + 6 * DAY_MS, Status::Critical, Some("certificate")),
            (now_ms - DAY_MS, Status::Critical, Some("expired")),
        ];
        for (not_after_ms, status, failure) in cases {
            let report = Expiry { warning_days: 21, critical_days: 7 }.judge(Report::ok(""), not_after_ms, now_ms, "it");
            assert_eq!((report.status, report.failure.as_deref()), (status, failure), "until {not_after_ms}");
        }
    }
}
