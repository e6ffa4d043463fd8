//! How long the answer took, phase by phase.

use sickbay_sdk::http::{Response, seconds};
use sickbay_sdk::{MetricInfo, Report};

/// When an answer was too slow.
pub(crate) struct Limits {
    pub(crate) warning_seconds: Option<f64>,
    pub(crate) critical_seconds: Option<f64>,
}

impl Limits {
    pub(crate) fn judge(&self, report: Report, response: &Response) -> Report {
        let latency = response.latency_seconds();
        let passed = |limit: Option<f64>| limit.filter(|limit| latency > *limit);
        if let Some(limit) = passed(self.critical_seconds) {
            evidence(report, latency, limit).critical("latency", slow(response))
        } else if let Some(limit) = passed(self.warning_seconds) {
            evidence(report, latency, limit).warning("latency", slow(response))
        } else {
            report
        }
    }
}

fn evidence(report: Report, latency: f64, limit: f64) -> Report {
    report.evidence("latency_seconds", latency, format!("at most {limit}"), "seconds")
}

fn slow(response: &Response) -> String {
    format!("slow: {}", milliseconds(response))
}

/// The whole exchange for a person: `12.3 ms`.
pub(crate) fn milliseconds(response: &Response) -> String {
    let tenths = response.timings.total_us / 100;
    format!("{}.{} ms", tenths / 10, tenths % 10)
}

/// Adds the phases that happened.
pub(crate) fn measured(report: Report, response: &Response) -> Report {
    let timings = &response.timings;
    let phases = [
        ("dns_seconds", timings.dns_us),
        ("connect_seconds", timings.connect_us),
        ("tls_seconds", timings.tls_us),
        ("first_byte_seconds", timings.first_byte_us),
    ];
    let mut report = report.metric("latency_seconds", response.latency_seconds(), "seconds");
    for (name, microseconds) in phases {
        if let Some(microseconds) = microseconds {
            report = report.metric(name, seconds(microseconds), "seconds");
        }
    }
    report
}

/// Descriptions of what [`measured`] and the certificate add.
pub(crate) fn described() -> Vec<MetricInfo> {
    let certificate = "until the leaf certificate expires, negative afterwards; only with TLS";
    vec![
        MetricInfo::gauge("latency_seconds", "seconds", "the whole exchange, redirects included"),
        MetricInfo::gauge("dns_seconds", "seconds", "looking the name up; absent for an address"),
        MetricInfo::gauge("connect_seconds", "seconds", "opening the connection"),
        MetricInfo::gauge("tls_seconds", "seconds", "the TLS handshake; only with TLS"),
        MetricInfo::gauge("first_byte_seconds", "seconds", "from sending the request to the first byte of the answer"),
        MetricInfo::gauge("certificate_expires_seconds", "seconds", certificate),
    ]
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::Status;
    use sickbay_sdk::testing::response;

    use super::*;

    #[test]
    fn a_slow_answer_is_judged_by_the_limit_that_it_passes() {
        let mut response = response(200, "");
        response.timings.total_us = 300_000;
        let judge = |warning_seconds, critical_seconds| Limits { warning_seconds, critical_seconds }.judge(Report::ok(""), &response);
        assert_eq!(judge(None, None).status, Status::Ok);
        assert_eq!(judge(Some(0.3), None).status, Status::Ok);
        assert_eq!(judge(Some(0.2), Some(1.0)).status, Status::Warning);
        let report = judge(Some(0.1), Some(0.2));
        assert_eq!(report.status, Status::Critical);
        assert_eq!(report.summary, "slow: 300.0 ms");
        assert_eq!(report.evidence[0].expected, "at most 0.2");
    }

    #[test]
    fn a_phase_that_did_not_happen_has_no_metric() {
        let report = measured(Report::ok(""), &response(200, ""));
        let names: Vec<&str> = report.metrics.iter().map(|metric| metric.name.as_str()).collect();
        assert_eq!(names, ["latency_seconds", "connect_seconds", "first_byte_seconds"]);
    }
}
