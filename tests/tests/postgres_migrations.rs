//! The kind `migrations` of the plugin `postgres`, on the tables of the tools that it knows.

use sickbay_tests::postgres::Postgres;
use sickbay_tests::postgres_checks::{Round, check, go_through, source};
use sickbay_tests::{Sickbay, Verdict};

/// As the tools make them, each with what it applied.
const MIGRATED: &str = "CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text, success boolean NOT NULL); \
    INSERT INTO _sqlx_migrations VALUES (1, 'a', true), (2, 'b', true); \
    CREATE SCHEMA go; CREATE TABLE go.schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL); \
    INSERT INTO go.schema_migrations VALUES (7, false); \
    CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY, version varchar(50), success boolean NOT NULL); \
    INSERT INTO flyway_schema_history VALUES (1, '1.9', true), (2, '1.10', true), (3, NULL, true); \
    CREATE TABLE django_migrations (id bigserial PRIMARY KEY, app varchar(255), name varchar(255), applied timestamptz); \
    INSERT INTO django_migrations (app, name) VALUES ('orders', '0001_first'), ('other', '0002_more'), ('orders', '0002_more'); \
    CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY); INSERT INTO alembic_version VALUES ('ae10'); \
    CREATE TABLE schema_migrations (version varchar PRIMARY KEY); INSERT INTO schema_migrations VALUES ('20260101'), ('20260202'); \
    GRANT USAGE ON SCHEMA go TO monitor; GRANT SELECT ON ALL TABLES IN SCHEMA public, go TO monitor";

#[tokio::test]
async fn migrations_of_each_tool_are_missed_when_they_are_not_applied_or_not_whole() {
    let server = Postgres::start();
    server.sql(MIGRATED);
    let checks = [
        source("main", &server.url()),
        check("sqlx", "migrations", ", tool = \"sqlx\", expected = 2"),
        check("go", "migrations", ", tool = \"golang-migrate\", table = \"go.schema_migrations\", expected = 7"),
        check("flyway", "migrations", ", tool = \"flyway\", expected = \"1.10\""),
        check("django", "migrations", ", tool = \"django\", only = { app = \"orders\" }, expected = \"0002_more\""),
        check("alembic", "migrations", ", tool = \"alembic\", expected = \"ae10\""),
        check("rails", "migrations", ", tool = \"rails\", expected = 20260202"),
    ];
    let sickbay = Sickbay::started(&checks.concat(), &["postgres"]).await;
    let bad = |tells: &'static [&'static str]| Verdict::critical("migration", tells);
    let rounds: [Round<'_>; 9] = [
        (
            "sqlx",
            &["INSERT INTO _sqlx_migrations VALUES (3, 'c', false)"],
            bad(&["the migration 3 failed or did not end"]),
            &["UPDATE _sqlx_migrations SET success = true"],
        ),
        (
            "sqlx",
            &["DELETE FROM _sqlx_migrations WHERE version = 2"],
            bad(&["the migration 2 is not applied; the latest is 3"]),
            &["INSERT INTO _sqlx_migrations VALUES (2, 'b', true)"],
        ),
        (
            "sqlx",
            &["ALTER TABLE _sqlx_migrations RENAME TO away"],
            bad(&["there is no table _sqlx_migrations"]),
            &["ALTER TABLE away RENAME TO _sqlx_migrations"],
        ),
        (
            "sqlx",
            &["REVOKE SELECT ON _sqlx_migrations FROM monitor"],
            Verdict::unknown(&["hint: GRANT SELECT ON _sqlx_migrations TO the role of the source"]),
            &["GRANT SELECT ON _sqlx_migrations TO monitor"],
        ),
        (
            "go",
            &["UPDATE go.schema_migrations SET dirty = true"],
            bad(&["the migration 7 failed or did not end"]),
            &["UPDATE go.schema_migrations SET version = 8, dirty = false"],
        ),
        (
            "flyway",
            &["UPDATE flyway_schema_history SET success = false WHERE version = '1.10'"],
            bad(&["the migration 1.10 failed or did not end"]),
            &["UPDATE flyway_schema_history SET success = true"],
        ),
        (
            "django",
            &["DELETE FROM django_migrations WHERE app = 'orders' AND id > 1"],
            bad(&["the migration 0002_more is not applied; the latest is 0001_first"]),
            &["INSERT INTO django_migrations (app, name) VALUES ('orders', '0002_more')"],
        ),
        (
            "alembic",
            &["UPDATE alembic_version SET version_num = 'ae09'"],
            bad(&["the migration ae10 is not applied; the latest is ae09"]),
            &["UPDATE alembic_version SET version_num = 'ae10'"],
        ),
        (
            "rails",
            &["DELETE FROM schema_migrations WHERE version = '20260202'"],
            // One row is left, as some tools always have it; it is older.
            bad(&["the migration 20260202 is not applied; the latest is 20260101"]),
            &["INSERT INTO schema_migrations VALUES ('20260202')"],
        ),
    ];
    go_through(&sickbay, &server, &rounds).await;
}
