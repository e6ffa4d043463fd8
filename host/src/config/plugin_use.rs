//! What a check and a sink have in common: each uses a kind of a plugin, with a `config` and grants, and is judged against it.

use serde_json::Value;
use sickbay_capabilities::Grants;
use sickbay_capabilities::secrets::Template;
use sickbay_core::Rule;
use sickbay_runtime::Sort;

use super::{Check, Config, Origin, Place, Sink};

/// A check or a sink, as its plugin sees it.
#[derive(Clone, Copy, Debug)]
pub struct PluginUse<'a> {
    pub sort: Sort,
    pub name: &'a str,
    pub plugin: &'a str,
    /// None where the plugin's only kind is meant.
    pub kind: Option<&'a str>,
    pub config: &'a Value,
    /// Where `config` names secrets.
    pub secrets: Option<&'a Template>,
    pub grants: &'a Grants,
    /// Conditions on what it reports, where it reports.
    pub rules: &'a [Rule],
    pub place: &'a Place,
}

impl PluginUse<'_> {
    /// For messages: ``check `api` ``.
    pub fn told(&self) -> String {
        format!("{} `{}`", self.sort.as_str(), self.name)
    }

    /// The same by the name in the file, which all targets of a check share.
    pub fn told_as_written(&self) -> String {
        let name = self.name.split_once('@').map_or(self.name, |(name, _)| name);
        format!("{} `{name}`", self.sort.as_str())
    }
}

impl Check {
    pub fn plugin_use(&self) -> PluginUse<'_> {
        PluginUse {
            sort: Sort::Check,
            name: &self.name,
            plugin: &self.plugin,
            kind: self.kind.as_deref(),
            config: &self.config,
            secrets: self.secrets.as_ref(),
            grants: &self.grants,
            rules: &self.rules,
            place: &self.place,
        }
    }
}

impl Sink {
    pub fn plugin_use(&self) -> PluginUse<'_> {
        PluginUse {
            sort: Sort::Sink,
            name: &self.name,
            plugin: &self.plugin,
            kind: self.kind.as_deref(),
            config: &self.config,
            secrets: self.secrets.as_ref(),
            grants: &self.grants,
            rules: &[],
            place: &self.place,
        }
    }
}

impl Config {
    /// All that uses a plugin, checks first.
    pub fn plugin_uses(&self) -> impl Iterator<Item = PluginUse<'_>> {
        let checks = self.checks.iter().filter(|check| check.origin == Origin::Plugin);
        checks.map(|check| check.plugin_use()).chain(self.sinks.iter().map(|sink| sink.plugin_use()))
    }

    /// All that uses this plugin.
    pub fn uses_of(&self, plugin: &str) -> Vec<PluginUse<'_>> {
        self.plugin_uses().filter(|used| used.plugin == plugin).collect()
    }
}
