//! `sickbay plugin list|inspect NAME`: the plugins of a running Sickbay, as its API tells them.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, ClientArgs, OutputFormat, escaped};
use super::status::{ago, table};
use crate::api::model::{KindItem, LoadFailureItem, PluginDetail, PluginItem};
use crate::clock;

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
    /// Which plugins there are and how they stand
    List(ListArgs),
    /// What one plugin says of itself, what it asks for and what it used
    Inspect(InspectArgs),
}

#[derive(Args)]
struct ListArgs {
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Args)]
struct InspectArgs {
    /// The plugin's name: the name of its file without `.wasm`.
    name: String,
    #[command(flatten)]
    client: ClientArgs,
}

pub fn run(args: PluginArgs) -> anyhow::Result<ExitCode> {
    let text = match args.verb {
        Verb::List(args) => list(&args.client)?,
        Verb::Inspect(args) => inspect(&args.name, &args.client)?,
    };
    super::print_data(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn list(args: &ClientArgs) -> anyhow::Result<String> {
    let client = Client::new(&args.url)?;
    Ok(match args.output {
        OutputFormat::Json => {
            let items: Vec<Value> = Client::block_on(client.list(PLUGINS))?;
            format!("{:#}\n", json!({ "items": items, "next": null }))
        }
        OutputFormat::Text => {
            let plugins: Vec<PluginItem> = Client::block_on(client.list(PLUGINS))?;
            list_text(&plugins, now())
        }
    })
}

fn inspect(name: &str, args: &ClientArgs) -> anyhow::Result<String> {
    let client = Client::new(&args.url)?;
    let path = format!("{PLUGINS}/{}", path_segment(name));
    Ok(match args.output {
        OutputFormat::Json => {
            let plugin: Value = Client::block_on(client.get(&path))?;
            format!("{plugin:#}\n")
        }
        OutputFormat::Text => {
            let plugin: PluginDetail = Client::block_on(client.get(&path))?;
            inspect_text(&plugin, now())
        }
    })
}

fn now() -> Duration {
    Duration::from_millis(clock::now().0)
}

/// A name as one segment of a path, whatever is in it.
fn path_segment(name: &str) -> String {
    let mut segment = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            segment.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

fn list_text(plugins: &[PluginItem], now: Duration) -> String {
    if plugins.is_empty() {
        return "no plugins yet; hint: copy a .wasm file into the plugin folder, or build one with `sickbay build`\n".to_owned();
    }
    let mut rows = vec![["PLUGIN", "STATE", "VERSION", "KINDS", "LOADED", "SIZE", "SHA-256"].map(str::to_owned)];
    rows.extend(plugins.iter().map(|plugin| list_row(plugin, now)));
    let mut text = table(&rows, |_| None);
    for (name, failure) in plugins.iter().filter_map(|plugin| plugin.last_error.as_ref().map(|failure| (&plugin.name, failure))) {
        let _ = write!(text, "\n{}: {}", escaped(name), failure_text(failure, now));
    }
    text
}

fn list_row(plugin: &PluginItem, now: Duration) -> [String; 7] {
    let none = || "-".to_owned();
    [
        plugin.name.clone(),
        plugin.state.as_str().to_owned(),
        plugin.version.clone().unwrap_or_else(none),
        if plugin.kinds.is_empty() { none() } else { plugin.kinds.join(",") },
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

fn inspect_text(detail: &PluginDetail, now: Duration) -> String {
    let plugin = &detail.plugin;
    let mut text = String::new();
    let _ = writeln!(text, "{} {}", escaped(&plugin.name), escaped(plugin.version.as_deref().unwrap_or("(no version serves)")));
    if let Some(summary) = &plugin.summary {
        let _ = writeln!(text, "{}", escaped(summary));
    }
    let facts = [
        ("state", Some(plugin.state.as_str().to_owned())),
        ("loaded", plugin.loaded_at.as_deref().map(|at| ago(Some(at), now))),
        ("versions", Some(format!("{} since Sickbay started", plugin.versions_loaded))),
        ("sha-256", plugin.sha256.clone()),
        ("size", plugin.size_bytes.map(|bytes| ByteSize(bytes).to_string())),
        ("licence", detail.licence.clone()),
        ("homepage", detail.homepage.clone()),
        ("used by", Some(format!("{} checks", detail.checks_configured))),
    ];
    text.push('\n');
    for (name, value) in facts {
        if let Some(value) = value {
            let _ = writeln!(text, "{name:<10}{}", escaped(&value));
        }
    }
    if let Some(failure) = &plugin.last_error {
        let _ = write!(text, "\nA newer file was {}", failure_text(failure, now));
    }
    for kind in &detail.checks {
        kind_text(&mut text, kind);
    }
    usage_text(&mut text, detail);
    names_text(&mut text, "Imports", &detail.imports);
    names_text(&mut text, "Exports", &detail.exports);
    text
}

fn kind_text(text: &mut String, kind: &KindItem) {
    let _ = writeln!(text, "\nKind {}: {}", escaped(&kind.name), escaped(&kind.summary));
    let _ = writeln!(text, "  example  {}", escaped(&kind.example.to_string()));
    for need in &kind.needs {
        let _ = writeln!(text, "  needs    {}  ({}: {})", escaped(&need.grant), escaped(&need.capability), escaped(&need.reason));
    }
    for metric in &kind.metrics {
        let unit = if metric.unit.is_empty() { String::new() } else { format!(" in {}", metric.unit) };
        let _ = writeln!(text, "  metric   {}: {}{}", escaped(&metric.name), escaped(&metric.summary), escaped(&unit));
    }
}

fn usage_text(text: &mut String, detail: &PluginDetail) {
    let peak = &detail.peak_usage;
    let _ = writeln!(text, "\nThe most that one run used");
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
}

fn names_text(text: &mut String, title: &str, names: &[String]) {
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
    use super::*;
    use crate::api::model::{NeedItem, PeakUsageItem, PluginState};

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn plugin() -> PluginItem {
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
        }
    }

    fn refused() -> PluginItem {
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
        }
    }

    fn detail(plugin: PluginItem) -> PluginDetail {
        PluginDetail {
            plugin,
            homepage: None,
            licence: Some("Apache-2.0".to_owned()),
            imports: vec!["sickbay:plugin/http".to_owned()],
            exports: vec!["sickbay:plugin/check".to_owned()],
            checks: vec![KindItem {
                name: "http".to_owned(),
                summary: "One request".to_owned(),
                config_schema: json!({}),
                example: json!({ "url": "http://localhost/" }),
                needs: vec![NeedItem {
                    capability: "http".to_owned(),
                    reason: "to ask".to_owned(),
                    grant: "http = [\"GET {url}\"]".to_owned(),
                }],
                metrics: Vec::new(),
                failures: Vec::new(),
            }],
            checks_configured: 3,
            peak_usage: PeakUsageItem { cpu_ms: 4, memory_bytes: 0, host_calls: 1, bytes_in: 0, bytes_out: 0, rows: 0, log_bytes: 0 },
        }
    }

    #[test]
    fn a_list_names_what_was_refused_below_the_table() {
        let text = list_text(&[plugin(), refused()], NOW);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("http    loaded    1.2.0    http,websocket  1m ago"), "{text}");
        assert!(lines[2].starts_with("broken  rejected  -        -               never"), "{text}");
        assert_eq!(lines[4..], ["broken: refused 3s ago: it is native code\\u{1b}[2J", "  hint: build it for wasm32-wasip2"]);
    }

    #[test]
    fn a_plugin_is_told_with_the_grants_that_it_needs() {
        let text = inspect_text(&detail(plugin()), NOW);
        assert!(text.starts_with("http 1.2.0\nAsks HTTP servers\n\nstate     loaded\n"), "{text}");
        assert!(text.contains("  needs    http = [\"GET {url}\"]  (http: to ask)\n"), "{text}");
        assert!(text.contains("  example  {\"url\":\"http://localhost/\"}\n"), "{text}");
        assert!(!text.contains("homepage"), "{text}");
    }

    #[test]
    fn a_plugin_without_a_version_says_so_and_why() {
        let text = inspect_text(&detail(refused()), NOW);
        assert!(text.starts_with("broken (no version serves)\n"), "{text}");
        assert!(text.contains("refused 3s ago: it is native code\\u{1b}[2J"), "{text}");
    }

    #[test]
    fn a_name_stays_one_segment_of_the_path() {
        assert_eq!(path_segment("my-check_1.0"), "my-check_1.0");
        assert_eq!(path_segment("../livez?x#é"), "..%2Flivez%3Fx%23%C3%A9");
    }
}
