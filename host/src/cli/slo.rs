//! `sickbay slo list`: the objectives of a running Sickbay, as its API tells them, those with the least of their error budget first.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sickbay_core::slo::share_text;

use super::client::{Client, ClientArgs, OutputFormat};
use super::table::{Last, Layout, table};
use crate::api::model::SloItem;
use crate::escape::escaped;

const SLOS: &str = "/api/v1/slos";
/// Where nothing was counted.
const NONE: &str = "-";
const DAY_SECONDS: f64 = 86_400.0;

#[derive(Args)]
pub struct SloArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    #[command(
        about = "List the objectives of a running Sickbay: what is good, what is left of the error budget, how fast it burns",
        after_help = "GOOD is the share of results that were good OVER the window, against what is WANTED; BUDGET LEFT the share of the bad ones that \
                      the objective allows and that did not happen yet, less than 0 % once it is overspent. BURN is how many times as fast as it lasts the budget burns, over one hour and over three days. FIRING are the pairs of times \
                      over which it burns too fast, each with its severity; `sickbay status slo.NAME` tells more.\n\n\
                      Examples:\n  sickbay slo list\n  sickbay slo list -o json\n\n\
                      Exit codes: 0 answered, also where a budget burns; 1 Sickbay does not answer; 2 wrong usage."
    )]
    List(ListArgs),
}

#[derive(Args)]
struct ListArgs {
    #[command(flatten)]
    client: ClientArgs,
}

pub fn run(args: SloArgs) -> anyhow::Result<ExitCode> {
    let Verb::List(ListArgs { client: args }) = args.verb;
    let client = Client::of(&args)?;
    let text = match args.output {
        OutputFormat::Json => {
            let items: Vec<Value> = Client::block_on(client.list(SLOS))?;
            format!("{:#}\n", json!({ "items": items, "next": null }))
        }
        OutputFormat::Text => list_text(Client::block_on(client.list(SLOS))?, Layout::for_stdout(Last::Cut)),
    };
    super::print_data(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn list_text(mut slos: Vec<SloItem>, layout: Layout) -> String {
    if slos.is_empty() {
        return "no objectives yet; hint: put a [[slo]] into sickbay.toml, it is read again as soon as it is saved\n".to_owned();
    }
    slos.sort_by(|one, other| one.budget.remaining_ratio.total_cmp(&other.budget.remaining_ratio));
    let mut rows = vec![["NAME", "STATUS", "GOOD", "WANTED", "OVER", "BUDGET LEFT", "BURN 1H", "BURN 3D", "FIRING"].map(str::to_owned)];
    rows.extend(slos.iter().map(row));
    table(&rows, layout, |_, _| None)
}

fn row(slo: &SloItem) -> [String; 9] {
    let rate = |window: &str| {
        let burn = slo.burn_rates.iter().find(|burn| burn.window == window);
        burn.and_then(|burn| burn.rate).map_or_else(|| NONE.to_owned(), |rate| format!("{}x", (rate * 10.0).round() / 10.0))
    };
    let firing: Vec<String> = slo.firing.iter().map(|pair| format!("{} ({}, {})", pair.severity, pair.long, pair.short)).collect();
    [
        slo.name.clone(),
        slo.status.as_str().to_owned(),
        slo.availability.map_or_else(|| NONE.to_owned(), share_text),
        share_text(slo.objective),
        format!("{}d", (slo.window_seconds / DAY_SECONDS * 10.0).round() / 10.0),
        share_text(slo.budget.remaining_ratio),
        rate("1h"),
        rate("3d"),
        if firing.is_empty() { NONE.to_owned() } else { firing.join(", ") },
    ]
    .map(|cell| escaped(&cell).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, availability: Option<f64>, remaining: f64) -> SloItem {
        let burns = [("1h", Some(20.04)), ("3d", availability.map(|_| 0.5))];
        let item = json!({
            "name": name, "check": format!("slo.{name}"), "status": "critical", "objective": 0.999, "window_seconds": 2_592_000.0,
            "bad_from": "critical", "latency": null, "checks_count": 1, "counted_since": null, "good": 1, "bad": 1, "uncovered": 0,
            "uncovered_ratio": 0.0, "availability": availability,
            "budget": { "minutes": 43.2, "remaining_minutes": 43.2 * remaining, "remaining_ratio": remaining },
            "burn_rates": burns.map(|(window, rate)| json!({ "window": window, "rate": rate, "good": 1, "bad": 1 })),
            "firing": [{ "severity": "P1", "factor": 14.4, "long": "1h", "short": "5m" }],
        });
        serde_json::from_value(item).expect("an objective of the API")
    }

    #[test]
    fn the_least_of_a_budget_comes_first() {
        let layout = Layout { line_characters_max: None, last: Last::Cut };
        let calm = SloItem { firing: Vec::new(), ..item("calm", None, 1.0) };
        assert_eq!(
            list_text(vec![calm, item("api", Some(0.9995), 0.5)], layout),
            "\
NAME  STATUS    GOOD     WANTED  OVER  BUDGET LEFT  BURN 1H  BURN 3D  FIRING
api   critical  99.95 %  99.9 %  30d   50 %         20x      0.5x     P1 (1h, 5m)
calm  critical  -        99.9 %  30d   100 %        20x      -        -
"
        );
        assert!(list_text(Vec::new(), layout).contains("hint:"));
    }
}
