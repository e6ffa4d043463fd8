//! What a source's role may do that no grant bounds, for whoever looks over a configuration.
//!
//! A statement that only reads may call functions, and these have the rights of the role: one that may run programs on the server, or
//! read its files, lends that to every check that is granted the source. A role also counts as what it may become (`set_config('role', ...)`
//! is a function too).
//!
//! Invariant: nothing is changed on the server.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::client::failure_of;
use super::conversation::Trouble;
use super::failure::Failure;
use super::intake::Intake;
use super::session::{Excess, Session, Stage};
use super::settings::Manner;
use super::source::{Place, Source, Wanted, Who};
use super::wire::{Broken, Parts};
use crate::services::{Services, Unentered};

/// From the first packet to the last answer.
const TIME_MAX: Duration = Duration::from_secs(5);

const QUESTION: &str = "SELECT DISTINCT held.power FROM pg_catalog.pg_roles AS role CROSS JOIN LATERAL (VALUES \
     (role.rolsuper, 'superuser'), (role.rolbypassrls, 'bypassrls'), (role.rolreplication, 'replication'), \
     (role.rolcreaterole, 'createrole'), \
     (role.rolname IN ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files', 'pg_signal_backend'), role.rolname::text)) \
     AS held (has, power) WHERE held.has AND pg_catalog.pg_has_role(role.oid, 'MEMBER')";

/// The strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Power {
    Superuser,
    RunsPrograms,
    WritesFiles,
    ReadsFiles,
    CreatesRoles,
    Replicates,
    IgnoresRowSecurity,
    EndsSessions,
}

impl Power {
    pub const ALL: [Power; 8] = [
        Power::Superuser,
        Power::RunsPrograms,
        Power::WritesFiles,
        Power::ReadsFiles,
        Power::CreatesRoles,
        Power::Replicates,
        Power::IgnoresRowSecurity,
        Power::EndsSessions,
    ];

    /// As PostgreSQL calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Power::Superuser => "superuser",
            Power::RunsPrograms => "pg_execute_server_program",
            Power::WritesFiles => "pg_write_server_files",
            Power::ReadsFiles => "pg_read_server_files",
            Power::CreatesRoles => "createrole",
            Power::Replicates => "replication",
            Power::IgnoresRowSecurity => "bypassrls",
            Power::EndsSessions => "pg_signal_backend",
        }
    }
}

impl Services {
    /// Enters a PostgreSQL source with a connection of its own, and asks what its role may do. A console of PgBouncer has no roles.
    pub async fn postgres_powers(&self, name: &str) -> Result<Vec<Power>, Unentered> {
        let asked = match self.postgres.get(name) {
            Some(source) => powers(self, &source).await,
            None => Err(Failure::Invalid("there is no such source".to_owned())),
        };
        asked.map_err(|failure| unentered(failure, name))
    }
}

async fn powers(services: &Services, source: &Arc<Source>) -> Result<Vec<Power>, Failure> {
    let (began, nobody) = (Instant::now(), Arc::<str>::from(""));
    let deadline = began + TIME_MAX;
    let who = Who { check: &nobody, plugin: &nobody, resolver: &services.resolver };
    let place = Place::take(source, &nobody, deadline).await?;
    let (mut session, _) = place.connect(Wanted::Dialled, who, began, deadline).await?;
    if source.manner() == Manner::Console {
        return Ok(Vec::new());
    }
    let stage = match timeout_at(deadline, ask(&mut session)).await {
        Ok(Ok(stage)) => stage,
        Ok(Err(broken)) => return Err(failure_of(Trouble::Broken(broken), source)),
        Err(_) => return Err(failure_of(Trouble::Timeout(TIME_MAX), source)),
    };
    match stage.error {
        Some(error) => Err(error.into_failure(&source.name, &source.settings.endpoint)),
        None => Ok(told(&stage)),
    }
}

async fn ask(session: &mut Session) -> Result<Stage, Broken> {
    session.put().query(QUESTION);
    session.send().await?;
    session.stage(Excess::Left, u32::MAX, &mut Intake::own()).await
}

fn told(stage: &Stage) -> Vec<Power> {
    let power = |row: &[u8]| {
        let mut parts = Parts(row);
        parts.u16()?;
        let name = std::str::from_utf8(parts.value()??).ok()?;
        Power::ALL.into_iter().find(|power| power.as_str() == name)
    };
    let mut powers: Vec<Power> = stage.rows.iter().filter_map(|row| power(row)).collect();
    powers.sort_unstable();
    powers
}

fn unentered(failure: Failure, name: &str) -> Unentered {
    let (message, hint) = match failure {
        Failure::Connect(message) => (message, "does the server run, and does the URL name its host and port?"),
        Failure::Timeout(message) => (message, "does the URL name the right host and port, and does no firewall stand between?"),
        Failure::Authentication(message) | Failure::NotAdmitted(message) => {
            (message, "mend user and password in the URL, or the server's pg_hba.conf")
        }
        Failure::TooManyConnections(message) => (message, "raise the server's `max_connections`, or the limit of the role"),
        Failure::Server(error) => (format!("{} ({})", error.message, error.sqlstate), "mend database and parameters in the URL"),
        Failure::Denied(denial) => (denial.message, "mend the URL"),
        Failure::Invalid(message) | Failure::Quota(message) | Failure::Other(message) => (message, "mend the URL"),
    };
    Unentered::new(&message, hint, &format!("[sources.postgres.{name}]"))
}
