//! `sickbay status [NAME]`: what the checks of a running Sickbay say, the worst first; or one check in detail.
//!
//! Who is who: this module has the table, [`detail`] one check, and [`notices`] is what stands above both while Sickbay is not ready or a
//! changed configuration is not in force.
//!
//! It succeeds when Sickbay answered, also when checks fail: `/healthz` and `probe` are for those who want an exit code.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::client::{Client, ClientArgs, OutputFormat};
use super::table::{Last, Layout, table};
use crate::api::config::ConfigItem;
use crate::api::model::{CheckItem, StateWord, StatusWord};
use crate::api::problem::Problem;
use crate::clock;
use crate::config::counted;
use crate::escape::escaped;
use crate::page::age;

mod detail;

const CHECKS: &str = "/api/v1/checks";
const CONFIG: &str = "/api/v1/config";
/// Of the reason why a configuration was refused; `sickbay validate` tells all of it.
const REFUSAL_LINES_MAX: usize = 12;
/// Where a time or a state is not known.
const NONE: &str = "-";

#[derive(Args)]
pub struct StatusArgs {
    /// One check, in detail; all of them where it is left out
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
}

pub fn run(args: StatusArgs) -> anyhow::Result<ExitCode> {
    let client = Client::of(&args.client)?;
    let text = match (args.name, args.client.output) {
        // What the API gave, also what this version does not know.
        (None, OutputFormat::Json) => {
            let Told { unready, config, items } = Client::block_on(ask::<Value, Value>(&client))?;
            format!("{:#}\n", json!({ "unready": unready, "config": config, "items": items, "next": null }))
        }
        (None, OutputFormat::Text) => {
            let Told { unready, config, items } = Client::block_on(ask::<ConfigItem, CheckItem>(&client))?;
            let look = Look::for_stdout(Last::Cut);
            notices(unready.as_ref(), &config, look) + &text(items, look)
        }
        (Some(name), OutputFormat::Json) => detail::json_of(&client, &name)?,
        (Some(name), OutputFormat::Text) => detail::text_of(&client, &name, Look::for_stdout(Last::Wrapped))?,
    };
    super::print_data(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// What Sickbay said.
struct Told<Config, Item> {
    unready: Option<Problem>,
    config: Config,
    items: Vec<Item>,
}

async fn ask<Config: DeserializeOwned, Item: DeserializeOwned>(client: &Client) -> anyhow::Result<Told<Config, Item>> {
    Ok(Told { config: client.get(CONFIG).await?, items: client.list(CHECKS).await?, unready: client.unready().await? })
}

/// For whom and when a text is made.
#[derive(Clone, Copy, Debug)]
struct Look {
    /// Since 1970.
    now: Duration,
    layout: Layout,
    colours: Colours,
}

/// Whether statuses are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colours {
    Ansi,
    None,
}

impl Look {
    fn for_stdout(last: Last) -> Look {
        Look { now: Duration::from_millis(clock::now().0), layout: Layout::for_stdout(last), colours: Colours::for_stdout() }
    }

    fn painted(self, status: StatusWord) -> Option<&'static str> {
        (self.colours == Colours::Ansi).then(|| colour(status))
    }
}

impl Colours {
    /// On a terminal, unless `NO_COLOR` is set or the terminal is `dumb`.
    fn for_stdout() -> Colours {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        if std::io::stdout().is_terminal() && !set("NO_COLOR") && !dumb { Colours::Ansi } else { Colours::None }
    }
}

fn colour(status: StatusWord) -> &'static str {
    match status {
        StatusWord::Ok => "\u{1b}[32m",
        StatusWord::Warning => "\u{1b}[33m",
        StatusWord::Critical => "\u{1b}[1;31m",
        StatusWord::Unknown => "\u{1b}[35m",
    }
}

/// What nobody should overlook: that Sickbay is not ready, mostly since its store takes no results, and that the files hold a
/// configuration which was refused. Empty where neither is so.
fn notices(unready: Option<&Problem>, config: &ConfigItem, look: Look) -> String {
    let mut text = String::new();
    if let Some(problem) = unready {
        let (begin, end) = look.painted(StatusWord::Critical).map_or(("", ""), |begin| (begin, "\u{1b}[0m"));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{begin}not ready{end}: {}", escaped(&problem.detail));
        if let Some(hint) = &problem.hint {
            let _ = writeln!(text, "  hint: {}", escaped(hint));
        }
        text.push('\n');
    }
    text + &refused(config, look)
}

fn refused(config: &ConfigItem, look: Look) -> String {
    if config.last_reload_successful {
        return String::new();
    }
    let (refused, loaded) = (ago(Some(&config.last_reload_at), look.now), ago(Some(&config.loaded_at), look.now));
    let (begin, end) = look.painted(StatusWord::Critical).map_or(("", ""), |begin| (begin, "\u{1b}[0m"));
    let mut text = format!("{begin}configuration refused{end} {refused}; the one read {loaded} stays in force\n");
    let mut lines = config.error.iter().flat_map(|error| error.lines()).filter(|line| !line.is_empty());
    for line in lines.by_ref().take(REFUSAL_LINES_MAX) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {}", escaped(line));
    }
    if lines.next().is_some() {
        text.push_str("  ...\n");
    }
    if let Some(file) = config.files.first() {
        let _ = writeln!(text, "  `sickbay validate --config {}` shows it with the lines", escaped(file));
    }
    text.push('\n');
    text
}

fn text(mut items: Vec<CheckItem>, look: Look) -> String {
    if items.is_empty() {
        return "no checks yet; hint: put a [[check]] into sickbay.toml, it is read again as soon as it is saved\n".to_owned();
    }
    items.sort_by(|left, right| worst_first(left).cmp(&worst_first(right)).then_with(|| left.name.cmp(&right.name)));
    let mut rows = vec![["NAME", "STATUS", "STATE", "SINCE", "LAST RUN", "SUMMARY"].map(str::to_owned)];
    rows.extend(items.iter().map(|item| row(item, look.now)));
    let mut text = table(&rows, look.layout, |row, column| {
        let item = row.checked_sub(1).and_then(|index| items.get(index)).filter(|_| column == 1)?;
        look.painted(item.status)
    });
    let _ = writeln!(text, "\n{}", tally(&items));
    text
}

/// A confirmed failure stands above all that the last run alone says.
fn worst_first(item: &CheckItem) -> (usize, usize, usize) {
    let (last, confirmed) = (item.status.rank(), item.hard_status.rank());
    (last.min(confirmed), last, confirmed)
}

fn row(item: &CheckItem, now: Duration) -> [String; 6] {
    let state = if item.last_run_at.is_none() { NONE.to_owned() } else { state(item.state, item.hard_status, item.decision.as_ref()) };
    let state = [state].into_iter().chain(item.marks()).collect::<Vec<_>>().join(", ");
    [
        item.name.clone(),
        item.status.as_str().to_owned(),
        state,
        for_how_long(item.since.as_deref(), now),
        ago(item.last_run_at.as_deref(), now),
        item.told(),
    ]
    .map(|cell| escaped(&cell).to_string())
}

/// `hard`, or how far the last status is from being confirmed and what is: `soft 1/3, hard: ok`.
fn state(state: StateWord, hard_status: StatusWord, decision: Option<&Value>) -> String {
    let number = |key: &str| decision.and_then(|decision| decision.get(key)).and_then(Value::as_u64);
    match (state, number("count"), number("of")) {
        (StateWord::Hard, ..) => "hard".to_owned(),
        (StateWord::Soft, Some(count), Some(of)) => format!("soft {count}/{of}, hard: {}", hard_status.as_str()),
        (StateWord::Soft, ..) => format!("soft, hard: {}", hard_status.as_str()),
    }
}

/// The time between `at` and now as a person reads it.
fn for_how_long(at: Option<&str>, now: Duration) -> String {
    let Some(at) = at else { return NONE.to_owned() };
    let since_1970 = humantime::parse_rfc3339(at).ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    since_1970.map_or_else(|| at.to_owned(), |at| age(now.saturating_sub(at)))
}

/// A time of the API as a person reads it.
pub(super) fn ago(at: Option<&str>, now: Duration) -> String {
    match at {
        Some(at) => format!("{} ago", for_how_long(Some(at), now)),
        None => "never".to_owned(),
    }
}

/// `12 checks: 10 ok, 1 warning, 1 critical`
fn tally(items: &[CheckItem]) -> String {
    let counts: Vec<String> = StatusWord::WORST_FIRST
        .iter()
        .rev()
        .map(|word| (word, items.iter().filter(|item| item.status == *word).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| format!("{count} {}", word.as_str()))
        .collect();
    format!("{}: {}", counted(items.len(), "check"), counts.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::api::problem::ProblemKind;

    /// 2023-11-14T22:13:20Z
    const NOW: Duration = Duration::from_secs(1_700_000_000);

    pub(super) fn look() -> Look {
        Look { now: NOW, layout: Layout { line_characters_max: None, last: Last::Cut }, colours: Colours::None }
    }

    pub(super) fn item(name: &str, status: StatusWord, summary: &str) -> CheckItem {
        CheckItem {
            name: name.to_owned(),
            status,
            hard_status: status,
            state: StateWord::Hard,
            since: Some("2023-11-14T20:13:20.000Z".to_owned()),
            plugin: "system".to_owned(),
            kind: "disk".to_owned(),
            summary: summary.to_owned(),
            reason: "Passed".to_owned(),
            reason_detail: "passed".to_owned(),
            decision: Some(json!({ "name": "Unchanged" })),
            last_run_at: Some("2023-11-14T22:13:17.500Z".to_owned()),
            labels: BTreeMap::new(),
            flapping: false,
            unreachable_by: None,
            dependents: 0,
        }
    }

    pub(super) fn soft(name: &str, status: StatusWord, hard_status: StatusWord, decision: Value) -> CheckItem {
        CheckItem { hard_status, state: StateWord::Soft, decision: Some(decision), ..item(name, status, "") }
    }

    pub(super) fn config(error: Option<&str>) -> ConfigItem {
        ConfigItem {
            loaded_at: "2023-11-14T20:13:20.000Z".to_owned(),
            last_reload_at: "2023-11-14T22:13:08.000Z".to_owned(),
            last_reload_successful: error.is_none(),
            error: error.map(str::to_owned),
            files: vec!["/etc/sickbay/sickbay.toml".to_owned()],
        }
    }

    #[test]
    fn the_table_has_the_worst_first_and_the_tally_last() {
        let web = CheckItem {
            summary: "refused".to_owned(),
            ..soft("web", StatusWord::Critical, StatusWord::Ok, json!({ "count": 1, "of": 3 }))
        };
        let mut new = item("new", StatusWord::Unknown, "");
        (new.since, new.last_run_at, new.decision, new.reason_detail) = (None, None, None, "has not run yet".to_owned());
        let items = vec![item("b", StatusWord::Ok, "well"), item("a", StatusWord::Ok, "well"), web, new];
        assert_eq!(
            text(items, look()),
            "\
NAME  STATUS    STATE               SINCE  LAST RUN  SUMMARY
web   critical  soft 1/3, hard: ok  2h 0m  2s ago    refused
new   unknown   -                   -      never     has not run yet
a     ok        hard                2h 0m  2s ago    well
b     ok        hard                2h 0m  2s ago    well

4 checks: 2 ok, 1 unknown, 1 critical
"
        );
    }

    #[test]
    fn a_confirmed_failure_stands_above_one_that_is_not() {
        use StatusWord::{Critical, Ok, Unknown, Warning};
        let none = || json!({ "name": "FailureKept" });
        let items = vec![
            item("fine", Ok, ""),
            item("warns", Warning, ""),
            soft("begins", Critical, Ok, none()),
            soft("recovers", Ok, Critical, none()),
            soft("blind", Unknown, Critical, none()),
            item("down", Critical, ""),
        ];
        let text = text(items, look());
        let names: Vec<&str> = text.lines().skip(1).take(6).filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(names, ["down", "begins", "blind", "recovers", "warns", "fine"]);
        assert!(text.contains("unknown   soft, hard: critical  "), "{text}");
    }

    #[test]
    fn what_flaps_and_what_cannot_be_reached_is_told_beside_its_state() {
        let db = CheckItem { dependents: 31, ..item("db", StatusWord::Critical, "") };
        let api = CheckItem { flapping: true, unreachable_by: Some("db".to_owned()), ..item("api", StatusWord::Critical, "") };
        let text = text(vec![db, api], look());
        assert!(text.contains("hard, 31 dependents "), "{text}");
        assert!(text.contains("hard, flapping, unreachable: db is down "), "{text}");
    }

    #[test]
    fn colours_do_not_move_the_columns() {
        let items = || vec![item("a", StatusWord::Critical, "x"), item("b", StatusWord::Ok, "y")];
        let coloured = text(items(), Look { colours: Colours::Ansi, ..look() });
        assert!(coloured.contains("a     \u{1b}[1;31mcritical\u{1b}[0m  hard"), "{coloured}");
        let mut plain = coloured;
        for code in ["\u{1b}[1;31m", "\u{1b}[32m", "\u{1b}[0m"] {
            plain = plain.replace(code, "");
        }
        assert_eq!(plain, text(items(), look()));
    }

    #[test]
    fn a_row_fits_the_terminal() {
        let layout = Layout { line_characters_max: Some(60), last: Last::Cut };
        let text = text(vec![item("a", StatusWord::Ok, &"long ".repeat(50))], Look { layout, ..look() });
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
        assert!(text.contains('…'), "{text}");
    }

    #[test]
    fn a_summary_cannot_write_on_the_terminal() {
        let text = text(vec![item("a", StatusWord::Ok, "\u{1b}[2Jgone\nok  forged")], look());
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert_eq!(text.lines().count(), 4);
    }

    #[test]
    fn no_checks_are_told_with_a_hint() {
        assert!(text(Vec::new(), look()).contains("hint:"));
    }

    #[test]
    fn one_check_is_no_checks() {
        assert_eq!(tally(&[item("a", StatusWord::Warning, "")]), "1 check: 1 warning");
    }

    #[test]
    fn a_store_in_trouble_is_told_above_everything_with_what_to_do() {
        let problem = Problem::new(ProblemKind::NotReady, "the disk is full").hint("free space\u{1b}[2J");
        assert_eq!(notices(Some(&problem), &config(None), look()), "not ready: the disk is full\n  hint: free space\\u{1b}[2J\n\n");
        let both = notices(Some(&problem), &config(Some("error: wrong")), look());
        assert!(both.starts_with("not ready") && both.contains("\n\nconfiguration refused"), "{both}");
    }

    #[test]
    fn a_refused_configuration_is_told_above_everything() {
        assert_eq!(notices(None, &config(None), look()), "");
        let error = "error: unknown key `evry`\n  --> sickbay.toml:4:1\n\nerror: forged\u{1b}[2J";
        assert_eq!(
            notices(None, &config(Some(error)), look()),
            "\
configuration refused 12s ago; the one read 2h 0m ago stays in force
  error: unknown key `evry`
    --> sickbay.toml:4:1
  error: forged\\u{1b}[2J
  `sickbay validate --config /etc/sickbay/sickbay.toml` shows it with the lines

"
        );
        let long = notices(None, &config(Some(&"error\n".repeat(100))), look());
        assert_eq!(long.lines().count(), REFUSAL_LINES_MAX + 4, "{long}");
    }
}
