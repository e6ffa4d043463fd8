//! Connections and names of the scripted host: one [`Dialogue`] for each connection and one answer for each lookup, in order.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::{HOST, expect_whole_lending};
use crate::net::{DnsAnswer, NetError, Opened, Target};
use crate::{Certificate, Timings, TlsSession};

/// What one connection answers.
#[derive(Clone, Debug)]
pub struct Dialogue {
    pub opened: Opened,
    /// What each `receive` gets, in order.
    pub answers: VecDeque<Result<Vec<u8>, NetError>>,
    /// What `start_tls` gets.
    pub start_tls: Result<TlsSession, NetError>,
}

impl Dialogue {
    /// An open port that says these things, and then closes. It cannot do TLS.
    pub fn answering(answers: &[&str]) -> Dialogue {
        let timings = Timings { dns_us: None, connect_us: Some(200), tls_us: None, first_byte_us: None, total_us: 300 };
        Dialogue {
            opened: Opened { peer: "127.0.0.1:1".to_owned(), timings, tls: None },
            answers: answers.iter().map(|answer| Ok(answer.as_bytes().to_vec())).collect(),
            start_tls: Err(NetError::Tls("the test scripted no TLS".to_owned())),
        }
    }

    /// With a session, from the first byte and for `start_tls`.
    pub fn with_tls(mut self, session: TlsSession) -> Dialogue {
        self.opened.tls = Some(session.clone());
        self.start_tls = Ok(session);
        self
    }
}

/// A session with one certificate, for `localhost`, that is good until then.
pub fn tls_until(not_after_ms: u64) -> TlsSession {
    TlsSession {
        version: "TLS 1.3".to_owned(),
        cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
        untrusted: None,
        chain: vec![Certificate {
            subject: "CN=localhost".to_owned(),
            issuer: "CN=test".to_owned(),
            dns_names: vec!["localhost".to_owned()],
            not_before: 0,
            not_after: not_after_ms,
            sha256: "00".repeat(32),
        }],
    }
}

pub(crate) struct Connection(RefCell<Dialogue>);

impl Connection {
    pub(crate) fn opened(&self) -> Opened {
        self.0.borrow().opened.clone()
    }

    pub(crate) fn send(&self, bytes: &[u8]) -> Result<(), NetError> {
        HOST.with(|host| host.borrow_mut().said.push(bytes.to_vec()));
        Ok(())
    }

    pub(crate) fn receive(&self, _until: &[u8], bytes_max: u32, _timeout_ms: Option<u32>) -> Result<Vec<u8>, NetError> {
        let closed = || Err(NetError::Closed("the peer closed the connection".to_owned()));
        let mut bytes = self.0.borrow_mut().answers.pop_front().unwrap_or_else(closed)?;
        bytes.truncate(bytes_max as usize);
        Ok(bytes)
    }

    pub(crate) fn start_tls(&self) -> Result<TlsSession, NetError> {
        self.0.borrow().start_tls.clone()
    }
}

pub(crate) fn connect(target: &Target) -> Result<Connection, NetError> {
    expect_whole_lending(&target.address).map_err(NetError::Denied)?;
    let answer = HOST.with(|host| {
        let mut host = host.borrow_mut();
        host.targets.push(target.clone());
        host.dialogues.pop_front()
    });
    match answer {
        Some(answer) => answer.map(|dialogue| Connection(RefCell::new(dialogue))),
        None => panic!("the test scripted no connection to {}", target.address),
    }
}

pub(crate) fn dns_resolve(name: &str, kind: &str) -> Result<DnsAnswer, NetError> {
    expect_whole_lending(name).map_err(NetError::Denied)?;
    let answer = HOST.with(|host| {
        let mut host = host.borrow_mut();
        host.lookups.push(format!("{name} {kind}"));
        host.names.pop_front()
    });
    match answer {
        Some(answer) => answer,
        None => panic!("the test scripted no answer to {name} {kind}"),
    }
}
