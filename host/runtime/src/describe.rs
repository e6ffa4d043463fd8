//! What a plugin says of itself, checked before anyone relies on it.

use std::collections::HashSet;

use crate::LoadError;
use crate::answer::{bound, json_object, metric_kind, one_line, word};
use crate::bindings::exports::sickbay::plugin::plugin as exported;
use crate::descriptor::{Descriptor, Kind, MetricInfo, Need, Sort};

const KINDS_MAX: usize = 64;
const NEEDS_MAX: usize = 32;
const METRICS_MAX: usize = 256;
const FAILURES_MAX: usize = 64;
const SCHEMA_BYTES_MAX: usize = 64 << 10;
const TEXT_BYTES_MAX: usize = 512;
/// In the extras of a kind of sink.
const TELLS_ACKNOWLEDGEMENTS: (&str, &str) = ("tells", "acknowledgements");
const CAPABILITIES: [&str; 9] = ["http", "postgres", "redis", "net", "secrets", "files", "system", "state", "log"];

pub(crate) fn descriptor(said: exported::Descriptor) -> Result<Descriptor, LoadError> {
    checked(said).map_err(|message| unfit(&message))
}

fn checked(said: exported::Descriptor) -> Result<Descriptor, String> {
    word("name", &said.name)?;
    Ok(Descriptor {
        name: said.name,
        version: version(&said.version)?,
        summary: one_line(&said.summary, TEXT_BYTES_MAX),
        checks: kinds("checks", said.checks)?,
        recoveries: kinds("recoveries", said.recoveries)?,
        sinks: kinds("sinks", said.sinks)?,
        homepage: said.homepage.map(|text| one_line(&text, TEXT_BYTES_MAX)),
        licence: said.licence.map(|text| one_line(&text, TEXT_BYTES_MAX)),
    })
}

/// One that does nothing, or has kinds that nobody could call.
pub(crate) fn refuse_idle(descriptor: &Descriptor, exports: impl Fn(Sort) -> bool) -> Result<(), LoadError> {
    let mut offered = Sort::ALL.into_iter().filter(|sort| !descriptor.kinds(*sort).is_empty()).peekable();
    if offered.peek().is_none() {
        return Err(unfit("it has no kind of check, of recovery or of sink"));
    }
    match offered.find(|sort| !exports(*sort)) {
        Some(sort) => Err(unfit(&format!("it has a kind of {sort}, and exports no `sickbay:plugin/{sort}`", sort = sort.as_str()))),
        None => Ok(()),
    }
}

fn unfit(message: &str) -> LoadError {
    LoadError::new(format!("its `describe` is not valid: {message}")).hint("mend the plugin's descriptor")
}

fn version(version: &str) -> Result<String, String> {
    let fits = (1..=64).contains(&version.len()) && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+_".contains(&byte));
    if fits { Ok(version.to_owned()) } else { Err(format!("the version `{}` is not a version", one_line(version, 80))) }
}

fn kinds(what: &str, said: Vec<exported::Kind>) -> Result<Vec<Kind>, String> {
    bound(what, said.len(), KINDS_MAX)?;
    let kinds = said.into_iter().map(kind).collect::<Result<Vec<_>, _>>()?;
    let mut names = HashSet::new();
    match kinds.iter().find(|kind| !names.insert(kind.name.as_str())) {
        Some(kind) => Err(format!("the kind `{}` is there twice", kind.name)),
        None => Ok(kinds),
    }
}

fn kind(said: exported::Kind) -> Result<Kind, String> {
    word("kind", &said.name)?;
    let within = |error: String| format!("kind `{}`: {error}", said.name);
    json_object("config-schema", &said.config_schema, SCHEMA_BYTES_MAX).map_err(within)?;
    json_object("example", &said.example, SCHEMA_BYTES_MAX).map_err(within)?;
    bound("needs", said.needs.len(), NEEDS_MAX).map_err(within)?;
    bound("metrics", said.metrics.len(), METRICS_MAX).map_err(within)?;
    bound("failures", said.failures.len(), FAILURES_MAX).map_err(within)?;
    Ok(Kind {
        needs: said.needs.into_iter().map(need).collect::<Result<_, _>>()?,
        metrics: said.metrics.into_iter().map(metric).collect::<Result<_, _>>()?,
        failures: said.failures.into_iter().map(|failure| word("failure", &failure).map(|()| failure)).collect::<Result<_, _>>()?,
        tells_acknowledgements: said.extras.iter().any(|extra| (extra.name.as_str(), extra.value.as_str()) == TELLS_ACKNOWLEDGEMENTS),
        summary: one_line(&said.summary, TEXT_BYTES_MAX),
        name: said.name,
        config_schema: said.config_schema,
        example: said.example,
    })
}

fn need(said: exported::Need) -> Result<Need, String> {
    if !CAPABILITIES.contains(&said.capability.as_str()) {
        return Err(format!("the capability `{}` does not exist; known: {}", one_line(&said.capability, 64), CAPABILITIES.join(", ")));
    }
    Ok(Need { capability: said.capability, reason: one_line(&said.reason, TEXT_BYTES_MAX), grant: one_line(&said.grant, TEXT_BYTES_MAX) })
}

fn metric(said: exported::MetricInfo) -> Result<MetricInfo, String> {
    let stem = said.name.strip_suffix('*').unwrap_or(&said.name);
    if !(stem.is_empty() && said.name == "*") {
        crate::answer::metric_name("metric", stem)?;
    }
    Ok(MetricInfo {
        kind: metric_kind(said.kind),
        unit: one_line(&said.unit, 64),
        summary: one_line(&said.summary, TEXT_BYTES_MAX),
        name: said.name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::sickbay::plugin::types;

    fn with_sinks(count: usize) -> Descriptor {
        let kind = Kind {
            name: "post".to_owned(),
            summary: String::new(),
            config_schema: "{}".to_owned(),
            example: "{}".to_owned(),
            needs: Vec::new(),
            metrics: Vec::new(),
            failures: Vec::new(),
            tells_acknowledgements: false,
        };
        Descriptor {
            name: "tell".to_owned(),
            version: "1.0.0".to_owned(),
            summary: String::new(),
            checks: Vec::new(),
            recoveries: Vec::new(),
            sinks: vec![kind; count],
            homepage: None,
            licence: None,
        }
    }

    #[test]
    fn a_kind_of_sink_says_by_an_extra_that_it_tells_acknowledgements() {
        let told = |extras: &[(&str, &str)]| {
            let extras = extras.iter().map(|(name, value)| types::Label { name: (*name).to_owned(), value: (*value).to_owned() });
            let said = exported::Kind {
                name: "page".to_owned(),
                summary: String::new(),
                config_schema: "{}".to_owned(),
                example: "{}".to_owned(),
                needs: Vec::new(),
                metrics: Vec::new(),
                failures: Vec::new(),
                extras: extras.collect(),
            };
            kind(said).expect("a kind").tells_acknowledgements
        };
        assert!(told(&[("colour", "red"), ("tells", "acknowledgements")]));
        assert!(!told(&[]) && !told(&[("tells", "named")]) && !told(&[("acknowledgements", "true")]));
    }

    #[test]
    fn a_plugin_offers_what_it_exports_and_something_at_all() {
        let refused = |sinks: usize, exported: &[Sort]| {
            refuse_idle(&with_sinks(sinks), |sort| exported.contains(&sort)).map_err(|error| error.message).err().unwrap_or_default()
        };
        assert_eq!(refused(1, &[Sort::Sink]), "");
        assert_eq!(refused(1, &[Sort::Check, Sort::Sink]), "", "an interface may have no kind");
        assert!(refused(0, &[Sort::Sink]).ends_with("it has no kind of check, of recovery or of sink"));
        assert!(refused(1, &[Sort::Check]).ends_with("it has a kind of sink, and exports no `sickbay:plugin/sink`"));
    }
}
