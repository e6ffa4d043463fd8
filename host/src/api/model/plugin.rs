//! A plugin as the API shows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sickbay_runtime::{HeadStart, Kind, Need, Producer, Sort};
use utoipa::ToSchema;

use super::{json, metric_kind};
use crate::clock::rfc3339;
use crate::config::Isolation;
use crate::plugins::{LoadFailure, PeakUsage, Plugin, PluginSlot, Quarantined};

/// Of the needs of all kinds together; a descriptor may name more.
const NEEDS_SHOWN_MAX: usize = 256;

/// How a plugin stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PluginState {
    /// A version serves, and it is the one in the folder.
    Loaded,
    /// A version serves; a newer one waits until what it asks for is granted (`quarantine`).
    Quarantined,
    /// A version serves; a newer file was refused (`last_error`).
    Stale,
    /// No version serves: the file was refused (`last_error`).
    Rejected,
    /// No version serves and there is no file.
    Absent,
}

impl PluginState {
    pub fn as_str(self) -> &'static str {
        match self {
            PluginState::Loaded => "loaded",
            PluginState::Quarantined => "quarantined",
            PluginState::Stale => "stale",
            PluginState::Rejected => "rejected",
            PluginState::Absent => "absent",
        }
    }
}

/// A plugin, as lists show it. What is null is not known while no version serves.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PluginItem {
    pub name: String,
    pub state: PluginState,
    pub version: Option<String>,
    pub summary: Option<String>,
    /// Names of the kinds: of checks, then of recoveries, then of sinks.
    pub kinds: Vec<String>,
    pub sha256: Option<String>,
    pub size_bytes: Option<u64>,
    pub loaded_at: Option<String>,
    /// Versions that served since the start of the process.
    pub versions_loaded: u64,
    /// Why the last file was refused; null when it was not.
    pub last_error: Option<LoadFailureItem>,
    /// The newer version that waits; null when none does.
    pub quarantine: Option<QuarantineItem>,
}

impl PluginItem {
    pub fn of(slot: &PluginSlot) -> PluginItem {
        let loaded = slot.current();
        let failure = slot.last_error();
        let quarantined = slot.quarantined();
        let plugin = loaded.as_ref().map(|loaded| &loaded.plugin);
        PluginItem {
            name: slot.name.clone(),
            state: match (&loaded, &failure) {
                (Some(_), None) if quarantined.is_some() => PluginState::Quarantined,
                (Some(_), None) => PluginState::Loaded,
                (Some(_), Some(_)) => PluginState::Stale,
                (None, Some(_)) => PluginState::Rejected,
                (None, None) => PluginState::Absent,
            },
            version: plugin.map(|plugin| plugin.descriptor.version.clone()),
            summary: plugin.map(|plugin| plugin.descriptor.summary.clone()),
            kinds: plugin.map(names_of_kinds).unwrap_or_default(),
            sha256: plugin.map(|plugin| plugin.sha256.clone()),
            size_bytes: plugin.map(|plugin| plugin.size_bytes),
            loaded_at: loaded.as_ref().map(|loaded| rfc3339(loaded.at)),
            versions_loaded: slot.versions_loaded(),
            last_error: failure.as_deref().map(LoadFailureItem::from),
            quarantine: quarantined.as_deref().map(QuarantineItem::from),
        }
    }
}

fn names_of_kinds(plugin: &Plugin) -> Vec<String> {
    Sort::ALL.into_iter().flat_map(|sort| plugin.descriptor.kinds(sort)).map(|kind| kind.name.clone()).collect()
}

/// How much of the configuration uses a plugin.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uses {
    pub checks: u64,
    pub sinks: u64,
}

/// A plugin with everything that it says of itself and what it used.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PluginDetail {
    #[serde(flatten)]
    pub plugin: PluginItem,
    pub homepage: Option<String>,
    pub licence: Option<String>,
    /// The contract that it was built against.
    pub contract: Option<String>,
    /// What the component asks of its host.
    pub imports: Vec<String>,
    pub exports: Vec<String>,
    /// The tools that made it, as it says itself.
    #[serde(default)]
    pub producers: Vec<ProducerItem>,
    /// Of a component that asks for its start to be done once, while it is compiled: `given`, or why each instance starts for itself.
    #[serde(default)]
    pub head_start: Option<String>,
    /// The one that serves, the one that waits and the file that was refused, as far as there are such.
    #[serde(default)]
    pub versions: Vec<VersionItem>,
    /// What the kinds of the version that serves need to be granted, each once; at most 256.
    #[serde(default)]
    pub needs: Vec<NeedItem>,
    /// Its kinds of checks.
    pub checks: Vec<KindItem>,
    /// Its kinds of recoveries.
    #[serde(default)]
    pub recoveries: Vec<KindItem>,
    /// Its kinds of sinks.
    #[serde(default)]
    pub sinks: Vec<KindItem>,
    /// What a run begins on: `fresh` or `warm`.
    pub isolation: String,
    /// How many configured checks use it.
    pub checks_configured: u64,
    /// How many configured sinks use it.
    #[serde(default)]
    pub sinks_configured: u64,
    /// The most that one run used, of each quota, since the start of the process.
    pub peak_usage: PeakUsageItem,
    /// How often runs that are over called the host, by capability, since the start of the process.
    #[serde(default)]
    pub capability_calls: BTreeMap<String, u64>,
}

impl PluginDetail {
    pub fn of(slot: &PluginSlot, isolation: Isolation, uses: Uses) -> PluginDetail {
        let loaded = slot.current();
        let plugin = loaded.as_ref().map(|loaded| &loaded.plugin);
        let descriptor = plugin.map(|plugin| &plugin.descriptor);
        let kinds = |sort: Sort| -> Vec<KindItem> {
            descriptor.map(|descriptor| descriptor.kinds(sort).iter().map(KindItem::from).collect()).unwrap_or_default()
        };
        PluginDetail {
            plugin: PluginItem::of(slot),
            homepage: descriptor.and_then(|descriptor| descriptor.homepage.clone()),
            licence: descriptor.and_then(|descriptor| descriptor.licence.clone()),
            contract: plugin.and_then(|plugin| contract(&plugin.exports)),
            imports: plugin.map(|plugin| plugin.imports.clone()).unwrap_or_default(),
            exports: plugin.map(|plugin| plugin.exports.clone()).unwrap_or_default(),
            producers: plugin.map(|plugin| plugin.producers.iter().map(ProducerItem::from).collect()).unwrap_or_default(),
            head_start: plugin.and_then(|plugin| head_start(&plugin.head_start)),
            versions: versions(slot),
            needs: plugin.map(needs).unwrap_or_default(),
            checks: kinds(Sort::Check),
            recoveries: kinds(Sort::Recovery),
            sinks: kinds(Sort::Sink),
            isolation: isolation.as_str().to_owned(),
            checks_configured: uses.checks,
            sinks_configured: uses.sinks,
            peak_usage: PeakUsageItem::from(&slot.peak()),
            capability_calls: slot.counts.calls().map(|(capability, calls)| (capability.as_str().to_owned(), calls)).collect(),
        }
    }
}

/// How a version of a plugin stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum VersionState {
    /// It serves.
    Current,
    /// It serves as soon as what it asks for is granted (`quarantine`).
    Waiting,
    /// It never served (`last_error`).
    Refused,
}

/// One version of a plugin that is known since the process began.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct VersionItem {
    pub state: VersionState,
    /// The SHA-256 of its file; null where that could not be read.
    pub digest: Option<String>,
    /// What it calls itself; null where it was refused before it was asked.
    pub version: Option<String>,
    /// When it was loaded, began to wait, or was refused.
    pub since: String,
}

fn versions(slot: &PluginSlot) -> Vec<VersionItem> {
    let of = |state: VersionState, plugin: &Plugin, since| VersionItem {
        state,
        digest: Some(plugin.sha256.clone()),
        version: Some(plugin.descriptor.version.clone()),
        since: rfc3339(since),
    };
    let current = slot.current().map(|loaded| of(VersionState::Current, &loaded.plugin, loaded.at));
    let waiting = slot.quarantined().map(|waiting| of(VersionState::Waiting, &waiting.loaded.plugin, waiting.since));
    let refused = slot.last_error().map(|failure| VersionItem {
        state: VersionState::Refused,
        digest: failure.sha256.clone(),
        version: None,
        since: rfc3339(failure.at),
    });
    current.into_iter().chain(waiting).chain(refused).collect()
}

/// Of all kinds, each once.
fn needs(plugin: &Plugin) -> Vec<NeedItem> {
    let mut needs: Vec<NeedItem> = Vec::new();
    for need in Sort::ALL.into_iter().flat_map(|sort| plugin.descriptor.kinds(sort)).flat_map(|kind| &kind.needs) {
        let need = NeedItem::from(need);
        if needs.len() < NEEDS_SHOWN_MAX && !needs.contains(&need) {
            needs.push(need);
        }
    }
    needs
}

/// `sickbay:plugin@0.1.0`, out of the names of the interfaces that it exports.
fn contract(exports: &[String]) -> Option<String> {
    let (_, version) = exports.iter().find_map(|name| name.strip_prefix("sickbay:plugin/")?.split_once('@'))?;
    Some(format!("sickbay:plugin@{version}"))
}

fn head_start(head_start: &HeadStart) -> Option<String> {
    match head_start {
        HeadStart::None => None,
        HeadStart::Given => Some("given".to_owned()),
        HeadStart::Refused(why) => Some(format!("refused: {why}")),
    }
}

/// A tool that had a part in making a plugin.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProducerItem {
    /// `language`, `sdk` or `processed-by`.
    pub role: String,
    pub name: String,
    pub version: String,
}

impl From<&Producer> for ProducerItem {
    fn from(producer: &Producer) -> ProducerItem {
        ProducerItem { role: producer.role.clone(), name: producer.name.clone(), version: producer.version.clone() }
    }
}

/// One kind of check, recovery or sink that a plugin has.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct KindItem {
    pub name: String,
    pub summary: String,
    /// JSON Schema of `config`.
    #[schema(value_type = Object)]
    pub config_schema: Value,
    /// A `config` that works.
    #[schema(value_type = Object)]
    pub example: Value,
    pub needs: Vec<NeedItem>,
    pub metrics: Vec<MetricInfoItem>,
    /// The failure kinds that its reports name.
    pub failures: Vec<String>,
}

impl From<&Kind> for KindItem {
    fn from(kind: &Kind) -> KindItem {
        KindItem {
            name: kind.name.clone(),
            summary: kind.summary.clone(),
            config_schema: json(&kind.config_schema),
            example: json(&kind.example),
            needs: kind.needs.iter().map(NeedItem::from).collect(),
            metrics: kind
                .metrics
                .iter()
                .map(|metric| MetricInfoItem {
                    name: metric.name.clone(),
                    kind: metric_kind(metric.kind).to_owned(),
                    unit: metric.unit.clone(),
                    summary: metric.summary.clone(),
                })
                .collect(),
            failures: kind.failures.clone(),
        }
    }
}

/// A grant that a kind needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NeedItem {
    pub capability: String,
    pub reason: String,
    /// A line for `grants`.
    pub grant: String,
}

impl From<&Need> for NeedItem {
    fn from(need: &Need) -> NeedItem {
        NeedItem { capability: need.capability.clone(), reason: need.reason.clone(), grant: need.grant.clone() }
    }
}

/// A metric that a kind reports.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MetricInfoItem {
    pub name: String,
    pub kind: String,
    pub unit: String,
    pub summary: String,
}

/// Why a file was refused.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LoadFailureItem {
    pub at: String,
    pub message: String,
    pub hint: Option<String>,
    /// Of the refused file.
    pub sha256: Option<String>,
}

impl From<&LoadFailure> for LoadFailureItem {
    fn from(failure: &LoadFailure) -> LoadFailureItem {
        LoadFailureItem {
            at: rfc3339(failure.at),
            message: failure.message.clone(),
            hint: failure.hint.clone(),
            sha256: failure.sha256.clone(),
        }
    }
}

/// A version that is whole and asks for more than the one that serves, and than those who use it grant.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QuarantineItem {
    pub since: String,
    /// What it calls itself.
    pub version: String,
    pub sha256: String,
    /// A line for each need that came (`+`) or went (`-`).
    pub diff: Vec<String>,
    /// What to grant, so that it serves; the file stays as it is.
    pub hint: String,
}

impl From<&Quarantined> for QuarantineItem {
    fn from(quarantined: &Quarantined) -> QuarantineItem {
        let plugin = &quarantined.loaded.plugin;
        QuarantineItem {
            since: rfc3339(quarantined.since),
            version: plugin.descriptor.version.clone(),
            sha256: plugin.sha256.clone(),
            diff: quarantined.beyond.diff.clone(),
            hint: quarantined.beyond.hint.clone(),
        }
    }
}

/// The most that one run used.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PeakUsageItem {
    pub cpu_ms: u64,
    pub memory_bytes: u64,
    pub host_calls: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub rows: u64,
    pub log_bytes: u64,
}

impl From<&PeakUsage> for PeakUsageItem {
    fn from(peak: &PeakUsage) -> PeakUsageItem {
        PeakUsageItem {
            cpu_ms: peak.cpu_ms,
            memory_bytes: peak.memory_bytes,
            host_calls: peak.host_calls,
            bytes_in: peak.bytes_in,
            bytes_out: peak.bytes_out,
            rows: peak.rows,
            log_bytes: peak.log_bytes,
        }
    }
}
