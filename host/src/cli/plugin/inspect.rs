//! What one plugin says of itself, as text: how it stands, and for each kind its keys, what it asks for, what it measures, and a
//! `[[check]]` or `[[sink]]` (of a recovery its `grants`) to paste; then which contract it was built against, what it imports and exports, and what made it.
//!
//! Limits: [`METRICS_SHOWN_MAX`] metrics of a kind and `keys::KEYS_MAX` keys; `-o json` has all of them.
//!
//! Invariant: nothing of a guest is pasted as it came: a block is written anew from its values, so no text can end its own quotes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use bytesize::ByteSize;
use serde_json::Value;
use sickbay_runtime::{Need, Sort};

use super::inline::{inline, key, quoted};
use super::keys::keys;
use super::{failure_text, quarantine_text};
use crate::api::model::{KindItem, MetricInfoItem, NeedItem, PluginDetail, ProducerItem};
use crate::cli::status::ago;
use crate::cli::table::{Layout, cut, table};
use crate::config::{counted, filled_need};
use crate::escape::escaped;

const METRICS_SHOWN_MAX: usize = 64;
/// Of a key, of its type and of its default.
const WORDS_CHARACTERS_MAX: usize = 40;
/// Of what a key or a metric means.
const MEANING_CHARACTERS_MAX: usize = 512;
/// A longer `config` gets a table of its own in the block.
const INLINE_CHARACTERS_MAX: usize = 100;
/// No name of a check or a sink is longer.
const NAME_CHARACTERS_MAX: usize = 63;
/// Every run has them, so nobody grants them.
const ALWAYS_THERE: [&str; 2] = ["state", "log"];
/// What `grants` takes, in the schema of the configuration.
const GRANTS: &str = "/properties/check/items/properties/grants/properties";
const NONE: &str = "-";

/// Where a plugin was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// In a Sickbay that runs, which knows how it stands and what it used.
    Running,
    /// As a file, on its own.
    File,
}

pub(super) fn text(detail: &PluginDetail, seen: Seen, layout: Layout, now: Duration) -> String {
    let plugin = &detail.plugin;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{} {}", escaped(&plugin.name), escaped(plugin.version.as_deref().unwrap_or("(no version serves)")));
    if let Some(summary) = &plugin.summary {
        let _ = writeln!(text, "{}", escaped(summary));
    }
    text.push('\n');
    facts(&mut text, detail, seen, now);
    if let Some(failure) = &plugin.last_error {
        let _ = write!(text, "\nThe file in the folder was {}", failure_text(failure, now));
    }
    if let Some(waiting) = &plugin.quarantine {
        let _ = write!(text, "\nThe file in the folder: {}", quarantine_text(waiting, now));
    }
    for (sort, kinds) in [(Sort::Check, &detail.checks), (Sort::Recovery, &detail.recoveries), (Sort::Sink, &detail.sinks)] {
        for kind in kinds {
            of_kind(&mut text, sort, &plugin.name, kind, layout);
        }
    }
    if seen == Seen::Running {
        usage(&mut text, detail);
    }
    names(&mut text, "Imports", &detail.imports);
    names(&mut text, "Exports", &detail.exports);
    names(&mut text, "Made by, as it says itself", &detail.producers.iter().map(made_by).collect::<Vec<_>>());
    text
}

fn facts(text: &mut String, detail: &PluginDetail, seen: Seen, now: Duration) {
    let plugin = &detail.plugin;
    let running = |fact: Option<String>| fact.filter(|_| seen == Seen::Running);
    let facts = [
        ("state", running(Some(plugin.state.as_str().to_owned()))),
        ("loaded", running(plugin.loaded_at.as_deref().map(|at| ago(Some(at), now)))),
        ("versions", running(Some(format!("{} since Sickbay started", plugin.versions_loaded)))),
        ("isolation", running(Some(detail.isolation.clone()))),
        ("sha256", plugin.sha256.clone()),
        ("size", plugin.size_bytes.map(|bytes| ByteSize(bytes).to_string())),
        ("contract", detail.contract.clone()),
        ("start", detail.head_start.as_deref().map(start)),
        ("licence", detail.licence.clone()),
        ("homepage", detail.homepage.clone()),
        ("used by", running(Some(used_by(detail)))),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            let _ = writeln!(text, "{name:<10}{}", escaped(&value));
        }
    }
}

/// `1 check and 2 sinks`
fn used_by(detail: &PluginDetail) -> String {
    let told = |count: u64, noun: &str| counted(usize::try_from(count).unwrap_or(usize::MAX), noun);
    match (detail.checks_configured, detail.sinks_configured) {
        (checks, 0) => told(checks, "check"),
        (0, sinks) => told(sinks, "sink"),
        (checks, sinks) => format!("{} and {}", told(checks, "check"), told(sinks, "sink")),
    }
}

/// When what a language does before its first call is done.
fn start(head_start: &str) -> String {
    match head_start.strip_prefix("refused: ") {
        Some(why) => format!("in each instance: {why}"),
        None => "done once, while it was compiled".to_owned(),
    }
}

fn of_kind(text: &mut String, sort: Sort, plugin: &str, kind: &KindItem, layout: Layout) {
    let of = if sort == Sort::Check { String::new() } else { format!(" of {}", sort.as_str()) };
    let _ = writeln!(text, "\nKind{of} {}: {}", escaped(&kind.name), escaped(&kind.summary));
    let (keys, more) = keys(&kind.config_schema);
    if keys.is_empty() {
        text.push_str("\nIts schema names no keys of `config`.\n");
    } else {
        let mut rows = vec![["KEY OF CONFIG", "TYPE", "DEFAULT", "REQUIRED", "MEANING"].map(str::to_owned)];
        rows.extend(keys.iter().map(|key| {
            let required = if key.required { "yes" } else { "no" };
            [
                words(&key.name),
                words(&key.type_words),
                words(key.default.as_deref().unwrap_or(NONE)),
                required.to_owned(),
                meaning(&key.meaning),
            ]
        }));
        let _ = write!(text, "\n{}", table(&rows, layout, |_, _| None));
        if more {
            text.push_str("and more; `-o json` has the whole schema\n");
        }
    }
    metrics(text, &kind.metrics, layout);
    if !kind.failures.is_empty() {
        let _ = writeln!(text, "\nFailures that it names: {}", escaped(&kind.failures.join(", ")));
    }
    needs(text, kind);
    if sort != Sort::Recovery {
        let _ = write!(text, "\nTo paste into sickbay.toml:\n\n{}", block(sort, plugin, kind));
        return;
    }
    // No configuration has a recovery in this version: there is no more to paste than this.
    let mut granted = String::new();
    grants(&mut granted, kind);
    if !granted.is_empty() {
        let _ = write!(text, "\nIts grants, to paste:\n\n{granted}");
    }
}

fn metrics(text: &mut String, metrics: &[MetricInfoItem], layout: Layout) {
    if metrics.is_empty() {
        return;
    }
    let mut rows = vec![["METRIC", "UNIT", "KIND", "MEANING"].map(str::to_owned)];
    let shown = metrics.iter().take(METRICS_SHOWN_MAX);
    rows.extend(shown.map(|metric| [words(&metric.name), words(unit(&metric.unit)), words(&metric.kind), meaning(&metric.summary)]));
    let _ = write!(text, "\n{}", table(&rows, layout, |_, _| None));
    if metrics.len() > METRICS_SHOWN_MAX {
        let _ = writeln!(text, "and {} more; `-o json` has all", metrics.len() - METRICS_SHOWN_MAX);
    }
}

/// The lines for the example's values, each with the reason, and with the pattern that they were made of.
fn needs(text: &mut String, kind: &KindItem) {
    if kind.needs.is_empty() {
        return;
    }
    text.push_str("\nAsks for these `grants`, here with the values of the example:\n");
    for need in &kind.needs {
        let (line, _) = filled(need, kind);
        let pattern = if line == need.grant { String::new() } else { format!(" ({})", need.grant) };
        let _ = writeln!(text, "  {}  # {}{}", escaped(&line), escaped(&need.reason), escaped(&pattern));
    }
}

fn filled(need: &NeedItem, kind: &KindItem) -> (String, Vec<String>) {
    let need = Need { capability: need.capability.clone(), reason: need.reason.clone(), grant: need.grant.clone() };
    filled_need(&need, &kind.example, Some(&kind.config_schema))
}

/// A whole check or sink with the example's configuration and what it asks for.
fn block(sort: Sort, plugin: &str, kind: &KindItem) -> String {
    let table = sort.as_str();
    let name = if kind.name == plugin { plugin.to_owned() } else { format!("{plugin}-{}", kind.name) };
    let name: String = name.chars().take(NAME_CHARACTERS_MAX).collect();
    let mut text = format!("[[{table}]]\nname = {}\nplugin = {}\nkind = {}\n", quoted(&name), quoted(plugin), quoted(&kind.name));
    if sort == Sort::Check {
        text.push_str("every = \"30s\"\n");
    }
    let config = inline(&kind.example).filter(|config| config != "{}");
    let is_long = config.as_ref().is_some_and(|config| config.chars().count() > INLINE_CHARACTERS_MAX);
    if let Some(config) = config.filter(|_| !is_long) {
        let _ = writeln!(text, "config = {config}");
    }
    grants(&mut text, kind);
    // A table ends with the next header, so it comes last.
    if let (true, Value::Object(members)) = (is_long, &kind.example) {
        let _ = writeln!(text, "[{table}.config]");
        for (name, value) in members {
            if let Some(value) = inline(value) {
                let _ = writeln!(text, "{} = {value}", key(name));
            }
        }
    }
    text
}

/// One line for all that can be granted; what cannot is a comment.
fn grants(text: &mut String, kind: &KindItem) {
    let schema = crate::config::schema();
    let is_known = |capability: &str| schema.pointer(GRANTS).is_some_and(|known| known.get(capability).is_some());
    let mut granted: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for need in kind.needs.iter().filter(|need| !ALWAYS_THERE.contains(&need.capability.as_str())) {
        let (line, open) = filled(need, kind);
        if !open.is_empty() {
            let _ = writeln!(text, "# Put what is meant in place of {}.", escaped(&open.join(", ")));
        }
        match patterns(&line).filter(|(capability, _)| is_known(capability)) {
            Some((capability, patterns)) => {
                let known = granted.entry(capability).or_default();
                for pattern in patterns {
                    if !known.contains(&pattern) {
                        known.push(pattern);
                    }
                }
            }
            None => {
                let _ = writeln!(text, "# It asks for `{}`, which cannot be granted in this version.", escaped(&line));
            }
        }
    }
    let pairs: Vec<String> =
        granted.into_iter().filter_map(|(name, patterns)| Some(format!("{} = {}", key(&name), inline(&Value::Array(patterns))?))).collect();
    if !pairs.is_empty() {
        let _ = writeln!(text, "grants = {{ {} }}", pairs.join(", "));
    }
}

/// The capability and the patterns of a line such as `http = ["GET https://example.com/"]`.
fn patterns(line: &str) -> Option<(String, Vec<Value>)> {
    let table: toml::Table = line.parse().ok()?;
    let (capability, patterns) = table.into_iter().next()?;
    match serde_json::to_value(patterns).ok()? {
        Value::Array(patterns) => Some((capability, patterns)),
        _ => None,
    }
}

/// A unit as a reader understands it.
fn unit(unit: &str) -> &str {
    match unit {
        "" => NONE,
        "ratio" => "ratio, 0 to 1",
        unit => unit,
    }
}

fn words(text: &str) -> String {
    escaped(&cut(text, WORDS_CHARACTERS_MAX)).to_string()
}

/// Descriptions come with the line ends of their source.
fn meaning(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    escaped(&cut(&line, MEANING_CHARACTERS_MAX)).to_string()
}

fn usage(text: &mut String, detail: &PluginDetail) {
    let peak = &detail.peak_usage;
    text.push_str("\nThe most that one run used, by the names of `limits`:\n");
    for (name, value) in [
        ("cpu_ms", peak.cpu_ms.to_string()),
        ("memory_bytes", ByteSize(peak.memory_bytes).to_string()),
        ("host_calls", peak.host_calls.to_string()),
        ("bytes_in", ByteSize(peak.bytes_in).to_string()),
        ("bytes_out", ByteSize(peak.bytes_out).to_string()),
        ("rows", peak.rows.to_string()),
        ("log_bytes", ByteSize(peak.log_bytes).to_string()),
    ] {
        let _ = writeln!(text, "  {name:<14}{value}");
    }
    let called = detail.capability_calls.iter().filter(|(_, calls)| **calls > 0);
    let called: Vec<String> = called.map(|(capability, calls)| format!("{} {calls}", words(capability))).collect();
    if !called.is_empty() {
        let _ = writeln!(text, "\nCalls of the host by all runs, by capability: {}", called.join(", "));
    }
}

fn made_by(producer: &ProducerItem) -> String {
    format!("{:<14}{} {}", producer.role, producer.name, producer.version).trim_end().to_owned()
}

fn names(text: &mut String, title: &str, names: &[String]) {
    if names.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}");
    for name in names {
        let _ = writeln!(text, "  {}", escaped(name));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::plugin::tests::{NOW, detail, layout, plugin, refused};

    fn need(capability: &str, grant: &str) -> NeedItem {
        NeedItem { capability: capability.to_owned(), reason: "to ask".to_owned(), grant: grant.to_owned() }
    }

    fn kind(example: Value, needs: Vec<NeedItem>) -> KindItem {
        KindItem {
            name: "page".to_owned(),
            summary: "One page".to_owned(),
            config_schema: json!({ "properties": { "method": { "type": "string", "default": "GET" } } }),
            example,
            needs,
            metrics: Vec::new(),
            failures: Vec::new(),
        }
    }

    #[test]
    fn a_plugin_is_told_with_its_keys_its_metrics_and_a_check_to_paste() {
        let text = text(&detail(plugin()), Seen::Running, layout(), NOW);
        assert!(text.starts_with("http 1.2.0\nAsks HTTP servers\n\nstate     loaded\nloaded    1m ago\n"), "{text}");
        for part in [
            "used by   1 check\n",
            "\nKind http: One request\n",
            "\nKEY OF CONFIG  TYPE  DEFAULT  REQUIRED  MEANING\nurl            text  -        yes       Where to look\n",
            "\nmethod         text  \"GET\"    no\n",
            "\nMETRIC           UNIT           KIND   MEANING\nlatency_seconds  seconds        gauge  how long it took\n",
            "\nstatus           -              gauge  of the answer\nused_ratio       ratio, 0 to 1  gauge\n",
            "\nFailures that it names: refused, timeout\n",
            "\n  http = [\"GET http://localhost/\"]  # to ask (http = [\"{method} {url}\"])\n",
            "\nThe most that one run used, by the names of `limits`:\n  cpu_ms        4\n",
            "\nCalls of the host by all runs, by capability: http 4\n",
            "\ncontract  sickbay:plugin@0.1.0\nstart     in each instance: it prints: a\n",
            "\nImports\n  sickbay:plugin/http\n",
            "\nMade by, as it says itself\n  language      Rust\n  processed-by  rustc 1.95.0\\u{1b}[2J\n",
        ] {
            assert!(text.contains(part), "{part}\nis not in\n{text}");
        }
        assert!(!text.contains("homepage"), "{text}");
    }

    #[test]
    fn a_file_is_told_without_what_only_a_running_sickbay_knows() {
        let text = text(&detail(plugin()), Seen::File, layout(), NOW);
        assert!(text.starts_with("http 1.2.0\nAsks HTTP servers\n\nsha256    0123"), "{text}");
        assert!(!text.contains("used by") && !text.contains("The most that one run used"), "{text}");
    }

    #[test]
    fn a_start_that_was_done_is_told() {
        assert_eq!(start("given"), "done once, while it was compiled");
    }

    #[test]
    fn a_plugin_without_a_version_says_so_and_why() {
        let text = text(&detail(refused()), Seen::Running, layout(), NOW);
        assert!(text.starts_with("broken (no version serves)\n"), "{text}");
        assert!(text.contains("refused 3s ago: it is native code\\u{1b}[2J"), "{text}");
    }

    #[test]
    fn the_block_to_paste_is_a_configuration() {
        let needs =
            vec![need("http", "http = [\"{method} {url}\"]"), need("http", "http = [\"GET {url}\"]"), need("system", "system = [\"cpu\"]")];
        let block = block(Sort::Check, "web", &kind(json!({ "url": "http://localhost/" }), needs));
        assert_eq!(
            block,
            "\
[[check]]
name = \"web-page\"
plugin = \"web\"
kind = \"page\"
every = \"30s\"
config = { url = \"http://localhost/\" }
grants = { http = [\"GET http://localhost/\"], system = [\"cpu\"] }
"
        );
        let long = kind(
            json!({ "list": vec!["a long text of a list"; 10], "url": "http://localhost/" }),
            vec![need("http", "http = [\"GET {url}\"]")],
        );
        let of_check = |kind: &KindItem| super::block(Sort::Check, "web", kind);
        for text in [block, of_check(&long), of_check(&kind(json!({}), vec![need("state", "")]))] {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let file = folder.path().join("sickbay.toml");
            std::fs::write(&file, &text).expect("the folder is writable");
            let config = crate::config::load(&file).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
            assert_eq!(config.checks.len(), 1);
        }
    }

    #[test]
    fn a_kind_of_sink_has_a_sink_to_paste_and_one_of_recovery_nothing() {
        let long = json!({ "list": vec!["a long text of a list"; 10], "url": "http://localhost/" });
        for example in [json!({ "url": "http://localhost/" }), long] {
            let text = block(Sort::Sink, "web", &kind(example, vec![need("http", "http = [\"POST {url}\"]")]));
            let folder = tempfile::tempdir().expect("a temporary folder");
            let file = folder.path().join("sickbay.toml");
            std::fs::write(&file, &text).expect("the folder is writable");
            let config = crate::config::load(&file).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
            assert_eq!((config.sinks.len(), config.sinks[0].grants.http.len()), (1, 1), "{text}");
        }
        let told = |sort: Sort| {
            let mut text = String::new();
            of_kind(&mut text, sort, "web", &kind(json!({}), Vec::new()), layout());
            text
        };
        assert!(told(Sort::Sink).starts_with("\nKind of sink page: One page\n") && told(Sort::Sink).contains("\n[[sink]]\n"));
        assert!(!told(Sort::Recovery).contains("paste"));
        let mut text = String::new();
        let kind =
            kind(json!({ "client": "a" }), vec![need("redis", "redis = [\"cache CLIENT\"]"), need("http", "http = [\"GET {url}\"]")]);
        of_kind(&mut text, Sort::Recovery, "web", &kind, layout());
        let (_, pasted) = text.split_once("\nIts grants, to paste:\n\n").unwrap_or_else(|| panic!("{text}"));
        assert!(pasted.starts_with("# Put what is meant in place of {url}.\n") && !text.contains("[[recovery]]"), "{text}");
        let pasted: toml::Table = pasted.parse().expect("TOML");
        assert_eq!(pasted["grants"].as_table().map(toml::Table::len), Some(2), "{text}");
    }

    #[test]
    fn what_cannot_be_granted_or_is_not_known_is_a_comment() {
        let needs = vec![need("teleport", "teleport = [\"home\"]"), need("http", "http = [\"GET {url}\"]"), need("http", "http = ")];
        let block = block(Sort::Check, "web", &kind(json!({}), needs));
        for part in [
            "\n# It asks for `teleport = [\"home\"]`, which cannot be granted in this version.\n",
            "\n# Put what is meant in place of {url}.\n",
            "\ngrants = { http = [\"GET {url}\"] }\n",
        ] {
            assert!(block.contains(part), "{part}\nis not in\n{block}");
        }
    }

    #[test]
    fn a_hostile_plugin_cannot_write_outside_its_quotes() {
        let hostile = "x\" }\n[server]\nlisten = \"0.0.0.0:1\u{1b}[2J";
        let mut hostile_kind =
            kind(json!({ "url": hostile, hostile: hostile }), vec![need("http", &format!("http = [\"GET {hostile}\"]"))]);
        (hostile_kind.summary, hostile_kind.failures) = (hostile.to_owned(), vec![hostile.to_owned()]);
        let mut text = String::new();
        of_kind(&mut text, Sort::Check, "web", &hostile_kind, layout());
        assert!(!text.contains('\u{1b}') && !text.lines().any(|line| line.trim() == "[server]"), "{text}");
        for sort in [Sort::Check, Sort::Sink] {
            let pasted: toml::Table = block(sort, "web", &hostile_kind).parse().expect("TOML");
            assert_eq!(pasted.keys().collect::<Vec<_>>(), [sort.as_str()]);
        }
    }
}
