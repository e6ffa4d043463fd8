//! `[[check]]` as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{ConditionText, DurationText, FlappingText, Free, GrantsText, LimitsText, ParentText, Placed};

/// One check.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["plugin", "every"] }, { "required": ["plugin", "cron"] }, { "required": ["push"] }, { "required": ["composite"] }]))]
pub(in crate::config) struct CheckText {
    /// Unique; the name of its metrics and results.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9._-]{0,62}$"), example = &"api")]
    pub name: Placed<String>,
    /// The plugin that runs it: the name of its file without `.wasm`. Every check has one but a push check and a composite.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9._-]{0,62}$"), example = &"http")]
    pub plugin: Option<Placed<String>>,
    /// In place of a plugin and a cadence: somebody tells its result, at `POST /api/v1/push/NAME`, and to hear nothing is critical.
    pub push: Option<Placed<PushText>>,
    /// In place of a plugin: judged from what is confirmed of other checks, at each of their changes and on its cadence. Default of `every`: 30s.
    pub composite: Option<Placed<CompositeText>>,
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
    /// CEL conditions on the report: when one holds, the check is critical. A table says for how long it has to hold first.
    #[serde(default)]
    #[schemars(example = ["report.metrics.latency_seconds > 1.0"])]
    pub critical: Vec<Placed<ConditionText>>,
    /// CEL conditions on the report: when one holds, the check is at least a warning. A table says for how long it has to hold first.
    #[serde(default)]
    #[schemars(example = ["report.metrics.latency_seconds > 0.2"])]
    pub warning: Vec<Placed<ConditionText>>,
    /// Consecutive failures that make a failure hard. Default: 3.
    #[schemars(range(min = 1, max = 100), example = 3)]
    pub failures: Option<Placed<i64>>,
    /// Consecutive successes that end a hard failure. Default: 2.
    #[schemars(range(min = 1, max = 100), example = 2)]
    pub successes: Option<Placed<i64>>,
    /// When the check counts as flapping, by the weighted share of its last 20 results that differ from the one before: `false`, or a table
    /// with `start` and `stop`. Default: start = 0.5, stop = 0.25; a push check counts as none unless it says so.
    pub flapping: Option<Placed<FlappingText>>,
    /// Checks without which this one cannot be judged fairly: while one of them is hard critical it is shown as unreachable, and still runs. A
    /// table asks for so many of a group.
    #[serde(default)]
    #[schemars(example = ["orders-db"])]
    pub depends_on: Vec<Placed<ParentText>>,
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

/// In place of a plugin.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct CompositeText {
    /// Names of checks; `*` stands for any characters.
    #[schemars(example = ["db-1", "web-*"])]
    pub checks: Placed<Vec<Placed<String>>>,
    /// How many of them have to be ok or warning. Default: the worst of them decides.
    #[schemars(range(min = 1), example = 2)]
    pub healthy_min: Option<Placed<i64>>,
}

/// In place of a plugin and a cadence.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct PushText {
    /// How long it may be silent: 1s to 400d.
    #[schemars(example = &"25h")]
    pub within: Placed<DurationText>,
}
