//! `listeners`: which addresses must accept connections, and which must not.

use sickbay_sdk::net::NetError;
use sickbay_sdk::prelude::*;

const ADDRESSES_MAX: usize = 32;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// host:port that must accept.
    #[serde(default)]
    #[schemars(length(max = 32), inner(regex(pattern = crate::ADDRESS)))]
    open: Vec<String>,
    /// host:port that must not accept.
    #[serde(default)]
    #[schemars(length(max = 32), inner(regex(pattern = crate::ADDRESS)))]
    closed: Vec<String>,
    /// Bound of each connection; they are tried one after the other.
    #[serde(default = "default_timeout_ms")]
    #[schemars(range(min = 1))]
    timeout_ms: u32,
}

fn default_timeout_ms() -> u32 {
    500
}

pub(crate) struct Listeners;

impl Check for Listeners {
    const NAME: &'static str = "listeners";
    const SUMMARY: &'static str = "Which addresses must accept connections, and which must not";
    type Config = Config;

    fn example() -> Value {
        json!({ "open": ["localhost:8080"], "closed": ["localhost:23"] })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("net", "connects to each address", "net = [\"tcp://HOST:PORT\"]")]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("accepts", "", "1 where a connection is accepted, by address"),
            MetricInfo::gauge("wrong", "", "addresses that are not as they should be"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["listener"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let wanted = config.open.iter().map(|address| (address, true)).chain(config.closed.iter().map(|address| (address, false)));
        let wanted: Vec<(&String, bool)> = wanted.collect();
        if wanted.is_empty() || wanted.len() > ADDRESSES_MAX {
            return Err(Error::configuration(format!("open and closed name 1 to {ADDRESSES_MAX} addresses together")));
        }
        let mut seen = Vec::new();
        for (address, should_accept) in wanted {
            seen.push(Seen { address, should_accept, accepts: accepts(address, config.timeout_ms)? });
        }
        judge(&seen)
    }
}

struct Seen<'a> {
    address: &'a str,
    should_accept: bool,
    accepts: bool,
}

/// Whether a connection comes about. What says nothing about the address is an error.
fn accepts(address: &str, timeout_ms: u32) -> Result<bool, Error> {
    match net::tcp(address).timeout_ms(timeout_ms).open() {
        Ok(_) => Ok(true),
        Err(NetError::Refused(_) | NetError::Connect(_) | NetError::Timeout(_) | NetError::Closed(_) | NetError::Dns(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn judge(seen: &[Seen<'_>]) -> Result<Report, Error> {
    let wrong = seen.iter().filter(|seen| seen.accepts != seen.should_accept).count();
    let well = match seen.len() {
        1 => "1 address is as it should be".to_owned(),
        count => format!("{count} addresses are as they should be"),
    };
    let mut report = Report::ok(well).metric("wrong", wrong as f64, "");
    for (position, Seen { address, should_accept, accepts }) in seen.iter().enumerate() {
        if seen[..position].iter().any(|other| other.address == *address) {
            return Err(Error::configuration(format!("{address} is named twice")));
        }
        report = report.labelled("accepts", f64::from(u8::from(*accepts)), "", &[("address", *address)]);
        if accepts != should_accept {
            let word = |accepts: bool| if accepts { "accepts connections" } else { "accepts no connection" };
            report = report
                .evidence("", format!("{address} {}", word(*accepts)), word(*should_accept), "")
                .critical("listener", format!("{address} {}", word(*accepts)));
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::Denial;
    use sickbay_sdk::testing::{Dialogue, FakeHost, assert_as_described};

    use super::*;

    fn config() -> Value {
        json!({ "open": ["a:1"], "closed": ["b:2"] })
    }

    fn refused() -> Result<Dialogue, NetError> {
        Err(NetError::Refused("connection refused".into()))
    }

    #[test]
    fn what_must_accept_and_what_must_not_is_judged() {
        let status = |open, closed| {
            let report = FakeHost::default().net(open).net(closed).run::<Listeners>(config()).expect("a report");
            assert_as_described::<Listeners>(&report);
            report.status
        };
        assert_eq!(status(Ok(Dialogue::answering(&[])), refused()), Status::Ok);
        assert_eq!(status(refused(), refused()), Status::Critical);
        assert_eq!(status(Ok(Dialogue::answering(&[])), Ok(Dialogue::answering(&[]))), Status::Critical);
    }

    #[test]
    fn a_denial_says_nothing_about_a_port() {
        let denied = NetError::Denied(Denial { reason: "no grant".into(), hint: String::new() });
        let failure = FakeHost::default().net(refused()).net(Err(denied)).run::<Listeners>(config()).expect_err("a failure");
        assert_eq!(failure.kind, "denied");
    }

    #[test]
    fn no_address_at_all_is_a_mistake() {
        assert_eq!(FakeHost::default().run::<Listeners>(json!({})).expect_err("a failure").kind, "configuration");
    }
}
