//! Guests that compute without end hold up their own plugin and nobody else.

use sickbay_tests::{Samples, Sickbay, check, until};

/// Plugins whose checks all compute without end, each for itself.
const SPINNING: [&str; 4] = ["spin-a", "spin-b", "spin-c", "spin-d"];
const SPINNERS_EACH: usize = 16;
const LIGHT: usize = 8;
const RUNS: u64 = 5;

/// Far more computing time than the deadline leaves: what ends a spinner is its deadline.
fn configuration() -> String {
    let settings = SPINNING.map(|plugin| format!("[plugin.{plugin}]\nlimits = {{ cpu_ms = 60000 }}\n\n"));
    let spinners = SPINNING.iter().flat_map(|plugin| {
        (0..SPINNERS_EACH).map(move |number| check(&format!("{plugin}-{number:02}"), plugin, "1s", "kind = \"spin\"\ntimeout = \"1s\""))
    });
    let light = (0..LIGHT).map(|number| check(&format!("light-{number}"), "noop", "1s", ""));
    settings.into_iter().chain(spinners).chain(light).collect()
}

#[tokio::test]
async fn light_checks_beside_many_that_compute_without_end_keep_their_cadence() {
    let plugins: Vec<String> = SPINNING.iter().map(|plugin| format!("{plugin}=hostile")).chain(["noop".to_owned()]).collect();
    let plugins: Vec<&str> = plugins.iter().map(String::as_str).collect();
    let sickbay = Sickbay::started(&configuration(), &plugins).await;
    until("every check ran some times", async || {
        let metrics = sickbay.metrics().await;
        sickbay.check_names().await.iter().all(|name| {
            let runs = if name.starts_with("light-") { RUNS } else { 1 };
            metrics.runs_recorded(Some(name)) >= runs
        })
    })
    .await;
    let metrics = sickbay.metrics().await;
    for number in 0..LIGHT {
        let name = format!("light-{number}");
        let outcomes = ["skipped", "unknown", "critical", "warning"].map(|outcome| runs(&metrics, &name, outcome));
        assert_eq!(outcomes, [0.0; 4], "{name}");
    }
    for plugin in SPINNING {
        let name = format!("{plugin}-00");
        let check = sickbay.check(&name).await;
        assert_eq!((&check["status"], &check["reason"]), (&"unknown".into(), &"RunDeadline".into()), "{check}");
        assert_eq!(runs(&metrics, &name, "ok"), 0.0);
    }
    assert_eq!(sickbay.get("/readyz").await.status, 200);
}

fn runs(metrics: &Samples, check: &str, outcome: &str) -> f64 {
    metrics.sum("sickbay_check_runs_total", &[("check", check), ("outcome", outcome)])
}
