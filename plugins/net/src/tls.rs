//! `tls`: the handshake and the certificate, from the first byte or after STARTTLS.

use sickbay_sdk::TlsSession;
use sickbay_sdk::expiry::{self, Expiry};
use sickbay_sdk::prelude::*;

use crate::phases;
use crate::starttls::Protocol;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// host:port
    #[schemars(regex(pattern = crate::ADDRESS), example = "localhost:443")]
    address: String,
    /// What is spoken before STARTTLS. Absent: encrypted from the first byte.
    #[serde(default)]
    starttls: Option<Protocol>,
    /// Name that the certificate must be for, where it is not the host of the address.
    #[serde(default)]
    server_name: Option<String>,
    /// Warning when the certificate expires within this many days.
    #[serde(default = "default_certificate_warning_days")]
    certificate_warning_days: u32,
    /// Critical when the certificate expires within this many days.
    #[serde(default = "default_certificate_critical_days")]
    certificate_critical_days: u32,
    /// Warning when connecting takes longer.
    #[serde(default)]
    #[schemars(range(min = 0))]
    latency_warning_seconds: Option<f64>,
    /// Critical when connecting takes longer.
    #[serde(default)]
    #[schemars(range(min = 0))]
    latency_critical_seconds: Option<f64>,
    /// Bound of connecting; the check's own timeout bounds it too.
    #[serde(default)]
    #[schemars(range(min = 1))]
    timeout_ms: Option<u32>,
    /// Go on with a certificate that is not trusted.
    #[serde(default)]
    accept_untrusted: bool,
}

pub(crate) fn default_certificate_warning_days() -> u32 {
    21
}

pub(crate) fn default_certificate_critical_days() -> u32 {
    7
}

pub(crate) struct Tls;

impl Check for Tls {
    const NAME: &'static str = "tls";
    const SUMMARY: &'static str = "Judges the TLS handshake and the certificate, also after STARTTLS";
    type Config = Config;

    fn example() -> Value {
        json!({ "address": "example.com:443" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("net", "connects; with starttls the grant begins with tcp://", "net = [\"tls://{address}\"]")]
    }

    fn metrics() -> Vec<MetricInfo> {
        let mut metrics = phases::described();
        metrics.extend([MetricInfo::gauge("chain_length", "", "certificates that the server sent"), expiry::described()]);
        metrics
    }

    fn failures() -> &'static [&'static str] {
        &["dns", "refused", "connection", "tls", "timeout", "protocol", "certificate", "expired", "latency"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let mut connect = if config.starttls.is_some() { net::tcp(&config.address) } else { net::tls(&config.address) };
        connect.target.server_name = config.server_name.clone();
        connect.target.accept_untrusted = config.accept_untrusted;
        connect.target.timeout_ms = config.timeout_ms;
        let connection = connect.open()?;
        let opened = connection.opened();
        let session = match (config.starttls, opened.tls) {
            (Some(protocol), _) => {
                protocol.prepare(&connection)?;
                connection.start_tls()?
            }
            (None, Some(session)) => session,
            (None, None) => return Err(Error::internal("the host told no TLS session")),
        };
        let report = phases::measured(Report::ok(format!("{}, {}", session.version, session.cipher)), &opened.timings);
        let expiry = Expiry { warning_days: config.certificate_warning_days, critical_days: config.certificate_critical_days };
        let report = judge_session(&expiry, report, &session, clock::now_ms());
        Ok(phases::judge(report, &opened.timings, config.latency_warning_seconds, config.latency_critical_seconds))
    }
}

/// Only the leaf: servers send expired cross-signatures that no client needs.
pub(crate) fn judge_session(expiry: &Expiry, report: Report, session: &TlsSession, now_ms: u64) -> Report {
    let report = report.metric("chain_length", session.chain.len() as f64, "");
    match session.chain.first() {
        Some(leaf) => expiry.judge(report, leaf.not_after, now_ms, "the certificate"),
        None => report,
    }
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{Dialogue, FakeHost, assert_as_described, tls_until};

    use super::*;

    const DAY_MS: u64 = 86_400_000;

    fn run(config: Value, dialogue: Dialogue) -> (Report, FakeHost) {
        let mut host = FakeHost { now_ms: 100 * DAY_MS, ..FakeHost::default() }.net(Ok(dialogue));
        let report = host.run::<Tls>(config).expect("a report");
        assert_as_described::<Tls>(&report);
        (report, host)
    }

    #[test]
    fn the_certificate_is_judged_by_the_days_it_has_left() {
        let status = |days: u64| {
            let dialogue = Dialogue::answering(&[]).with_tls(tls_until(days * DAY_MS));
            run(json!({ "address": "localhost:443" }), dialogue).0.status
        };
        assert_eq!([status(150), status(110), status(105), status(99)], [Status::Ok, Status::Warning, Status::Critical, Status::Critical]);
    }

    #[test]
    fn each_protocol_is_asked_for_tls_in_its_own_words() {
        let cases: [(&str, &[&str], &str); 5] = [
            ("smtp", &["220 a\r\n", "250-b\r\n", "250 STARTTLS\r\n", "220 go\r\n"], "STARTTLS\r\n"),
            ("imap", &["* OK ready\r\n", "* x\r\n", "s1 OK go\r\n"], "s1 STARTTLS\r\n"),
            ("pop3", &["+OK ready\r\n", "+OK go\r\n"], "STLS\r\n"),
            ("ftp", &["220 ready\r\n", "234 go\r\n"], "AUTH TLS\r\n"),
            ("postgres", &["S"], "\0\0\0\u{8}\u{4}"),
        ];
        for (protocol, answers, last) in cases {
            let dialogue = Dialogue::answering(answers).with_tls(tls_until(200 * DAY_MS));
            let (report, host) = run(json!({ "address": "localhost:1", "starttls": protocol }), dialogue);
            assert_eq!(report.status, Status::Ok, "{protocol}: {}", report.summary);
            assert!(host.said.last().is_some_and(|said| said.starts_with(last.as_bytes())), "{protocol}");
            assert!(!host.targets[0].tls);
        }
    }

    #[test]
    fn a_server_that_refuses_starttls_is_critical() {
        let (report, _) = run(json!({ "address": "localhost:5432", "starttls": "postgres" }), Dialogue::answering(&["N"]));
        assert_eq!((report.status, report.failure.as_deref()), (Status::Critical, Some("protocol")));
    }
}
