//! What the role of a store may do: too little to work with, or more than Sickbay needs.
//!
//! Whoever reads the URL is that role: a superuser lends the whole server along with the results. A role also counts as what it may become.
//!
//! Invariant: nothing is changed on the server.

use sqlx::{Connection, PgConnection, Row};

use super::{
    failure::within,
    schema::{self, MIGRATIONS, STEP_MAX},
    server::{Role, SCHEMA, Server},
};
use crate::{
    Look, StoreError,
    look::{Tables, known},
};

/// The strongest first. Ending sessions is none: Sickbay ends its own.
const POWERS: [&str; 7] =
    ["superuser", "pg_execute_server_program", "pg_write_server_files", "pg_read_server_files", "createrole", "replication", "bypassrls"];

const HELD: &str = "SELECT DISTINCT held.power FROM pg_roles AS role CROSS JOIN LATERAL (VALUES \
     (role.rolsuper, 'superuser'), (role.rolbypassrls, 'bypassrls'), (role.rolreplication, 'replication'), \
     (role.rolcreaterole, 'createrole'), \
     (role.rolname IN ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files'), role.rolname::text)) \
     AS held (has, power) WHERE held.has AND pg_has_role(role.oid, 'MEMBER')";

const RIGHTS: &str = "SELECT has_database_privilege(current_database(), 'CREATE'), \
     coalesce(has_schema_privilege(wanted.oid, 'USAGE'), false), coalesce(has_schema_privilege(wanted.oid, 'CREATE'), false), \
     (SELECT coalesce(bool_and(has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT') \
      AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE')), true) \
      FROM pg_class WHERE relnamespace = wanted.oid AND relkind IN ('r', 'p')), \
     quote_ident(current_user) \
     FROM (SELECT (SELECT oid FROM pg_namespace WHERE nspname = $1) AS oid) AS wanted";

struct Rights {
    makes_schemas: bool,
    uses_schema: bool,
    makes_tables: bool,
    /// All of them, in every way.
    uses_tables: bool,
    /// As it stands in a statement.
    role: String,
}

pub(crate) async fn look(server: &Server) -> Result<Look, StoreError> {
    let mut connection = server.connect(Role::Writer).await.map_err(server.failed("opening"))?;
    let looked = look_through(&mut connection, server).await;
    if let Err(error) = within(STEP_MAX, connection.close()).await {
        tracing::debug!(%error, "the session did not close cleanly");
    }
    looked
}

async fn look_through(connection: &mut PgConnection, server: &Server) -> Result<Look, StoreError> {
    const OPERATION: &str = "looking at the database";
    let found = schema::look(connection).await.map_err(server.failed(OPERATION))?;
    found.refuse(server.label())?;
    let rights = within(STEP_MAX, rights(connection)).await.map_err(server.failed(OPERATION))?;
    let is_readable = found.migrations && rights.uses_schema && rights.uses_tables;
    let applied = if is_readable { schema::applied(connection).await.map_err(server.failed(OPERATION))? } else { Vec::new() };
    let tables = Tables::of(&applied, &MIGRATIONS);
    tables.refuse(server.label(), &MIGRATIONS)?;
    Ok(Look {
        database: server.label().to_owned(),
        file: None,
        version: applied.last().map(|(version, _)| *version),
        known: known(&MIGRATIONS),
        too_much: within(STEP_MAX, held(connection)).await.map_err(server.failed(OPERATION))?,
        // What cannot be read is not known to be behind.
        too_little: lacking(&rights, found.schema, tables == Tables::Behind && (is_readable || !found.migrations)),
    })
}

async fn rights(connection: &mut PgConnection) -> Result<Rights, sqlx::Error> {
    let row = sqlx::query(RIGHTS).bind(SCHEMA).fetch_one(&mut *connection).await?;
    Ok(Rights {
        makes_schemas: row.try_get(0)?,
        uses_schema: row.try_get(1)?,
        makes_tables: row.try_get(2)?,
        uses_tables: row.try_get(3)?,
        role: row.try_get(4)?,
    })
}

async fn held(connection: &mut PgConnection) -> Result<Vec<&'static str>, sqlx::Error> {
    let rows = sqlx::query(HELD).fetch_all(&mut *connection).await?;
    let held: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let powers = POWERS.into_iter().filter(|power| held.iter().any(|held| held == power));
    // A superuser has all of them.
    Ok(if held.iter().any(|power| power == POWERS[0]) { vec![POWERS[0]] } else { powers.collect() })
}

/// The statements with which the role can work.
fn lacking(rights: &Rights, has_schema: bool, is_behind: bool) -> Vec<String> {
    let role = &rights.role;
    let wanted = [
        (!has_schema && !rights.makes_schemas, format!("CREATE SCHEMA {SCHEMA} AUTHORIZATION {role}")),
        (has_schema && !rights.uses_schema, format!("GRANT USAGE ON SCHEMA {SCHEMA} TO {role}")),
        (has_schema && is_behind && !rights.makes_tables, format!("GRANT CREATE ON SCHEMA {SCHEMA} TO {role}")),
        (has_schema && !rights.uses_tables, format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {SCHEMA} TO {role}")),
    ];
    wanted.into_iter().filter_map(|(lacks, statement)| lacks.then_some(statement)).collect()
}
