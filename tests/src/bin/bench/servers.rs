//! Databases for the measures: real ones, in processes of their own, as the tests start them.

use std::panic::catch_unwind;

use anyhow::anyhow;
use sickbay_tests::postgres::Postgres;
use sickbay_tests::redis::RedisServer;

/// `connections_max` of each source here.
pub(crate) const CONNECTIONS_MAX: u32 = 4;

/// A test fails by a panic, a measure by an error; what the panic has to say is printed by then.
pub(crate) fn postgres() -> anyhow::Result<Postgres> {
    catch_unwind(Postgres::start).map_err(|_| anyhow!("PostgreSQL does not start; hint: apt-get install postgresql"))
}

/// As [`postgres`].
pub(crate) fn redis() -> anyhow::Result<RedisServer> {
    catch_unwind(|| RedisServer::start("")).map_err(|_| anyhow!("redis-server does not start; hint: apt-get install redis-server"))
}
