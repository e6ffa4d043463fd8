//! Questions to DNS, with answers as text.

use hickory_proto::rr::{Name, RData, RecordType};
use tokio::time::{Instant, timeout_at};
use url::Host;

use super::client::Caller;
use super::host_pattern::read_host;
use super::{Asked, policy};
use crate::dial::microseconds_since;
use crate::failure::Failure;

/// As the contract says.
const RECORDS_MAX: usize = 256;

const KINDS: [RecordType; 14] = [
    RecordType::A,
    RecordType::AAAA,
    RecordType::CAA,
    RecordType::CNAME,
    RecordType::HTTPS,
    RecordType::MX,
    RecordType::NAPTR,
    RecordType::NS,
    RecordType::PTR,
    RecordType::SOA,
    RecordType::SRV,
    RecordType::SVCB,
    RecordType::TLSA,
    RecordType::TXT,
];

/// What a guest wants to know.
#[derive(Debug)]
pub(super) struct Question {
    /// As grants speak of it.
    host: Host,
    /// As DNS does, complete.
    name: Name,
    kind: RecordType,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) records: Vec<String>,
    pub(super) ttl_seconds: Option<u32>,
    pub(super) elapsed_us: u32,
}

impl Question {
    pub(super) fn new(name: &str, kind: &str) -> Result<Question, Failure> {
        let Some(kind) = KINDS.into_iter().find(|known| known.to_string() == kind) else {
            let known: Vec<String> = KINDS.iter().map(RecordType::to_string).collect();
            return Err(Failure::Invalid(format!("the kind is none that is asked for; hint: {}", known.join(", "))));
        };
        let host = read_host(name).filter(|host| matches!(host, Host::Domain(_))).ok_or_else(no_name)?;
        let mut name = Name::from_ascii(host.to_string()).map_err(|_| no_name())?;
        name.set_fqdn(true);
        Ok(Question { host, name, kind })
    }

    /// What it takes on the wire, once.
    pub(super) fn bytes(&self) -> u64 {
        // The head of a message, what is round the labels, type and class.
        u64::try_from(12 + self.host.to_string().len() + 2 + 4).unwrap_or(u64::MAX)
    }
}

impl Answer {
    /// What it took on the wire, as good as exactly.
    pub(super) fn bytes(&self) -> u64 {
        self.records.iter().map(|record| u64::try_from(record.len()).unwrap_or(u64::MAX)).sum()
    }
}

fn no_name() -> Failure {
    Failure::Invalid("that is no name; hint: write `example.com`, and for the address 1.2.3.4 `4.3.2.1.in-addr.arpa` with PTR".to_owned())
}

pub(super) async fn look_up(caller: Caller, question: Question) -> Result<Answer, Failure> {
    let Question { host, name, kind } = question;
    policy::authorise(&caller.grants.net, &Asked::Records(&host))?;
    let began = Instant::now();
    let lookup = caller.services.resolver.records(&caller.plugin, &name, kind);
    let Ok(records) = timeout_at(caller.run_deadline, lookup).await else {
        let ms = caller.run_deadline.saturating_duration_since(began).as_millis();
        return Err(Failure::Timeout(format!("DNS did not tell of `{host}` within {ms} ms (dns)")));
    };
    let mut records = records?;
    records.truncate(RECORDS_MAX);
    Ok(Answer {
        ttl_seconds: records.iter().map(|record| record.ttl).min(),
        records: records.iter().map(|record| text(&record.data)).collect(),
        elapsed_us: microseconds_since(began),
    })
}

/// As zone files have it, with names that do not end with a dot.
fn text(data: &RData) -> String {
    match data {
        RData::CNAME(alias) => plain(&alias.0),
        RData::NS(server) => plain(&server.0),
        RData::PTR(name) => plain(&name.0),
        RData::MX(mail) => format!("{} {}", mail.preference, plain(&mail.exchange)),
        RData::SRV(service) => format!("{} {} {} {}", service.priority, service.weight, service.port, plain(&service.target)),
        RData::SOA(zone) => {
            let (primary, contact) = (plain(&zone.mname), plain(&zone.rname));
            format!("{primary} {contact} {} {} {} {} {}", zone.serial, zone.refresh, zone.retry, zone.expire, zone.minimum)
        }
        other => other.to_string(),
    }
}

fn plain(name: &Name) -> String {
    let text = name.to_ascii();
    match text.strip_suffix('.') {
        Some(plain) if !plain.is_empty() => plain.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_kinds_that_dns_is_not_asked_for_are_invalid() {
        for (name, kind) in [
            ("example.com", "ANY"),
            ("example.com", "AXFR"),
            ("example.com", "a"),
            ("example.com", ""),
            ("", "A"),
            ("10.0.0.1", "PTR"),
            ("[fd00::1]", "PTR"),
            ("a..example.com", "A"),
            ("*.example.com", "A"),
            ("example.com:53", "A"),
            ("@10.0.0.2 example.com", "A"),
        ] {
            let outcome = Question::new(name, kind);
            assert!(matches!(outcome, Err(Failure::Invalid(_))), "{name} {kind}: {outcome:?}");
        }
    }

    #[test]
    fn a_name_is_asked_for_as_it_stands() {
        for (name, asked) in [("example.com", "example.com."), ("_dmarc.Example.com.", "_dmarc.example.com."), ("db", "db.")] {
            let question = Question::new(name, "TXT").expect(name);
            assert_eq!((question.name.to_ascii().as_str(), question.name.is_fqdn()), (asked, true));
        }
    }
}
