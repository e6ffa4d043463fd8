//! What a new version of a plugin asks for beyond the one that serves and beyond what the checks and sinks that use it grant.
//!
//! How: needs are compared kind by kind, as (capability, line with its places). One that the version before had as well, or that a check
//! or a sink of the kind grants with its own values in the places, is nothing new. A kind that nobody uses asks for nothing.
//!
//! Invariant: this decides which version serves, never what a run may do: every call is authorised regardless.

use serde_json::Value;
use sickbay_runtime::{Kind, LoadError, Need, Sort};

use crate::config::{Config, PluginUse, can_be_granted, covers_need, line_to_add};
use crate::plugins::Loaded;

/// Grants named in one hint.
const GRANTS_SHOWN_MAX: usize = 4;

/// Why a version waits; none of its texts is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beyond {
    /// A line for each need that came (`+`) or went (`-`), for people.
    pub diff: Vec<String>,
    pub hint: String,
}

impl Beyond {
    /// A version that waited and is granted what it asks for, while a check or a sink does not fit it any more.
    pub fn misfit(error: LoadError) -> Beyond {
        let hint = error.hint.unwrap_or_else(|| "change the configuration, or put the version before it back into the folder".to_owned());
        Beyond { diff: vec![one_line(&error.message)], hint }
    }
}

/// None where `after` may serve in place of `before`.
pub fn beyond(before: &Loaded, after: &Loaded, config: &Config) -> Option<Beyond> {
    let uses = config.uses_of(&after.plugin.name);
    let kinds = Sort::ALL.into_iter().flat_map(|sort| after.plugin.descriptor.kinds(sort).iter().map(move |kind| (sort, kind)));
    let mut all: Option<Beyond> = None;
    for (sort, kind) in kinds {
        let same_kind = before.plugin.descriptor.kinds(sort).iter().find(|known| known.name == kind.name);
        let known = same_kind.map(|known| known.needs.as_slice()).unwrap_or_default();
        let means_it = |used: &&PluginUse<'_>| used.sort == sort && after.kind_of(used).is_ok_and(|name| name == kind.name);
        let using: Vec<PluginUse<'_>> = uses.iter().filter(means_it).copied().collect();
        let Some(more) = beyond_of_kind(kind, known, &using) else { continue };
        match &mut all {
            Some(all) => all.diff.extend(more.diff),
            None => all = Some(more),
        }
    }
    all
}

/// `known` are the needs of the same kind before, `using` those who use this kind.
fn beyond_of_kind(kind: &Kind, known: &[Need], using: &[PluginUse<'_>]) -> Option<Beyond> {
    let first = using.first()?;
    let schema: Option<Value> = serde_json::from_str(&kind.config_schema).ok();
    let came = kind.needs.iter().filter(|need| !has(known, need));
    let asked: Vec<&Need> = came.filter(|need| !using.iter().any(|used| covers_need(used, need, schema.as_ref()))).collect();
    if asked.is_empty() {
        return None;
    }
    let came = asked.iter().map(|need| diff_line('+', kind, need));
    let went = known.iter().filter(|need| !has(&kind.needs, need)).map(|need| diff_line('-', kind, need));
    let steps: Vec<String> = asked.iter().take(GRANTS_SHOWN_MAX).map(|need| step(first, need, schema.as_ref())).collect();
    Some(Beyond { diff: came.chain(went).collect(), hint: steps.join("; ") })
}

fn has(needs: &[Need], wanted: &Need) -> bool {
    needs.iter().any(|need| need.capability == wanted.capability && need.grant == wanted.grant)
}

fn diff_line(sign: char, kind: &Kind, need: &Need) -> String {
    let reason = if need.reason.is_empty() { String::new() } else { format!("  # {}", need.reason) };
    one_line(&format!("{sign} {}: {}{reason}", kind.name, need.grant))
}

/// What the operator can do about one need.
fn step(used: &PluginUse<'_>, need: &Need, schema: Option<&Value>) -> String {
    if can_be_granted(&need.capability) {
        one_line(&format!("to let it serve, in {} {}", used.told(), line_to_add(used, need, schema)))
    } else {
        one_line(&format!("`{}` cannot be granted in this version: put the version before it back into the folder", need.capability))
    }
}

/// What a guest says may have line ends.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(capability: &str, grant: &str) -> Need {
        Need { capability: capability.to_owned(), reason: "to\nask".to_owned(), grant: grant.to_owned() }
    }

    fn kind(needs: Vec<Need>) -> Kind {
        let (config_schema, example) = ("{}".to_owned(), "{}".to_owned());
        Kind {
            name: "k".to_owned(),
            summary: String::new(),
            config_schema,
            example,
            needs,
            metrics: Vec::new(),
            failures: Vec::new(),
            tells_acknowledgements: false,
        }
    }

    /// Whether `kind` may serve in place of one with the needs `known`, for checks with these `grants`.
    fn judged(known: &[Need], kind: &Kind, grants: &[&str]) -> Option<Beyond> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sickbay.toml");
        let checks = grants.iter().enumerate().map(|(number, grants)| {
            format!("[[check]]\nname = \"c{number}\"\nplugin = \"p\"\nevery = \"10s\"\nconfig = {{ url = \"https://a.example/x\" }}\ngrants = {{ {grants} }}\n")
        });
        std::fs::write(&path, checks.collect::<String>()).unwrap();
        let config = crate::config::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
        let using: Vec<PluginUse<'_>> = config.plugin_uses().collect();
        beyond_of_kind(kind, known, &using)
    }

    const GET: &str = "http = [\"GET {url}\"]";
    const POST: &str = "http = [\"POST {url}\"]";

    #[test]
    fn what_the_version_before_asked_for_too_is_nothing_new() {
        assert_eq!(judged(&[need("http", GET)], &kind(vec![need("http", GET)]), &[""]), None);
        assert_eq!(judged(&[need("http", GET)], &kind(Vec::new()), &[""]), None);
    }

    #[test]
    fn a_new_need_is_granted_by_a_line_that_covers_it_with_the_checks_own_values() {
        let (known, after) = ([need("http", GET)], kind(vec![need("http", GET), need("http", POST)]));
        for (grants, serves) in [
            ("", false),
            ("http = [\"GET https://a.example/x\"]", false),
            ("http = [\"POST https://a.example/y\"]", false),
            ("http = [\"POST https://a.example/x\"]", true),
            ("http = [\"GET,POST https://*.example/*\"]", true),
        ] {
            assert_eq!(judged(&known, &after, &[grants]).is_none(), serves, "{grants}");
        }
        assert_eq!(judged(&known, &after, &["", "http = [\"POST https://a.example/x\"]"]), None, "one check grants it");
        assert_eq!(judged(&known, &after, &[]), None, "no check uses it");
    }

    #[test]
    fn a_sink_grants_what_its_kind_asks_for_and_is_named_where_it_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sickbay.toml");
        let judged = |grants: &str| {
            let sink = "[[sink]]\nname = \"oncall\"\nplugin = \"p\"\nconfig = { url = \"https://a.example/x\" }\n";
            std::fs::write(&path, format!("{sink}grants = {{ {grants} }}\n")).unwrap();
            let config = crate::config::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
            beyond_of_kind(&kind(vec![need("http", POST)]), &[], &config.uses_of("p"))
        };
        assert_eq!(judged("http = [\"POST https://a.example/*\"]"), None);
        let found = judged("").unwrap();
        assert_eq!(found.hint, "to let it serve, in sink `oncall` add `grants = { http = [\"POST https://a.example/x\"] }`");
    }

    #[test]
    fn words_of_the_system_are_compared_one_by_one() {
        let after = kind(vec![need("system", "system = [\"cpu\", \"disk\"]")]);
        assert!(judged(&[], &after, &["system = [\"cpu\"]"]).is_some());
        assert_eq!(judged(&[], &after, &["system = [\"disk\", \"cpu\", \"load\"]"]), None);
    }

    #[test]
    fn the_diff_names_what_came_and_what_went_and_the_hint_the_line_to_add() {
        let found = judged(&[need("http", GET)], &kind(vec![need("http", POST)]), &[""]).unwrap();
        assert_eq!(found.diff, ["+ k: http = [\"POST {url}\"]  # to ask", "- k: http = [\"GET {url}\"]  # to ask"]);
        assert_eq!(found.hint, "to let it serve, in check `c0` add `grants = { http = [\"POST https://a.example/x\"] }`");
        let never = judged(&[], &kind(vec![need("dreams", "dreams = []")]), &[""]).unwrap();
        assert!(never.hint.contains("`dreams` cannot be granted"), "{never:?}");
    }
}
