//! `certificate`: when a certificate in a PEM file expires; of several in one file, the one that does first.

use sickbay_sdk::expiry::{self, Expiry};
use sickbay_sdk::files::READ_BYTES_MAX;
use sickbay_sdk::prelude::*;
use x509_parser::pem::Pem;

const CERTIFICATES_MAX: usize = 200;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Guest path of the PEM file, at most 1 MiB.
    #[schemars(regex(pattern = "^/"), example = "/certificates/server.pem")]
    path: String,
    /// Warning when a certificate expires within this many days.
    #[serde(default = "default_warning_days")]
    warning_days: u32,
    /// Critical when a certificate expires within this many days.
    #[serde(default = "default_critical_days")]
    critical_days: u32,
}

fn default_warning_days() -> u32 {
    21
}

fn default_critical_days() -> u32 {
    7
}

pub(crate) struct Certificate;

/// What is judged of one certificate.
struct Validity {
    subject: String,
    not_before_ms: u64,
    not_after_ms: u64,
}

impl Check for Certificate {
    const NAME: &'static str = "certificate";
    const SUMMARY: &'static str = "When a certificate in a PEM file expires";
    type Config = Config;

    fn example() -> Value {
        json!({ "path": "/certificates/server.pem" })
    }

    fn needs() -> Vec<Need> {
        let grant = "files = [{ host = \"/HOST/DIRECTORY\", guest = \"/certificates\", mode = \"ro\" }]";
        vec![Need::new("files", "reads the certificate", grant)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![MetricInfo::gauge("certificates", "", "certificates in the file"), expiry::described()]
    }

    fn failures() -> &'static [&'static str] {
        &["missing", "file-system", "content", "certificate", "expired"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let certificates = parse(&files::read(&config.path, 0, READ_BYTES_MAX)?)?;
        judge(config, &certificates, clock::now_ms())
    }
}

/// Whatever else is in the file (a key) is passed over.
fn parse(pem: &[u8]) -> Result<Vec<Validity>, Error> {
    let mut certificates = Vec::new();
    for block in Pem::iter_from_buffer(pem).take(CERTIFICATES_MAX) {
        let block = block.map_err(|error| Error::service("content", format!("the file is not PEM: {error}")))?;
        if block.label != "CERTIFICATE" {
            continue;
        }
        let parsed = block.parse_x509().map_err(|error| Error::service("content", format!("a certificate cannot be read: {error}")))?;
        let milliseconds = |seconds: i64| u64::try_from(seconds).unwrap_or(0).saturating_mul(1000);
        certificates.push(Validity {
            subject: parsed.subject().to_string(),
            not_before_ms: milliseconds(parsed.validity().not_before.timestamp()),
            not_after_ms: milliseconds(parsed.validity().not_after.timestamp()),
        });
    }
    Ok(certificates)
}

fn judge(config: &Config, certificates: &[Validity], now_ms: u64) -> Result<Report, Error> {
    let Some(first) = certificates.iter().min_by_key(|certificate| certificate.not_after_ms) else {
        return Err(Error::service("content", format!("no certificate in {}", config.path)));
    };
    let mut report = Report::ok(format!("{} is good", first.subject)).metric("certificates", certificates.len() as f64, "");
    if let Some(early) = certificates.iter().find(|certificate| certificate.not_before_ms > now_ms) {
        report = report.critical("certificate", format!("{} is not valid yet", early.subject));
    }
    let expiry = Expiry { warning_days: config.warning_days, critical_days: config.critical_days };
    Ok(expiry.judge(report, first.not_after_ms, now_ms, &first.subject))
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described};

    use super::*;

    const PATH: &str = "/certificates/server.pem";

    /// A certificate that is good from 1975-01-01 to 4096-01-01, as its maker chooses unless told otherwise.
    fn pem() -> String {
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate").cert.pem()
    }

    fn run(now_ms: u64, file: &str) -> Report {
        let mut host = FakeHost { now_ms, ..FakeHost::default() }.file(PATH, file.as_bytes(), 0);
        let report = host.run::<Certificate>(json!({ "path": PATH })).expect("a report");
        assert_as_described::<Certificate>(&report);
        report
    }

    #[test]
    fn a_certificate_is_judged_by_its_time() {
        let now_ms = 1_000_000_000_000;
        assert_eq!(run(now_ms, &pem()).status, Status::Ok);
        assert_eq!(run(0, &pem()).failure.as_deref(), Some("certificate"));
        assert_eq!(run(u64::MAX / 2, &pem()).failure.as_deref(), Some("expired"));
        assert_eq!(run(now_ms, &format!("{}{}", pem(), pem())).metrics[0].value, 2.0);
    }

    #[test]
    fn a_file_without_a_certificate_is_critical() {
        assert_eq!(run(0, "nothing").failure.as_deref(), Some("content"));
        assert_eq!(run(0, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").failure.as_deref(), Some("content"));
    }
}
