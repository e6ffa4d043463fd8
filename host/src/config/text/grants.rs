//! The `grants` of a check or a sink as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Placed;

/// What runs may reach.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct GrantsText {
    /// Method(s) and URL pattern of HTTP requests.
    #[serde(default)]
    #[schemars(example = ["GET https://api.internal:8000/health"])]
    pub http: Vec<Placed<String>>,
    /// Facts about this machine.
    #[serde(default)]
    #[schemars(example = ["cpu", "memory"])]
    pub system: Vec<Placed<String>>,
    /// Folders of this machine.
    #[serde(default)]
    pub files: Vec<Placed<FolderText>>,
    /// Connections (`tcp://`, `tls://`, `unix://`) and names that DNS may be asked for (`dns://`).
    #[serde(default)]
    #[schemars(example = ["tcp://db.internal:5432"])]
    pub net: Vec<Placed<String>>,
    /// Sources of `[sources.postgres]`.
    #[serde(default)]
    pub postgres: Vec<Placed<PostgresGrantText>>,
    /// Sources of `[sources.redis]`.
    #[serde(default)]
    pub redis: Vec<Placed<RedisGrantText>>,
    /// Secrets of `[secrets]`, and where each may go.
    #[serde(default)]
    pub secrets: Vec<Placed<SecretGrantText>>,
}

/// A PostgreSQL source that runs may ask.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct PostgresGrantText {
    /// Its name in `[sources.postgres]`.
    #[schemars(example = &"main")]
    pub source: Placed<String>,
    /// Rows of one answer. Default: 1000.
    #[schemars(range(min = 1), example = 1000)]
    pub rows_max: Option<Placed<i64>>,
    /// `read-only` or `read-write`, which the source must have too. Default: read-only.
    #[schemars(example = &"read-only")]
    pub access: Option<Placed<String>>,
}

/// A Redis source that runs may ask.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RedisGrantText {
    /// Its name in `[sources.redis]`.
    #[schemars(example = &"cache")]
    pub source: Placed<String>,
    /// Commands, or a command with its subcommand.
    #[serde(default)]
    #[schemars(example = ["INFO", "LLEN"])]
    pub commands: Vec<Placed<String>>,
    /// Patterns of keys. Default: none.
    #[serde(default)]
    #[schemars(example = ["celery*"])]
    pub keys: Vec<Placed<String>>,
}

/// A secret that runs may use.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct SecretGrantText {
    /// Its name in `[secrets]`.
    #[schemars(example = &"slack-token")]
    pub name: Placed<String>,
    /// Where it may go: patterns as in `http` (without the method: any) and `net`. Default: nowhere.
    #[serde(default)]
    #[schemars(example = ["https://hooks.slack.com/*"])]
    pub to: Vec<Placed<String>>,
}

/// A folder that runs may use.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct FolderText {
    /// Where it is on this machine.
    #[schemars(example = &"/var/backups")]
    pub host: Placed<String>,
    /// The absolute path by which the plugin knows it.
    #[schemars(example = &"/backups")]
    pub guest: Placed<String>,
    /// `ro`: to read; `rw`: to change too. Default: ro.
    #[schemars(example = &"ro")]
    pub mode: Option<Placed<String>>,
}
