//! The file as it is written: private serde types whose doc comments are also the documentation that `sickbay schema` prints.
//!
//! Nothing here judges a value. Durations, sizes and grants stay text (with their place) until `settings.rs` and `check.rs` read
//! them, so that one bad value does not hide the next.
//!
//! Invariant: these types are the only list of the keys. `shape.rs` and the JSON Schema are derived from them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use toml::Spanned;

use super::place::Span;

/// The whole configuration of Sickbay. Relative paths resolve against the folder of the file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Sickbay configuration")]
pub(super) struct FileText {
    /// Where the API, the metrics and the page are served.
    pub server: Option<ServerText>,
    /// Where results are kept.
    pub store: Option<StoreText>,
    /// How long results are kept.
    pub retention: Option<RetentionText>,
    /// Where plugins are found.
    pub plugins: Option<PluginsText>,
    /// Settings of one plugin, by its name.
    #[serde(default)]
    pub plugin: BTreeMap<Placed<String>, PluginText>,
    /// What network addresses plugins may reach beside public ones.
    pub egress: Option<EgressText>,
    /// Who may ask where `listen` is not a loopback address.
    #[serde(default)]
    pub token: Vec<Placed<TokenText>>,
    /// Databases that checks may be granted, by kind and name.
    #[serde(default)]
    pub sources: SourcesText,
    /// Secrets that a `config` may name as `{{secret:NAME}}`.
    #[serde(default)]
    pub secrets: BTreeMap<Placed<String>, Placed<SecretText>>,
    /// What is checked. Files in `checks.d` hold more of these.
    #[serde(default)]
    pub check: Vec<Placed<CheckText>>,
}

/// Where the API, the metrics and the page are served.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerText {
    /// Address and port; one that is not loopback needs a `[[token]]`. Default: 127.0.0.1:9470.
    #[schemars(example = &"127.0.0.1:9470")]
    pub listen: Option<Placed<String>>,
    /// The certificate with which the listener speaks HTTPS. Default: it speaks HTTP.
    pub tls: Option<TlsText>,
}

/// The certificate with which the listener speaks HTTPS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsText {
    /// A PEM file: the certificate, then those between it and a root. Read again when it changes.
    #[schemars(example = &"server.pem")]
    pub cert_file: Placed<String>,
    /// A PEM file with the certificate's private key.
    #[schemars(example = &"server.key")]
    pub key_file: Placed<String>,
}

/// Who may ask where `listen` is not a loopback address.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenText {
    /// Unique; whose token it is.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9._-]{0,62}$"), example = &"grafana")]
    pub name: Placed<String>,
    /// `viewer` reads, `operator` also runs checks, `admin` does everything.
    #[schemars(example = &"viewer")]
    pub role: Placed<String>,
    /// The SHA-256 of the token, in 64 hexadecimal digits.
    pub hash: Option<Placed<String>>,
    /// A file that holds the hash. Read again when it changes.
    #[schemars(example = &"grafana.token")]
    pub hash_file: Option<Placed<String>>,
}

/// Where results are kept.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StoreText {
    /// `sqlite:` and the path of a file, or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`; what that leaves out comes from PGHOST,
    /// PGUSER, PGPASSWORD and their like, or from the password file. Default: sqlite:sickbay.db.
    #[schemars(example = &"sqlite:sickbay.db")]
    pub url: Option<Placed<String>>,
}

/// How long results are kept.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RetentionText {
    /// For results that are ok. Default: 24h.
    #[schemars(example = &"24h")]
    pub ok: Option<Placed<DurationText>>,
    /// For all other results. Default: 30d.
    #[schemars(example = &"30d")]
    pub other: Option<Placed<DurationText>>,
    /// The store is kept below this size, oldest results first. Default: 2GB.
    #[schemars(example = &"2GB")]
    pub bytes_max: Option<Placed<SizeText>>,
}

/// Where plugins are found.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PluginsText {
    /// The folder that is watched for `.wasm` files. Default: plugins.
    #[schemars(example = &"plugins")]
    pub dir: Option<Placed<String>>,
}

/// Settings of one plugin.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PluginText {
    /// Who looks after the plugin: a note for whoever reads the file.
    #[schemars(example = &"platform")]
    pub owner: Option<Placed<String>>,
    /// `fresh`: every run has an instance of its own. `warm`: a check keeps its instance, with all that the plugin has in memory, from run to
    /// run. Default: fresh.
    #[schemars(example = &"fresh")]
    pub isolation: Option<Placed<String>>,
    /// After how many runs a warm instance is replaced. Default: 1000.
    #[schemars(range(min = 1, max = 1_000_000), example = 1000)]
    pub runs_max: Option<Placed<i64>>,
    /// How many runs of this plugin go on at once. Default: 64.
    #[schemars(range(min = 1, max = 10_000), example = 64)]
    pub concurrency: Option<Placed<i64>>,
    /// What one run may use.
    pub limits: Option<LimitsText>,
}

/// What one run may use. A check may lower what its plugin has.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsText {
    /// Milliseconds in which the guest computes; waiting costs none. Default: 200.
    #[schemars(range(min = 1), example = 200)]
    pub cpu_ms: Option<Placed<i64>>,
    /// Memory of one run. Default: 64MiB.
    #[schemars(example = &"64MiB")]
    pub memory_bytes: Option<Placed<SizeText>>,
    /// Calls of the guest to the host. Default: 100.
    #[schemars(range(min = 0), example = 100)]
    pub host_calls: Option<Placed<i64>>,
    /// What the network and files may give to the guest. Default: 8MiB.
    #[schemars(example = &"8MiB")]
    pub bytes_in: Option<Placed<SizeText>>,
    /// What the guest may send to the network. Default: 1MiB.
    #[schemars(example = &"1MiB")]
    pub bytes_out: Option<Placed<SizeText>>,
    /// Rows of all queries together. Default: 10000.
    #[schemars(range(min = 0), example = 10_000)]
    pub rows: Option<Placed<i64>>,
    /// Log lines beyond it are dropped. Default: 64KiB.
    #[schemars(example = &"64KiB")]
    pub log_bytes: Option<Placed<SizeText>>,
}

/// Databases that checks may be granted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SourcesText {
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
pub(super) struct PostgresSourceText {
    /// `postgres://user:password@host/database`; `${NAME}` stands for an environment variable.
    #[schemars(example = &"${DATABASE_URL}")]
    pub url: Option<Placed<String>>,
    /// A file that holds the URL.
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
pub(super) struct RedisSourceText {
    /// `redis://user:password@host:6379/0`, `rediss://` for TLS, `unix:///path`; `${NAME}` stands for an environment variable.
    #[schemars(example = &"${REDIS_URL}")]
    pub url: Option<Placed<String>>,
    /// A file that holds the URL.
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
pub(super) struct SecretText {
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

/// What network addresses plugins may reach beside public ones.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EgressText {
    /// Networks that granted host names may resolve to. Default: none.
    #[serde(default)]
    #[schemars(example = ["10.0.0.0/8"])]
    pub private: Vec<Placed<String>>,
    /// A PEM file with certificates that are trusted beside the system's.
    #[schemars(example = &"ca.pem")]
    pub ca_file: Option<Placed<String>>,
}

/// One check.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["every"] }, { "required": ["cron"] }]))]
pub(super) struct CheckText {
    /// Unique; the name of its metrics and results.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9._-]{0,62}$"), example = &"api")]
    pub name: Placed<String>,
    /// The plugin that runs it: the name of its file without `.wasm`.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9._-]{0,62}$"), example = &"http")]
    pub plugin: Placed<String>,
    /// Which of the plugin's kinds. May be left out where a plugin has one.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9._-]{0,62}$"), example = &"http")]
    pub kind: Option<Placed<String>>,
    /// How often it runs: 100ms to 24h. This or `cron`.
    #[schemars(example = &"30s")]
    pub every: Option<Placed<DurationText>>,
    /// When it runs: minute, hour, day of the month, month and day of the week, or six fields with the second in front.
    #[schemars(example = &"0 2 * * *")]
    pub cron: Option<Placed<String>>,
    /// The time zone of `cron`, by its name in the IANA database. Default: UTC.
    #[schemars(example = &"Europe/Berlin")]
    pub timezone: Option<Placed<String>>,
    /// How often it runs while its state is soft: 100ms to 24h, at most `every`. Default: as always.
    #[schemars(example = &"5s")]
    pub retry_every: Option<Placed<DurationText>>,
    /// Makes a check `NAME@TARGET` of each, with the label `target`; `{{target}}` in `config` and `grants` stands for it.
    #[schemars(example = ["a.internal", "b.internal"])]
    pub targets: Option<Placed<Vec<Placed<String>>>>,
    /// When a run is given up: 10ms to 10m. Default: as `every`, but at least 1s and at most 10s.
    #[schemars(example = &"5s")]
    pub timeout: Option<Placed<DurationText>>,
    /// What the plugin is told, by the schema of its kind.
    pub config: Option<Placed<Free>>,
    /// CEL conditions on the report: when one holds, the check is critical.
    #[serde(default)]
    #[schemars(example = ["report.metrics.latency_seconds > 1.0"])]
    pub critical: Vec<Placed<String>>,
    /// CEL conditions on the report: when one holds, the check is at least a warning.
    #[serde(default)]
    #[schemars(example = ["report.metrics.latency_seconds > 0.2"])]
    pub warning: Vec<Placed<String>>,
    /// Consecutive failures that make a failure hard. Default: 3.
    #[schemars(range(min = 1, max = 100), example = 3)]
    pub failures: Option<Placed<i64>>,
    /// Consecutive successes that end a hard failure. Default: 2.
    #[schemars(range(min = 1, max = 100), example = 2)]
    pub successes: Option<Placed<i64>>,
    /// What the API shows and filters by, and what the plugin is given.
    #[serde(default)]
    pub labels: BTreeMap<Placed<String>, Placed<String>>,
    /// What its runs may reach. Default: nothing.
    #[serde(default)]
    pub grants: GrantsText,
    /// Lower limits than the plugin's.
    pub limits: Option<LimitsText>,
    /// `fresh`: every run has an instance of its own, also where the plugin's are warm. Default: the plugin's.
    #[schemars(example = &"fresh")]
    pub isolation: Option<Placed<String>>,
}

/// What the runs of a check may reach.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GrantsText {
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

/// A PostgreSQL source that the runs of a check may ask.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PostgresGrantText {
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

/// A Redis source that the runs of a check may ask.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RedisGrantText {
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

/// A secret that the runs of a check may use.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretGrantText {
    /// Its name in `[secrets]`.
    #[schemars(example = &"slack-token")]
    pub name: Placed<String>,
    /// Where it may go: patterns as in `http` (without the method: any) and `net`. Default: nowhere.
    #[serde(default)]
    #[schemars(example = ["https://hooks.slack.com/*"])]
    pub to: Vec<Placed<String>>,
}

/// A folder that the runs of a check may use.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FolderText {
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

/// A value and where it stands in its file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub(super) struct Placed<T>(Spanned<T>);

impl<T> Placed<T> {
    pub(super) fn value(&self) -> &T {
        self.0.get_ref()
    }

    pub(super) fn span(&self) -> Span {
        Span::from(self.0.span())
    }
}

impl<T: JsonSchema> JsonSchema for Placed<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A duration that has not been read yet.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct DurationText(pub String);

impl JsonSchema for DurationText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Duration")
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// A size that has not been read yet: bytes as a number, or a number with a unit as text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SizeText {
    Bytes(i64),
    Text(String),
}

impl<'de> Deserialize<'de> for SizeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SizeText, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = SizeText;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a size such as \"64MiB\", or a number of bytes")
    }

    fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<SizeText, E> {
        Ok(SizeText::Bytes(bytes))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SizeText, E> {
        Ok(SizeText::Text(text.to_owned()))
    }
}

impl JsonSchema for SizeText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Size")
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "minimum": 0 })
    }
}

/// A table for a plugin: any keys and values, each with its place.
#[derive(Debug)]
pub(super) enum Free {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Placed<Free>>),
    Table(Vec<(Placed<String>, Placed<Free>)>),
}

impl<'de> Deserialize<'de> for Free {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Free, D::Error> {
        deserializer.deserialize_any(FreeVisitor)
    }
}

struct FreeVisitor;

impl<'de> Visitor<'de> for FreeVisitor {
    type Value = Free;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Free, E> {
        Ok(Free::Boolean(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Free, E> {
        Ok(Free::Integer(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Free, E> {
        Ok(Free::Float(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Free, E> {
        Ok(Free::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Free, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Free::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Free, A::Error> {
        let mut table = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            table.push(entry);
        }
        Ok(Free::Table(table))
    }
}

impl JsonSchema for Free {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("PluginConfig")
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object" })
    }
}

/// The JSON Schema (2020-12) of the file, without references, made once.
pub(super) fn schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
        let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        let mut schema = settings.into_generator().into_root_schema_for::<FileText>().to_value();
        remove_null(&mut schema);
        schema
    });
    &SCHEMA
}

/// TOML has no null: what is optional is left out.
fn remove_null(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
                if choices.len() == 1
                    && let Some(Value::Object(only)) = choices.pop()
                {
                    object.remove("anyOf");
                    for (key, value) in only {
                        object.entry(key).or_insert(value);
                    }
                }
            }
            object.values_mut().for_each(remove_null);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_null),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_has_no_null_and_no_reference() {
        let text = schema().to_string();
        assert!(!text.contains("\"null\"") && !text.contains("$ref"), "{text}");
    }

    #[test]
    fn the_descriptions_promise_nothing_of_later_versions() {
        let text = schema().to_string().to_lowercase();
        for later in ["alert", "sink", "recover", "silence"] {
            assert!(!text.contains(later), "{later}");
        }
    }

    #[test]
    fn every_table_but_the_plugins_own_is_closed() {
        fn walk(path: &str, schema: &Value) {
            if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
                assert_eq!(schema.get("additionalProperties"), Some(&Value::Bool(false)), "{path}");
                for (key, property) in properties {
                    assert!(property.get("description").is_some(), "{path}.{key} has no description");
                    walk(&format!("{path}.{key}"), property);
                }
            }
            for inner in ["items", "additionalProperties"] {
                if let Some(inner) = schema.get(inner) {
                    walk(path, inner);
                }
            }
        }
        walk("", schema());
    }

    #[test]
    fn the_keys_a_check_must_have_are_in_the_schema() {
        let required = schema().pointer("/properties/check/items/required").cloned();
        let mut required: Vec<String> = required.and_then(|list| serde_json::from_value(list).ok()).unwrap_or_default();
        required.sort();
        assert_eq!(required, ["name", "plugin"]);
        let cadences = schema().pointer("/properties/check/items/oneOf").cloned();
        assert_eq!(cadences, Some(serde_json::json!([{ "required": ["every"] }, { "required": ["cron"] }])));
    }

    #[test]
    fn values_know_where_they_stand() {
        let text = "[[check]]\nname = \"a\"\nplugin = \"b\"\nevery = \"1s\"\nconfig = { port = 80 }\n";
        let file: FileText = toml::from_str(text).expect("the file is right");
        let check = file.check.first().map(Placed::value).expect("there is one check");
        assert_eq!(check.name.span(), Span::from(17..20));
        let Some(Free::Table(entries)) = check.config.as_ref().map(Placed::value) else { panic!("config is a table") };
        let spans: Vec<Span> = entries.iter().flat_map(|(key, value)| [key.span(), value.span()]).collect();
        assert_eq!(spans, [Span::from(58..62), Span::from(65..67)]);
    }
}
