//! The objectives on the page: a short table below that of the checks, those with the least of their error budget first.
//!
//! Limits: [`ROWS_MAX`] objectives; the rest is at `/api/v1/slos`.

use maud::{Markup, html};
use sickbay_core::Timestamp;
use sickbay_core::slo::{Account, BurnWindow, share_text};

use crate::api::model::StatusWord;
use crate::live::Live;
use crate::slo::LiveSlo;

const ROWS_MAX: usize = 50;
/// Where nothing was counted.
const NONE: &str = "-";
/// A fast burn and a slow one.
const BURNS_SHOWN: [BurnWindow; 3] = [BurnWindow::Hour1, BurnWindow::Hours6, BurnWindow::Days3];

/// What is shown of all objectives.
pub(super) struct Slos {
    rows: Vec<Row>,
    left_out: usize,
}

struct Row {
    name: String,
    target: f64,
    account: Account,
}

impl Slos {
    pub(super) fn of(live: &Live, now: Timestamp) -> Slos {
        let table = live.slos.load_full();
        let mut rows: Vec<Row> = table.by_name.values().map(|slo| Row::of(slo, now)).collect();
        rows.sort_by(|one, other| one.account.budget_remaining.total_cmp(&other.account.budget_remaining));
        let left_out = rows.len().saturating_sub(ROWS_MAX);
        rows.truncate(ROWS_MAX);
        Slos { rows, left_out }
    }

    pub(super) fn table(&self) -> Markup {
        html! {
            @if !self.rows.is_empty() {
                h2 { "Objectives" }
                table {
                    thead {
                        tr {
                            th scope="col" { "Status" } th scope="col" { "Objective" } th scope="col" { "Good" } th scope="col" { "Wanted" }
                            th scope="col" { "Budget left" }
                            @for window in BURNS_SHOWN { th scope="col" { "Burn " (window.as_str()) } }
                        }
                    }
                    tbody { @for row in &self.rows { (row.markup()) } }
                }
                @if self.left_out > 0 { p.quiet { "and " (self.left_out) " more at " a href="/api/v1/slos" { "/api/v1/slos" } } }
            }
        }
    }
}

impl Row {
    fn of(slo: &LiveSlo, now: Timestamp) -> Row {
        Row { name: slo.spec.name.clone(), target: slo.spec.objective.target, account: slo.account(now) }
    }

    fn markup(&self) -> Markup {
        let status = StatusWord::from(self.account.status());
        html! {
            tr {
                td { span.status.(status.as_str()) { (status.as_str()) } }
                td { (self.name) }
                td data-label="Good" { (self.account.counts.good_share().map_or_else(|| NONE.to_owned(), share_text)) }
                td data-label="Wanted" { (share_text(self.target)) }
                td data-label="Budget left" { (share_text(self.account.budget_remaining)) }
                @for window in BURNS_SHOWN {
                    td data-label={ "Burn " (window.as_str()) } { (rate_text(self.account.burn(window).rate)) }
                }
            }
        }
    }
}

/// `14.4x`
fn rate_text(rate: Option<f64>) -> String {
    rate.map_or_else(|| NONE.to_owned(), |rate| format!("{}x", (rate * 10.0).round() / 10.0))
}

#[cfg(test)]
mod tests {
    use sickbay_core::Status;
    use sickbay_store::ResultRecord;

    use crate::api::testing::{Host, check, get, record};
    use crate::clock;

    #[tokio::test]
    async fn objectives_stand_below_the_checks_the_worst_first() {
        let slos = "[[slo]]\nname = \"calm\"\nchecks = [\"db\"]\nobjective = 0.9\n[[slo]]\nname = \"burning\"\nchecks = [\"api\"]\nobjective = 0.99\n";
        let host = Host::start(&(check("api") + &check("db") + slos)).await;
        let table = host.live.slos.load_full();
        for (check, status) in [("api", Status::Critical), ("api", Status::Critical), ("db", Status::Ok)] {
            table.note(&ResultRecord { status, started_at: clock::now(), ..record(check, 1) });
        }
        let html = String::from_utf8(host.ask(get("/")).await.body).unwrap();
        let place = |text: &str| html.find(text).unwrap_or_else(|| panic!("no {text} in {html}"));
        assert!(place("<h2>Objectives</h2>") > place("<td>api</td>"));
        assert!(place("<td>burning</td>") < place("<td>calm</td>"));
        assert!(html.contains("<td data-label=\"Burn 1h\">100x</td>") && html.contains("<td data-label=\"Wanted\">99 %</td>"), "{html}");
        assert!(html.contains("<td data-label=\"Budget left\">100 %</td>"), "{html}");
    }
}
