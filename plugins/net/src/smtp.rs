//! `smtp`: a mail server from its banner to `QUIT`, with STARTTLS and its certificate. No mail is sent.

use sickbay_sdk::expiry::{self, Expiry};
use sickbay_sdk::net::Connection;
use sickbay_sdk::net::reply::{Reply, ask, shown};
use sickbay_sdk::prelude::*;

use crate::phases;
use crate::tls::{default_certificate_critical_days, default_certificate_warning_days, judge_session};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// host:port
    #[schemars(regex(pattern = crate::ADDRESS), example = "mail.example.com:25")]
    address: String,
    /// The name that is said in EHLO.
    #[serde(default = "default_hello")]
    #[schemars(length(min = 1, max = 255), regex(pattern = "^[A-Za-z0-9.:-]+$"))]
    hello: String,
    /// Text that the banner must have in it.
    #[serde(default)]
    expect: Option<String>,
    /// Encrypt with STARTTLS; critical when it is not offered.
    #[serde(default = "default_starttls")]
    starttls: bool,
    /// Name that the certificate must be for, where it is not the host of the address.
    #[serde(default)]
    server_name: Option<String>,
    /// Warning when the certificate expires within this many days.
    #[serde(default = "default_certificate_warning_days")]
    certificate_warning_days: u32,
    /// Critical when the certificate expires within this many days.
    #[serde(default = "default_certificate_critical_days")]
    certificate_critical_days: u32,
    /// Go on with a certificate that is not trusted.
    #[serde(default)]
    accept_untrusted: bool,
}

fn default_hello() -> String {
    "sickbay".to_owned()
}

fn default_starttls() -> bool {
    true
}

pub(crate) struct Smtp;

impl Check for Smtp {
    const NAME: &'static str = "smtp";
    const SUMMARY: &'static str = "Talks to a mail server: banner, EHLO, STARTTLS, certificate, NOOP, QUIT";
    type Config = Config;

    fn example() -> Value {
        json!({ "address": "mail.example.com:25" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("net", "talks to the mail server", "net = [\"tcp://{address}\"]")]
    }

    fn metrics() -> Vec<MetricInfo> {
        let mut metrics = phases::described();
        metrics.extend([
            MetricInfo::gauge("dialogue_seconds", "seconds", "from the banner to the answer to NOOP"),
            MetricInfo::gauge("chain_length", "", "certificates that the server sent"),
            expiry::described(),
        ]);
        metrics
    }

    fn failures() -> &'static [&'static str] {
        &["dns", "refused", "connection", "tls", "timeout", "protocol", "content", "certificate", "expired"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let mut connect = net::tcp(&config.address);
        connect.target.server_name = config.server_name.clone();
        connect.target.accept_untrusted = config.accept_untrusted;
        let connection = connect.open()?;
        let timings = connection.opened().timings;
        let began_ms = clock::now_ms();
        let report = phases::measured(Report::ok(""), &timings);
        let report = talk(config, &connection, report)?;
        let elapsed = clock::now_ms().saturating_sub(began_ms) as f64 / 1000.0;
        // The verdict is there already: a server that does not say goodbye is none the worse.
        let _ = connection.send(b"QUIT\r\n");
        Ok(report.metric("dialogue_seconds", elapsed, "seconds"))
    }
}

fn talk(config: &Config, connection: &Connection, mut report: Report) -> Result<Report, Error> {
    let hello = format!("EHLO {}", config.hello);
    let banner = Reply::receive(connection)?.expect(220, "connecting")?.lines.join(" ");
    report.summary = shown(&banner);
    if let Some(expect) = &config.expect
        && !banner.contains(expect.as_str())
    {
        report =
            report.evidence("", shown(&banner), format!("with {expect:?}"), "").critical("content", "the banner lacks the expected text");
    }
    let offered = ask(connection, &hello)?.expect(250, "EHLO")?;
    if config.starttls {
        if !offered.lines.iter().any(|line| line.eq_ignore_ascii_case("STARTTLS")) {
            return Ok(report.critical("tls", "the server does not offer STARTTLS"));
        }
        ask(connection, "STARTTLS")?.expect(220, "STARTTLS")?;
        let session = connection.start_tls()?;
        let expiry = Expiry { warning_days: config.certificate_warning_days, critical_days: config.certificate_critical_days };
        report = judge_session(&expiry, report, &session, clock::now_ms());
        ask(connection, &hello)?.expect(250, "EHLO")?;
    }
    ask(connection, "NOOP")?.expect(250, "NOOP")?;
    Ok(report)
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{Dialogue, FakeHost, assert_as_described, tls_until};

    use super::*;

    const DAY_MS: u64 = 86_400_000;

    fn run(config: Value, answers: &[&str]) -> (Report, FakeHost) {
        let mut host = FakeHost::default().net(Ok(Dialogue::answering(answers).with_tls(tls_until(100 * DAY_MS))));
        let report = host.run::<Smtp>(config).expect("a report");
        assert_as_described::<Smtp>(&report);
        (report, host)
    }

    #[test]
    fn the_whole_dialogue_is_played() {
        let answers = ["220 mail ready\r\n", "250-mail\r\n", "250 STARTTLS\r\n", "220 go\r\n", "250 mail\r\n", "250 fine\r\n"];
        let (report, host) = run(json!({ "address": "mail:25" }), &answers);
        assert_eq!((report.status, report.summary.as_str()), (Status::Ok, "mail ready"));
        let said: Vec<String> = host.said.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
        assert_eq!(said, ["EHLO sickbay\r\n", "STARTTLS\r\n", "EHLO sickbay\r\n", "NOOP\r\n", "QUIT\r\n"]);
    }

    #[test]
    fn a_server_without_starttls_is_critical_unless_it_is_not_asked_for() {
        let (report, _) = run(json!({ "address": "mail:25" }), &["220 a\r\n", "250 SIZE 1\r\n"]);
        assert_eq!(report.failure.as_deref(), Some("tls"));
        let (report, _) = run(json!({ "address": "mail:25", "starttls": false }), &["220 a\r\n", "250 SIZE 1\r\n", "250 ok\r\n"]);
        assert_eq!(report.status, Status::Ok);
    }

    #[test]
    fn a_server_that_is_busy_is_critical_with_its_own_words() {
        let (report, _) = run(json!({ "address": "mail:25" }), &["421 too busy\r\n"]);
        assert_eq!(report.failure.as_deref(), Some("protocol"));
        assert!(report.summary.contains("421 too busy"), "{}", report.summary);
    }
}
