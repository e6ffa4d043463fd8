//! When checks run: cron expressions, fan-out over targets, and the cadence of a soft state.

use serde_json::{Value, json};
use sickbay_tests::{Sickbay, check, found, milliseconds, program, services, until};

fn cron(name: &str, expression: &str, more: &str) -> String {
    format!("[[check]]\nname = \"{name}\"\nplugin = \"noop\"\ncron = \"{expression}\"\n{more}\n\n")
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
