//! When checks run: cron expressions, fan-out over targets, and the cadence of a soft state.

use serde_json::{Value, json};
use sickbay_tests::{Sickbay, check, found, milliseconds, program, services, until};

fn cron(name: &str, expression: &str, more: &str) -> String {
    format!("[[check]]\nname = \"{name}\"\nplugin = \"noop\"\ncron = \"{expression}\"\n{more}\n\n")
}

/// A check of the plugin `hostile` that runs only when it is asked to.
fn asked(name: &str, kind: &str, timeout: &str) -> String {
    // 29 February: not within this test.
    let cadence = format!("cron = \"0 0 29 2 *\"\ntimeout = \"{timeout}\"");
    format!("[[check]]\nname = \"{name}\"\nplugin = \"hostile\"\nkind = \"{kind}\"\n{cadence}\n\n")
}

fn scheduled(results: &[Value]) -> Vec<i64> {
    let scheduled = results.iter().filter(|result| result["trigger"] == "schedule");
    scheduled.map(|result| milliseconds(result["scheduled_at"].as_str().expect("a time"))).collect()
}

#[tokio::test]
async fn a_cron_expression_names_the_times_of_its_runs() {
    let sickbay = Sickbay::started(&cron("each-second", "* * * * * *", "timezone = \"Asia/Kathmandu\""), &["noop"]).await;
    until("it ran some times", async || sickbay.results("each-second").await.len() >= 3).await;
    let times = scheduled(&sickbay.results("each-second").await);
    assert!(times.iter().all(|at| at % 1000 == 0), "no phase is added: {times:?}");
    assert!(times.windows(2).all(|pair| pair[0] > pair[1]), "{times:?}");
    let told = sickbay.check("each-second").await;
    assert_eq!((&told["cron"], &told["timezone"], &told["every_seconds"]), (&json!("* * * * * *"), &json!("Asia/Kathmandu"), &Value::Null));
}

#[tokio::test]
async fn a_check_with_cron_waits_for_its_time_and_runs_when_asked() {
    // 29 February: not within this test.
    let checks = cron("leap-day", "0 0 29 2 *", "") + &check("soon", "noop", "24h", "");
    let sickbay = Sickbay::started(&checks, &["noop"]).await;
    until("the check with an interval ran", async || !sickbay.results("soon").await.is_empty()).await;
    assert_eq!(sickbay.check("leap-day").await["reason"], "NotYetRun");
    assert_eq!(sickbay.run_now("leap-day").await["trigger"], "manual");
    assert_eq!(scheduled(&sickbay.results("leap-day").await), Vec::<i64>::new());
}

#[tokio::test]
async fn each_target_is_a_check_of_its_own() {
    let url = services::alternating().await;
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let more = format!(
        "kind = \"http\"\ntargets = [\"{address}\", \"{address}/deep\"]\nlabels = {{ service = \"api\" }}\n\
         config = {{ url = \"http://{{{{target}}}}/x\" }}\ngrants = {{ http = [\"GET http://{{{{target}}}}/x\"] }}"
    );
    let sickbay = Sickbay::started(&check("api", "http", "24h", &more), &["http"]).await;
    let (plain, deep) = (format!("api@{address}"), format!("api@{address}/deep"));
    assert_eq!(sickbay.check_names().await, [plain.clone(), deep.clone()]);

    let encoded = |name: &str| name.replace('@', "%40").replace(':', "%3A").replace('/', "%2F");
    let told = sickbay.check(&encoded(&deep)).await;
    assert_eq!((&told["name"], &told["labels"]), (&json!(deep), &json!({ "service": "api", "target": format!("{address}/deep") })));
    for name in [&plain, &deep] {
        let result = sickbay.run_now(&encoded(name)).await;
        assert_eq!(result["check"], name.as_str());
        // A URL or a grant in which the target was not filled in would have given no answer of the server.
        let summary = result["summary"].as_str().expect("a text");
        assert!(summary.starts_with("HTTP 200") || summary.starts_with("HTTP 503"), "{result}");
        assert!(sickbay.metrics().await.runs_recorded(Some(name.as_str())) >= 1);
    }
    let one = program::run(sickbay.folder(), &["status", &deep, "--url", &sickbay.url(), "-o", "json"]).await;
    assert!(one.code == 0 && one.out.contains(&deep), "{one:?}");
}

#[tokio::test]
async fn a_soft_state_is_tried_again_sooner_and_a_hard_one_at_the_normal_cadence() {
    // Its first run is a failure that two more must confirm; then it is hard, and a day is between two runs.
    let more = "kind = \"hostile-text\"\nfailures = 3\nretry_every = \"500ms\"";
    let sickbay = Sickbay::started(&check("down", "hostile", "24h", more), &["hostile"]).await;
    until("the failure is confirmed", async || sickbay.check("down").await["hard_status"] == "critical").await;
    // It is seen before it is stored.
    let confirmed = found("all its runs are stored", async || {
        let results = sickbay.results("down").await;
        (results.len() >= 3).then_some(results)
    })
    .await;
    let times = scheduled(&confirmed);
    assert_eq!(times.len(), 3, "{confirmed:?}");
    assert_eq!((times[0] - times[1]) % 500, 0, "retries are counted from the schedule: {times:?}");
    // Another check's run comes later than any further retry would have.
    sickbay.configure(&(check("down", "hostile", "24h", more) + &check("after", "hostile", "1s", "kind = \"ok\"")));
    until("the other check is there", async || sickbay.check_names().await.len() == 2).await;
    until("others ran some times", async || sickbay.results("after").await.len() >= 3).await;
    assert_eq!(sickbay.results("down").await.len(), 3);
}

#[tokio::test]
async fn with_a_concurrency_of_1_a_check_waits_its_turn_or_says_that_it_had_none() {
    let checks = [asked("sleeps", "sleep", "5s"), asked("sleeps-too", "sleep", "200ms"), asked("waits", "ok", "30s")].concat();
    let sickbay = Sickbay::started(&format!("[plugin.hostile]\nconcurrency = 1\n\n{checks}"), &["hostile"]).await;
    let overloaded = async || {
        let metrics = sickbay.metrics().await;
        metrics.series("sickbay_overloaded_total", &[("plugin", "hostile")]).map(|sample| sample.value).collect::<Vec<_>>()
    };
    assert_eq!(overloaded().await, [0.0]);

    let client = sickbay.client();
    let sleeps = tokio::spawn(async move { client.run_now("sleeps").await });
    until("it sleeps", async || sickbay.metrics().await.sum("sickbay_runs_in_flight", &[]) == 1.0).await;
    let waits = tokio::spawn(async move { client.run_now("waits").await });
    let without = sickbay.run_now("sleeps-too").await;
    assert_eq!((&without["status"], &without["reason"]), (&json!("unknown"), &json!("HostOverloaded")), "{without}");
    assert_eq!(overloaded().await, [1.0]);
    assert_eq!(sickbay.check("sleeps-too").await["runs"]["unknown"], 1);

    let (slept, waited) = (sleeps.await.expect("a result"), waits.await.expect("a result"));
    assert_eq!((&slept["reason"], &waited["reason"]), (&json!("RunDeadline"), &json!("Passed")), "{slept} {waited}");
    let began = |result: &Value| milliseconds(result["started_at"].as_str().expect("a time"));
    assert!(began(&waited) - began(&slept) >= 4_500, "one began while the other slept: {slept} {waited}");
    assert_eq!(overloaded().await, [1.0]);
}

#[tokio::test]
async fn a_check_that_is_slower_than_its_interval_keeps_its_times_and_counts_those_that_it_skips() {
    let more = "kind = \"sleep\"\ntimeout = \"1500ms\"";
    let sickbay = Sickbay::started(&check("slow", "hostile", "1s", more), &["hostile"]).await;
    let results = found("it ran some times", async || {
        let results = sickbay.results("slow").await;
        (results.len() >= 3).then_some(results)
    })
    .await;
    let times = scheduled(&results);
    assert!(times.windows(2).all(|pair| (pair[0] - pair[1]) % 1_000 == 0 && pair[0] - pair[1] >= 2_000), "{times:?}");
    let skipped = sickbay.metrics().await.sum("sickbay_check_runs_total", &[("check", "slow"), ("outcome", "skipped")]);
    assert!(skipped >= 2.0, "{skipped}");
    let told = sickbay.check("slow").await;
    assert!(told["runs"]["skipped"].as_f64().is_some_and(|runs| runs >= skipped), "{told}");
    assert_eq!(told["runs"]["ok"], 0, "{told}");
}
