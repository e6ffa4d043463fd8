//! Runs that are recorded and run again with nothing behind them, and plugins on fixtures.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sickbay_tests::ask::{asking, outcomes};
use sickbay_tests::program::{self, Ran, guest};
use sickbay_tests::{Sickbay, found, on_demand, services, until};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const SECRET: &str = "s3cr3t-that-no-transcript-holds";
/// As base64 has it.
const IN_BASE64: &str = "czNjcjN0LXRoYXQtbm8tdHJhbnNjcmlwdC1ob2xkcw==";

/// The files of the recorded runs, the oldest first.
fn transcripts(sickbay: &Sickbay) -> Vec<PathBuf> {
    let entries = fs::read_dir(sickbay.path("transcripts")).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    files.sort();
    files
}

/// The only recorded run, once it is written.
async fn only_transcript(sickbay: &Sickbay) -> PathBuf {
    found("a run is recorded", async || match transcripts(sickbay).as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    })
    .await
}

fn json_of(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).expect("a transcript")).expect("JSON")
}

async fn run(sickbay: &Sickbay, arguments: &[&str]) -> Ran {
    program::run(sickbay.folder(), arguments).await
}

fn assert_tells(ran: &Ran, code: i32, told: &[&str]) {
    assert_eq!(ran.code, code, "{}\n{}", ran.out, ran.err);
    for part in told {
        assert!(ran.out.contains(part) || ran.err.contains(part), "`{part}` is not in\n{}\n{}", ran.out, ran.err);
    }
}

/// A check of a server that answers 200 and 503 by turns, asked twice: the second run failed and is recorded.
async fn one_failure() -> Sickbay {
    let url = services::alternating().await;
    let more = format!("record = \"on-failure\"\nconfig = {{ url = \"{url}\" }}\ngrants = {{ http = [\"GET {url}\"] }}");
    let sickbay = Sickbay::started(&on_demand("api", "http", "http", &more), &["http"]).await;
    assert_eq!(sickbay.run_now("api").await["status"], "ok");
    assert_eq!(sickbay.run_now("api").await["status"], "critical");
    sickbay
}

#[tokio::test]
async fn a_failed_run_is_recorded_and_comes_to_the_same_without_its_service_and_its_file() {
    let mut sickbay = one_failure().await;
    let file = only_transcript(&sickbay).await;
    assert_eq!(sickbay.stop().await, 0);
    let recorded = json_of(&file);
    assert_eq!((&recorded["outcome"]["status"], &recorded["judged"]), (&json!("critical"), &json!("critical, Reported")));
    assert_eq!(recorded["calls"][0]["answer"]["ok"]["status"], 503);
    let id = file.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
    assert_eq!(recorded["run"], id.as_str());

    let list = run(&sickbay, &["replay"]).await;
    assert_tells(&list, 0, &[&id, "critical, Reported"]);
    // The server would answer 200 now.
    let same = ["http.send", "\"status\":503", "recorded  critical: HTTP 503", "replayed  critical: HTTP 503", "the same as recorded"];
    let path = format!("transcripts/{id}.json");
    for named in ["api", id.as_str(), path.as_str()] {
        assert_tells(&run(&sickbay, &["replay", named]).await, 0, &same);
    }
    sickbay.uninstall("http");
    assert_tells(&run(&sickbay, &["replay", "api"]).await, 0, &same);

    // Where nothing was compiled before, the file has to be there.
    let elsewhere = TempDir::new().expect("a folder");
    fs::copy(&file, elsewhere.path().join("run.json")).expect("copied");
    let missing = program::run(elsewhere.path(), &["replay", "run.json"]).await;
    assert_tells(&missing, 1, &["of plugin `http` that ran is not there", "hint: ", "--plugin FILE"]);
    let http = guest("http").display().to_string();
    assert_tells(&program::run(elsewhere.path(), &["replay", "run.json", "--plugin", &http]).await, 0, &same);
    assert_tells(&program::run(elsewhere.path(), &["test", "run.json", "--plugin", &http]).await, 0, &["1 passed, 0 failed"]);
}

#[tokio::test]
async fn what_differs_is_told_and_what_is_no_transcript_refused() {
    let sickbay = one_failure().await;
    let recorded = json_of(&only_transcript(&sickbay).await);
    let replayed = async |change: &dyn Fn(&mut Value)| {
        let mut changed = recorded.clone();
        change(&mut changed);
        sickbay.write("changed.json", changed.to_string());
        run(&sickbay, &["replay", "changed.json"]).await
    };
    let got = format!("got       {}", recorded["calls"][0]["asked"]["request"]["url"]);
    let other_call = replayed(&|run| run["calls"][0]["asked"]["request"]["url"] = json!("http://elsewhere/")).await;
    let told = ["not the same as recorded", "call 1, http.send: asked.request.url", "expected  \"http://elsewhere/\"", got.as_str()];
    assert_tells(&other_call, 1, &told);
    let other_answer = replayed(&|run| run["calls"][0]["answer"]["ok"]["status"] = json!(200)).await;
    assert_tells(&other_answer, 1, &["the result.status", "expected  \"critical\"", "got       \"ok\"", "replayed  ok: HTTP 200"]);
    let one_more = replayed(&|run| run["calls"].as_array_mut().expect("a list").push(json!({ "call": "state.get" }))).await;
    assert_tells(&one_more, 1, &["call 2, state.get", "the run ended without it"]);
    let none = replayed(&|run| run["calls"] = json!([])).await;
    assert_tells(&none, 1, &["call 1", "no more calls"]);
    let cut = replayed(&|run| {
        run["calls"] = json!([]);
        run["cut"] = json!("the calls have more than 7 bytes");
    })
    .await;
    assert_tells(&cut, 1, &["the transcript was cut short here (the calls have more than 7 bytes)"]);
    let another_version = replayed(&|run| run["transcript"] = json!(2)).await;
    assert_tells(&another_version, 2, &["changed.json: it has version 2 of the format, and this Sickbay reads version 1", "hint: "]);
    let a_slip = replayed(&|run| run["calls"][0]["answer"]["ok"]["stauts"] = json!(1)).await;
    assert_tells(&a_slip, 1, &["call 1, http.send: answer", "`ok`: there is no `stauts`"]);
    let whole = recorded.to_string();
    sickbay.write("changed.json", &whole.as_bytes()[..whole.len() / 2]);
    let half = ["changed.json: it ends too early", "hint: copy it again"];
    assert_tells(&run(&sickbay, &["replay", "changed.json"]).await, 2, &half);
    assert_tells(&run(&sickbay, &["test", "changed.json"]).await, 1, &half);
    let web = replayed(&|run| run["beyond"] = json!(["wasi_http"])).await;
    assert_tells(&web, 2, &["the run used wasi:http"]);
    assert_tells(&run(&sickbay, &["replay", "other"]).await, 2, &["no run `other` is recorded", "hint: "]);
}

#[tokio::test]
async fn a_run_has_its_clock_again_and_a_crash_its_place() {
    let record = "record = \"always\"";
    let checks = on_demand("clock", "bare", "clock", record) + &on_demand("crash", "hostile", "trap", record);
    let sickbay = Sickbay::started(&checks, &["bare", "hostile"]).await;
    let time = sickbay.run_now("clock").await["summary"].as_str().expect("a time").to_owned();
    assert!(time.parse::<u64>().is_ok_and(|now| now > 1_700_000_000_000), "{time}");
    assert_eq!(sickbay.run_now("crash").await["reason"], "PluginTrapped");
    until("both are recorded", async || transcripts(&sickbay).len() == 2).await;
    let clock = run(&sickbay, &["replay", "clock"]).await;
    assert_tells(&clock, 0, &[&format!("replayed  ok: {time}"), "the same as recorded"]);
    let crash = run(&sickbay, &["replay", "crash"]).await;
    assert_tells(&crash, 0, &["ended by trap: ", "the guest gives up", "the same as recorded"]);
    let frames: Vec<&str> = crash.out.lines().filter(|line| line.starts_with("at ")).collect();
    assert!(frames.iter().any(|frame| frame.contains("panic")) && frames.len() > 1, "functions have names: {}", crash.out);
}

#[tokio::test]
async fn a_run_on_a_transcript_waits_for_nothing() {
    // The guest sleeps for a minute: as long as these tests give a verb.
    let fixture =
        |timeout_ms: u32, expected: &str| format!("request = {{ kind = \"sleep\", timeout_ms = {timeout_ms} }}\n[expect]\n{expected}\n");
    let folder = TempDir::new().expect("a folder");
    let slept = fixture(3_600_000, "status = \"ok\"\nsummary = \"slept\"");
    assert_tells(&tested(folder.path(), "hostile", &slept).await, 0, &["1 passed, 0 failed"]);
    let ended = fixture(59_000, "ended = \"deadline\"\ntimeout_ms = 59000");
    assert_tells(&tested(folder.path(), "hostile", &ended).await, 0, &["1 passed, 0 failed"]);

    let sickbay = Sickbay::started(&on_demand("sleeper", "hostile", "sleep", "record = \"always\""), &["hostile"]).await;
    assert_eq!(sickbay.run_now("sleeper").await["reason"], "RunDeadline");
    only_transcript(&sickbay).await;
    assert_tells(&run(&sickbay, &["replay", "sleeper"]).await, 0, &["replayed  ended by deadline", "the same as recorded"]);
}

/// A server that says again what it was told in `authorization`, also in base64.
async fn echoing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") && stream.read_buf(&mut request).await.is_ok_and(|bytes| bytes > 0) {}
            let text = String::from_utf8_lossy(&request).into_owned();
            let headers = text.lines().filter_map(|line| line.split_once(": "));
            let said = headers.filter(|(name, _)| name.eq_ignore_ascii_case("authorization")).map(|(_, value)| value).collect::<String>();
            let body = format!("{said} {IN_BASE64}");
            let answer = format!("HTTP/1.1 200 OK\r\nx-echo: {said}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            // A client that has gone is not this server's matter.
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    url
}

#[tokio::test]
async fn no_transcript_holds_a_secret_and_a_replay_needs_none() {
    let url = echoing().await;
    let call = json!({ "http": { "url": url, "header": "Bearer {{secret:api}}" } });
    let grants = format!("http = [\"GET {url}\"], secrets = [{{ name = \"api\", to = [\"{url}*\"] }}]");
    let check = asking("echo", &grants, &[call]).replace("grants = ", "record = \"always\"\ngrants = ");
    let mut sickbay = Sickbay::prepared(&format!("[secrets.api]\nfile = \"api.token\"\n\n{check}"), &["ask"]);
    sickbay.write("api.token", SECRET);
    sickbay.start().await;
    let told = outcomes(&sickbay, "echo").await;
    assert!(told[0].starts_with("ok 200: Bearer {{secret:api}}"), "{told:?}");
    let file = only_transcript(&sickbay).await;
    let text = fs::read_to_string(&file).expect("a transcript");
    assert!(!text.contains(SECRET) && !text.contains(IN_BASE64) && !text.contains("sbsecret-"), "{text}");
    assert!(text.matches("{{secret:api}}").count() >= 4, "config, request, answer and report: {text}");
    fs::remove_file(sickbay.path("api.token")).expect("the secret can be taken away");
    let replayed = run(&sickbay, &["replay", "echo"]).await;
    assert_tells(&replayed, 0, &["Bearer {{secret:api}}", "the same as recorded"]);
    assert!(!replayed.out.contains("sbsecret-"), "{}", replayed.out);
}

#[tokio::test]
async fn of_each_check_the_newest_ten_are_kept() {
    let checks = on_demand("often", "noop", "noop", "record = \"always\"") + &on_demand("never", "noop", "noop", "");
    let mut sickbay = Sickbay::started(&checks, &["noop"]).await;
    sickbay.run_now("never").await;
    let mut times = Vec::new();
    for _ in 0..13 {
        times.push(sickbay.run_now("often").await["scheduled_at"].as_str().expect("a time").replace(['-', ':'], ""));
    }
    assert_eq!(sickbay.stop().await, 0);
    let kept: Vec<String> =
        transcripts(&sickbay).iter().map(|file| file.file_name().expect("a name").to_string_lossy().into_owned()).collect();
    assert_eq!(kept.len(), 10, "{kept:?}");
    for (name, time) in kept.iter().zip(&times[3..]) {
        assert!(name.starts_with(&format!("{time}-often-")), "{name} is not of {time}");
    }
}

/// Runs one fixture on a guest.
async fn tested(folder: &Path, name: &str, fixture: &str) -> Ran {
    let file = format!("{name}.toml");
    fs::write(folder.join(&file), fixture).expect("a fixture");
    let plugin = guest(name).display().to_string();
    program::run(folder, &["test", &file, "--plugin", &plugin]).await
}

const SINK: &str = r#"
export = "deliver"

[request]
config = { url = "https://hooks.example/x" }

[request.notification]
idempotency_key = "k-1"
phase = "firing"
alerts = [{ check = "api", phase = "firing", status = "critical", summary = "it is down" }]

[[calls]]
call = "http.send"
asked.request = { method = "POST", url = "https://hooks.example/x", body = "it is down", headers = [{ name = "idempotency-key", value = "k-1" }] }
answer.ok = { status = 202, body = "m-7" }

[expect.ok]
reference = "m-7"
"#;

#[tokio::test]
async fn sinks_are_tested_with_what_a_receiver_would_answer() {
    let folder = TempDir::new().expect("a folder");
    assert_tells(&tested(folder.path(), "tell", SINK).await, 0, &["ok      tell.toml", "1 passed, 0 failed"]);
    let down = SINK.replace("answer.ok = { status = 202, body = \"m-7\" }", "answer.error = { timeout = \"no answer\" }");
    let expected = "[expect.error.retryable]\nafter_ms = 5000\nmessage = { contains = \"no answer\" }\n";
    let retried = down.replace("[expect.ok]\nreference = \"m-7\"\n", expected);
    assert_tells(&tested(folder.path(), "tell", &retried).await, 0, &["1 passed, 0 failed"]);
    let wrong = tested(folder.path(), "tell", &SINK.replace("reference = \"m-7\"", "reference = \"m-8\"")).await;
    let told = [
        "FAILED  tell.toml",
        "the result.ok.reference",
        "expected  \"m-8\"",
        "got       \"m-7\"",
        "log info attempt 1",
        "0 passed, 1 failed",
    ];
    assert_tells(&wrong, 1, &told);
}

const RECOVERY: &str = r#"
export = "act"
state = { attempts = "4" }

[action]
id = "kill-10.0.0.1:5000"
target = "10.0.0.1:5000"
parameters = {}

[[calls]]
call = "redis.run"
asked = { source = "cache", command = ["CLIENT", "KILL", "10.0.0.1:5000"] }
answer.ok = [{ simple = "OK" }]

[expect.ok.done]
success = true
actions = ["CLIENT KILL 10.0.0.1:5000"]
"#;

#[tokio::test]
async fn recoveries_are_tested_step_by_step() {
    let folder = TempDir::new().expect("a folder");
    let plan = "export = \"plan\"\nrequest.config = { clients = [\"a:1\", \"b:2\"] }\n\
                expect.ok = [{ id = \"kill-a:1\", idempotent = true }, { title = { contains = \"b:2\" } }]\n";
    assert_tells(&tested(folder.path(), "treat", plan).await, 0, &["1 passed, 0 failed"]);
    assert_tells(&tested(folder.path(), "treat", RECOVERY).await, 0, &["1 passed, 0 failed"]);
    // One that is stubborn is followed; the small values go on from those that the fixture brings.
    let stubborn = RECOVERY.replace("[{ simple = \"OK\" }]", "[{ failed = \"ERR No such client\" }]");
    let running = stubborn.split("[expect").next().expect("the beginning").to_owned()
        + "[expect.ok.running]\nsummary = { contains = \"attempt 5\" }\n";
    assert_tells(&tested(folder.path(), "treat", &running).await, 0, &["1 passed, 0 failed"]);
    let follow = RECOVERY.replace("export = \"act\"", "export = \"follow\"\ntoken = '\"stubborn\"'");
    assert_tells(&tested(folder.path(), "treat", &follow).await, 0, &["1 passed, 0 failed"]);
    let denied = RECOVERY.replace("answer.ok = [{ simple = \"OK\" }]", "answer.error.denied = { reason = \"not granted\" }");
    let told = ["FAILED  treat.toml", "the result.ok", "got       nothing", "{\"error\":{", "not granted"];
    assert_tells(&tested(folder.path(), "treat", &denied).await, 1, &told);
}

#[tokio::test]
async fn fixtures_that_cannot_be_run_say_why() {
    let folder = TempDir::new().expect("a folder");
    let told = async |fixture: &str| tested(folder.path(), "tell", fixture).await;
    assert_tells(&told("plugin = \"tell\"\n").await, 1, &["it expects nothing", "[expect]"]);
    assert_tells(&told("[expect]\nstatus = \"ok\"\n").await, 1, &["the plugin exports no `check`"]);
    assert_tells(
        &told("export = \"deliver\"\nrequest.notification.phase = \"frying\"\nexpect.ok = {}\n").await,
        1,
        &["there is no `frying`"],
    );
    assert_tells(
        &told("export = \"deliver\"\nrequest.kind = \"shout\"\nexpect.ok = {}\n").await,
        1,
        &["no kind `shout`", "hint: it has: post"],
    );
    assert_tells(&program::run(folder.path(), &["test", "absent"]).await, 2, &["there is no absent"]);
    fs::create_dir(folder.path().join("empty")).expect("a folder");
    assert_tells(&program::run(folder.path(), &["test", "empty"]).await, 2, &["no fixture in empty", "fixtures/NAME.toml"]);
}

#[tokio::test]
async fn the_fixtures_of_this_checkout_pass() {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let sinks = ["alertmanager", "email", "log", "ntfy", "pagerduty", "slack", "twilio", "webhook"];
    let plugins = sinks.into_iter().chain(["http"]).map(|plugin| (format!("plugins/{plugin}"), plugin));
    for (folder, plugin) in plugins.chain([("examples/rust/check".to_owned(), "heads-up")]) {
        let (fixtures, plugin) = (checkout.join(folder).display().to_string(), guest(plugin).display().to_string());
        let cache = TempDir::new().expect("a folder");
        let ran = program::run(cache.path(), &["test", &fixtures, "--plugin", &plugin]).await;
        assert_tells(&ran, 0, &["2 passed, 0 failed"]);
    }
}
