//! How long the leaf certificate of an answer is still good for.

use sickbay_sdk::expiry::Expiry;
use sickbay_sdk::http::Response;
use sickbay_sdk::{Report, clock};

/// What time it is, where the answer has a certificate to judge by it: most answers have none, and asking is a call of the host.
pub(crate) fn judged_at_ms(response: &Response) -> u64 {
    if response.tls.is_some() { clock::now_ms() } else { 0 }
}

/// Judges the certificate of an answer, if it came over TLS. Only the leaf: servers send expired cross-signatures
/// that no client needs.
pub(crate) fn judge(expiry: Expiry, report: Report, response: &Response, now_ms: u64) -> Report {
    match response.tls.as_ref().and_then(|tls| tls.chain.first()) {
        Some(leaf) => expiry.judge(report, leaf.not_after, now_ms, "the certificate"),
        None => report,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use sickbay_sdk::testing::response;
    use sickbay_sdk::{Certificate, Status, TlsSession};

    use super::*;

    const DAY_MS: u64 = 86_400_000;
    const NOW_MS: u64 = 1_000 * DAY_MS;
    const EXPIRY: Expiry = Expiry { warning_days: 21, critical_days: 7 };

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
        judge(EXPIRY, Report::ok("fine"), &response, NOW_MS)
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
        let report = judge(EXPIRY, Report::ok(""), &response(200, ""), NOW_MS);
        assert!(report.metrics.is_empty());
    }
}
