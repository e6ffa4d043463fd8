//! `/api/v1/slos`: the objectives, and one of them with its checks.

use axum::Json;
use axum::extract::{RawQuery, State};

use super::Api;
use super::checks::{behind, limit};
use super::model::{Page, SloDetail, SloItem};
use super::parameters::{Named, Parameters};
use super::problem::{Problem, ProblemKind, quoted};
use crate::clock;
use crate::config::nearest;
use crate::slo::SloTable;

/// All objectives, by name.
#[utoipa::path(
    get,
    path = "/api/v1/slos",
    tag = "slos",
    params(
        ("limit" = Option<u64>, Query, description = "How many at most, 1 to 1000; 100 by default"),
        ("cursor" = Option<String>, Query, description = "`next` of the part before"),
    ),
    responses(
        (status = 200, description = "A part of the list", body = Page<SloItem>),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_slos(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Json<Page<SloItem>>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["limit", "cursor"])?;
    let (limit, now) = (limit(&parameters)?, clock::now());
    let table = api.live.slos.load_full();
    let mut wanted = table.by_name.range::<str, _>(behind(&parameters)?).map(|(_, slo)| slo);
    let items: Vec<SloItem> = wanted.by_ref().take(limit).map(|slo| SloItem::of(slo, &slo.account(now))).collect();
    let next = wanted.next().and(items.last()).map(|last| last.name.clone());
    Ok(Json(Page { items, next }))
}

/// One objective, with what is known of each of its checks and services.
#[utoipa::path(
    get,
    path = "/api/v1/slos/{name}",
    tag = "slos",
    params(("name" = String, Path, description = "The objective's name, percent-encoded")),
    responses(
        (status = 200, description = "The objective", body = SloDetail),
        (status = 404, description = "No objective has this name", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_slo(State(api): State<Api>, Named(name): Named, RawQuery(query): RawQuery) -> Result<Json<SloDetail>, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let table = api.live.slos.load_full();
    let slo = table.by_name.get(&name).ok_or_else(|| unknown(&name, &table))?;
    Ok(Json(SloDetail::of(slo, clock::now())))
}

fn unknown(name: &str, known: &SloTable) -> Problem {
    let names: Vec<&str> = known.by_name.keys().map(String::as_str).collect();
    let problem = Problem::new(ProblemKind::SloUnknown, format!("no objective is named {}", quoted(name)));
    match nearest(name, &names) {
        Some(meant) => problem.hint(format!("did you mean {}?", quoted(meant))),
        None => problem.hint("all of them are at /api/v1/slos"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sickbay_core::{Metric, MetricKind, Status};
    use sickbay_store::ResultRecord;

    use crate::api::testing::{Host, check, get, record};
    use crate::clock;

    fn result(check: &str, status: Status, latency: f64) -> ResultRecord {
        let (name, value, kind) = ("latency_seconds".to_owned(), latency, MetricKind::Gauge);
        let metrics = [Metric { name, value, kind, unit: String::new(), labels: Vec::new() }].into();
        ResultRecord { status, metrics, started_at: clock::now(), ..record(check, 1) }
    }

    async fn host() -> Host {
        let labelled = |name: &str, service: &str| format!("{}labels = {{ service = \"{service}\" }}\n", check(name));
        let checks = labelled("api", "shop") + &labelled("cart", "shop") + &labelled("mail", "office") + &check("disk");
        let slos = "[[slo]]\nname = \"all\"\nmatch = ['service!=\"\"']\nobjective = 0.9\n\
                    [[slo]]\nname = \"fast\"\nchecks = [\"api\"]\nobjective = 0.5\nwindow = \"7d\"\nlatency = { metric = \"latency_seconds\", below = 0.2 }\n";
        Host::start(&(checks + slos)).await
    }

    #[tokio::test]
    async fn an_objective_is_told_with_its_services_and_checks() {
        let host = host().await;
        let table = host.live.slos.load_full();
        for _ in 0..8 {
            table.note(&result("api", Status::Ok, 0.1));
        }
        for (check, status) in [("api", Status::Unknown), ("api", Status::Critical), ("mail", Status::Warning), ("disk", Status::Critical)]
        {
            table.note(&result(check, status, 1.0));
        }
        let all = host.ask(get("/api/v1/slos/all")).await.json();
        assert_eq!(
            (&all["objective"], &all["window_seconds"], &all["bad_from"], &all["check"]),
            (&json!(0.9), &json!(2_592_000.0), &json!("critical"), &json!("slo.all"))
        );
        assert_eq!((&all["good"], &all["bad"], &all["uncovered"], &all["checks_count"]), (&json!(9), &json!(1), &json!(1), &json!(3)));
        assert_eq!((&all["availability"], &all["uncovered_ratio"]), (&json!(0.9), &json!(0.090909091)));
        assert_eq!(all["budget"], json!({ "minutes": 4320.0, "remaining_minutes": 0.0, "remaining_ratio": 0.0 }));
        let burns: Vec<String> =
            all["burn_rates"].as_array().unwrap().iter().map(|burn| format!("{} {}", burn["window"], burn["rate"])).collect();
        assert_eq!(burns, ["5m", "30m", "1h", "2h", "6h", "1d", "3d"].map(|window| format!("\"{window}\" 1.0")));
        assert_eq!((&all["firing"], &all["status"]), (&json!([]), &json!("ok")));
        let rows = |key: &str| {
            let rows = all[key].as_array().unwrap().iter();
            rows.map(|row| format!("{} {} {} {}", row["name"], row["good"], row["bad"], row["availability"])).collect::<Vec<_>>()
        };
        assert_eq!(rows("services"), ["\"office\" 1 0 1.0", "\"shop\" 8 1 0.888888889"]);
        assert_eq!(rows("checks"), ["\"api\" 8 1 0.888888889", "\"cart\" 0 0 null", "\"mail\" 1 0 1.0"]);
        assert_eq!(all["checks"][1]["percentiles"], Value::Null);
        let p50 = all["checks"][0]["percentiles"]["p50"].as_f64().unwrap();
        assert!((p50 / 0.1 - 1.0).abs() < 0.2, "{p50}");
    }

    #[tokio::test]
    async fn a_latency_that_is_wanted_is_told_and_counts() {
        let host = host().await;
        let table = host.live.slos.load_full();
        for latency in [0.1, 0.1, 0.1, 0.3] {
            table.note(&result("api", Status::Ok, latency));
        }
        let fast = host.ask(get("/api/v1/slos/fast")).await.json();
        assert_eq!((&fast["bad_from"], &fast["latency"]), (&Value::Null, &json!({ "metric": "latency_seconds", "below": 0.2 })));
        assert_eq!((&fast["availability"], &fast["budget"]["remaining_ratio"]), (&json!(0.75), &json!(0.5)));
        assert_eq!(fast["budget"]["remaining_minutes"], 2_520.0);
    }

    #[tokio::test]
    async fn the_list_comes_in_parts_and_says_nothing_of_what_was_not_counted() {
        let host = host().await;
        let first = host.ask(get("/api/v1/slos?limit=1")).await.json();
        assert_eq!((&first["items"][0]["name"], &first["next"]), (&json!("all"), &json!("all")));
        assert_eq!((&first["items"][0]["availability"], &first["items"][0]["status"]), (&Value::Null, &json!("unknown")));
        assert_eq!(first["items"][0]["burn_rates"][0]["rate"], Value::Null);
        let second = host.ask(get("/api/v1/slos?limit=1&cursor=all")).await.json();
        assert_eq!((&second["items"][0]["name"], &second["next"]), (&json!("fast"), &Value::Null));
        assert_eq!(host.ask(get("/api/v1/slos?service=shop")).await.status, 400);
        let absent = host.ask(get("/api/v1/slos/fats")).await;
        assert_eq!((absent.status, absent.json()["hint"].as_str()), (404, Some("did you mean `fast`?")));
    }
}
