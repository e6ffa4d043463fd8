//! `[[check]]` as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{DurationText, Free, GrantsText, LimitsText, Placed};

/// One check.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["every"] }, { "required": ["cron"] }]))]
pub(in crate::config) struct CheckText {
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
    /// Whether runs are kept as transcripts for `sickbay replay`: `off`, `on-failure` (those that are not ok) or `always`. The newest ten of
    /// a check stay. Default: off.
    #[schemars(example = &"on-failure")]
    pub record: Option<Placed<String>>,
}
