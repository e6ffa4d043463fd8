//! The contract's `net` on a run: counts, translates, and waits for the work of a call.

use std::sync::Arc;

use sickbay_runtime::resource::Resource;
use sickbay_runtime::{HostResult, trap};

use super::client::{self, Caller};
use super::dialogue::{SEND_BYTES_MAX, Wanted};
use super::dns::{self, Question};
use super::target::Target;
use crate::contract::net::{Connection, DnsAnswer, Host, HostConnection, NetError, Opened};
use crate::contract::{net, types};
use crate::denial::Capability;
use crate::dial::UNEXPECTED;
use crate::failure::Failure;
use crate::lent::Lent;
use crate::own_task::OwnTask;
use crate::secrets::Part;

impl Host for Lent {
    async fn connect(&mut self, target: net::Target) -> HostResult<Result<Resource<Connection>, NetError>> {
        let number = self.open_connection(target).await;
        Ok(number.map(Resource::new_own).map_err(|failure| self.tell_net_failure(failure)))
    }

    async fn dns_resolve(&mut self, name: String, kind: String) -> HostResult<Result<DnsAnswer, NetError>> {
        let answer = self.look_up_records(&name, &kind).await;
        Ok(answer.map(DnsAnswer::from).map_err(|failure| self.tell_net_failure(failure)))
    }
}

impl HostConnection for Lent {
    async fn opened(&mut self, connection: Resource<Connection>) -> HostResult<Opened> {
        self.meter.call(Capability::Net).map_err(trap)?;
        let opened = self.connections.opened(connection.rep()).ok_or_else(|| trap("there is no such connection"))?;
        Ok(opened.clone().into())
    }

    async fn send(&mut self, connection: Resource<Connection>, bytes: Vec<u8>) -> HostResult<Result<(), NetError>> {
        let outcome = self.send_on(connection.rep(), bytes).await;
        Ok(outcome.map_err(|failure| self.tell_net_failure(failure)))
    }

    async fn receive(
        &mut self,
        connection: Resource<Connection>,
        until: Vec<u8>,
        bytes_max: u32,
        timeout_ms: Option<u32>,
    ) -> HostResult<Result<Vec<u8>, NetError>> {
        let outcome = self.receive_on(connection.rep(), until, bytes_max, timeout_ms).await;
        Ok(outcome.map_err(|failure| self.tell_net_failure(failure)))
    }

    async fn start_tls(&mut self, connection: Resource<Connection>) -> HostResult<Result<types::TlsSession, NetError>> {
        let outcome = self.start_tls_on(connection.rep()).await;
        Ok(outcome.map_err(|failure| self.tell_net_failure(failure)))
    }

    /// No call of the guest: it is not counted.
    async fn drop(&mut self, connection: Resource<Connection>) -> HostResult<()> {
        self.connections.close(connection.rep());
        Ok(())
    }
}

async fn in_own_task<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T, Failure> {
    OwnTask::spawn(work).ended().await.ok_or_else(|| Failure::Host(UNEXPECTED.to_owned()))
}

impl Lent {
    async fn open_connection(&mut self, target: net::Target) -> Result<u32, Failure> {
        self.meter.call(Capability::Net)?;
        self.connections.ensure_room()?;
        let target = Target::new(target)?;
        let (dialogue, opened) = in_own_task(client::open(self.net_caller(), target)).await??;
        Ok(self.connections.add(dialogue, opened))
    }

    async fn send_on(&mut self, number: u32, bytes: Vec<u8>) -> Result<(), Failure> {
        self.meter.call(Capability::Net)?;
        if bytes.len() > SEND_BYTES_MAX {
            return Err(Failure::Invalid(format!("{} bytes at once, at most {SEND_BYTES_MAX} are sent", bytes.len())));
        }
        let mut dialogue = self.connections.take(number)?;
        let filled = self.secrets.fill_bytes(&self.grants.secrets, dialogue.towards(), bytes, SEND_BYTES_MAX);
        let bytes = match filled {
            Ok(bytes) => bytes,
            Err(failure) => {
                self.connections.put_back(number, dialogue);
                return Err(failure);
            }
        };
        if let Err(exceeded) = self.meter.send(u64::try_from(bytes.len()).unwrap_or(u64::MAX)) {
            self.connections.put_back(number, dialogue);
            return Err(exceeded.into());
        }
        let deadline = self.scope.deadline;
        let work = async move {
            let outcome = dialogue.send(&bytes, deadline).await;
            (dialogue, outcome)
        };
        let (dialogue, outcome) = in_own_task(work).await?;
        self.connections.put_back(number, dialogue);
        outcome
    }

    async fn receive_on(&mut self, number: u32, until: Vec<u8>, bytes_max: u32, timeout_ms: Option<u32>) -> Result<Vec<u8>, Failure> {
        self.meter.call(Capability::Net)?;
        let wanted = Wanted::new(until, bytes_max, timeout_ms)?;
        let mut dialogue = self.connections.take(number)?;
        let (services, placeholders) = (Arc::clone(&self.services), self.secrets.clone());
        let (purse, deadline) = (self.meter.purse(), self.scope.deadline);
        let work = async move {
            let outcome = dialogue.receive(&wanted, &services, &placeholders, &purse, deadline).await;
            (dialogue, outcome)
        };
        let (dialogue, outcome) = in_own_task(work).await?;
        self.connections.put_back(number, dialogue);
        outcome
    }

    async fn start_tls_on(&mut self, number: u32) -> Result<types::TlsSession, Failure> {
        self.meter.call(Capability::Net)?;
        let mut dialogue = self.connections.take(number)?;
        let (services, deadline) = (Arc::clone(&self.services), self.scope.deadline);
        let work = async move {
            let outcome = dialogue.start_tls(&services, deadline).await;
            (dialogue, outcome)
        };
        let (dialogue, outcome) = in_own_task(work).await?;
        self.connections.put_back(number, dialogue);
        outcome.map(types::TlsSession::from)
    }

    async fn look_up_records(&mut self, name: &str, kind: &str) -> Result<dns::Answer, Failure> {
        self.meter.call(Capability::Net)?;
        let question = Question::new(name, kind)?;
        self.meter.send(question.bytes())?;
        let (caller, secrets) = (self.net_caller(), self.secrets.clone());
        let work = async move {
            let mut answer = dns::look_up(caller, question).await?;
            secrets.mask_parts(answer.records.iter_mut().map(Part::Text));
            Ok::<_, Failure>(answer)
        };
        let answer = in_own_task(work).await??;
        self.meter.received(answer.bytes())?;
        Ok(answer)
    }

    fn net_caller(&self) -> Caller {
        Caller {
            services: Arc::clone(&self.services),
            grants: Arc::clone(&self.grants),
            plugin: Arc::clone(&self.scope.plugin),
            run_deadline: self.scope.deadline,
        }
    }

    fn tell_net_failure(&mut self, failure: Failure) -> NetError {
        match failure {
            Failure::Denied(denial) => NetError::Denied(self.deny(denial)),
            Failure::Invalid(message) | Failure::Host(message) => NetError::Invalid(message),
            Failure::Quota(exceeded) => NetError::Quota(exceeded.to_string()),
            Failure::Dns(message) => NetError::Dns(message),
            Failure::Refused(message) => NetError::Refused(message),
            Failure::Connect(message) => NetError::Connect(message),
            Failure::Tls(message) => NetError::Tls(message),
            Failure::Timeout(message) => NetError::Timeout(message),
            // There was a connection, and it ended early.
            Failure::Protocol(message) => NetError::Closed(message),
            Failure::Other(message) => NetError::Other(message),
        }
    }
}

impl From<client::Opened> for Opened {
    fn from(opened: client::Opened) -> Opened {
        let client::Opened { peer, timings, total_us, tls } = opened;
        Opened {
            peer,
            timings: types::Timings {
                dns_us: timings.dns_us,
                connect_us: timings.connect_us,
                tls_us: timings.tls_us,
                // Nothing was asked yet.
                first_byte_us: None,
                total_us,
            },
            tls: tls.map(types::TlsSession::from),
        }
    }
}

impl From<dns::Answer> for DnsAnswer {
    fn from(answer: dns::Answer) -> DnsAnswer {
        DnsAnswer { records: answer.records, ttl_seconds: answer.ttl_seconds, elapsed_us: answer.elapsed_us }
    }
}
