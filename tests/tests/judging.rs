//! What is made of results beyond the last one: flapping, dependencies, conditions with a duration and over a window.

use serde_json::{Value, json};
use sickbay_tests::{Sickbay, on_demand, program, services, until};

#[tokio::test]
async fn a_check_that_goes_to_and_fro_flaps_also_after_a_restart() {
    let url = services::alternating().await;
    let more = format!("config = {{ url = \"{url}\" }}\ngrants = {{ http = [\"GET {url}\"] }}");
    let mut sickbay = Sickbay::started(&on_demand("web", "http", "http", &more), &["http"]).await;
    assert_eq!(sickbay.check("web").await["flapping"], false);
    for _ in 0..12 {
        sickbay.run_now("web").await;
    }
    let flapping = sickbay.check("web").await;
    assert_eq!((&flapping["flapping"], flapping["flapping_since"].is_string()), (&json!(true), true), "{flapping}");
    assert_eq!(sickbay.metrics().await.sum("sickbay_check_flapping", &[("check", "web")]), 1.0);
    assert_eq!(sickbay.stop().await, 0);
    sickbay.start().await;
    assert_eq!(sickbay.check("web").await["flapping_since"], flapping["flapping_since"]);
}

#[tokio::test]
async fn what_stands_on_a_failing_check_is_unreachable_and_still_runs() {
    let checks = on_demand("db", "hostile", "hostile-text", "failures = 1")
        + &on_demand("other-db", "hostile", "ok", "")
        + &on_demand("api", "hostile", "ok", "depends_on = [\"db\"]")
        + &on_demand("web", "hostile", "ok", "depends_on = [\"api\"]")
        + &on_demand("report", "hostile", "ok", "depends_on = [{ any = [\"db\", \"other-db\"] }]");
    let mut sickbay = Sickbay::started(&checks, &["hostile"]).await;
    assert_eq!(sickbay.run_now("db").await["hard_status"], "critical");
    let causes = async |sickbay: &Sickbay| {
        let mut causes = Vec::new();
        for name in ["db", "api", "web", "report"] {
            causes.push(sickbay.check(name).await["unreachable_by"].clone());
        }
        causes
    };
    let wanted = [Value::Null, json!("db"), json!("db"), Value::Null];
    assert_eq!(causes(&sickbay).await, wanted);
    assert_eq!(sickbay.check("db").await["dependents"], 2);
    assert_eq!(sickbay.run_now("api").await["status"], "ok");
    assert_eq!(causes(&sickbay).await, wanted);
    let told = program::run(sickbay.folder(), &["status", "web", "--url", &sickbay.url()]).await;
    assert!(told.code == 0 && told.out.contains("blocked by db, which is down"), "{told:?}");

    assert_eq!(sickbay.stop().await, 0);
    sickbay.start().await;
    assert_eq!(causes(&sickbay).await, wanted, "it is known from what is stored");
}

#[tokio::test]
async fn a_condition_with_a_duration_counts_when_it_has_held_for_so_long_and_goes_on_after_a_restart() {
    let conditions =
        |duration: &str| format!("failures = 1\ncritical = [{{ when = \"report.metrics.runs > 0.0\", for = \"{duration}\" }}]");
    let checks = on_demand("soon", "counter", "counter", &conditions("1s")) + &on_demand("late", "counter", "counter", &conditions("24h"));
    let mut sickbay = Sickbay::started(&checks, &["counter"]).await;
    assert_eq!(sickbay.run_now("soon").await["status"], "ok");
    until("it has held for long enough", async || sickbay.run_now("soon").await["status"] == "critical").await;

    sickbay.run_now("late").await;
    let held = async |sickbay: &Sickbay| sickbay.check("late").await["holding"][0]["held_seconds"].as_f64();
    until("some of its time has passed", async || {
        sickbay.run_now("late").await;
        held(&sickbay).await > Some(0.0)
    })
    .await;
    let before = held(&sickbay).await;
    assert_eq!(sickbay.stop().await, 0);
    sickbay.start().await;
    assert_eq!(held(&sickbay).await, before);
    assert_eq!(sickbay.run_now("late").await["status"], "ok");
    assert!(held(&sickbay).await > before);
}

#[tokio::test]
async fn a_condition_over_a_window_has_its_samples_again_after_a_restart() {
    let conditions = "failures = 1\nwarning = [\"count('runs', '1h') > 2.0\"]";
    let mut sickbay = Sickbay::started(&on_demand("a", "counter", "counter", conditions), &["counter"]).await;
    for _ in 0..2 {
        assert_eq!(sickbay.run_now("a").await["status"], "ok");
    }
    assert_eq!(sickbay.check("a").await["waiting"], json!(["count('runs', '1h') has 2 of 3 samples"]));
    assert_eq!(sickbay.stop().await, 0);
    sickbay.start().await;
    let third = sickbay.run_now("a").await;
    assert_eq!((&third["status"], &third["evidence"][0]["actual"]), (&json!("warning"), &json!("3")), "{third}");
    assert_eq!(sickbay.check("a").await["waiting"], json!([]));
}

const PUSHED: &str = "[[check]]\nname = \"backup\"\nwarning = [\"report.metrics.files < 10.0\"]\npush = ";

#[tokio::test]
async fn what_is_pushed_is_judged_and_recorded() {
    let sickbay = Sickbay::started(&format!("{PUSHED}{{ within = \"25h\" }}\n\n{}", on_demand("a", "noop", "noop", "")), &["noop"]).await;
    let push = async |body: &str| sickbay.client().post_body("/api/v1/push/backup", body).await;
    let first = push("").await.json();
    assert_eq!(
        (&first["status"], &first["trigger"], &first["plugin"]),
        (&json!("unknown"), &json!("push"), &json!("")),
        "no metric: {first}"
    );
    let well = push(r#"{"summary": "done", "metrics": {"files": 12}, "duration_seconds": 1.5}"#).await.json();
    assert_eq!((&well["hard_status"], &well["summary"], &well["duration_seconds"]), (&json!("ok"), &json!("done"), &json!(1.5)), "{well}");
    let few = push(r#"{"metrics": {"files": 2}}"#).await.json();
    assert_eq!((&few["hard_status"], &few["reason"]), (&json!("warning"), &json!("ConditionFailed")), "{few}");
    assert_eq!(sickbay.results("backup").await.len(), 3);
    assert_eq!(sickbay.check("backup").await["push_within_seconds"], 90_000.0);

    assert_eq!(push("{]").await.status, 400);
    assert_eq!(sickbay.client().post("/api/v1/push/absent").await.status, 404);
    assert_eq!(sickbay.client().post("/api/v1/push/a").await.status, 409);
    assert_eq!(sickbay.client().post("/api/v1/checks/backup/run").await.status, 409);
}

#[tokio::test]
async fn silence_is_critical_until_something_is_heard_also_across_a_restart() {
    let mut sickbay = Sickbay::started(&format!("{PUSHED}{{ within = \"1s\" }}\n"), &[]).await;
    let metrics = r#"{"metrics": {"files": 12}}"#;
    assert_eq!(sickbay.client().post_body("/api/v1/push/backup", metrics).await.json()["status"], "ok");
    let silent = async |sickbay: &Sickbay| {
        let check = sickbay.check("backup").await;
        check["hard_status"] == "critical" && check["reason"] == "NotHeard"
    };
    until("its silence is told", async || silent(&sickbay).await).await;
    assert_eq!(sickbay.stop().await, 0);
    sickbay.start().await;
    assert!(silent(&sickbay).await, "it is known from what is stored");
    assert_eq!(sickbay.client().post_body("/api/v1/push/backup", metrics).await.json()["hard_status"], "ok");
}

#[tokio::test]
async fn a_composite_follows_its_members_at_once_and_keeps_its_quorum() {
    let checks = on_demand("db-1", "hostile", "hostile-text", "failures = 1")
        + &on_demand("db-2", "hostile", "ok", "")
        + "[[check]]\nname = \"all\"\ncomposite = { checks = [\"db-*\"] }\nevery = \"24h\"\n\n"
        + "[[check]]\nname = \"one\"\ncomposite = { checks = [\"db-*\"], healthy_min = 1 }\nevery = \"24h\"\n";
    let sickbay = Sickbay::started(&checks, &["hostile"]).await;
    sickbay.run_now("db-2").await;
    until("one of them is enough", async || sickbay.check("one").await["hard_status"] == "ok").await;
    assert_eq!(sickbay.run_now("db-1").await["hard_status"], "critical");
    until("the worst of them decides", async || sickbay.check("all").await["hard_status"] == "critical").await;
    let all = sickbay.check("all").await;
    assert_eq!((&all["summary"], &all["members"]), (&json!("1 of 2 healthy; critical: db-1"), &json!(["db-1", "db-2"])), "{all}");
    assert_eq!(sickbay.run_now("one").await["status"], "ok");
    until("its look is stored", async || sickbay.results("all").await.iter().any(|result| result["trigger"] == "member")).await;
}
