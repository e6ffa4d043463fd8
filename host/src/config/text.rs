//! The file as it is written: private serde types whose doc comments are also the documentation that `sickbay schema` prints.
//!
//! Nothing here judges a value. Durations, sizes and grants stay text (with their place) until `settings.rs` and `check.rs` read
//! them, so that one bad value does not hide the next.
//!
//! Invariant: these types are the only list of the keys. `shape.rs` and the JSON Schema are derived from them.

mod check;
mod choices;
mod grants;
mod parts;
mod routing;
mod sink;
mod slo;
mod sources;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde_json::Value;

pub(super) use check::CheckText;
pub(super) use choices::{ConditionText, FlappingText, ParentText};
pub(super) use grants::{FolderText, GrantsText, PostgresGrantText, RedisGrantText, SecretGrantText};
pub(super) use parts::{DurationText, Free, Placed, SizeText};
pub(super) use routing::{
    AlertingText, ChildRouteText, InhibitText, MaintenanceText, RouteKeys, RouteText, RungsText, SinkNames, TimeIntervalText, TimesText,
};
pub(super) use sink::SinkText;
pub(super) use slo::{LatencyText, SloText};
pub(super) use sources::{PostgresSourceText, RedisSourceText, SecretText, SourcesText};

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
    /// Where recorded runs are kept.
    pub transcripts: Option<TranscriptsText>,
    /// Settings of one plugin, by its name.
    #[serde(default)]
    pub plugin: BTreeMap<Placed<String>, PluginText>,
    /// What network addresses plugins may reach beside public ones.
    pub egress: Option<EgressText>,
    /// What is masked in all that is told: the log, results, answers, metrics.
    pub masking: Option<MaskingText>,
    /// Who may ask where `listen` is not a loopback address.
    #[serde(default)]
    pub token: Vec<Placed<TokenText>>,
    /// Databases that may be granted, by kind and name.
    #[serde(default)]
    pub sources: SourcesText,
    /// Secrets that a `config` may name as `{{secret:NAME}}`.
    #[serde(default)]
    pub secrets: BTreeMap<Placed<String>, Placed<SecretText>>,
    /// Who is told of alerts. Default: the only sink, where there is one alone.
    pub route: Option<Placed<RouteText>>,
    /// Which alerts keep others from being told.
    #[serde(default)]
    pub inhibit: Vec<Placed<InhibitText>>,
    /// Times that routes name.
    #[serde(default)]
    pub time_interval: Vec<Placed<TimeIntervalText>>,
    /// Times in which nobody is told of some alerts.
    #[serde(default)]
    pub maintenance: Vec<Placed<MaintenanceText>>,
    /// How long alerts and notifications live.
    pub alerting: Option<AlertingText>,
    /// What is checked. Files in `checks.d` hold more of these.
    #[serde(default)]
    pub check: Vec<Placed<CheckText>>,
    /// Where notifications go.
    #[serde(default)]
    pub sink: Vec<Placed<SinkText>>,
    /// What is promised of checks: which share of their results is good.
    #[serde(default)]
    pub slo: Vec<Placed<SloText>>,
}

/// Where the API, the metrics and the page are served.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerText {
    /// Address and port; one that is not loopback needs a `[[token]]`. Default: 127.0.0.1:9470.
    #[schemars(example = &"127.0.0.1:9470")]
    pub listen: Option<Placed<String>>,
    /// Where people find the page, http:// or https://: alerts that are told lead there. Default: they lead nowhere.
    #[schemars(example = &"https://sickbay.example.com")]
    pub external_url: Option<Placed<String>>,
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
    /// `viewer` reads; `operator` also runs checks, pushes results, takes incidents, silences and posts alerts; `admin` does everything.
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
    /// PGUSER, PGPASSWORD and their like, or from the password file. `${NAME}` stands for an environment variable. Default:
    /// sqlite:sickbay.db.
    #[schemars(example = &"sqlite:sickbay.db")]
    pub url: Option<Placed<String>>,
    /// A file that holds the URL.
    #[schemars(example = &"store.url")]
    pub url_file: Option<Placed<String>>,
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

/// Where recorded runs are kept.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TranscriptsText {
    /// The folder of the transcripts, made with the first of them. Default: transcripts.
    #[schemars(example = &"transcripts")]
    pub dir: Option<Placed<String>>,
    /// All transcripts together are kept below this size, oldest first. Default: 256MB.
    #[schemars(example = &"256MB")]
    pub bytes_max: Option<Placed<SizeText>>,
}

/// Settings of one plugin.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PluginText {
    /// Who looks after the plugin: the label `owner` of alerts about checks that nobody can judge.
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

/// What one run may use. A check or a sink may lower what its plugin has.
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

/// What is masked in all that is told: the log, results, answers, metrics. Configured secrets always are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MaskingText {
    /// Regular expressions: what one of them finds is `[masked]`. At most 32, each of at most 256 bytes. Default: none.
    #[serde(default)]
    #[schemars(example = ["EMP-[0-9]{6}"])]
    pub patterns: Vec<Placed<String>>,
    /// Whether keys, tokens and passwords that are known by their shape are masked. Default: true.
    #[schemars(example = true)]
    pub well_known: Option<Placed<bool>>,
}

/// The JSON Schema (2020-12) of the file, made once. Only routes, which are inside each other, are referred to.
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
    use crate::config::place::Span;

    #[test]
    fn the_schema_has_no_null_and_refers_to_nothing_but_routes() {
        let text = schema().to_string();
        assert!(!text.contains("\"null\""), "{text}");
        assert_eq!(text.matches("$ref").count(), text.matches("\"$ref\":\"#/$defs/Route\"").count(), "{text}");
    }

    #[test]
    fn the_descriptions_promise_nothing_of_later_versions() {
        let text = schema().to_string().to_lowercase();
        assert!(!text.contains("recover"), "{text}");
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
        walk("route.routes", &schema()["$defs"]["Route"]);
    }

    #[test]
    fn the_keys_a_check_must_have_are_in_the_schema() {
        let required = schema().pointer("/properties/check/items/required").cloned();
        let mut required: Vec<String> = required.and_then(|list| serde_json::from_value(list).ok()).unwrap_or_default();
        required.sort();
        assert_eq!(required, ["name"]);
        let cadences = schema().pointer("/properties/check/items/oneOf").cloned();
        let wanted = serde_json::json!([{ "required": ["plugin", "every"] }, { "required": ["plugin", "cron"] },
            { "required": ["push"] }, { "required": ["composite"] }]);
        assert_eq!(cadences, Some(wanted));
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
