//! The addresses of one of several names, from the first DNS server that tells them.
//!
//! How: name after name, and for each of them, as often as the settings say, server after server, until one of them knows. A server is
//! asked for A and AAAA at once, over a socket each. Who tells the addresses of one family in time is not asked again for the other.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::time::timeout;

use super::ask::ask;
use super::settings::Settings;
use super::{ADDRESSES_MAX, in_turns};

/// Aliases that are followed in one answer.
const ALIASES_MAX: usize = 16;

/// Why there are no addresses; of several names the last in this order is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Miss {
    /// DNS knows that there is no such name.
    NoSuchName,
    /// The name is there, and has neither A nor AAAA.
    NoAddress,
    /// A server answered that it cannot tell; its word for it.
    Declined(&'static str),
    /// No server answered in time.
    Silent,
    /// No server can be asked.
    Unreachable(io::ErrorKind),
}

/// At least one address and at most [`ADDRESSES_MAX`], in the order in which they are to be tried.
pub(super) async fn find(settings: &Settings, names: &[Name]) -> Result<Vec<IpAddr>, Miss> {
    let mut miss = Miss::NoSuchName;
    for name in names {
        match ask_servers(settings, name).await {
            Ok(addresses) => return Ok(addresses),
            // Whoever is silent about this name is silent about the next one.
            Err(silence @ (Miss::Silent | Miss::Unreachable(_))) => return Err(silence),
            Err(other) => miss = miss.max(other),
        }
    }
    Err(miss)
}

async fn ask_servers(settings: &Settings, name: &Name) -> Result<Vec<IpAddr>, Miss> {
    let mut miss = Miss::Silent;
    for _ in 0..settings.attempts {
        for &server in &settings.servers {
            match ask_both(server, name, settings.attempt_time).await {
                Err(trouble @ (Miss::Declined(_) | Miss::Silent | Miss::Unreachable(_))) => miss = trouble,
                told => return told,
            }
        }
    }
    Err(miss)
}

async fn ask_both(server: SocketAddr, name: &Name, time: Duration) -> Result<Vec<IpAddr>, Miss> {
    let (v6, v4) = tokio::join!(ask_for(server, name, RecordType::AAAA, time), ask_for(server, name, RecordType::A, time));
    both(v6, v4)
}

async fn ask_for(server: SocketAddr, name: &Name, records: RecordType, time: Duration) -> Result<Vec<IpAddr>, Miss> {
    match timeout(time, ask(server, Query::query(name.clone(), records))).await {
        Err(_) => Err(Miss::Silent),
        Ok(Err(error)) => Err(Miss::Unreachable(error.kind())),
        Ok(Ok(answer)) => addresses(name, &answer),
    }
}

fn both(v6: Result<Vec<IpAddr>, Miss>, v4: Result<Vec<IpAddr>, Miss>) -> Result<Vec<IpAddr>, Miss> {
    match (v6, v4) {
        (Ok(v6), Ok(v4)) => Ok(in_turns(&v6, &v4)),
        (Ok(one), Err(_)) | (Err(_), Ok(one)) => Ok(one),
        // A name that is not there has no record of any kind.
        (Err(Miss::NoSuchName), Err(_)) | (Err(_), Err(Miss::NoSuchName)) => Err(Miss::NoSuchName),
        (Err(one), Err(other)) => Err(one.max(other)),
    }
}

/// The addresses of `name`, or of what it is another name of.
fn addresses(name: &Name, answer: &Message) -> Result<Vec<IpAddr>, Miss> {
    match answer.metadata.response_code {
        ResponseCode::NoError => {}
        ResponseCode::NXDomain => return Err(Miss::NoSuchName),
        code => return Err(Miss::Declined(word(code))),
    }
    let mut owner = name;
    for _ in 0..ALIASES_MAX {
        let alias = answer.answers.iter().find_map(|record| match &record.data {
            RData::CNAME(alias) if record.name == *owner => Some(&alias.0),
            _ => None,
        });
        let Some(alias) = alias else { break };
        owner = alias;
    }
    let owned = answer.answers.iter().filter(|record| record.name == *owner);
    let addresses: Vec<IpAddr> = owned.filter_map(|record| record.data.ip_addr()).take(ADDRESSES_MAX).collect();
    if addresses.is_empty() { Err(Miss::NoAddress) } else { Ok(addresses) }
}

/// As `dig` writes it.
pub(super) fn word(code: ResponseCode) -> &'static str {
    match code {
        ResponseCode::FormErr => "FORMERR",
        ResponseCode::ServFail => "SERVFAIL",
        ResponseCode::NotImp => "NOTIMP",
        ResponseCode::Refused => "REFUSED",
        other => other.to_str(),
    }
}
