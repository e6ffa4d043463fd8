//! What is told of a source's role, and what is not.

use super::server::{DATABASE, PgBouncer};
use super::*;
use crate::Unentered;
use crate::postgres::{Dialect, Power};

async fn told(settings: PostgresSettings) -> Result<Vec<Power>, Unentered> {
    let setup = Setup { settings, ..Setup::of("postgres://nobody@localhost") };
    setup.lent().services.postgres_powers("main").await
}

async fn powers(url: &str) -> Vec<Power> {
    told(Setup::of(url).settings).await.unwrap_or_else(|unentered| panic!("{unentered:?}"))
}

#[tokio::test]
async fn a_role_is_told_with_what_it_may_do_and_become() {
    let server = Postgres::start();
    assert!(powers(&server.url()).await.is_empty(), "one that monitors");
    server.sql(
        "CREATE ROLE boss SUPERUSER LOGIN PASSWORD 'x'; \
         CREATE ROLE clerk LOGIN PASSWORD 'x' NOINHERIT; GRANT boss TO clerk; \
         CREATE ROLE odd LOGIN PASSWORD 'x' BYPASSRLS REPLICATION IN ROLE pg_read_server_files, pg_signal_backend; \
         CREATE ROLE middle IN ROLE pg_execute_server_program; \
         CREATE ROLE runner CREATEROLE LOGIN PASSWORD 'x' IN ROLE middle",
    );
    let of = async |role: &str| powers(&server.url_of(role, "x", DATABASE)).await;
    assert_eq!(of("boss").await.first(), Some(&Power::Superuser));
    assert_eq!(of("clerk").await.first(), Some(&Power::Superuser), "`set_config('role', ...)` makes it one");
    assert_eq!(of("odd").await, [Power::ReadsFiles, Power::Replicates, Power::IgnoresRowSecurity, Power::EndsSessions]);
    assert_eq!(of("runner").await, [Power::RunsPrograms, Power::CreatesRoles]);
}

#[tokio::test]
async fn a_pooler_is_asked_for_the_role_behind_it_and_its_console_for_none() {
    let server = Postgres::shared();
    let pooler = PgBouncer::start(server);
    let pooled = |database: &str| Setup::of(&pooler.url_of(database)).settings;
    assert_eq!(told(PostgresSettings { pooled: true, ..pooled(DATABASE) }).await, Ok(Vec::new()));
    assert_eq!(told(PostgresSettings { dialect: Dialect::PgBouncer, ..pooled("pgbouncer") }).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_source_that_cannot_be_entered_is_told_with_the_fix_and_nothing_of_its_url() {
    let server = Postgres::shared();
    let free = crate::process::free_port();
    for (url, message, hint) in [
        (format!("postgres://stranger:wrong-secret@127.0.0.1:{free}/orders"), "refused the connection", "does the server run"),
        (server.url_of(USER, "wrong-secret", DATABASE), "refused the user or password", "mend user and password"),
        (server.url_of(USER, PASSWORD, "stranger"), "does not exist (3D000)", "mend database"),
        (format!("{}?sslmode=require", server.url()), "has no TLS", "sslmode=prefer"),
    ] {
        let unentered = told(Setup::of(&url).settings).await.expect_err(message);
        assert!(unentered.message.contains(message) && unentered.hint.contains(hint), "{unentered:?}");
        assert!(unentered.hint.contains("[sources.postgres.main]"), "{unentered:?}");
        for secret in ["127.0.0.1", "stranger", "wrong-secret", PASSWORD, USER] {
            assert!(!format!("{unentered:?}").contains(secret), "{unentered:?} tells {secret}");
        }
    }
    let nobody = Setup::of(&server.url()).lent().services.postgres_powers("other").await.expect_err("no such source");
    assert!(nobody.message.contains("no such source"), "{nobody:?}");
}
