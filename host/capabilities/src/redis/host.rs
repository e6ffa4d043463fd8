//! The contract's `redis` on a run: counts, translates, and waits for the call.

use std::sync::Arc;

use sickbay_runtime::HostResult;

use super::client::{self, Call};
use super::dial::Names;
use super::failure::Failure;
use super::request::{COMMANDS_MAX, Request};
use crate::contract::redis::{Command, Host, RedisError, Reply};
use crate::denial::Capability;
use crate::dial::UNEXPECTED;
use crate::lent::Lent;
use crate::own_task::OwnTask;

impl Host for Lent {
    async fn run(&mut self, source: String, command: Command, timeout_ms: Option<u32>) -> HostResult<Result<Reply, RedisError>> {
        let replies = self.call_redis(source, vec![command], timeout_ms).await;
        let none = || RedisError::Other("the server sent no reply".to_owned());
        Ok(replies.and_then(|mut replies| replies.pop().ok_or_else(none)))
    }

    async fn run_many(
        &mut self,
        source: String,
        commands: Vec<Command>,
        timeout_ms: Option<u32>,
    ) -> HostResult<Result<Vec<Reply>, RedisError>> {
        Ok(self.call_redis(source, commands, timeout_ms).await)
    }
}

impl Lent {
    async fn call_redis(&mut self, source: String, commands: Vec<Command>, timeout_ms: Option<u32>) -> Result<Vec<Reply>, RedisError> {
        let outcome = match self.begin_redis(source, commands, timeout_ms) {
            Ok(underway) => underway.ended().await.unwrap_or_else(|| Err(Failure::Invalid(UNEXPECTED.to_owned()))),
            Err(failure) => Err(failure),
        };
        outcome.map_err(|failure| self.tell_redis(failure))
    }

    /// Every command is a call of the host.
    fn begin_redis(
        &mut self,
        source: String,
        commands: Vec<Command>,
        timeout_ms: Option<u32>,
    ) -> Result<OwnTask<Result<Vec<Reply>, Failure>>, Failure> {
        self.meter.call(Capability::Redis)?;
        if commands.len() > COMMANDS_MAX {
            return Err(Failure::Invalid(format!("{} commands at once, at most {COMMANDS_MAX} are sent", commands.len())));
        }
        for _ in 1..commands.len() {
            self.meter.call(Capability::Redis)?;
        }
        let request = Request::new(source, commands, timeout_ms)?;
        self.meter.send(request.bytes())?;
        let call = Call {
            source: self.services.redis.get(&request.source),
            names: Names {
                services: Arc::clone(&self.services),
                plugin: Arc::clone(&self.scope.plugin),
                check: Arc::clone(&self.scope.check),
            },
            grants: Arc::clone(&self.grants),
            request,
            purse: self.meter.purse(),
            run_deadline: self.scope.deadline,
            secrets: self.secrets.clone(),
        };
        Ok(OwnTask::spawn(client::converse(call)))
    }

    fn tell_redis(&mut self, failure: Failure) -> RedisError {
        match failure {
            Failure::Denied(denial) => RedisError::Denied(self.deny(denial)),
            Failure::Invalid(message) => RedisError::Invalid(message),
            Failure::Quota(message) => RedisError::Quota(message),
            Failure::Connect(message) => RedisError::Connect(message),
            Failure::Authentication(message) => RedisError::Authentication(message),
            Failure::Timeout(message) => RedisError::Timeout(message),
            Failure::Other(message) => RedisError::Other(message),
        }
    }
}
