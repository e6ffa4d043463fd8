//! The contract's `redis` on a run: counts, translates, and waits for the call.

use std::sync::Arc;

use sickbay_runtime::HostResult;
use tokio::task::JoinHandle;

use super::client::{self, Call};
use super::dial::Names;
use super::failure::Failure;
use super::request::{COMMANDS_MAX, Request};
use crate::contract::redis::{Command, Host, RedisError, Reply};
use crate::lent::Lent;

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

/// A call under way in a task of its own: a guest's call is polled on the guest's small stack and charged to its processor time, and what
/// a server makes the host do is neither's. Dropping it ends the task.
struct Underway {
    task: JoinHandle<(Result<Vec<Reply>, Failure>, u64)>,
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Lent {
    async fn call_redis(&mut self, source: String, commands: Vec<Command>, timeout_ms: Option<u32>) -> Result<Vec<Reply>, RedisError> {
        let outcome = match self.begin_redis(source, commands, timeout_ms) {
            Ok(underway) => self.finish_redis(underway).await,
            Err(failure) => Err(failure),
        };
        outcome.map_err(|failure| self.tell_redis(failure))
    }

    /// Every command is a call of the host.
    fn begin_redis(&mut self, source: String, commands: Vec<Command>, timeout_ms: Option<u32>) -> Result<Underway, Failure> {
        self.meter.call()?;
        if commands.len() > COMMANDS_MAX {
            return Err(Failure::Invalid(format!("{} commands at once, at most {COMMANDS_MAX} are sent", commands.len())));
        }
        for _ in 1..commands.len() {
            self.meter.call()?;
        }
        let request = Request::new(source, commands, timeout_ms)?;
        self.meter.send(request.bytes())?;
        let call = Call {
            source: self.services.redis.get(&request.source),
            names: Names { services: Arc::clone(&self.services), plugin: Arc::clone(&self.scope.plugin) },
            grants: Arc::clone(&self.grants),
            request,
            bytes_in_max: self.meter.bytes_in_left(),
            run_deadline: self.scope.deadline,
        };
        Ok(Underway { task: tokio::spawn(client::converse(call)) })
    }

    async fn finish_redis(&mut self, mut underway: Underway) -> Result<Vec<Reply>, Failure> {
        let (outcome, bytes) = (&mut underway.task).await.map_err(|_| Failure::Other("the call ended unexpectedly".to_owned()))?;
        self.meter.received(bytes)?;
        outcome
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
