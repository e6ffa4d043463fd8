//! `tcp`: whether a port is open, how long connecting takes, and what is said there.

use sickbay_sdk::net::reply::shown;
use sickbay_sdk::prelude::*;

use crate::phases;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// host:port
    #[schemars(regex(pattern = crate::ADDRESS), example = "localhost:22")]
    address: String,
    /// What is sent once connected.
    #[serde(default)]
    send: Option<String>,
    /// Text that the first line of the answer must have in it; without send, of the banner.
    #[serde(default)]
    expect: Option<String>,
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
}

pub(crate) struct Tcp;

impl Check for Tcp {
    const NAME: &'static str = "tcp";
    const SUMMARY: &'static str = "Connects to a port and judges how long it takes and what is said";
    type Config = Config;

    fn example() -> Value {
        json!({ "address": "localhost:22", "expect": "SSH-2.0" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("net", "connects", "net = [\"tcp://{address}\"]")]
    }

    fn metrics() -> Vec<MetricInfo> {
        phases::described()
    }

    fn failures() -> &'static [&'static str] {
        &["dns", "refused", "connection", "tls", "timeout", "protocol", "content", "latency"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let mut connect = net::tcp(&config.address);
        connect.target.timeout_ms = config.timeout_ms;
        let connection = connect.open()?;
        let opened = connection.opened();
        let mut summary = format!("connected to {} in {}", opened.peer, phases::milliseconds(&opened.timings));
        let mut report = phases::measured(Report::ok(""), &opened.timings);
        if let Some(text) = &config.send {
            connection.send(text.as_bytes())?;
        }
        if let Some(expect) = &config.expect {
            let line = connection.receive_line()?;
            summary = format!("{summary}: {}", shown(&line));
            if !line.contains(expect.as_str()) {
                report = report
                    .evidence("", shown(&line), format!("with {expect:?}"), "")
                    .critical("content", format!("the answer lacks the expected text: {}", shown(&line)));
            }
        }
        if report.status == Status::Ok {
            report.summary = summary;
        }
        Ok(phases::judge(report, &opened.timings, config.latency_warning_seconds, config.latency_critical_seconds))
    }
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::net::NetError;
    use sickbay_sdk::testing::{Dialogue, FakeHost, assert_as_described};

    use super::*;

    fn run(config: Value, answer: Result<Dialogue, NetError>) -> (Report, FakeHost) {
        let mut host = FakeHost::default().net(answer);
        let report = host.run::<Tcp>(config).expect("a report");
        assert_as_described::<Tcp>(&report);
        (report, host)
    }

    #[test]
    fn an_open_port_is_ok_and_a_closed_one_critical() {
        let config = json!({ "address": "localhost:22" });
        let (report, host) = run(config.clone(), Ok(Dialogue::answering(&[])));
        assert_eq!((report.status, report.metrics[0].value), (Status::Ok, 0.0003));
        assert!(!host.targets[0].tls);
        let (report, _) = run(config, Err(NetError::Refused("connection refused".into())));
        assert_eq!((report.status, report.failure.as_deref()), (Status::Critical, Some("refused")));
    }

    #[test]
    fn what_is_said_is_judged() {
        let config = json!({ "address": "localhost:6379", "send": "PING\r\n", "expect": "PONG" });
        let (report, host) = run(config.clone(), Ok(Dialogue::answering(&["+PONG\r\n"])));
        assert_eq!((report.status, host.said), (Status::Ok, vec![b"PING\r\n".to_vec()]));
        assert!(report.summary.starts_with("connected to ") && report.summary.ends_with(": +PONG"), "{}", report.summary);
        let (report, _) = run(config.clone(), Ok(Dialogue::answering(&["-NOAUTH\r\n"])));
        assert_eq!(report.failure.as_deref(), Some("content"));
        assert_eq!(report.summary, "the answer lacks the expected text: -NOAUTH");
        let (report, _) = run(config, Ok(Dialogue::answering(&[])));
        assert_eq!(report.failure.as_deref(), Some("protocol"));
    }

    #[test]
    fn a_slow_connection_is_told() {
        let config = json!({ "address": "localhost:22", "latency_warning_seconds": 0.0001 });
        assert_eq!(run(config, Ok(Dialogue::answering(&[]))).0.failure.as_deref(), Some("latency"));
    }
}
