//! Objectives: what is counted, how it burns, what is told of it, and that a restart changes nothing.

use serde_json::{Value, json};
use sickbay_tests::{Sickbay, program, until};

/// A check whose results a test tells, with the label `service`.
fn told(name: &str, service: &str) -> String {
    format!("[[check]]\nname = \"{name}\"\npush = {{ within = \"24h\" }}\nlabels = {{ service = \"{service}\" }}\n\n")
}

fn slo(name: &str, more: &str) -> String {
    format!("[[slo]]\nname = \"{name}\"\n{more}\n\n")
}

/// Tells `count` results of a check.
async fn push(sickbay: &Sickbay, check: &str, body: &str, count: usize) {
    for _ in 0..count {
        let answer = sickbay.client().post_body(&format!("/api/v1/push/{check}"), body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

async fn objective(sickbay: &Sickbay, name: &str) -> Value {
    sickbay.json(&format!("/api/v1/slos/{name}")).await
}

const OK: &str = "";
const CRITICAL: &str = r#"{"status": "critical"}"#;
const WARNING: &str = r#"{"status": "warning"}"#;
const UNKNOWN: &str = r#"{"status": "unknown"}"#;

#[tokio::test]
async fn a_budget_that_burns_fast_is_critical_and_goes_on_after_a_restart() {
    let checks = told("api", "shop") + &slo("shop", "checks = [\"api\"]\nobjective = 0.99");
    let mut sickbay = Sickbay::started(&checks, &[]).await;
    push(&sickbay, "api", OK, 8).await;
    let calm = sickbay.run_now("slo.shop").await;
    assert_eq!((&calm["status"], &calm["hard_status"]), (&json!("ok"), &json!("ok")), "{calm}");
    assert_eq!(calm["summary"], "100 % good, 99 % wanted over 30d; 100 % of the error budget is left");

    push(&sickbay, "api", CRITICAL, 2).await;
    let burning = sickbay.run_now("slo.shop").await;
    assert_eq!((&burning["status"], &burning["hard_status"]), (&json!("critical"), &json!("critical")), "{burning}");
    assert_eq!(burning["evidence"][0]["actual"], "20 over 1h, 20 over 5m");
    let shop = objective(&sickbay, "shop").await;
    let counts = |slo: &Value| ["good", "bad", "uncovered", "availability"].map(|key| slo[key].clone());
    assert_eq!(counts(&shop), [json!(8), json!(2), json!(0), json!(0.8)]);
    assert_eq!(shop["budget"], json!({ "minutes": 432.0, "remaining_minutes": -8_208.0, "remaining_ratio": -19.0 }));
    assert!(shop["burn_rates"].as_array().is_some_and(|rates| rates.len() == 7 && rates.iter().all(|burn| burn["rate"] == 20.0)), "{shop}");
    assert_eq!(shop["firing"][0], json!({ "severity": "P1", "factor": 14.4, "long": "1h", "short": "5m" }));
    let metrics = sickbay.metrics().await;
    assert_eq!(metrics.sum("sickbay_slo_burn_rate", &[("slo", "shop"), ("window", "6h")]), 20.0);
    assert_eq!(metrics.series("sickbay_slo_burn_rate", &[("slo", "shop")]).count(), 7);
    assert_eq!(metrics.sum("sickbay_slo_error_budget_remaining_ratio", &[("slo", "shop")]), -19.0);

    assert_eq!(sickbay.stop().await, 0);
    sickbay.start().await;
    let again = objective(&sickbay, "shop").await;
    assert_eq!((counts(&again), &again["burn_rates"]), (counts(&shop), &shop["burn_rates"]));
    assert_eq!((&again["checks"], &again["services"]), (&shop["checks"], &shop["services"]));
    assert_eq!(sickbay.check("slo.shop").await["hard_status"], "critical");
    push(&sickbay, "api", OK, 1).await;
    assert_eq!(objective(&sickbay, "shop").await["good"], 9);

    let listed = program::run(sickbay.folder(), &["slo", "list", "--url", &sickbay.url()]).await;
    assert!(listed.code == 0 && listed.out.contains("shop  critical  81.818 %  99 %"), "{listed:?}");
    let page = sickbay.get("/").await.text();
    assert!(page.contains("<h2>Objectives</h2>") && page.contains("<td data-label=\"Good\">81.818 %</td>"), "{page}");
}

#[tokio::test]
async fn a_result_that_nobody_could_judge_is_uncovered_and_a_warning_is_bad_where_it_shall_be() {
    let checks = told("api", "shop")
        + &told("mail", "office")
        + &slo("strict", "match = ['service=~\"shop|office\"']\nobjective = 0.5\nbad = \"warning\"")
        + &slo("mild", "checks = [\"api\", \"mail\"]\nobjective = 0.5")
        + &slo("silent", "checks = [\"mail\"]\nobjective = 0.999");
    let sickbay = Sickbay::started(&checks, &[]).await;
    push(&sickbay, "api", OK, 2).await;
    push(&sickbay, "api", WARNING, 1).await;
    push(&sickbay, "mail", UNKNOWN, 3).await;
    let counts = async |name: &str| {
        let slo = objective(&sickbay, name).await;
        ["good", "bad", "uncovered", "uncovered_ratio", "status"].map(|key| slo[key].clone())
    };
    assert_eq!(counts("strict").await, [json!(2), json!(1), json!(3), json!(0.5), json!("ok")]);
    assert_eq!(counts("mild").await, [json!(3), json!(0), json!(3), json!(0.5), json!("ok")]);
    assert_eq!(counts("silent").await, [json!(0), json!(0), json!(3), json!(1.0), json!("unknown")]);
    assert_eq!(sickbay.run_now("slo.silent").await["status"], "unknown", "unknown is not down");
    let strict = objective(&sickbay, "strict").await;
    let rows = |key: &str| -> Vec<Value> {
        strict[key].as_array().expect("rows").iter().map(|row| json!([row["name"], row["good"], row["bad"], row["uncovered"]])).collect()
    };
    assert_eq!(rows("checks"), [json!(["api", 2, 1, 0]), json!(["mail", 0, 0, 3])]);
    assert_eq!(rows("services"), [json!(["office", 0, 0, 3]), json!(["shop", 2, 1, 0])]);
}

#[tokio::test]
async fn an_objective_may_be_about_what_was_measured() {
    let latency = "checks = [\"api\"]\nobjective = 0.95\nwindow = \"7d\"\nlatency = { metric = \"latency_seconds\", below = 0.2 }";
    let sickbay = Sickbay::started(&(told("api", "shop") + &slo("fast", latency)), &[]).await;
    push(&sickbay, "api", r#"{"metrics": {"latency_seconds": 0.1}}"#, 18).await;
    push(&sickbay, "api", r#"{"metrics": {"latency_seconds": 0.4}}"#, 1).await;
    push(&sickbay, "api", CRITICAL, 1).await;
    push(&sickbay, "api", OK, 1).await;
    let fast = objective(&sickbay, "fast").await;
    assert_eq!((&fast["good"], &fast["bad"], &fast["uncovered"]), (&json!(18), &json!(2), &json!(1)), "{fast}");
    assert_eq!((&fast["bad_from"], &fast["latency"]["below"]), (&Value::Null, &json!(0.2)));
    let percentile = |name: &str| fast["percentiles"][name].as_f64().expect("it was measured");
    assert!((percentile("p50") / 0.1 - 1.0).abs() < 0.2 && (percentile("p99") / 0.4 - 1.0).abs() < 0.2, "{fast}");
    // Twice what is allowed: only the slowest pair is above its factor.
    let firing: Vec<&Value> = fast["firing"].as_array().expect("a list").iter().map(|pair| &pair["severity"]).collect();
    assert_eq!((firing, &sickbay.run_now("slo.fast").await["hard_status"]), (vec![&json!("P3")], &json!("warning")));
}

#[tokio::test]
async fn counts_outlive_a_change_of_the_configuration_and_a_mistake_changes_nothing() {
    let (checks, slos) = (told("api", "shop"), slo("shop", "checks = [\"api\"]\nobjective = 0.99"));
    let mut sickbay = Sickbay::started(&(checks.clone() + &slos), &[]).await;
    push(&sickbay, "api", OK, 3).await;

    sickbay.configure(&(checks.clone() + &slo("shop", "checks = [\"absent\"]\nobjective = 0.99")));
    sickbay.hang_up();
    until("the mistake is told", async || sickbay.json("/api/v1/config").await["last_reload_successful"] == false).await;
    assert_eq!(objective(&sickbay, "shop").await["good"], 3);

    let other =
        slo("shop", "match = ['service=\"shop\"']\nobjective = 0.9\nwindow = \"7d\"") + &slo("new", "checks = [\"*\"]\nobjective = 0.9");
    sickbay.configure(&(checks.clone() + &other));
    sickbay.hang_up();
    until("the other objective is in force", async || objective_is(&sickbay, "new", 200).await).await;
    let shop = objective(&sickbay, "shop").await;
    assert_eq!((&shop["good"], &shop["objective"], &shop["window_seconds"]), (&json!(3), &json!(0.9), &json!(604_800.0)));
    push(&sickbay, "api", OK, 1).await;
    assert_eq!((&objective(&sickbay, "shop").await["good"], &objective(&sickbay, "new").await["good"]), (&json!(4), &json!(1)));

    sickbay.configure(&checks);
    sickbay.hang_up();
    until("no objective is left", async || sickbay.check_names().await == ["api"]).await;
    assert!(objective_is(&sickbay, "shop", 404).await);
    assert_eq!(sickbay.json("/api/v1/slos").await, json!({ "items": [], "next": null }));
}

async fn objective_is(sickbay: &Sickbay, name: &str, status: u16) -> bool {
    sickbay.get(&format!("/api/v1/slos/{name}")).await.status == status
}
