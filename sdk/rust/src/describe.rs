//! What a plugin says of itself when it is loaded.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::bindings::exports::sickbay::plugin::plugin::{Descriptor, Kind, MetricInfo, Need};
use crate::{Check, Label, MetricKind, Recovery, Sink};

impl Need {
    /// `grant` is a line of TOML with `{NAME}` for a key of the configuration: `http = ["{method} {url}"]`.
    /// `reason` says to a person what it is for.
    pub fn new(capability: &str, reason: &str, grant: &str) -> Need {
        Need { capability: capability.to_owned(), reason: reason.to_owned(), grant: grant.to_owned() }
    }
}

impl MetricInfo {
    /// A number that may go up and down. The unit is `seconds`, `bytes`, `ratio` or empty.
    pub fn gauge(name: &str, unit: &str, summary: &str) -> MetricInfo {
        MetricInfo::of(name, MetricKind::Gauge, unit, summary)
    }

    /// A number that only grows, except when the thing counted restarts.
    pub fn counter(name: &str, unit: &str, summary: &str) -> MetricInfo {
        MetricInfo::of(name, MetricKind::Counter, unit, summary)
    }

    fn of(name: &str, kind: MetricKind, unit: &str, summary: &str) -> MetricInfo {
        MetricInfo { name: name.to_owned(), kind, unit: unit.to_owned(), summary: summary.to_owned() }
    }
}

/// Without any kind yet.
pub fn descriptor(name: &str, version: &str, summary: &str) -> Descriptor {
    Descriptor {
        name: name.to_owned(),
        version: version.to_owned(),
        summary: summary.to_owned(),
        checks: Vec::new(),
        recoveries: Vec::new(),
        sinks: Vec::new(),
        homepage: None,
        licence: None,
        extras: Vec::new(),
    }
}

pub fn check_kind<C: Check>() -> Kind {
    Kind { metrics: C::metrics(), failures: owned(C::failures()), ..kind::<C::Config>(C::NAME, C::SUMMARY, &C::example(), C::needs()) }
}

pub fn recovery_kind<R: Recovery>() -> Kind {
    Kind { failures: owned(R::failures()), ..kind::<R::Config>(R::NAME, R::SUMMARY, &R::example(), R::needs()) }
}

pub fn sink_kind<S: Sink>() -> Kind {
    let tells = S::TELLS_ACKNOWLEDGEMENTS.then(|| Label::new("tells", "acknowledgements"));
    Kind { extras: tells.into_iter().collect(), ..kind::<S::Config>(S::NAME, S::SUMMARY, &S::example(), S::needs()) }
}

/// What kinds of every sort have.
fn kind<C: JsonSchema>(name: &str, summary: &str, example: &Value, needs: Vec<Need>) -> Kind {
    Kind {
        name: name.to_owned(),
        summary: summary.to_owned(),
        config_schema: config_schema::<C>(),
        example: example.to_string(),
        needs,
        metrics: Vec::new(),
        failures: Vec::new(),
        extras: Vec::new(),
    }
}

fn owned(failures: &[&str]) -> Vec<String> {
    failures.iter().map(|failure| (*failure).to_owned()).collect()
}

/// JSON Schema 2020-12 without references, so that a reader sees every key where it belongs.
fn config_schema<C: JsonSchema>() -> String {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<C>()
        .to_value()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    #[allow(dead_code, reason = "only its schema is looked at")]
    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Config {
        /// Where to look.
        url: String,
        #[serde(default)]
        nested: Vec<Nested>,
    }

    #[allow(dead_code, reason = "only its schema is looked at")]
    #[derive(Deserialize, JsonSchema)]
    struct Nested {
        depth: u32,
    }

    struct Look;

    impl Check for Look {
        const NAME: &'static str = "look";
        const SUMMARY: &'static str = "Looks";
        type Config = Config;

        fn example() -> Value {
            json!({ "url": "http://localhost/" })
        }

        fn failures() -> &'static [&'static str] {
            &["content"]
        }

        fn run(_request: &Request<Config>) -> Result<Report, Error> {
            Ok(Report::ok(""))
        }
    }

    #[test]
    fn the_schema_is_2020_12_whole_and_carries_the_documentation() {
        let kind = check_kind::<Look>();
        let schema: Value = serde_json::from_str(&kind.config_schema).expect("JSON");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["properties"]["url"]["description"], "Where to look.");
        assert_eq!(schema["required"], json!(["url"]));
        assert_eq!(schema["additionalProperties"], false);
        assert!(!kind.config_schema.contains("$ref"), "{}", kind.config_schema);
        assert_eq!(kind.failures, ["content"]);
    }
}
