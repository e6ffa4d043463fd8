//! How long the leaf certificate is still good for.

use sickbay_sdk::http::Response;
use sickbay_sdk::{Report, clock};

const DAY_SECONDS: f64 = 86_400.0;

/// What time it is, where the answer has a certificate to judge by it: most answers have none, and asking is a call of the host.
pub(crate) fn judged_at_ms(response: &Response) -> u64 {
    if response.tls.is_some() { clock::now_ms() } else { 0 }
}

/// When an expiry that comes closer is worth a word.
pub(crate) struct Limits {
    pub(crate) warning_days: u32,
    pub(crate) critical_days: u32,
}

impl Limits {
    /// Judges the certificate of an answer, if it came over TLS. Only the leaf: servers send expired cross-signatures
    /// that no client needs.
    pub(crate) fn judge(&self, report: Report, response: &Response, now_ms: u64) -> Report {
        let Some(leaf) = response.tls.as_ref().and_then(|tls| tls.chain.first()) else {
            return report;
        };
        let seconds = (leaf.not_after as f64 - now_ms as f64) / 1000.0;
        let report = report.metric("certificate_expires_seconds", seconds, "seconds");
        let days = (seconds / DAY_SECONDS).floor() as i64;
        if seconds <= 0.0 {
            let since = (-seconds / DAY_SECONDS).floor() as i64;
            self.evidence(report, seconds, 0).critical("expired", format!("the certificate expired {since} days ago"))
        } else if seconds < f64::from(self.critical_days) * DAY_SECONDS {
            self.evidence(report, seconds, self.critical_days).critical("certificate", format!("the certificate expires in {days} days"))
        } else if seconds < f64::from(self.warning_days) * DAY_SECONDS {
            self.evidence(report, seconds, self.warning_days).warning("certificate", format!("the certificate expires in {days} days"))
        } else {
            report
        }
    }

    fn evidence(&self, report: Report, seconds: f64, days: u32) -> Report {
        let expected = format!("at least {}", u64::from(days) * 86_400);
        report.evidence("certificate_expires_seconds", seconds.round(), expected, "seconds")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use sickbay_sdk::testing::response;
    use sickbay_sdk::{Certificate, Status, TlsSession};

    use super::*;

    const DAY_MS: u64 = 86_400_000;
    const NOW_MS: u64 = 1_000 * DAY_MS;

    pub(crate) fn tls_until(not_after: u64) -> TlsSession {
        TlsSession {
            version: "TLSv1.3".into(),
            cipher: "TLS_AES_128_GCM_SHA256".into(),
            untrusted: None,
            chain: vec![Certificate {
                subject: "CN=localhost".into(),
                issuer: "CN=test".into(),
                dns_names: vec!["localhost".into()],
                not_before: 0,
                not_after,
                sha256: "00".repeat(32),
            }],
        }
    }

    fn judged(not_after: u64) -> Report {
        let mut response = response(200, "");
        response.tls = Some(tls_until(not_after));
        Limits { warning_days: 21, critical_days: 7 }.judge(Report::ok("fine"), &response, NOW_MS)
    }

    #[test]
    fn a_certificate_is_judged_by_the_days_it_has_left() {
        let cases = [
            (NOW_MS + 22 * DAY_MS, Status::Ok, None),
            (NOW_MS + 20 * DAY_MS, Status::Warning, Some("certificate")),
            (NOW_MS + 6 * DAY_MS, Status::Critical, Some("certificate")),
            (NOW_MS - DAY_MS, Status::Critical, Some("expired")),
        ];
        for (not_after, status, failure) in cases {
            let report = judged(not_after);
            assert_eq!(report.status, status, "not after {not_after}");
            assert_eq!(report.failure.as_deref(), failure);
        }
    }

    #[test]
    fn an_expired_certificate_is_a_negative_metric() {
        assert_eq!(judged(NOW_MS - DAY_MS).metrics[0].value, -86_400.0);
    }

    #[test]
    fn plain_http_has_no_certificate_to_judge() {
        let report = Limits { warning_days: 21, critical_days: 7 }.judge(Report::ok(""), &response(200, ""), NOW_MS);
        assert!(report.metrics.is_empty());
    }
}
