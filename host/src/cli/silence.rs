//! `sickbay silence add|list|expire`: what nobody is told of for a while; of a running Sickbay.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, ClientArgs, OutputFormat, path_segment};
use super::table::{Last, Layout, table};
use crate::api::model::SilenceItem;
use crate::escape::escaped;

const SILENCES: &str = "/api/v1/silences";

#[derive(Args)]
pub struct SilenceArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    #[command(
        about = "Mute what matches for a time; checks run on, and who was told of a begin is told the end",
        after_help = "A matcher is a label, one of = != =~ !~ and a value; a pattern matches the whole value. `status` and `severity` can be matched \
                      too.\n\n\
                      Examples:\n  sickbay silence add 'service=\"api\"' --for 2h --comment \"moving the database\"\n  \
                      sickbay silence add 'check=~\"db-.*\"' 'severity!=\"P0\"' --until 2027-01-31T18:00:00Z\n  \
                      sickbay silence add 'alertname=\"NodeDown\"' --for 1h --allow-unmatched   what others post\n\n\
                      Exit codes: 0 made, 1 Sickbay does not answer or refuses it, 2 wrong usage."
    )]
    Add(AddArgs),
    #[command(
        about = "List silences: those that are active or to come",
        after_help = "Examples:\n  sickbay silence list\n  sickbay silence list --all -o json\n\n\
                      Exit codes: 0 answered, 1 Sickbay does not answer, 2 wrong usage."
    )]
    List(ListArgs),
    #[command(
        about = "End a silence now",
        after_help = "Example:\n  sickbay silence expire 01JH2Q0M5T7V8W9X0Y1Z2A3B4C\n\n\
                      Exit codes: 0 ended, 1 Sickbay does not answer, knows no such silence, or it is over, 2 wrong usage."
    )]
    Expire(ExpireArgs),
}

#[derive(Args)]
struct AddArgs {
    /// All of them have to match, for example 'service="api"'
    #[arg(value_name = "MATCHER", required = true)]
    matchers: Vec<String>,
    /// How long: 30m, 2h, 7d; at most 366d
    #[arg(long = "for", value_name = "SPAN", conflicts_with = "until", required_unless_present = "until")]
    lasts: Option<String>,
    /// Until when, as RFC 3339: 2027-01-31T18:00:00Z, or with +01:00 in place of Z; at most 5 years ahead
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// From when on, as RFC 3339: 2027-01-31T16:00:00Z; now, where it is left out
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Why, for those who look at it: "moving the database"
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// Who makes it; where Sickbay asks for a token, the token says who
    #[arg(long, env = "USER", hide_env_values = true, value_name = "NAME")]
    by: Option<String>,
    /// Also where no check and no open incident matches
    #[arg(long)]
    allow_unmatched: bool,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Args)]
struct ListArgs {
    /// Those that are over too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Args)]
struct ExpireArgs {
    /// As `sickbay silence list` shows it
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    client: ClientArgs,
}

pub fn run(args: SilenceArgs) -> anyhow::Result<ExitCode> {
    let text = match args.verb {
        Verb::Add(args) => add(&args)?,
        Verb::List(args) => list(&args)?,
        Verb::Expire(args) => expire(&args)?,
    };
    super::print_data(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn add(args: &AddArgs) -> anyhow::Result<String> {
    let client = Client::of(&args.client)?;
    let made: Value = Client::block_on(client.post(SILENCES, &body(args)))?;
    one(made, args.client.output, |silence| format!("{} mutes {} until {}", silence.id, silence.matchers.join(", "), silence.ends_at))
}

fn body(args: &AddArgs) -> Value {
    json!({
        "matchers": args.matchers,
        "starts_at": args.from,
        "ends_at": args.until,
        "for": args.lasts,
        "comment": args.comment,
        "by": args.by,
        "allow_unmatched": args.allow_unmatched,
    })
}

fn expire(args: &ExpireArgs) -> anyhow::Result<String> {
    let client = Client::of(&args.client)?;
    let ended: Value = Client::block_on(client.delete(&format!("{SILENCES}/{}", path_segment(&args.id))))?;
    one(ended, args.client.output, |silence| format!("{} is over", silence.id))
}

fn one(silence: Value, output: OutputFormat, text: impl Fn(&SilenceItem) -> String) -> anyhow::Result<String> {
    Ok(match output {
        OutputFormat::Json => format!("{silence:#}\n"),
        OutputFormat::Text => format!("{}\n", escaped(&text(&serde_json::from_value(silence)?))),
    })
}

fn list(args: &ListArgs) -> anyhow::Result<String> {
    let client = Client::of(&args.client)?;
    let path = format!("{SILENCES}?state={}", if args.all { "all" } else { "current" });
    Ok(match args.client.output {
        OutputFormat::Json => {
            let items: Vec<Value> = Client::block_on(client.list(&path))?;
            format!("{:#}\n", json!({ "items": items, "next": null }))
        }
        OutputFormat::Text => {
            let items: Vec<SilenceItem> = Client::block_on(client.list(&path))?;
            list_text(&items, Layout::for_stdout(Last::Cut))
        }
    })
}

fn list_text(items: &[SilenceItem], layout: Layout) -> String {
    if items.is_empty() {
        return "no silences\n".to_owned();
    }
    let mut rows = vec![["ID", "STATE", "MATCHERS", "UNTIL", "BY", "COMMENT"].map(str::to_owned)];
    rows.extend(items.iter().map(|item| {
        let until = if item.state == "pending" { format!("from {} to {}", item.starts_at, item.ends_at) } else { item.ends_at.clone() };
        let cells = [item.id.clone(), item.state.clone(), item.matchers.join(", "), until, item.created_by.clone(), item.comment.clone()];
        cells.map(|cell| escaped(&cell).to_string())
    }));
    table(&rows, layout, |_, _| None)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        silence: SilenceArgs,
    }

    fn added(line: &[&str]) -> Result<Value, clap::Error> {
        let whole = [&["silence", "add"][..], line].concat();
        Line::try_parse_from(whole).map(|line| match line.silence.verb {
            Verb::Add(args) => body(&args),
            Verb::List(_) | Verb::Expire(_) => panic!("another verb"),
        })
    }

    #[test]
    fn matchers_are_arguments_and_an_end_is_asked_for() {
        let body = added(&["service=\"api\"", "severity!=\"P0\"", "--for", "2h", "--comment", "moving"]).expect("a silence");
        assert_eq!(body["matchers"], json!(["service=\"api\"", "severity!=\"P0\""]));
        assert_eq!((&body["for"], &body["ends_at"], &body["comment"]), (&json!("2h"), &Value::Null, &json!("moving")));
        assert!(added(&["service=\"api\""]).is_err(), "without an end");
        assert!(added(&["--for", "2h"]).is_err(), "without a matcher");
        assert!(added(&["a=b", "--for", "2h", "--until", "2026-01-31T18:00:00Z"]).is_err());
    }

    #[test]
    fn a_list_tells_what_each_mutes_and_until_when() {
        let item = |state: &str| SilenceItem {
            id: "01A".to_owned(),
            state: state.to_owned(),
            matchers: vec!["a=\"1\"".to_owned(), "b=\"2\"".to_owned()],
            starts_at: "S".to_owned(),
            ends_at: "E".to_owned(),
            created_by: "anna".to_owned(),
            comment: "moving\u{1b}[2J".to_owned(),
            updated_at: "U".to_owned(),
        };
        let text = list_text(&[item("active"), item("pending")], Layout { line_characters_max: None, last: Last::Cut });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "01A  active   a=\"1\", b=\"2\"  E            anna  moving\\u{1b}[2J");
        assert!(lines[2].contains("from S to E"), "{text}");
        assert_eq!(list_text(&[], Layout { line_characters_max: None, last: Last::Cut }), "no silences\n");
    }
}
