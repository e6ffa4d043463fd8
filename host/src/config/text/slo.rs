//! `[[slo]]` as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{DurationText, Placed};

/// What is promised of some checks: which share of their results is good.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["checks"] }, { "required": ["match"] }]))]
pub(in crate::config) struct SloText {
    /// Unique. The check that tells of it is named `slo.NAME`.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9._-]{0,58}$"), example = &"api")]
    pub name: Placed<String>,
    /// Names of checks; `*` stands for any characters. This or `match`.
    #[schemars(example = ["api", "db-*"])]
    pub checks: Option<Placed<Vec<Placed<String>>>>,
    /// All checks whose labels match all of these: `=`, `!=`, `=~` and `!~`; patterns match the whole value. This or `checks`.
    #[serde(rename = "match")]
    #[schemars(example = ["service=\"api\""])]
    pub matchers: Option<Placed<Vec<Placed<String>>>>,
    /// The share of results that has to be good, between 0 and 1.
    #[schemars(example = 0.999)]
    pub objective: Placed<f64>,
    /// Over which time: 1d to 90d. Default: 30d.
    #[schemars(example = &"30d")]
    pub window: Option<Placed<DurationText>>,
    /// From which status on a result is bad: `critical`, or `warning` for both. Those that are `unknown` never count. Default: critical.
    #[schemars(example = &"critical")]
    pub bad: Option<Placed<String>>,
    /// In place of `bad`: a result is good where it measured less.
    pub latency: Option<Placed<LatencyText>>,
    /// Labels of the check `slo.NAME`. Default of `severity`: P1.
    #[serde(default)]
    pub labels: BTreeMap<Placed<String>, Placed<String>>,
}

/// What has to be less than a limit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct LatencyText {
    /// A metric of the report, without labels.
    #[schemars(example = &"latency_seconds")]
    pub metric: Placed<String>,
    /// What is less is good.
    #[schemars(example = 0.2)]
    pub below: Placed<f64>,
}
