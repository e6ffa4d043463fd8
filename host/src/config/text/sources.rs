//! `[sources]` and `[secrets]` as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{DurationText, Placed};

/// Databases that may be granted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct SourcesText {
    /// PostgreSQL servers.
    #[serde(default)]
    pub postgres: BTreeMap<Placed<String>, Placed<PostgresSourceText>>,
    /// Redis servers.
    #[serde(default)]
    pub redis: BTreeMap<Placed<String>, Placed<RedisSourceText>>,
}

/// A PostgreSQL server, or a PgBouncer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct PostgresSourceText {
    /// `postgres://user:password@host/database`; `${NAME}` stands for an environment variable.
    #[schemars(example = &"${DATABASE_URL}")]
    pub url: Option<Placed<String>>,
    /// A file that holds the URL. Read again when it changes.
    #[schemars(example = &"database.url")]
    pub url_file: Option<Placed<String>>,
    /// `read-only` or `read-write`; a grant may only have less. Default: read-only.
    #[schemars(example = &"read-only")]
    pub access: Option<Placed<String>>,
    /// Connections at once. Default: 4.
    #[schemars(range(min = 1), example = 4)]
    pub connections_max: Option<Placed<i64>>,
    /// The server ends a statement after so long. Default: 5s.
    #[schemars(example = &"5s")]
    pub statement_timeout: Option<Placed<DurationText>>,
    /// `postgres`, or `pgbouncer` for its own console. Default: postgres.
    #[schemars(example = &"postgres")]
    pub dialect: Option<Placed<String>>,
    /// A pooler in transaction mode stands in between. Default: false.
    pub pooled: Option<Placed<bool>>,
}

/// A Redis server, a cluster, or one behind sentinels.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RedisSourceText {
    /// `redis://user:password@host:6379/0`, `rediss://` for TLS, `unix:///path`; `${NAME}` stands for an environment variable.
    #[schemars(example = &"${REDIS_URL}")]
    pub url: Option<Placed<String>>,
    /// A file that holds the URL. Read again when it changes.
    #[schemars(example = &"redis.url")]
    pub url_file: Option<Placed<String>>,
    /// The URL is a node of a cluster. Default: false.
    pub cluster: Option<Placed<bool>>,
    /// URLs of sentinels; the host of `url` is the master's name then.
    #[schemars(example = ["redis://10.0.0.1:26379"])]
    pub sentinels: Option<Vec<Placed<String>>>,
    /// Connections at once. Default: 4.
    #[schemars(range(min = 1), example = 4)]
    pub connections_max: Option<Placed<i64>>,
    /// A PEM file with certificates that are trusted beside the system's.
    #[schemars(example = &"ca.pem")]
    pub ca_file: Option<Placed<String>>,
    /// A certificate for a server that asks for one.
    #[schemars(example = &"client.pem")]
    pub cert_file: Option<Placed<String>>,
    /// Its key.
    #[schemars(example = &"client.key")]
    pub key_file: Option<Placed<String>>,
}

/// Where a secret comes from: exactly one of `env` and `file`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct SecretText {
    /// An environment variable.
    #[schemars(example = &"SLACK_TOKEN")]
    pub env: Option<Placed<String>>,
    /// A file that holds nothing else; read again when it changes.
    #[schemars(example = &"slack.token")]
    pub file: Option<Placed<String>>,
    /// What it was, while it is being rotated: an environment variable.
    #[schemars(example = &"SLACK_TOKEN_OLD")]
    pub previous_env: Option<Placed<String>>,
    /// What it was, while it is being rotated: a file.
    #[schemars(example = &"slack.token.old")]
    pub previous_file: Option<Placed<String>>,
}
