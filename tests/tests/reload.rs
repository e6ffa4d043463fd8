//! The configuration while Sickbay runs: taken whole or not at all, and what is known of a check stays.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use sickbay_tests::{Client, Sickbay, check, until};

const MANY: usize = 5_000;

fn steady(name: &str) -> String {
    check(name, "noop", "200ms", "")
}

async fn until_checks_are(sickbay: &Sickbay, names: &[&str]) {
    until(&format!("the checks are {names:?}"), async || sickbay.check_names().await == names).await;
}

async fn reload_succeeded(sickbay: &Sickbay) -> bool {
    sickbay.metrics().await.sum("sickbay_config_last_reload_successful", &[]) == 1.0
}

#[tokio::test]
async fn a_new_check_runs_and_a_removed_one_disappears() {
    let sickbay = Sickbay::started(&(steady("a") + &steady("b")), &["noop"]).await;
    until("both ran", async || sickbay.checks().await.iter().all(|check| check["status"] == "ok")).await;
    sickbay.configure(&(steady("a") + &steady("c")));
    until_checks_are(&sickbay, &["a", "c"]).await;
    until("the new one ran", async || sickbay.check("c").await["status"] == "ok").await;
    for path in ["/api/v1/checks/b", "/api/v1/checks/b/results"] {
        assert_eq!(sickbay.get(path).await.status, 404, "{path}");
    }
    let metrics = sickbay.metrics().await;
    assert!(
        metrics.0.iter().all(|sample| sample.labels.get("check").is_none_or(|check| check != "b")),
        "a removed check is still exported"
    );
    assert_eq!(metrics.sum("sickbay_check_runs_total", &[("outcome", "skipped")]), 0.0);
    // What is remembered of a check is there again with it.
    sickbay.configure(&(steady("a") + &check("b", "noop", "24h", "")));
    until_checks_are(&sickbay, &["a", "b"]).await;
    assert_eq!(sickbay.check("b").await["status"], "ok");
    assert!(!sickbay.results("b").await.is_empty());
}

#[tokio::test]
async fn a_changed_condition_judges_the_next_run() {
    let version = |more: &str| check("version", "swap-v1", "200ms", more);
    let sickbay = Sickbay::started(&version("critical = [\"report.metrics.version_number > 1.0\"]"), &["swap-v1"]).await;
    until("it is well", async || sickbay.check("version").await["status"] == "ok").await;
    sickbay.configure(&version("failures = 2\ncritical = [\"report.metrics.version_number > 0.5\"]"));
    until("it is critical", async || sickbay.check("version").await["hard_status"] == "critical").await;
    let check = sickbay.check("version").await;
    assert_eq!((&check["reason"], &check["failures_needed"]), (&"ConditionFailed".into(), &2.into()));
    assert_eq!((&check["evidence"][0]["actual"], &check["evidence"][0]["metric"]), (&"1".into(), &"version_number".into()));
    sickbay.configure(&version("successes = 1"));
    until("it is well again", async || sickbay.check("version").await["hard_status"] == "ok").await;
}

#[tokio::test]
async fn a_mistake_changes_nothing_and_is_shown_until_it_is_mended() {
    let sickbay = Sickbay::started(&(steady("a") + &steady("b")), &["noop", "swap-v1"]).await;
    until("both ran", async || sickbay.checks().await.iter().all(|check| check["status"] == "ok")).await;
    let mistakes = [
        ("a line that is no TOML", "[[check]]\nname = ".to_owned(), "sickbay.toml"),
        ("an unknown key", steady("c") + "intervall = \"1s\"\n", "unknown key"),
        ("two checks of one name", steady("a") + &steady("a"), "two checks `a`"),
        ("a condition that is none", check("c", "noop", "1s", "critical = [\"1 +\"]"), "the condition cannot be used"),
        ("a kind that the plugin has not", check("c", "noop", "1s", "kind = \"other\""), "no kind `other`"),
        ("a key of a later version", steady("c") + "[heartbeat]\nevery = \"1m\"\n", "not yet built"),
    ];
    for (what, text, told) in mistakes {
        sickbay.configure(&text);
        until(&format!("{what} is refused"), async || !reload_succeeded(&sickbay).await).await;
        assert_eq!(sickbay.check_names().await, ["a", "b"], "{what}");
        assert_eq!(sickbay.get("/readyz").await.status, 200, "{what}");
        let log = sickbay.log();
        let refusal = log.rsplit("the configuration was not taken").next().unwrap_or_default();
        assert!(refusal.contains(told) && refusal.contains("file=\"sickbay.toml\""), "{what}: {refusal}");
        let before = sickbay.metrics().await.runs_recorded(Some("a"));
        until(&format!("checks run on after {what}"), async || sickbay.metrics().await.runs_recorded(Some("a")) > before).await;
        sickbay.configure(&(steady("a") + &steady("b")));
        until(&format!("{what} is mended"), async || reload_succeeded(&sickbay).await).await;
    }
    let metrics = sickbay.metrics().await;
    assert_eq!(metrics.sum("sickbay_check_runs_total", &[("outcome", "skipped")]), 0.0);
}

/// Removes what is there, whatever it is.
fn clear(path: &Path) {
    let is_folder = fs::symlink_metadata(path).expect("it is there").is_dir();
    let removed = if is_folder { fs::remove_dir(path) } else { fs::remove_file(path) };
    removed.expect("it can be removed");
}

#[tokio::test]
async fn a_configuration_that_cannot_be_read_leaves_the_last_good_one() {
    let sickbay = Sickbay::started(&steady("a"), &["noop"]).await;
    let file = sickbay.path("sickbay.toml");
    let gone = |_: &Path| {};
    let folder = |path: &Path| fs::create_dir(path).expect("a folder");
    let circle = |path: &Path| symlink(path, path).expect("a link");
    let pipe = |path: &Path| rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RUSR).expect("a pipe");
    let large = |path: &Path| {
        // Empty it would be a configuration.
        let part = path.with_extension("part");
        File::create(&part).and_then(|file| file.set_len(200 << 20)).and_then(|()| fs::rename(&part, path)).expect("a file");
    };
    let ways: [(&str, &dyn Fn(&Path), &str); 5] = [
        ("one that is gone", &gone, "there is no such file"),
        ("a folder", &folder, "this is a folder, not a file"),
        ("a circle of links", &circle, "the links lead in a circle"),
        ("a pipe", &pipe, "this is not a file"),
        ("200 MB", &large, "the file is too large"),
    ];
    for (what, replace, told) in ways {
        let begin = sickbay.log().len();
        clear(&file);
        replace(&file);
        until(&format!("{what} is refused"), async || sickbay.log()[begin..].contains(told)).await;
        until(&format!("{what} is shown"), async || !reload_succeeded(&sickbay).await).await;
        assert_eq!(sickbay.check_names().await, ["a"], "{what}");
        assert_eq!(sickbay.get("/readyz").await.status, 200, "{what}");
        if what != "one that is gone" {
            clear(&file);
        }
        sickbay.configure(&steady("a"));
        until(&format!("{what} is mended"), async || reload_succeeded(&sickbay).await).await;
    }
}

#[tokio::test]
async fn what_takes_effect_on_restart_is_told_while_it_differs_from_the_start() {
    const TOLD: &str = "`server.listen` is not what sickbay was started with";
    let sickbay = Sickbay::started(&steady("a"), &["noop"]).await;
    sickbay.write("sickbay.toml", "[server]\nlisten = \"127.0.0.1:1\"\n\n".to_owned() + &steady("b"));
    until_checks_are(&sickbay, &["b"]).await;
    until("it is told", async || sickbay.log().contains(TOLD)).await;
    let begin = sickbay.log().len();
    sickbay.configure(&steady("c"));
    until("it is read again", async || sickbay.log()[begin..].contains("the configuration was read again")).await;
    until_checks_are(&sickbay, &["c"]).await;
    assert!(!sickbay.log()[begin..].contains(TOLD), "changed back, nothing waits for a restart");
}

#[tokio::test]
async fn whatever_is_found_is_one_line_of_the_log() {
    let waiting = check("x", "absent", "1s", "timeout = \"2s\"") + &check("y", "absent", "1s", "");
    let sickbay = Sickbay::started(&waiting, &["noop"]).await;
    sickbay.configure(&(waiting.clone() + &check("z", "noop", "1s", "kind = \"other\"\ncritical = [\"report.metrics.a == 'x'\"]")));
    until("it is refused", async || !reload_succeeded(&sickbay).await).await;
    sickbay.configure(&(waiting + &check("z", "noop", "1s", "kind = \"other\"")));
    until("the other mistake is told", async || sickbay.log().contains("has no kind `other`")).await;
    let log = sickbay.log();
    for line in log.lines() {
        assert!([" INFO ", " WARN ", "ERROR "].iter().any(|level| line.contains(level)), "`{line}` belongs to another line:\n{log}");
    }
    for part in [
        "WARN no plugin `absent` in `plugins/`: 2 checks wait for it: x, y file=\"sickbay.toml\" line=",
        "WARN `timeout` is longer than `every` file=\"sickbay.toml\" line=",
        "ERROR the configuration was not taken, the one before stays in force: 1 error, 1 warning\n",
        "ERROR the condition cannot be used file=\"sickbay.toml\" line=",
        "reason=\"a number never equals a text\" hint=\"compare a number with a number",
    ] {
        assert!(log.contains(part), "`{part}` is not in the log:\n{log}");
    }
}

#[tokio::test]
async fn what_is_known_of_a_check_stays_when_its_configuration_changes() {
    let down = |more: &str| check("down", "hostile", "200ms", &format!("kind = \"hostile-text\"\n{more}"));
    let sickbay = Sickbay::started(&down("failures = 2"), &["hostile", "noop"]).await;
    until("it is down", async || sickbay.check("down").await["hard_status"] == "critical").await;
    let since = sickbay.check("down").await["since"].clone();
    let runs = sickbay.metrics().await.runs_recorded(Some("down"));
    let first_result = sickbay.results("down").await.pop();
    sickbay.configure(&(down("failures = 5\nlabels = { service = \"new\" }") + &steady("another")));
    until("the new configuration is in force", async || sickbay.check("down").await["labels"]["service"] == "new").await;
    let check = sickbay.check("down").await;
    assert_eq!((&check["hard_status"], &check["since"], &check["failures_needed"]), (&"critical".into(), &since, &5.into()));
    assert!(sickbay.metrics().await.runs_recorded(Some("down")) >= runs);
    assert_eq!(sickbay.results("down").await.pop(), first_result);
    assert_eq!(sickbay.get("/healthz").await.status, 503);
}

#[tokio::test]
async fn files_of_the_folder_beside_it_are_merged_as_they_come_and_go() {
    let mut sickbay = Sickbay::prepared(&steady("main"), &["noop"]);
    fs::create_dir(sickbay.path("checks.d")).expect("a folder");
    sickbay.write("checks.d/one.toml", steady("one"));
    sickbay.start().await;
    until_checks_are(&sickbay, &["main", "one"]).await;
    sickbay.write("checks.d/two.toml", steady("two"));
    until_checks_are(&sickbay, &["main", "one", "two"]).await;
    sickbay.write("checks.d/two.toml", "[server]\nlisten = \"127.0.0.1:1\"\n");
    until("what only the main file may say is refused", async || !reload_succeeded(&sickbay).await).await;
    sickbay.write("checks.d/two.toml", steady("three"));
    until_checks_are(&sickbay, &["main", "one", "three"]).await;
    assert!(reload_succeeded(&sickbay).await);
    fs::remove_file(sickbay.path("checks.d/one.toml")).expect("a file can be removed");
    until_checks_are(&sickbay, &["main", "three"]).await;
}

#[tokio::test]
async fn a_folder_that_is_made_later_is_found() {
    let sickbay = Sickbay::started(&steady("main"), &["noop"]).await;
    fs::create_dir(sickbay.path("checks.d")).expect("a folder");
    for name in ["one", "two"] {
        sickbay.write(&format!("checks.d/{name}.toml"), steady(name));
        until("it is found", async || sickbay.check_names().await.iter().any(|known| known == name)).await;
    }
}

#[tokio::test]
async fn sighup_reads_what_no_watcher_could_see() {
    let mut sickbay = Sickbay::started(&steady("first"), &["noop"]).await;
    let file = sickbay.path("sickbay.toml");
    let text = fs::read_to_string(&file).expect("the configuration");
    let modified = fs::metadata(&file).and_then(|metadata| metadata.modified()).expect("its time");
    // The same length and the same time: by its looks the file has not changed.
    fs::write(&file, text.replace("first", "other")).expect("the configuration can be written");
    File::options().write(true).open(&file).and_then(|file| file.set_modified(modified)).expect("its time can be set");
    sickbay.hang_up();
    until_checks_are(&sickbay, &["other"]).await;
}

#[tokio::test]
async fn thousands_of_checks_come_and_go_with_one_edit() {
    let sickbay = Sickbay::started(&steady("steady"), &["noop"]).await;
    let many: String = (0..MANY).map(|number| check(&format!("many-{number:05}"), "noop", "24h", "")).collect();
    sickbay.configure(&(steady("steady") + &many));
    until("all are there", async || sickbay.check_names().await.len() == MANY + 1).await;
    until("all ran and are well", async || sickbay.checks().await.iter().all(|check| check["status"] == "ok")).await;
    sickbay.configure(&steady("steady"));
    until_checks_are(&sickbay, &["steady"]).await;
}

#[tokio::test]
async fn an_edit_while_an_edit_is_read_is_not_lost() {
    let mut sickbay = Sickbay::prepared(&steady("steady"), &["noop"]);
    fs::create_dir(sickbay.path("checks.d")).expect("a folder");
    // Enough to make reading take a while.
    let many: String = (0..4 * MANY).map(|number| check(&format!("many-{number:05}"), "noop", "24h", "")).collect();
    sickbay.write("checks.d/many.toml", many);
    sickbay.start().await;
    for delay_ms in (100..=400).step_by(50) {
        sickbay.configure(&steady("steady"));
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        let name = format!("after-{delay_ms}");
        sickbay.configure(&(steady("steady") + &steady(&name)));
        until("the second edit is taken", async || sickbay.get(&format!("/api/v1/checks/{name}")).await.status == 200).await;
    }
}

#[tokio::test]
async fn an_edit_while_sickbay_starts_is_not_lost() {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let server = format!("[server]\nlisten = \"{address}\"\n");
    let mut sickbay = Sickbay::prepared("", &["noop", "hostile"]);
    sickbay.write("sickbay.toml", server.clone() + &steady("first"));
    sickbay.spawn();
    let client = Client { address };
    // The API answers before the plugins are compiled.
    until("it answers", async || client.try_get("/livez").await.is_some_and(|answer| answer.status == 200)).await;
    sickbay.write("sickbay.toml", server + &steady("second"));
    until("the edit is taken", async || client.get("/api/v1/checks/second").await.status == 200).await;
    assert_eq!(client.get("/api/v1/checks/first").await.json()["status"], Value::from(404));
}
