//! `[[sink]]` as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{DurationText, Free, GrantsText, LimitsText, Placed};

/// Where notifications go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct SinkText {
    /// Unique among sinks.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9._-]{0,62}$"), example = &"oncall")]
    pub name: Placed<String>,
    /// The plugin that tells: the name of its file without `.wasm`.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9._-]{0,62}$"), example = &"webhook")]
    pub plugin: Placed<String>,
    /// Which of the plugin's kinds of sink. May be left out where a plugin has one.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9._-]{0,62}$"), example = &"webhook")]
    pub kind: Option<Placed<String>>,
    /// When one delivery is given up, to be tried again: 10ms to 10m. Default: 10s.
    #[schemars(example = &"10s")]
    pub timeout: Option<Placed<DurationText>>,
    /// Whether it is told at once that a person took an incident; otherwise it hears so with the next news of its group. Default: as its kind
    /// says, which is true of `pagerduty`.
    #[schemars(example = true)]
    pub acknowledgements: Option<Placed<bool>>,
    /// What the plugin is told, by the schema of its kind.
    pub config: Option<Placed<Free>>,
    /// What its deliveries may reach. Default: nothing.
    #[serde(default)]
    pub grants: GrantsText,
    /// Lower limits than the plugin's.
    pub limits: Option<LimitsText>,
}
