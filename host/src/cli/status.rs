//! `sickbay status`: what the checks of a running Sickbay say, the worst first.
//!
//! It succeeds when Sickbay answered, also when checks fail: `/healthz` and `probe` are for those who want an exit code.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::client::{Client, ClientArgs, OutputFormat, escaped};
use crate::api::model::{CheckItem, StatusWord};
use crate::clock;
use crate::page::age;

const CHECKS: &str = "/api/v1/checks";

#[derive(Args)]
pub struct StatusArgs {
    #[command(flatten)]
    client: ClientArgs,
}

pub fn run(args: StatusArgs) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.client.url)?;
    let text = match args.client.output {
        // What the API gave, also what this version does not know.
        OutputFormat::Json => {
            let items: Vec<Value> = Client::block_on(client.list(CHECKS))?;
            format!("{:#}\n", json!({ "items": items, "next": null }))
        }
        OutputFormat::Text => {
            let items: Vec<CheckItem> = Client::block_on(client.list(CHECKS))?;
            text(items, Duration::from_millis(clock::now().0), Colours::for_stdout())
        }
    };
    super::print_data(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Whether statuses are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    Ansi,
    None,
}

impl Colours {
    /// On a terminal, unless `NO_COLOR` is set or the terminal is `dumb`.
    pub(super) fn for_stdout() -> Colours {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        if std::io::stdout().is_terminal() && !set("NO_COLOR") && !dumb { Colours::Ansi } else { Colours::None }
    }
}

/// `now` is the time since 1970.
fn text(mut items: Vec<CheckItem>, now: Duration, colours: Colours) -> String {
    if items.is_empty() {
        return "no checks yet; hint: put a [[check]] into sickbay.toml, it is read again as soon as it is saved\n".to_owned();
    }
    items.sort_by(|left, right| left.status.rank().cmp(&right.status.rank()).then_with(|| left.name.cmp(&right.name)));
    let mut rows = vec![["STATUS", "CHECK", "KIND", "SINCE", "LAST RUN", "SUMMARY"].map(str::to_owned)];
    rows.extend(items.iter().map(|item| row(item, now)));
    let mut text = table(&rows, |index| match index.checked_sub(1).and_then(|index| items.get(index)) {
        Some(item) if colours == Colours::Ansi => Some(colour(item.status)),
        _ => None,
    });
    // Writing to a string cannot fail.
    let _ = writeln!(text, "\n{}", summary(&items));
    text
}

fn row(item: &CheckItem, now: Duration) -> [String; 6] {
    let status = if item.status == item.hard_status {
        item.status.as_str().to_owned()
    } else {
        format!("{} (was {})", item.status.as_str(), item.hard_status.as_str())
    };
    let kind =
        if item.kind.is_empty() || item.kind == item.plugin { item.plugin.clone() } else { format!("{}/{}", item.plugin, item.kind) };
    let summary = item.told();
    [status, item.name.clone(), kind, ago(item.since.as_deref(), now), ago(item.last_run_at.as_deref(), now), summary]
        .map(|cell| escaped(&cell).to_string())
}

/// A time of the API as a person reads it.
pub(super) fn ago(at: Option<&str>, now: Duration) -> String {
    let Some(at) = at else { return "never".to_owned() };
    let since_1970 = humantime::parse_rfc3339(at).ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    match since_1970 {
        Some(at) => format!("{} ago", age(now.saturating_sub(at))),
        None => at.to_owned(),
    }
}

/// `12 checks: 10 ok, 1 warning, 1 critical`
fn summary(items: &[CheckItem]) -> String {
    let counts: Vec<String> = StatusWord::WORST_FIRST
        .iter()
        .rev()
        .map(|word| (word, items.iter().filter(|item| item.status == *word).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| format!("{count} {}", word.as_str()))
        .collect();
    let noun = if items.len() == 1 { "check" } else { "checks" };
    format!("{} {noun}: {}", items.len(), counts.join(", "))
}

fn colour(status: StatusWord) -> &'static str {
    match status {
        StatusWord::Ok => "\u{1b}[32m",
        StatusWord::Warning => "\u{1b}[33m",
        StatusWord::Critical => "\u{1b}[1;31m",
        StatusWord::Unknown => "\u{1b}[35m",
    }
}

/// Aligned columns, the last one free; cells are fit for a terminal already. `colour_of` colours the first cell of a row.
pub(super) fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]], colour_of: impl Fn(usize) -> Option<&'static str>) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let padding = if column + 1 == COLUMNS { 0 } else { widths[column] - cell.chars().count() + 2 };
            match colour_of(index).filter(|_| column == 0) {
                Some(colour) => line.extend([colour, cell.as_str(), "\u{1b}[0m"]),
                None => line.push_str(cell),
            }
            line.extend(std::iter::repeat_n(' ', padding));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::api::model::StateWord;

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn item(name: &str, status: StatusWord, summary: &str) -> CheckItem {
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
            last_run_at: Some("2023-11-14T22:13:17.500Z".to_owned()),
            labels: BTreeMap::new(),
        }
    }

    #[test]
    fn the_table_is_aligned_with_the_worst_first_and_a_summary_last() {
        let mut soft = item("web", StatusWord::Critical, "refused");
        soft.hard_status = StatusWord::Ok;
        soft.state = StateWord::Soft;
        let mut new = item("new", StatusWord::Unknown, "");
        (new.since, new.last_run_at, new.plugin, new.kind, new.reason_detail) =
            (None, None, "http".to_owned(), "http".to_owned(), "has not run yet".to_owned());
        let items = vec![item("b", StatusWord::Ok, "well"), item("a", StatusWord::Ok, "well"), soft, new];
        assert_eq!(
            text(items, NOW, Colours::None),
            "\
STATUS             CHECK  KIND         SINCE      LAST RUN  SUMMARY
critical (was ok)  web    system/disk  2h 0m ago  2s ago    refused
unknown            new    http         never      never     has not run yet
ok                 a      system/disk  2h 0m ago  2s ago    well
ok                 b      system/disk  2h 0m ago  2s ago    well

4 checks: 2 ok, 1 unknown, 1 critical
"
        );
    }

    #[test]
    fn colours_do_not_move_the_columns() {
        let items = || vec![item("a", StatusWord::Critical, "x"), item("b", StatusWord::Ok, "y")];
        let coloured = text(items(), NOW, Colours::Ansi);
        assert!(coloured.contains("\u{1b}[1;31mcritical\u{1b}[0m  a"), "{coloured}");
        let mut plain = coloured;
        for code in ["\u{1b}[1;31m", "\u{1b}[32m", "\u{1b}[0m"] {
            plain = plain.replace(code, "");
        }
        assert_eq!(plain, text(items(), NOW, Colours::None));
    }

    #[test]
    fn a_summary_cannot_write_on_the_terminal() {
        let text = text(vec![item("a", StatusWord::Ok, "\u{1b}[2Jgone\nok  forged")], NOW, Colours::None);
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert_eq!(text.lines().count(), 4);
    }

    #[test]
    fn no_checks_are_told_with_a_hint() {
        assert!(text(Vec::new(), NOW, Colours::None).contains("hint:"));
    }

    #[test]
    fn one_check_is_no_checks() {
        assert_eq!(summary(&[item("a", StatusWord::Warning, "")]), "1 check: 1 warning");
    }
}
