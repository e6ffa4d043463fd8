//! `sickbay plugin list` and `sickbay inspect NAME|FILE` (`sickbay plugin inspect`): the plugins of a running Sickbay, as its API tells them,
//! or one file that is described without one.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use self::inspect::Seen;
use super::client::{Client, ClientArgs, OutputFormat, path_segment};
use super::status::ago;
use super::table::{Last, Layout, table};
use crate::api::model::{LoadFailureItem, PluginDetail, PluginItem, QuarantineItem, Uses};
use crate::clock;
use crate::config::{Isolation, nearest};
use crate::daemon::folder::name_of;
use crate::escape::escaped;
use crate::failure::Failure;
use crate::plugins::Registry;

mod inline;
mod inspect;
mod keys;

const PLUGINS: &str = "/api/v1/plugins";
/// What of a digest a table shows.
const DIGEST_CHARACTERS: usize = 12;

#[derive(Args)]
pub struct PluginArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    #[command(
        about = "List the plugins of a running Sickbay: how they stand, and why a file was refused",
        after_help = "Examples:\n  sickbay plugin list\n  sickbay plugin list -o json\n\n\
                      Exit codes: 0 answered, 1 Sickbay does not answer, 2 wrong usage."
    )]
    List(ListArgs),
    #[command(
        about = "Show what one plugin offers: its kinds with their keys, grants and metrics, and a [[check]] or a [[sink]] to paste",
        after_help = "A NAME is looked up in a running Sickbay. A FILE (anything with a `/` or `.wasm` at its end) is described here, in the sandbox, \
                      without a running Sickbay and with nothing granted.\n\n\
                      Examples:\n  sickbay plugin inspect http\n  sickbay plugin inspect target/plugins/http.wasm\n  \
                      sickbay plugin inspect http -o json   with the JSON Schema of each kind\n\n\
                      Exit codes: 0 told, 1 Sickbay does not answer, knows no such plugin, or the file is refused, 2 wrong usage."
    )]
    Inspect(InspectArgs),
}

#[derive(Args)]
struct ListArgs {
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Args)]
pub struct InspectArgs {
    /// A plugin of a running Sickbay (its file's name without .wasm), or the .wasm file of any plugin
    #[arg(value_name = "NAME|FILE")]
    plugin: String,
    /// Only this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
}

pub fn run(args: PluginArgs) -> anyhow::Result<ExitCode> {
    let text = match args.verb {
        Verb::List(args) => list(&args.client)?,
        Verb::Inspect(args) => return run_inspect(&args),
    };
    super::print_data(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// `sickbay inspect`, which is `sickbay plugin inspect` too.
pub(super) fn run_inspect(args: &InspectArgs) -> anyhow::Result<ExitCode> {
    let text = if is_file(&args.plugin) { inspect_file(args)? } else { inspect_name(args)? };
    super::print_data(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn list(args: &ClientArgs) -> anyhow::Result<String> {
    let client = Client::of(args)?;
    Ok(match args.output {
        OutputFormat::Json => {
            let items: Vec<Value> = Client::block_on(client.list(PLUGINS))?;
            format!("{:#}\n", json!({ "items": items, "next": null }))
        }
        OutputFormat::Text => {
            let plugins: Vec<PluginItem> = Client::block_on(client.list(PLUGINS))?;
            list_text(&plugins, Layout::for_stdout(Last::Cut), now())
        }
    })
}

fn is_file(text: &str) -> bool {
    text.contains('/') || text.ends_with(".wasm")
}

fn inspect_name(args: &InspectArgs) -> anyhow::Result<String> {
    let client = Client::of(&args.client)?;
    let path = format!("{PLUGINS}/{}", path_segment(&args.plugin));
    // What the API gave, also what this version does not know.
    let plugin = only_kind(Client::block_on(client.get(&path))?, args.kind.as_deref())?;
    inspected(plugin, Seen::Running, args.client.output)
}

fn inspect_file(args: &InspectArgs) -> anyhow::Result<String> {
    let file = Path::new(&args.plugin);
    let plugin = super::serve::runtime()?.block_on(async {
        let (_services, loaded) = super::probe::load_file(file).await?;
        // A file may have a name that no plugin can.
        let slot = Registry::default().slot(&name_of(file).unwrap_or_else(|| "plugin".to_owned()), 1);
        slot.swap(loaded);
        anyhow::Ok(PluginDetail::of(&slot, Isolation::Fresh, Uses::default()))
    })?;
    let plugin = only_kind(serde_json::to_value(&plugin)?, args.kind.as_deref())?;
    inspected(plugin, Seen::File, args.client.output)
}

fn inspected(plugin: Value, seen: Seen, output: OutputFormat) -> anyhow::Result<String> {
    Ok(match output {
        OutputFormat::Json => format!("{plugin:#}\n"),
        OutputFormat::Text => {
            let plugin: PluginDetail = serde_json::from_value(plugin)?;
            inspect::text(&plugin, seen, Layout::for_stdout(Last::Wrapped), now())
        }
    })
}

/// `plugin` with one of its kinds, where one is asked for.
fn only_kind(mut plugin: Value, kind: Option<&str>) -> Result<Value, Failure> {
    let Some(kind) = kind else { return Ok(plugin) };
    let name_of = |kind: &Value| kind.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let (mut names, mut is_there) = (Vec::new(), false);
    for sort in ["checks", "recoveries", "sinks"] {
        let Some(Value::Array(kinds)) = plugin.get_mut(sort) else { continue };
        names.extend(kinds.iter().map(name_of));
        kinds.retain(|known| name_of(known) == kind);
        is_there |= !kinds.is_empty();
    }
    // Where no version serves, that is what there is to tell.
    if is_there || names.is_empty() {
        return Ok(plugin);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let hint = match nearest(kind, &names) {
        Some(meant) => format!("did you mean `{}`?", escaped(meant)),
        None => format!("its kinds are {}", escaped(&names.join(", "))),
    };
    Err(Failure::usage(format!("the plugin has no kind `{}`", escaped(kind))).with_hint(hint))
}

fn now() -> Duration {
    Duration::from_millis(clock::now().0)
}

fn list_text(plugins: &[PluginItem], layout: Layout, now: Duration) -> String {
    if plugins.is_empty() {
        return "no plugins yet; hint: copy a .wasm file into the plugin folder, or build one with `sickbay build`\n".to_owned();
    }
    let mut rows = vec![["PLUGIN", "STATE", "VERSION", "KINDS", "LOADED", "SIZE", "SHA256"].map(str::to_owned)];
    rows.extend(plugins.iter().map(|plugin| list_row(plugin, now)));
    let mut text = table(&rows, layout, |_, _| None);
    for (name, failure) in plugins.iter().filter_map(|plugin| plugin.last_error.as_ref().map(|failure| (&plugin.name, failure))) {
        let _ = write!(text, "\n{}: {}", escaped(name), failure_text(failure, now));
    }
    for (name, waiting) in plugins.iter().filter_map(|plugin| plugin.quarantine.as_ref().map(|waiting| (&plugin.name, waiting))) {
        let _ = write!(text, "\n{}: {}", escaped(name), quarantine_text(waiting, now));
    }
    text
}

fn list_row(plugin: &PluginItem, now: Duration) -> [String; 7] {
    let none = || "-".to_owned();
    [
        plugin.name.clone(),
        plugin.state.as_str().to_owned(),
        plugin.version.clone().unwrap_or_else(none),
        if plugin.kinds.is_empty() { none() } else { plugin.kinds.join(", ") },
        ago(plugin.loaded_at.as_deref(), now),
        plugin.size_bytes.map_or_else(none, |bytes| ByteSize(bytes).to_string()),
        plugin.sha256.as_deref().map_or_else(none, |digest| digest.chars().take(DIGEST_CHARACTERS).collect()),
    ]
    .map(|cell| escaped(&cell).to_string())
}

fn failure_text(failure: &LoadFailureItem, now: Duration) -> String {
    let mut text = format!("refused {}: {}\n", escaped(&ago(Some(&failure.at), now)), escaped(&failure.message));
    if let Some(hint) = &failure.hint {
        let _ = writeln!(text, "  hint: {}", escaped(hint));
    }
    text
}

fn quarantine_text(waiting: &QuarantineItem, now: Duration) -> String {
    let mut text = format!(
        "version {} came {} and is in quarantine: it asks for more than is granted\n",
        escaped(&waiting.version),
        escaped(&ago(Some(&waiting.since), now))
    );
    for line in &waiting.diff {
        let _ = writeln!(text, "  {}", escaped(line));
    }
    let _ = writeln!(text, "  hint: {}", escaped(&waiting.hint));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::model::{KindItem, MetricInfoItem, NeedItem, PeakUsageItem, PluginState, ProducerItem};

    pub(super) const NOW: Duration = Duration::from_secs(1_700_000_000);

    #[test]
    fn one_kind_is_shown_where_one_is_asked_for() {
        let plugin = || json!({ "name": "net", "checks": [{ "name": "dns" }, { "name": "smtp" }], "sinks": [{ "name": "mail" }] });
        assert_eq!(only_kind(plugin(), None).expect("all of it"), plugin());
        let dns = only_kind(plugin(), Some("dns")).expect("a kind");
        assert_eq!((&dns["checks"], &dns["sinks"]), (&json!([{ "name": "dns" }]), &json!([])));
        assert_eq!(only_kind(plugin(), Some("mail")).expect("a kind")["sinks"], json!([{ "name": "mail" }]));
        let failure = only_kind(plugin(), Some("smpt")).expect_err("no kind");
        assert_eq!((failure.to_string().as_str(), failure.hint()), ("the plugin has no kind `smpt`", Some("did you mean `smtp`?")));
    }

    pub(super) fn layout() -> Layout {
        Layout { line_characters_max: None, last: Last::Wrapped }
    }

    pub(super) fn plugin() -> PluginItem {
        PluginItem {
            name: "http".to_owned(),
            state: PluginState::Loaded,
            version: Some("1.2.0".to_owned()),
            summary: Some("Asks HTTP servers".to_owned()),
            kinds: vec!["http".to_owned(), "websocket".to_owned()],
            sha256: Some("0123456789abcdef".repeat(4)),
            size_bytes: Some(100 << 10),
            loaded_at: Some("2023-11-14T22:12:20.000Z".to_owned()),
            versions_loaded: 2,
            last_error: None,
            quarantine: None,
        }
    }

    pub(super) fn refused() -> PluginItem {
        PluginItem {
            name: "broken".to_owned(),
            state: PluginState::Rejected,
            version: None,
            summary: None,
            kinds: Vec::new(),
            sha256: None,
            size_bytes: None,
            loaded_at: None,
            versions_loaded: 0,
            last_error: Some(LoadFailureItem {
                at: "2023-11-14T22:13:17.000Z".to_owned(),
                message: "it is native code\u{1b}[2J".to_owned(),
                hint: Some("build it for wasm32-wasip2".to_owned()),
                sha256: None,
            }),
            quarantine: None,
        }
    }

    fn metric(name: &str, unit: &str, summary: &str) -> MetricInfoItem {
        MetricInfoItem { name: name.to_owned(), kind: "gauge".to_owned(), unit: unit.to_owned(), summary: summary.to_owned() }
    }

    pub(super) fn detail(plugin: PluginItem) -> PluginDetail {
        PluginDetail {
            plugin,
            homepage: None,
            licence: Some("Apache-2.0".to_owned()),
            contract: Some("sickbay:plugin@0.1.0".to_owned()),
            imports: vec!["sickbay:plugin/http".to_owned()],
            exports: vec!["sickbay:plugin/check".to_owned()],
            producers: [("language", "Rust", ""), ("processed-by", "rustc", "1.95.0\u{1b}[2J")]
                .map(|(role, name, version)| ProducerItem { role: role.to_owned(), name: name.to_owned(), version: version.to_owned() })
                .to_vec(),
            head_start: Some("refused: it prints: a".to_owned()),
            versions: Vec::new(),
            needs: Vec::new(),
            checks: vec![KindItem {
                name: "http".to_owned(),
                summary: "One request".to_owned(),
                config_schema: json!({
                    "properties": {
                        "method": { "type": "string", "default": "GET" },
                        "url": { "type": "string", "description": "Where\n to look" },
                    },
                    "required": ["url"],
                }),
                example: json!({ "url": "http://localhost/" }),
                needs: vec![NeedItem {
                    capability: "http".to_owned(),
                    reason: "to ask".to_owned(),
                    grant: "http = [\"{method} {url}\"]".to_owned(),
                }],
                metrics: vec![
                    metric("latency_seconds", "seconds", "how long it took"),
                    metric("status", "", "of the answer"),
                    metric("used_ratio", "ratio", ""),
                ],
                failures: vec!["refused".to_owned(), "timeout".to_owned()],
            }],
            recoveries: Vec::new(),
            sinks: Vec::new(),
            isolation: "fresh".to_owned(),
            checks_configured: 1,
            sinks_configured: 0,
            peak_usage: PeakUsageItem { cpu_ms: 4, memory_bytes: 0, host_calls: 1, bytes_in: 0, bytes_out: 0, rows: 0, log_bytes: 0 },
            capability_calls: [("http", 4), ("redis", 0)].map(|(capability, calls)| (capability.to_owned(), calls)).into(),
        }
    }

    #[test]
    fn a_list_names_what_was_refused_below_the_table() {
        let text = list_text(&[plugin(), refused()], layout(), NOW);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("http    loaded    1.2.0    http, websocket  1m ago"), "{text}");
        assert!(lines[2].starts_with("broken  rejected  -        -                never"), "{text}");
        assert_eq!(lines[4..], ["broken: refused 3s ago: it is native code\\u{1b}[2J", "  hint: build it for wasm32-wasip2"]);
    }

    #[test]
    fn a_list_tells_below_the_table_what_waits_in_quarantine() {
        let waiting = QuarantineItem {
            since: "2023-11-14T22:13:17.000Z".to_owned(),
            version: "2.0.0".to_owned(),
            sha256: "0".repeat(64),
            diff: vec!["+ http: http = [\"POST {url}\"]\u{1b}[2J".to_owned()],
            hint: "grant it".to_owned(),
        };
        let plugin = PluginItem { state: PluginState::Quarantined, quarantine: Some(waiting), ..plugin() };
        let text = list_text(&[plugin], layout(), NOW);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("http    quarantined  1.2.0"), "{text}");
        assert_eq!(
            lines[3..],
            [
                "http: version 2.0.0 came 3s ago and is in quarantine: it asks for more than is granted",
                "  + http: http = [\"POST {url}\"]\\u{1b}[2J",
                "  hint: grant it",
            ]
        );
    }

    #[test]
    fn a_file_is_told_from_a_name() {
        for file in ["http.wasm", "./http", "target/plugins/http.wasm"] {
            assert!(is_file(file), "{file}");
        }
        for name in ["http", "my-check_1.0"] {
            assert!(!is_file(name), "{name}");
        }
    }
}
