//! Capabilities of the contract that this version does not lend.
//!
//! They are answered all the same: guests in Python and JavaScript import every interface of their world, and must load.
//!
//! Invariant: no call here has an effect; each is counted as a call and as a denial.

use sickbay_runtime::resource::Resource;
use sickbay_runtime::{HostResult, trap};

use crate::contract::net::{Connection, DnsAnswer, NetError, Opened, Target};
use crate::contract::postgres::{PostgresError, Query, RowSet};
use crate::contract::redis::{Command, RedisError, Reply};
use crate::contract::secrets::{SecretError, SecretInfo};
use crate::contract::{net, postgres, redis, secrets, types};
use crate::denial::{Capability, Denial, DenialReason};
use crate::lent::Lent;
use crate::meter::Exceeded;

impl Lent {
    /// The denial of a call to a capability that is not lent, unless the run has no calls left.
    fn not_lent(&mut self, capability: Capability) -> Result<types::Denial, Exceeded> {
        self.meter.call()?;
        let name = capability.as_str();
        Ok(self.deny(Denial {
            capability,
            reason: DenialReason::Unsupported,
            message: format!("this version of Sickbay does not lend `{name}` yet"),
            hint: format!("no grant opens `{name}` in this version; use a plugin that needs only `http`, `system` and `files`"),
        }))
    }
}

/// The answer in the interface's own error type: `denied` or `quota`.
macro_rules! refuse {
    ($lent:expr, $capability:ident, $error:ident) => {
        Ok(Err(match $lent.not_lent(Capability::$capability) {
            Ok(denial) => $error::Denied(denial),
            Err(exceeded) => $error::Quota(exceeded.to_string()),
        }))
    };
}

impl postgres::Host for Lent {
    async fn run(&mut self, _source: String, _query: Query) -> HostResult<Result<RowSet, PostgresError>> {
        refuse!(self, Postgres, PostgresError)
    }

    async fn run_many(&mut self, _source: String, _queries: Vec<Query>) -> HostResult<Result<Vec<RowSet>, PostgresError>> {
        refuse!(self, Postgres, PostgresError)
    }

    async fn run_simple(&mut self, _source: String, _sql: String, _timeout_ms: Option<u32>) -> HostResult<Result<RowSet, PostgresError>> {
        refuse!(self, Postgres, PostgresError)
    }
}

impl redis::Host for Lent {
    async fn run(&mut self, _source: String, _command: Command, _timeout_ms: Option<u32>) -> HostResult<Result<Reply, RedisError>> {
        refuse!(self, Redis, RedisError)
    }

    async fn run_many(
        &mut self,
        _source: String,
        _commands: Vec<Command>,
        _timeout_ms: Option<u32>,
    ) -> HostResult<Result<Vec<Reply>, RedisError>> {
        refuse!(self, Redis, RedisError)
    }
}

impl net::Host for Lent {
    async fn connect(&mut self, _target: Target) -> HostResult<Result<Resource<Connection>, NetError>> {
        refuse!(self, Net, NetError)
    }

    async fn dns_resolve(&mut self, _name: String, _kind: String) -> HostResult<Result<DnsAnswer, NetError>> {
        refuse!(self, Net, NetError)
    }
}

/// No guest can hold a connection, since `connect` gives none out.
impl net::HostConnection for Lent {
    async fn opened(&mut self, _connection: Resource<Connection>) -> HostResult<Opened> {
        Err(trap("there is no such connection"))
    }

    async fn send(&mut self, _connection: Resource<Connection>, _bytes: Vec<u8>) -> HostResult<Result<(), NetError>> {
        refuse!(self, Net, NetError)
    }

    async fn receive(
        &mut self,
        _connection: Resource<Connection>,
        _until: Vec<u8>,
        _bytes_max: u32,
        _timeout_ms: Option<u32>,
    ) -> HostResult<Result<Vec<u8>, NetError>> {
        refuse!(self, Net, NetError)
    }

    async fn start_tls(&mut self, _connection: Resource<Connection>) -> HostResult<Result<types::TlsSession, NetError>> {
        refuse!(self, Net, NetError)
    }

    async fn drop(&mut self, _connection: Resource<Connection>) -> HostResult<()> {
        Ok(())
    }
}

impl secrets::Host for Lent {
    async fn inspect(&mut self, _secret: String) -> HostResult<Result<SecretInfo, SecretError>> {
        refuse!(self, Secrets, SecretError)
    }

    async fn sign(
        &mut self,
        _secret: String,
        _algorithm: String,
        _prefix: String,
        _data: Vec<u8>,
    ) -> HostResult<Result<Vec<Vec<u8>>, SecretError>> {
        refuse!(self, Secrets, SecretError)
    }

    async fn encode(&mut self, _text: String, _encoding: String) -> HostResult<Result<String, SecretError>> {
        refuse!(self, Secrets, SecretError)
    }
}
