//! One sink: its values, bounds and defaults, its grants compiled.
//!
//! Limits: [`SINKS_MAX`]; those of a check for `config`, grants and `timeout`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use sickbay_core::alerting::SINKS_MAX;
use sickbay_runtime::{Limits, Sort};

use super::cadence::TIMEOUT;
use super::check::judge_size;
use super::diagnostic::{Problem, shown};
use super::free::{self, ConfigPlaces};
use super::grants::{Named, grants, template};
use super::place::Source;
use super::settings::{Scope, lowered_limits};
use super::text::{Placed, SinkText};
use super::values;
use super::{Place, PluginSettings, Sink};

const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// The sinks of the main file, in its order. One with a mistake is kept with its defaults: its mistake stops the whole configuration.
pub(super) fn sinks(
    written: &[Placed<SinkText>],
    plugins: &BTreeMap<String, PluginSettings>,
    names: &Named,
    source: &Arc<Source>,
    scope: &mut Scope<'_>,
) -> Vec<Arc<Sink>> {
    let mut sinks: Vec<Arc<Sink>> = Vec::new();
    for written in written {
        if sinks.len() >= SINKS_MAX {
            let problem = Problem::new("too many sinks").reason(format!("there are more than {SINKS_MAX}"));
            scope.note(written.span(), problem.hint("give one of them what several tell"));
            break;
        }
        scope.read(Some(&written.value().name), (), |name| unused(name, &sinks));
        sinks.push(Arc::new(sink(written, plugins, names, source, scope)));
    }
    sinks
}

fn unused(name: &str, sinks: &[Arc<Sink>]) -> Result<(), Problem> {
    values::name("name", name)?;
    match sinks.iter().find(|sink| sink.name == name) {
        Some(first) => Err(Problem::new(format!("there are two sinks `{}`", shown(name)))
            .reason(format!("the first is at {}:{}", first.place.file().display(), first.place.line()))
            .hint("give each sink a name of its own")),
        None => Ok(()),
    }
}

fn sink(
    written: &Placed<SinkText>,
    plugins: &BTreeMap<String, PluginSettings>,
    names: &Named,
    source: &Arc<Source>,
    scope: &mut Scope<'_>,
) -> Sink {
    let header = written.span();
    let written = written.value();
    scope.read(Some(&written.plugin), (), |text| values::plugin_name("plugin", text));
    scope.read(written.kind.as_ref(), (), |text| values::name("kind", text));
    let plugin = written.plugin.value();
    let given = plugins.get(plugin).map_or_else(Limits::default, |settings| settings.limits);
    let (config, config_places) =
        written.config.as_ref().map_or_else(|| (Value::Object(Map::new()), ConfigPlaces::default()), free::to_json);
    let config_text = config.to_string();
    judge_size(written.config.as_ref(), &config_text, scope);
    let grants = grants(&written.grants, None, names, scope);
    Sink {
        name: written.name.value().clone(),
        plugin: plugin.clone(),
        kind: written.kind.as_ref().map(|kind| kind.value().clone()),
        timeout: scope.read(written.timeout.as_ref(), TIMEOUT_DEFAULT, |text| values::duration("timeout", text, &TIMEOUT)),
        acknowledgements: written.acknowledgements.as_ref().map(|told| *told.value()),
        secrets: template(written.config.as_ref(), &config_text, &grants, names, scope),
        config_text: Arc::from(config_text),
        config,
        grants: Arc::new(grants),
        limits: written.limits.as_ref().map_or(given, |limits| lowered_limits(limits, Sort::Sink, plugin, given, scope)),
        place: Place {
            source: Arc::clone(source),
            header,
            plugin: written.plugin.span(),
            kind: written.kind.as_ref().map(Placed::span),
            rules: Box::default(),
            parents: Box::default(),
            members: Box::default(),
            config: config_places,
        },
    }
}
