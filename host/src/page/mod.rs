//! The page at `/`: open incidents, all checks in a table, the worst first, and below them the objectives (`slos`), made on the server.
//!
//! It has no script: the browser asks again every [`REFRESH_SECONDS`]. Statuses are words; colour only repeats them.
//!
//! Limits: [`ROWS_MAX`] checks on a page, with links to the next ones; texts are cut at [`TEXT_CHARACTERS_MAX`].
//!
//! Invariant: text of plugins and of the configuration is written as text (maud escapes it), never as markup, and no attribute but
//! `title` and `href` of our own paths is made of it; an `id` is one that we gave.

mod incidents;

mod slos;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use sickbay_core::Timestamp;

use self::incidents::OpenIncidents;
use self::slos::Slos;
use crate::api::Api;
use crate::api::model::{CheckItem, StatusWord};
use crate::api::parameters::Parameters;
use crate::api::problem::Problem;
use crate::clock;
use crate::live::{Live, LiveCheck, Unready};
use crate::plugins::PluginSlot;

/// Where the style sheet is: the policy of the server lets nothing stand in the page itself.
pub const STYLE_PATH: &str = "/assets/sickbay.css";
const STYLE: &str = include_str!("style.css");

const REFRESH_SECONDS: u32 = 10;
const ROWS_MAX: usize = 500;
/// Enough for the 512 bytes that the contract allows a summary, and a bound for what is ours.
const TEXT_CHARACTERS_MAX: usize = 512;
/// Plugins that are named above the table: so many whose file was refused, and so many of which a version waits.
const PLUGINS_SHOWN_MAX: usize = 10;

/// What a newcomer reads where the table will be.
const FIRST_CHECK: &str = r#"[[check]]
name = "api"
plugin = "http"
kind = "http"
every = "10s"
config = { url = "http://localhost:8000/health" }
grants = { http = ["GET http://localhost:8000/health"] }
"#;

/// `GET /?page=N`
pub async fn page(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let number = Parameters::read(query.as_deref(), &["page"])?.number("page", 1..=1_000_000)?.unwrap_or(1);
    // Bounded just now, so it fits.
    let shown = Shown::of(&api.live, number as usize, clock::now(), api.live.store_trouble().await);
    Ok(Html(shown.markup().into_string()).into_response())
}

/// The style sheet.
pub async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=300")], STYLE).into_response()
}

/// What is on the page.
struct Shown {
    now: Timestamp,
    /// From 1.
    page: usize,
    pages: usize,
    /// In the order of [`StatusWord::WORST_FIRST`], of all checks.
    counts: [usize; 4],
    rows: Vec<Row>,
    incidents: OpenIncidents,
    slos: Slos,
    reload_failed: bool,
    /// Why results are not stored.
    store_trouble: Option<Unready>,
    /// Names and messages of plugins whose file was refused.
    refused: Vec<(String, String)>,
    /// Names of plugins of which a version waits, and what would let it serve.
    quarantined: Vec<(String, String)>,
}

struct Row {
    item: CheckItem,
    since: Option<Timestamp>,
    last_run_at: Option<Timestamp>,
}

impl Row {
    fn of(check: &LiveCheck) -> Row {
        let observed = check.observed();
        let since = observed.state.since;
        Row {
            since: (since != Timestamp::default()).then_some(since),
            last_run_at: observed.last.as_ref().map(|last| last.started_at),
            item: CheckItem::of(check, &observed),
        }
    }
}

impl Shown {
    fn of(live: &Live, page: usize, now: Timestamp, store_trouble: Option<Unready>) -> Shown {
        let table = live.checks();
        let mut checks: Vec<(usize, &Arc<LiveCheck>)> = table.by_name.values().map(|check| (rank(check), check)).collect();
        let mut counts = [0; 4];
        for (rank, _) in &checks {
            counts[*rank] += 1;
        }
        // They come by name, and a stable sort keeps them so within a status.
        checks.sort_by_key(|(rank, _)| *rank);
        let pages = checks.len().div_ceil(ROWS_MAX).max(1);
        let page = page.min(pages);
        let rows = checks.iter().skip((page - 1) * ROWS_MAX).take(ROWS_MAX).map(|(_, check)| Row::of(check)).collect();
        Shown {
            now,
            page,
            pages,
            counts,
            rows,
            incidents: OpenIncidents::of(live),
            slos: Slos::of(live, now),
            reload_failed: live.reload.load().error.is_some(),
            store_trouble,
            refused: told_of(live, |slot| slot.last_error().map(|error| error.message.clone())),
            quarantined: told_of(live, |slot| slot.quarantined().map(|waiting| waiting.beyond.hint.clone())),
        }
    }

    fn markup(&self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta http-equiv="refresh" content=(REFRESH_SECONDS);
                    title { (self.title()) }
                    link rel="stylesheet" href=(STYLE_PATH);
                }
                body {
                    header {
                        h1 { "Sickbay" }
                        (self.summary())
                    }
                    main {
                        (self.notices())
                        (self.incidents.markup(self.now))
                        @if self.rows.is_empty() { (empty()) } @else { (self.table()) (self.pages()) }
                        (self.slos.table())
                    }
                    (self.footer())
                }
            }
        }
    }

    fn title(&self) -> String {
        match StatusWord::WORST_FIRST.iter().zip(self.counts).find(|(_, count)| *count > 0) {
            Some((StatusWord::Ok, count)) => format!("{count} ok - Sickbay"),
            Some((worst, count)) => format!("{count} {} - Sickbay", worst.as_str()),
            None => "Sickbay".to_owned(),
        }
    }

    fn summary(&self) -> Markup {
        let total: usize = self.counts.iter().sum();
        html! {
            ul.counts {
                li { (total) @if total == 1 { " check" } @else { " checks" } }
                @for (word, count) in StatusWord::WORST_FIRST.iter().zip(self.counts) {
                    @if count > 0 { li { span.status.(word.as_str()) { (count) " " (word.as_str()) } } }
                }
            }
        }
    }

    fn notices(&self) -> Markup {
        html! {
            @if let Some(Unready { why, hint }) = self.store_trouble {
                p.notice role="status" { "Results are not stored now: " (why) ". What to do: " (hint) "." }
            }
            @if self.reload_failed {
                p.notice role="status" {
                    "The changed configuration has a mistake, so the one before it is in force. " code { "sickbay validate" } " shows the mistake."
                }
            }
            @for (name, message) in &self.refused {
                p.notice role="status" { "The file of plugin " strong { (name) } " was refused: " (cut(message)) }
            }
            @for (name, hint) in &self.quarantined {
                p.notice role="status" {
                    "A new version of plugin " strong { (name) } " asks for more than is granted, so the one before it serves: " (cut(hint))
                }
            }
        }
    }

    fn table(&self) -> Markup {
        html! {
            table {
                thead {
                    tr { th scope="col" { "Status" } th scope="col" { "Check" } th scope="col" { "Kind" } th scope="col" { "Summary" } th scope="col" { "Since" } th scope="col" { "Last run" } }
                }
                tbody {
                    @for row in &self.rows { (self.row(row)) }
                }
            }
        }
    }

    fn row(&self, row: &Row) -> Markup {
        let item = &row.item;
        let confirmed = item.status == item.hard_status;
        html! {
            tr {
                td {
                    span.status.(item.status.as_str()) { (item.status.as_str()) }
                    @if !confirmed { span.quiet { " not confirmed, was " (item.hard_status.as_str()) } }
                    @for mark in item.marks() { span.quiet { " " (cut(&mark)) } }
                }
                td { (item.name) }
                td data-label="Kind" { (item.plugin) @if !item.plugin.is_empty() && !item.kind.is_empty() && item.kind != item.plugin { "/" } @if item.kind != item.plugin { (item.kind) } }
                td title=(cut(&item.reason_detail)) { (cut(&item.told())) }
                td.time data-label="Since" { (self.moment(row.since)) }
                td.time data-label="Last run" { (self.moment(row.last_run_at)) }
            }
        }
    }

    fn moment(&self, at: Option<Timestamp>) -> Markup {
        html! {
            @match at {
                Some(at) => time datetime=(clock::rfc3339(at)) title=(clock::rfc3339(at)) { (age(self.now.since(at))) " ago" },
                None => "never",
            }
        }
    }

    fn pages(&self) -> Markup {
        html! {
            @if self.pages > 1 {
                nav aria-label="Pages" {
                    @if self.page > 1 { a href={ "/?page=" (self.page - 1) } rel="prev" { "previous" } " " }
                    "page " (self.page) " of " (self.pages)
                    @if self.page < self.pages { " " a href={ "/?page=" (self.page + 1) } rel="next" { "next" } }
                }
            }
        }
    }

    fn footer(&self) -> Markup {
        html! {
            footer {
                "As of " time datetime=(clock::rfc3339(self.now)) { (clock::rfc3339(self.now)) } ", again in " (REFRESH_SECONDS) " s. "
                a href="/api/v1/checks" { "checks" } " " a href="/api/v1/incidents" { "incidents" } " " a href="/api/v1/slos" { "objectives" } " "
                a href="/api/v1/plugins" { "plugins" } " " a href="/metrics" { "metrics" } " "
                a href="/api/openapi.json" { "API" }
            }
        }
    }
}

fn empty() -> Markup {
    html! {
        h2 { "No checks yet" }
        p { "Put a check into " code { "sickbay.toml" } " or into a file of " code { "checks.d" } " beside it, for example:" }
        pre { code { (FIRST_CHECK) } }
        p {
            "It needs " code { "http.wasm" } " in the plugin folder; " code { "sickbay build" } " makes plugins from their sources. "
            "The configuration is read again as soon as it is saved, and the check shows here within seconds."
        }
    }
}

fn rank(check: &LiveCheck) -> usize {
    StatusWord::from(check.with(|observed| observed.state.status)).rank()
}

/// The first plugins of which there is something to tell, by name.
fn told_of(live: &Live, tell: impl Fn(&PluginSlot) -> Option<String>) -> Vec<(String, String)> {
    let told = live.plugins.all().into_iter().filter_map(|slot| Some((slot.name.clone(), tell(&slot)?)));
    told.take(PLUGINS_SHOWN_MAX).collect()
}

fn cut(text: &str) -> &str {
    match text.char_indices().nth(TEXT_CHARACTERS_MAX) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// A time span in its largest unit, or its two largest: `42s`, `3m`, `5h 12m`, `9d 4h`.
pub fn age(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use sickbay_core::Status;

    use super::*;
    use crate::api::testing::{Host, check, get, record, two_checks};

    async fn html(host: &Host, path: &str) -> String {
        let answer = host.ask(get(path)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        String::from_utf8(answer.body).unwrap()
    }

    #[tokio::test]
    async fn without_checks_the_page_teaches_how_to_add_one() {
        let host = Host::start("").await;
        let html = html(&host, "/").await;
        assert!(html.contains("No checks yet") && html.contains("[[check]]"));
        assert!(!html.contains("<table"));
    }

    #[test]
    fn the_example_of_the_empty_page_is_a_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sickbay.toml");
        std::fs::write(&path, FIRST_CHECK).unwrap();
        crate::config::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
    }

    #[tokio::test]
    async fn the_worst_comes_first_in_words() {
        let checks: String = ["a", "b", "c", "d"].iter().map(|name| check(name)).collect();
        let host = Host::start(&checks).await;
        for (name, status) in [("a", Status::Ok), ("b", Status::Warning), ("c", Status::Unknown), ("d", Status::Critical)] {
            host.observe(name, |observed| observed.state.status = status);
        }
        let html = html(&host, "/").await;
        let places: Vec<usize> =
            ["<td>d</td>", "<td>c</td>", "<td>b</td>", "<td>a</td>"].iter().map(|cell| html.find(cell).unwrap()).collect();
        assert!(places.is_sorted(), "{places:?}");
        assert!(html.contains("<title>1 critical - Sickbay</title>"));
    }

    #[tokio::test]
    async fn a_store_that_takes_no_results_is_told_above_the_table() {
        let host = Host::start(&two_checks()).await;
        assert!(!html(&host, "/").await.contains("Results are not stored"));
        let trouble = Unready { why: "the disk is full", hint: "free space there" };
        let html = Shown::of(&host.live, 1, clock::now(), Some(trouble)).markup().into_string();
        assert!(html.contains("Results are not stored now: the disk is full. What to do: free space there."), "{html}");
    }

    #[tokio::test]
    async fn hostile_text_stays_text() {
        let host = Host::start(&two_checks()).await;
        host.observe("api", |observed| {
            let mut record = record("api", 1);
            record.summary = "<script>alert(1)</script>\"' onload=x <!--".to_owned();
            observed.last = Some(Arc::new(record));
        });
        let html = html(&host, "/").await;
        assert!(!html.contains("<script") && !html.contains("<!--"), "{html}");
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;"), "{html}");
    }

    #[tokio::test]
    async fn a_page_has_a_bounded_number_of_rows_and_leads_to_the_next() {
        let checks: String = (0..ROWS_MAX + 1).map(|number| check(&format!("c{number:04}"))).collect();
        let host = Host::start(&checks).await;
        let first = html(&host, "/").await;
        assert_eq!(first.matches("<tr><td>").count(), ROWS_MAX);
        assert!(first.contains("href=\"/?page=2\""));
        let second = html(&host, "/?page=2").await;
        assert_eq!(second.matches("<tr><td>").count(), 1);
        // A page that is gone shows the last one.
        assert_eq!(html(&host, "/?page=9").await.matches("<tr><td>").count(), 1);
        assert_eq!(host.ask(get("/?page=0")).await.status, 400);
    }

    #[tokio::test]
    async fn the_page_needs_nothing_that_its_policy_forbids() {
        let host = Host::start(&two_checks()).await;
        let html = html(&host, "/").await;
        assert!(!html.contains("<style") && !html.contains(" style=") && !html.contains("<script"));
        let style = host.ask(get(STYLE_PATH)).await;
        assert_eq!((style.status, style.header("content-type")), (200, Some("text/css; charset=utf-8")));
        assert!(html.contains(&format!("href=\"{STYLE_PATH}\"")));
    }

    #[test]
    fn ages_are_short() {
        for (seconds, text) in
            [(0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h 0m"), (18_720, "5h 12m"), (86_400, "1d 0h"), (793_000, "9d 4h")]
        {
            assert_eq!(age(Duration::from_secs(seconds)), text);
        }
    }
}
