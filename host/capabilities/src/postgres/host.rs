//! The contract's `postgres` on a run: counts, authorises, translates, and waits for the call.

use std::sync::Arc;

use sickbay_core::Quota;
use sickbay_runtime::HostResult;

use super::client::{self, Call, Way};
use super::failure::{Failure, ServerError};
use super::policy;
use super::request::{Asked, QUERIES_MAX};
use crate::contract::postgres::{self as contract, Host, PostgresError, Query, RowSet};
use crate::denial::Capability;
use crate::dial::UNEXPECTED;
use crate::lent::Lent;
use crate::own_task::OwnTask;

impl Host for Lent {
    async fn run(&mut self, source: String, query: Query) -> HostResult<Result<RowSet, PostgresError>> {
        let asked = self.count_statements(1).and_then(|()| Ok(vec![Asked::new(query)?]));
        let answered = self.call_postgres(&source, asked, Way::Run).await;
        Ok(answered.and_then(only).map_err(|failure| self.tell_postgres_failure(failure)))
    }

    async fn run_many(&mut self, source: String, queries: Vec<Query>) -> HostResult<Result<Vec<RowSet>, PostgresError>> {
        let counted = self.count_statements(queries.len());
        let asked = counted.and_then(|()| queries.into_iter().map(Asked::new).collect());
        let answered = self.call_postgres(&source, asked, Way::RunMany).await;
        Ok(answered.map_err(|failure| self.tell_postgres_failure(failure)))
    }

    async fn run_simple(&mut self, source: String, sql: String, timeout_ms: Option<u32>) -> HostResult<Result<RowSet, PostgresError>> {
        let asked = self.count_statements(1).and_then(|()| Ok(vec![Asked::simple(sql, timeout_ms)?]));
        let answered = self.call_postgres(&source, asked, Way::RunSimple).await;
        Ok(answered.and_then(only).map_err(|failure| self.tell_postgres_failure(failure)))
    }
}

impl Lent {
    /// Each statement is a call; none at all is one too.
    fn count_statements(&mut self, count: usize) -> Result<(), Failure> {
        if count > QUERIES_MAX {
            self.meter.call(Capability::Postgres)?;
            return Err(Failure::Invalid(format!("{count} statements at once, at most {QUERIES_MAX} are run")));
        }
        for _ in 0..count.max(1) {
            self.meter.call(Capability::Postgres)?;
        }
        Ok(())
    }

    async fn call_postgres(&mut self, source: &str, asked: Result<Vec<Asked>, Failure>, way: Way) -> Result<Vec<RowSet>, Failure> {
        let call = self.admit_postgres(source, asked?, way)?;
        let answered = OwnTask::spawn(client::answer(call)).ended().await;
        let (sets, rows) = answered.ok_or_else(|| Failure::Invalid(UNEXPECTED.to_owned()))??;
        self.meter.took_rows(rows);
        Ok(sets)
    }

    fn admit_postgres(&mut self, source: &str, asked: Vec<Asked>, way: Way) -> Result<Call, Failure> {
        let found = self.services.postgres.get(source);
        let access = found.as_ref().map(|source| source.access());
        let statements = asked.iter().map(|asked| &asked.statement);
        let allowed = policy::authorise(&self.grants.postgres, access, source, statements)?;
        // Authorised means that it is there.
        let source = found.ok_or_else(|| Failure::Other("the source is gone".to_owned()))?;
        policy::fits(&source.name, way, source.manner(), allowed.access, &asked).map_err(Failure::Invalid)?;
        self.meter.send(asked.iter().map(Asked::bytes).fold(0, u64::saturating_add))?;
        let (rows_left, purse) = (self.meter.rows_left(), self.meter.purse());
        for (left, quota) in [(u64::from(rows_left), Quota::Rows), (purse.bytes_in_left(), Quota::BytesIn)] {
            if left == 0 {
                return Err(self.meter.exceed(quota).into());
            }
        }
        Ok(Call {
            services: Arc::clone(&self.services),
            plugin: Arc::clone(&self.scope.plugin),
            check: Arc::clone(&self.scope.check),
            source,
            way,
            access: allowed.access,
            asked,
            rows_max: allowed.rows_max,
            rows_left,
            purse,
            run_deadline: self.scope.deadline,
            secrets: self.secrets.clone(),
        })
    }

    fn tell_postgres_failure(&mut self, failure: Failure) -> PostgresError {
        match failure {
            Failure::Denied(denial) => PostgresError::Denied(self.deny(denial)),
            Failure::Invalid(message) => PostgresError::Invalid(message),
            Failure::Quota(message) => PostgresError::Quota(message),
            Failure::Connect(message) => PostgresError::Connect(message),
            Failure::Authentication(message) | Failure::NotAdmitted(message) => PostgresError::Authentication(message),
            Failure::TooManyConnections(message) => PostgresError::TooManyConnections(message),
            Failure::Timeout(message) => PostgresError::Timeout(message),
            Failure::Server(error) => PostgresError::Server(error.into()),
            Failure::Other(message) => PostgresError::Other(message),
        }
    }
}

fn only(mut sets: Vec<RowSet>) -> Result<RowSet, Failure> {
    sets.pop().ok_or_else(|| Failure::Other("the server did not answer the statement".to_owned()))
}

impl From<ServerError> for contract::ServerError {
    fn from(error: ServerError) -> contract::ServerError {
        let ServerError { sqlstate, severity, message, detail } = error;
        contract::ServerError { sqlstate, severity, message, detail }
    }
}
