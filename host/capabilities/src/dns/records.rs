//! Records of one type of a name, for checks that look at DNS itself.
//!
//! The servers are the system's; the name is asked for as it stands: `/etc/hosts` and search domains are no part of DNS.

use std::sync::Arc;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::time::timeout;

use super::Resolver;
use super::ask::ask;
use super::search::{Miss, word};
use super::settings::Settings;
use crate::failure::Failure;

impl Resolver {
    /// At least one record, in the order in which they came. An alias is followed as far as the server did. Has no end of its own that a
    /// run would wait for: the caller bounds it.
    pub(crate) async fn records(&self, plugin: &Arc<str>, name: &Name, kind: RecordType) -> Result<Vec<Record>, Failure> {
        let _place = self.places.take(plugin)?;
        let settings = self.files.known().settings.map_err(|why| self.unreadable(why))?;
        if settings.servers.is_empty() {
            return Err(self.without_server());
        }
        let written = name.to_ascii();
        let host = written.strip_suffix('.').unwrap_or(&written);
        let question = Query::query(name.clone(), kind);
        // In a box, so that a call that looks nothing up does not carry the room for it.
        let answer = Box::pin(ask_servers(&settings, &question)).await.map_err(|miss| self.missed(host, miss))?;
        let wanted = |record: &Record| record.record_type() == kind && !matches!(record.data, RData::Update0(_));
        let records: Vec<Record> = answer.answers.into_iter().filter(wanted).collect();
        if records.is_empty() {
            return Err(Failure::Dns(format!("`{host}` has no {kind} record: DNS knows the name, but nothing of this type")));
        }
        Ok(records)
    }
}

/// Server after server, as often as the settings say, until one of them knows.
async fn ask_servers(settings: &Settings, question: &Query) -> Result<Message, Miss> {
    let mut miss = Miss::Silent;
    for _ in 0..settings.attempts {
        for &server in &settings.servers {
            miss = match timeout(settings.attempt_time, ask(server, question.clone())).await {
                Err(_) => Miss::Silent,
                Ok(Err(error)) => Miss::Unreachable(error.kind()),
                Ok(Ok(answer)) => match answer.metadata.response_code {
                    ResponseCode::NoError => return Ok(answer),
                    ResponseCode::NXDomain => return Err(Miss::NoSuchName),
                    code => Miss::Declined(word(code)),
                },
            };
        }
    }
    Err(miss)
}
