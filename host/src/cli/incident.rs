//! `sickbay incident list|show|ack|note`: what fires, why who is told, and what a person does about it; of a running Sickbay.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::client::{Client, ClientArgs, OutputFormat, path_segment};
use super::status::ago;
use super::table::{Last, Layout, table};
use crate::api::model::{ExplanationItem, IncidentDetail, IncidentItem};
use crate::clock;
use crate::config::counted;
use crate::escape::escaped;

const INCIDENTS: &str = "/api/v1/incidents";

#[derive(Args)]
pub struct IncidentArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    #[command(
        about = "List incidents: those that are open, where nothing else is asked for",
        after_help = "ALERT is the alert's name, with the check behind it where that has another one. ID is what the other verbs take.\n\n\
                      Examples:\n  sickbay incident list\n  sickbay incident list --state all --check api\n  \
                      sickbay incident list 'service=\"shop\"' 'severity=~\"P0|P1\"'\n  sickbay incident list -o json\n\n\
                      Exit codes: 0 answered, 1 Sickbay does not answer, 2 wrong usage."
    )]
    List(ListArgs),
    #[command(
        about = "Show one incident: its timeline, who was told, why, and what happens next",
        after_help = "Examples:\n  sickbay incident show 01JH2Q0M5T7V8W9X0Y1Z2A3B4C\n  sickbay incident show 01JH2Q0M5T7V8W9X0Y1Z2A3B4C -o json\n\n\
                      Exit codes: 0 told, 1 Sickbay does not answer or knows no such incident, 2 wrong usage."
    )]
    Show(ShowArgs),
    #[command(
        about = "Take an incident: nobody else is called and reminded while it is yours",
        after_help = "What was still to be told of it, reminders and rungs of an escalation, stops; its end is told all the same.\n\n\
                      Examples:\n  sickbay incident ack 01JH2Q0M5T7V8W9X0Y1Z2A3B4C\n  \
                      sickbay incident ack 01JH2Q0M5T7V8W9X0Y1Z2A3B4C --for 2h --note \"on it\"\n\n\
                      Exit codes: 0 taken, 1 Sickbay does not answer, knows no such incident, or it is over, 2 wrong usage."
    )]
    Ack(AckArgs),
    #[command(
        about = "Write a line into the timeline of an incident, also of one that is over",
        after_help = "Example:\n  sickbay incident note 01JH2Q0M5T7V8W9X0Y1Z2A3B4C \"the disk was full\"\n\n\
                      Exit codes: 0 written, 1 Sickbay does not answer or knows no such incident, 2 wrong usage."
    )]
    Note(NoteArgs),
}

#[derive(Args)]
struct ListArgs {
    /// All of them have to match: a label, one of = != =~ !~ and a value, for example 'service="shop"'
    #[arg(value_name = "MATCHER")]
    matchers: Vec<String>,
    /// Which ones: those that are open, those that are over, or both
    #[arg(long, value_enum, default_value_t = State::Open, value_name = "STATE")]
    state: State,
    /// Only those of one check
    #[arg(long, value_name = "NAME")]
    check: Option<String>,
    /// Only those of one severity: P0, P1, P2 or P3
    #[arg(long, value_name = "SEVERITY")]
    severity: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum State {
    // Without documentation of their own, so that help shows them on one line.
    Open,
    Resolved,
    All,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Resolved => "resolved",
            State::All => "all",
        }
    }
}

#[derive(Args)]
struct ShowArgs {
    /// As `sickbay incident list` shows it
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Args)]
struct AckArgs {
    /// As `sickbay incident list` shows it
    #[arg(value_name = "ID")]
    id: String,
    /// How long it is yours: 30m, 2h, 7d, at most 366d; where it is left out, until it is resolved
    #[arg(long = "for", value_name = "SPAN", conflicts_with = "until")]
    lasts: Option<String>,
    /// Until when it is yours, as RFC 3339: 2027-01-31T18:00:00Z
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// For those who look at it
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Who takes it; where Sickbay asks for a token, the token says who
    #[arg(long, env = "USER", hide_env_values = true, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Args)]
struct NoteArgs {
    /// As `sickbay incident list` shows it
    #[arg(value_name = "ID")]
    id: String,
    /// One line, for example "the disk was full"
    #[arg(value_name = "TEXT")]
    text: String,
    /// Who writes it; where Sickbay asks for a token, the token says who
    #[arg(long, env = "USER", hide_env_values = true, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
}

pub fn run(args: IncidentArgs) -> anyhow::Result<ExitCode> {
    let text = match args.verb {
        Verb::List(args) => list(&args)?,
        Verb::Show(args) => show(&args)?,
        Verb::Ack(args) => {
            let body = json!({ "by": args.by, "note": args.note, "until": args.until, "for": args.lasts });
            changed(&args.client, &args.id, "ack", &body, |item| format!("{} is yours: {}\n", escaped(&item.id), escaped(&item.told())))?
        }
        Verb::Note(args) => {
            let body = json!({ "by": args.by, "text": args.text });
            changed(&args.client, &args.id, "note", &body, |item| format!("written down for {}\n", escaped(&item.id)))?
        }
    };
    super::print_data(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn list(args: &ListArgs) -> anyhow::Result<String> {
    let client = Client::of(&args.client)?;
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("state", args.state.as_str());
    query.extend_pairs(args.check.iter().map(|check| ("check", check)));
    query.extend_pairs(args.severity.iter().map(|severity| ("severity", severity)));
    query.extend_pairs(args.matchers.iter().map(|matcher| ("matcher", matcher)));
    let path = format!("{INCIDENTS}?{}", query.finish());
    Ok(match args.client.output {
        OutputFormat::Json => {
            let items: Vec<Value> = Client::block_on(client.list(&path))?;
            format!("{:#}\n", json!({ "items": items, "next": null }))
        }
        OutputFormat::Text => {
            let items: Vec<IncidentItem> = Client::block_on(client.list(&path))?;
            list_text(&items, args.state, Layout::for_stdout(Last::Cut), now())
        }
    })
}

fn show(args: &ShowArgs) -> anyhow::Result<String> {
    let client = Client::of(&args.client)?;
    // What the API gave, also what this version does not know.
    let incident: Value = Client::block_on(client.get(&path_of(&args.id)))?;
    Ok(match args.client.output {
        OutputFormat::Json => format!("{incident:#}\n"),
        OutputFormat::Text => show_text(&serde_json::from_value(incident)?, now()),
    })
}

fn changed(args: &ClientArgs, id: &str, what: &str, body: &Value, text: impl Fn(&IncidentItem) -> String) -> anyhow::Result<String> {
    let client = Client::of(args)?;
    let incident: Value = Client::block_on(client.post(&format!("{}/{what}", path_of(id)), body))?;
    Ok(match args.output {
        OutputFormat::Json => format!("{incident:#}\n"),
        OutputFormat::Text => text(&serde_json::from_value(incident)?),
    })
}

fn path_of(id: &str) -> String {
    format!("{INCIDENTS}/{}", path_segment(id))
}

fn now() -> Duration {
    Duration::from_millis(clock::now().0)
}

/// What the alert is called, as routes and silences match it; of a check mostly the check's name.
fn name(item: &IncidentItem) -> &str {
    item.labels.get("alertname").map(String::as_str).or(item.check.as_deref()).unwrap_or("-")
}

/// The name, and of which check it is where that has another one: `SickbayCheckUnknown (api)`.
fn name_and_check(item: &IncidentItem) -> String {
    match item.check.as_deref() {
        Some(check) if check != name(item) => format!("{} ({check})", name(item)),
        _ => name(item).to_owned(),
    }
}

fn list_text(items: &[IncidentItem], state: State, layout: Layout, now: Duration) -> String {
    if items.is_empty() {
        let which = if state == State::Open { "open incidents" } else { "incidents" };
        return format!("no {which}\n");
    }
    let mut rows = vec![["ID", "SEVERITY", "PHASE", "ALERT", "BEGAN", "SUMMARY"].map(str::to_owned)];
    rows.extend(items.iter().map(|item| {
        let mute = item.mute.as_ref().map_or("", |_| ", mute");
        let cells = [
            item.id.clone(),
            item.severity.clone(),
            format!("{}{mute}", item.phase),
            name_and_check(item),
            ago(Some(&item.started_at), now),
            item.told(),
        ];
        cells.map(|cell| escaped(&cell).to_string())
    }));
    table(&rows, layout, |_, _| None)
}

fn show_text(detail: &IncidentDetail, now: Duration) -> String {
    let item = &detail.incident;
    let moment = |at: &String| format!("{} ({at})", ago(Some(at), now));
    let labels: Vec<String> = item.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    let ack = item.ack.as_ref().map(|ack| {
        let until = ack.until.as_ref().map_or_else(String::new, |until| format!(" until {until}"));
        let note = ack.note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
        format!("{}, {}{until}{note}", ack.by, ago(Some(&ack.at), now))
    });
    let facts = [
        ("summary", Some(item.told())),
        ("reason", Some(format!("{}: {}", item.reason, item.reason_detail))),
        ("failure", item.failure.clone()),
        ("began", Some(moment(&item.started_at))),
        ("ended", item.ended_at.as_ref().map(moment)),
        ("because", item.resolution.clone()),
        ("taken by", ack),
        ("not told", item.mute.as_ref().map(|mute| mute.detail.clone())),
        (
            "dependents",
            Some(item.dependents).filter(|count| *count > 0).map(|count| format!("{} unreachable because of it", counted(count, "check"))),
        ),
        ("labels", Some(labels.join(", "))),
        ("origin", item.generator_url.clone()),
    ];
    let head = format!("{}: {} {} ({})\n", name_and_check(item), item.severity, item.status.as_str(), item.phase);
    let mut text = escaped(head.trim_end()).to_string() + "\n";
    for (name, value) in facts {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<11}{}", escaped(&value));
        }
    }
    text.push_str("\nTIMELINE\n");
    for line in &detail.timeline {
        let _ = writeln!(text, "  {}  {}", escaped(&line.at), escaped(&line.text));
    }
    if let Some(explanation) = &detail.explanation {
        explained(&mut text, explanation);
    }
    text
}

/// Why who is told, and what happens next.
pub(super) fn explained(text: &mut String, explanation: &ExplanationItem) {
    // Writing to a string cannot fail.
    if !explanation.says.is_empty() {
        text.push_str("\nWHY\n");
    }
    for said in &explanation.says {
        let _ = writeln!(text, "  {}", escaped(said));
    }
    if !explanation.routes.is_empty() {
        text.push_str("\nROUTES\n");
    }
    for route in &explanation.routes {
        let mute = route.mute.as_ref().map_or_else(String::new, |mute| format!(", not now: {}", mute.detail));
        let sinks = if route.sinks.is_empty() { "nobody".to_owned() } else { route.sinks.join(", ") };
        let _ = writeln!(text, "  {} to {}{}", escaped(&route.group), escaped(&sinks), escaped(&mute));
    }
    if !explanation.told.is_empty() {
        text.push_str("\nTOLD\n");
    }
    for told in &explanation.told {
        let on_its_way = told.delivery.as_ref().map_or_else(String::new, |id| format!(", {id} is on its way"));
        let _ = writeln!(text, "  {} {} {}{}", escaped(&told.sink), escaped(&told.standing), escaped(&told.phase), escaped(&on_its_way));
    }
    if !explanation.next.is_empty() {
        text.push_str("\nNEXT\n");
    }
    for step in &explanation.next {
        let _ = writeln!(text, "  {}  {}", escaped(&step.at), escaped(&step.what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn detail() -> IncidentDetail {
        let detail = json!({
            "id": "01JH2Q0M5T7V8W9X0Y1Z2A3B4C", "phase": "acknowledged", "severity": "P1", "status": "critical", "check": "api",
            "target": null, "summary": "no answer\u{1b}[2J", "reason": "Reported", "reason_detail": "the plugin reported critical",
            "failure": "timeout", "evidence": [], "labels": { "service": "shop" }, "fingerprint": "0000000000000001", "annotations": {},
            "generator_url": null, "started_at": "2023-11-14T22:12:20.000Z", "ended_at": null, "resolution": null,
            "ack": { "by": "anna", "at": "2023-11-14T22:12:50.000Z", "until": null, "note": "on it" },
            "mute": { "name": "SilencedBy", "detail": "silence 01A", "until": null }, "unreachable_by": null, "was_told": true,
            "timeline": [{ "number": 1, "at": "2023-11-14T22:12:20.000Z", "name": "Opened", "text": "opened: critical" }],
            "explanation": {
                "routes": [{
                    "route": "{}", "matchers": [], "group": "{}:{}", "sinks": ["oncall"], "escalate": [], "rungs_climbed": 0,
                    "group_wait_seconds": 30.0, "group_interval_seconds": 300.0, "repeat_interval_seconds": 14400.0, "mute": null,
                }],
                "mute": null,
                "told": [{
                    "sink": "oncall", "group": "{}:{}", "phase": "firing", "standing": "Knows", "last_told_at": null, "delivery": null,
                }],
                "next": [{ "at": "2023-11-15T02:12:20.000Z", "what": "`oncall` is reminded" }],
            },
        });
        serde_json::from_value(detail).expect("an incident of the API")
    }

    #[test]
    fn a_list_has_a_row_for_each_incident_and_cannot_write_on_the_terminal() {
        let layout = Layout { line_characters_max: None, last: Last::Cut };
        let text = list_text(&[detail().incident], State::Open, layout, NOW);
        let row = text.lines().nth(1).expect("a row");
        assert!(row.starts_with("01JH2Q0M5T7V8W9X0Y1Z2A3B4C  P1        acknowledged, mute  api    1m ago  no answer\\u{1b}[2J"), "{text}");
        let mut unknown = detail().incident;
        unknown.labels.insert("alertname".to_owned(), "SickbayCheckUnknown".to_owned());
        let text = list_text(&[unknown], State::Open, layout, NOW);
        assert!(text.lines().nth(1).is_some_and(|row| row.contains("  SickbayCheckUnknown (api)  1m ago")), "{text}");
        assert_eq!(list_text(&[], State::Open, layout, NOW), "no open incidents\n");
    }

    #[test]
    fn one_incident_is_told_with_its_timeline_and_what_happens_next() {
        let text = show_text(&detail(), NOW);
        for line in [
            "api: P1 critical (acknowledged)",
            "summary    no answer\\u{1b}[2J",
            "taken by   anna, 30s ago: on it",
            "not told   silence 01A",
            "labels     service=\"shop\"",
            "  2023-11-14T22:12:20.000Z  opened: critical",
            "  {}:{} to oncall",
            "  oncall Knows firing",
            "  2023-11-15T02:12:20.000Z  `oncall` is reminded",
        ] {
            assert!(text.lines().any(|written| written == line), "{line} is not in\n{text}");
        }
    }
}
