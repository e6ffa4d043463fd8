//! How long connecting took, phase by phase.

use sickbay_sdk::http::seconds;
use sickbay_sdk::limit::Limit;
use sickbay_sdk::{MetricInfo, Report, Timings};

/// Adds the phases that happened.
pub(crate) fn measured(mut report: Report, timings: &Timings) -> Report {
    report = report.metric("latency_seconds", seconds(timings.total_us), "seconds");
    let phases = [("dns_seconds", timings.dns_us), ("connect_seconds", timings.connect_us), ("tls_seconds", timings.tls_us)];
    for (name, microseconds) in phases {
        if let Some(microseconds) = microseconds {
            report = report.metric(name, seconds(microseconds), "seconds");
        }
    }
    report
}

/// Descriptions of what [`measured`] adds.
pub(crate) fn described() -> Vec<MetricInfo> {
    vec![
        MetricInfo::gauge("latency_seconds", "seconds", "connecting, with every phase of it"),
        MetricInfo::gauge("dns_seconds", "seconds", "looking the name up; absent for an address"),
        MetricInfo::gauge("connect_seconds", "seconds", "opening the connection"),
        MetricInfo::gauge("tls_seconds", "seconds", "the TLS handshake, where it came first"),
    ]
}

pub(crate) fn judge(report: Report, timings: &Timings, warning: Option<f64>, critical: Option<f64>) -> Report {
    let latency = seconds(timings.total_us);
    let limit = Limit { metric: "latency_seconds", unit: "seconds", failure: "latency", warning, critical };
    limit.at_most(report, latency, || format!("slow: {}", milliseconds(timings)))
}

/// `12.3 ms`
pub(crate) fn milliseconds(timings: &Timings) -> String {
    let tenths = timings.total_us / 100;
    format!("{}.{} ms", tenths / 10, tenths % 10)
}
