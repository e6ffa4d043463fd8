//! What a plugin says of itself when it is loaded, validated against the contract's bounds.

use serde::Serialize;
use sickbay_core::MetricKind;

/// The answer of `plugin.describe`.
#[derive(Clone, Debug, Serialize)]
pub struct Descriptor {
    pub name: String,
    pub version: String,
    pub summary: String,
    pub checks: Vec<Kind>,
    pub recoveries: Vec<Kind>,
    pub sinks: Vec<Kind>,
    pub homepage: Option<String>,
    pub licence: Option<String>,
}

impl Descriptor {
    pub fn kinds(&self, sort: Sort) -> &[Kind] {
        match sort {
            Sort::Check => &self.checks,
            Sort::Recovery => &self.recoveries,
            Sort::Sink => &self.sinks,
        }
    }
}

/// What a kind is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    Check,
    Recovery,
    Sink,
}

impl Sort {
    pub const ALL: [Sort; 3] = [Sort::Check, Sort::Recovery, Sort::Sink];

    /// The interface that serves it, and the table that configures one.
    pub fn as_str(self) -> &'static str {
        match self {
            Sort::Check => "check",
            Sort::Recovery => "recovery",
            Sort::Sink => "sink",
        }
    }
}

/// One thing that a plugin can do.
#[derive(Clone, Debug, Serialize)]
pub struct Kind {
    pub name: String,
    pub summary: String,
    /// JSON Schema (2020-12) of `config`, as text; known to be JSON.
    pub config_schema: String,
    /// A configuration that works, as JSON text.
    pub example: String,
    pub needs: Vec<Need>,
    pub metrics: Vec<MetricInfo>,
    pub failures: Vec<String>,
    /// Of a sink: its receiver has a use for being told that a person took an incident, by itself.
    pub tells_acknowledgements: bool,
}

/// A grant that a kind needs, for a person to paste.
#[derive(Clone, Debug, Serialize)]
pub struct Need {
    pub capability: String,
    pub reason: String,
    /// A line of TOML with `{NAME}` for keys of the configuration.
    pub grant: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct MetricInfo {
    pub name: String,
    pub kind: MetricKind,
    pub unit: String,
    pub summary: String,
}
