//! The verbs as people and scripts call them: what goes where, and how they end.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use sickbay_tests::postgres::{DATABASE, PASSWORD, Postgres, USER};
use sickbay_tests::program::{self, Ran};
use sickbay_tests::redis::RedisServer;
use sickbay_tests::{Sickbay, check, until};

/// One check for each way a run can come out, and one whose plugin is not there.
fn one_of_each() -> String {
    [
        check("fine", "noop", "24h", ""),
        check("version", "swap-v1", "24h", "failures = 1\nwarning = [\"report.metrics.version_number > 0.0\"]"),
        check("down", "hostile", "24h", "kind = \"hostile-text\""),
        check("crashes", "hostile", "24h", "kind = \"trap\""),
        check("waits", "absent", "24h", ""),
    ]
    .concat()
}

const PLUGINS: [&str; 3] = ["noop", "swap-v1", "hostile"];

async fn run(sickbay: &Sickbay, line: &str) -> Ran {
    let arguments: Vec<&str> = line.split(' ').collect();
    program::run(sickbay.folder(), &arguments).await
}

/// Ends with `code`, says each of `told` on standard error, and nothing on standard output.
fn assert_fails(ran: &Ran, code: i32, told: &[&str]) {
    assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{ran:?}");
    for part in told {
        assert!(ran.err.contains(part), "`{part}` is not in {}", ran.err);
    }
}

#[tokio::test]
async fn validate_tells_a_good_configuration_from_a_bad_one() {
    let sickbay = Sickbay::prepared(&one_of_each(), &PLUGINS);
    let good = run(&sickbay, "validate").await;
    assert_eq!((good.code, good.out.as_str()), (0, "sickbay.toml: ok (5 checks, 3 plugins, 1 warning)\n"), "{good:?}");
    for part in
        ["warning: no plugin `absent` in `plugins/`: 1 check waits for it: waits", "--> sickbay.toml:", "hint: copy absent.wasm into"]
    {
        assert!(good.err.contains(part), "`{part}` is not in {}", good.err);
    }
    sickbay.write("typo.toml", "[[check]]\nname = \"a\"\nplugin = \"noop\"\nevry = \"1s\"\n");
    let typo = run(&sickbay, "validate --config typo.toml").await;
    assert_fails(&typo, 2, &["unknown key `evry`", "--> typo.toml:4:1", "did you mean `every`?", "the configuration has 1 error\n"]);
    sickbay.write("unfit.toml", check("a", "noop", "1s", "kind = \"other\""));
    assert_fails(
        &run(&sickbay, "validate --config unfit.toml").await,
        2,
        &["has no kind `other`", "reason: its kinds are `noop`", "hint:"],
    );
    let json = run(&sickbay, "validate --config typo.toml -o json").await;
    let told: Value = serde_json::from_str(&json.out).unwrap_or_else(|error| panic!("{error}: {json:?}"));
    let problem = &told["problems"][0];
    assert_eq!((json.code, &told["valid"], &problem["severity"]), (2, &false.into(), &"error".into()), "{told}");
    for key in ["file", "line", "column", "message", "reason", "hint"] {
        assert!(!problem[key].is_null(), "{key}: {told}");
    }
    assert_fails(&run(&sickbay, "validate --config absent.toml").await, 2, &["there is no such file", "absent.toml", "hint:"]);
    sickbay.install_bytes("broken", b"no plugin");
    let broken = run(&sickbay, "validate").await;
    assert!(broken.code == 0 && broken.err.contains("broken.wasm is refused"), "{broken:?}");
    assert!(!sickbay.path("sickbay.db").exists(), "validate starts nothing");
}

#[tokio::test]
async fn validate_tells_what_a_check_lacks_of_what_its_plugin_needs() {
    let sickbay = Sickbay::prepared("", &["http", "noop"]);
    let web = |name: &str, more: &str| check(name, "http", "24h", &format!("kind = \"http\"\n{more}"));
    let denied = web("denied", "config = { url = \"https://example.com/health?token=x\" }");
    sickbay.configure(
        &(denied.clone()
            + &web("bare", "config = { url = \"example.com\" }")
            + &web("odd", "config = { url = \"http://a/\" }\ngrants = { http = [\"FETCH http://a/\"] }")),
    );
    let odd = run(&sickbay, "validate").await;
    assert_eq!((odd.code, odd.out.as_str()), (0, "sickbay.toml: ok (3 checks, 2 plugins, 5 warnings)\n"), "{odd:?}");
    for part in [
        "warning: check `denied`: the kind `http` of plugin `http` asks for `http` (sends the request), and nothing of `http` is granted\n  --> sickbay.toml:4:1\n",
        "  hint: add `grants = { http = [\"GET https://example.com/health?*\"] }`\n",
        "warning: `config.url` has no scheme\n",
        "  hint: did you mean \"https://example.com\"?\n",
        "  hint: add `grants = { http = [\"GET https://example.com/\"] }`\n",
        "warning: `FETCH` is no method that servers commonly know\n",
        "warning: check `odd`: the method `GET` is not granted on this path of a:80: its runs will be `unknown`\n",
        "  hint: add `http = [\"GET http://a/\"]` to its `grants`\n",
    ] {
        assert!(odd.err.contains(part), "`{part}` is not in {}", odd.err);
    }
    // Warnings are not hidden by a mistake, which comes last.
    sickbay.configure(
        &(denied + &web("worse", "config = { url = \"http://a/\", expect_status = \"ok\" }\ngrants = { http = [\"GET http://a/\"] }")),
    );
    let worse = run(&sickbay, "validate").await;
    assert_fails(
        &worse,
        2,
        &["the configuration has 1 error, 1 warning\n", "`config.expect_status` must be a whole number from 100 to 599"],
    );
    let (warning, error) = (worse.err.find("warning: check `denied`"), worse.err.find("error: `config.expect_status`"));
    assert!(warning.is_some() && warning < error, "{worse:?}");
}

/// The plugin's words, the condition that decided with actual against expected, and the performance data.
const BY_CONDITION: &str =
    "WARNING - version 1; warning because `report.metrics.version_number > 0.0`: is 1, expected <= 0 | 'version_number'=1\n";

#[tokio::test]
async fn probe_ends_as_nagios_expects() {
    let sickbay = Sickbay::prepared(&one_of_each(), &PLUGINS);
    for (name, code, begins) in [
        ("fine", 0, "OK - ok\n"),
        ("version", 1, BY_CONDITION),
        ("down", 2, "CRITICAL - "),
        ("crashes", 3, "UNKNOWN - the plugin crashed: "),
    ] {
        let ran = run(&sickbay, &format!("probe {name}")).await;
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.out.starts_with(begins), "{name}: {}", ran.out);
        assert_eq!(ran.out.lines().count(), 1, "{name}: {}", ran.out);
        assert!(!ran.out.contains('\u{1b}') && !ran.out.contains('\u{202e}'), "{name}: {:?}", ran.out);
    }
    let json = run(&sickbay, "probe version -o json").await;
    let told: Value = serde_json::from_str(&json.out).unwrap_or_else(|error| panic!("{error}: {json:?}"));
    assert_eq!((json.code, &told["status"], &told["reason"]), (1, &"warning".into(), &"ConditionFailed".into()), "{told}");
    assert_eq!((&told["check"], &told["metrics"][0]["name"]), (&"version".into(), &"version_number".into()), "{told}");
    let waits = run(&sickbay, "probe waits").await;
    assert!(waits.code == 3 && waits.err.contains("no plugin `absent` in `plugins/`: the check `waits` at sickbay.toml:"), "{waits:?}");
    let slip = run(&sickbay, "probe vershion").await;
    assert!(slip.code == 3 && slip.err.contains("hint: did you mean `version`?"), "{slip:?}");
    let nobody = run(&sickbay, "probe nobody").await;
    assert!(nobody.code == 3 && nobody.err.contains("hint: there are: fine, version, down, crashes, waits"), "{nobody:?}");
    for line in ["probe", "probe --wrong", "probe fine --config absent.toml"] {
        assert_eq!(run(&sickbay, line).await.code, 3, "to Nagios 2 would say that the service is down: {line}");
    }
    assert!(!sickbay.path("sickbay.db").exists(), "nothing is stored");
}

#[tokio::test]
async fn probe_shows_what_happened_when_asked() {
    let sickbay = Sickbay::prepared(&one_of_each(), &PLUGINS);
    let debug = run(&sickbay, "probe version --debug").await;
    assert_eq!((debug.code, debug.out.as_str()), (1, BY_CONDITION), "{debug:?}");
    for part in ["swap-v1 1.0.0", "ConditionFailed", "version_number is 1, expected <= 0", "cpu ", "memory ", "host calls "] {
        assert!(debug.err.contains(part), "`{part}` is not in {}", debug.err);
    }
    let crash = run(&sickbay, "probe crashes --debug").await;
    assert!(crash.code == 3 && crash.err.contains("the guest gives up"), "{crash:?}");
}

#[tokio::test]
async fn probe_runs_a_plugin_without_a_configuration() {
    let sickbay = Sickbay::prepared("", &PLUGINS);
    let fine = run(&sickbay, "probe --plugin plugins/noop.wasm").await;
    assert_eq!((fine.code, fine.out.as_str()), (0, "OK - ok\n"), "{fine:?}");
    let several = run(&sickbay, "probe --plugin plugins/hostile.wasm").await;
    assert!(several.code == 3 && several.err.contains("hint: name one with --kind: spin, trap"), "{several:?}");
    let trap = run(&sickbay, "probe --plugin plugins/hostile.wasm --kind trap").await;
    assert!(trap.code == 3 && trap.out.starts_with("UNKNOWN - the plugin crashed"), "{trap:?}");
    let other = run(&sickbay, "probe --plugin plugins/hostile.wasm --kind other").await;
    assert!(other.code == 3 && other.err.contains("the plugin has no kind `other`"), "{other:?}");
    let slip = run(&sickbay, "probe --plugin plugins/nop.wasm").await;
    assert!(slip.code == 3 && slip.err.contains("hint: did you mean plugins/noop.wasm?"), "{slip:?}");
    for (file, bytes, told) in
        [("empty", "", "the file is empty"), ("text", "text", "not WebAssembly"), ("elf", "\u{7f}ELF", "native code")]
    {
        sickbay.install_bytes(file, bytes.as_bytes());
        let ran = run(&sickbay, &format!("probe --plugin plugins/{file}.wasm")).await;
        assert!(ran.code == 3 && ran.err.contains(told) && ran.err.contains("hint:"), "{ran:?}");
    }
}

#[tokio::test]
async fn status_and_plugin_tell_what_a_running_sickbay_says() {
    let sickbay = Sickbay::started(&one_of_each(), &PLUGINS).await;
    for name in ["fine", "version", "down", "crashes", "waits"] {
        sickbay.run_now(name).await;
    }
    let url = sickbay.url();
    let status = run(&sickbay, &format!("status --url {url}")).await;
    assert!(status.code == 0 && status.err.is_empty(), "{status:?}");
    assert!(status.out.starts_with("NAME"), "{}", status.out);
    let names: Vec<&str> = status.out.lines().skip(1).take(5).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["down", "crashes", "waits", "version", "fine"], "the worst first: {}", status.out);
    // By its schedule it may have run once more.
    let soft =
        status.out.lines().any(|line| line.starts_with("down ") && line.contains("critical  soft ") && line.contains(", hard: unknown"));
    assert!(soft, "{}", status.out);
    assert!(
        status.out.contains("version 1") && status.out.ends_with("\n5 checks: 1 ok, 1 warning, 2 unknown, 1 critical\n"),
        "{}",
        status.out
    );
    assert!(!status.out.contains('\u{1b}'), "{:?}", status.out);
    let json = run(&sickbay, &format!("status -o json --url {url}")).await;
    let items: Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((items["items"].as_array().map(Vec::len), &items["config"]["last_reload_successful"]), (Some(5), &true.into()));
    let plugins = run(&sickbay, &format!("plugin list --url {url}")).await;
    assert!(plugins.code == 0 && plugins.out.starts_with("PLUGIN") && plugins.out.contains("swap-v1"), "{plugins:?}");
    let json = run(&sickbay, &format!("plugin list -o json --url {url}")).await;
    let items: Value = serde_json::from_str(&json.out).expect("JSON");
    let names: Vec<&str> = items["items"].as_array().expect("items").iter().filter_map(|item| item["name"].as_str()).collect();
    assert_eq!(names, ["absent", "hostile", "noop", "swap-v1"]);
    let inspected = run(&sickbay, &format!("plugin inspect swap-v1 --url {url}")).await;
    assert!(inspected.code == 0 && inspected.out.starts_with("swap-v1 1.0.0\n") && inspected.out.contains("Kind swap"), "{inspected:?}");
    let json = run(&sickbay, &format!("plugin inspect swap-v1 -o json --url {url}")).await;
    let plugin: Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((&plugin["name"], &plugin["state"]), (&"swap-v1".into(), &"loaded".into()));
    assert_fails(&run(&sickbay, &format!("plugin inspect nobody --url {url}")).await, 1, &["no plugin is named `nobody`", "hint:"]);
    let log = sickbay.log();
    assert!(log.contains("loaded plugin=\"noop\" plugin_version=\""), "{log}");
}

#[tokio::test]
async fn status_of_one_check_tells_all_that_decided() {
    let sickbay = Sickbay::started(&one_of_each(), &PLUGINS).await;
    sickbay.run_now("version").await;
    sickbay.run_now("down").await;
    let url = sickbay.url();
    let version = run(&sickbay, &format!("status version --url {url}")).await;
    assert!(version.code == 0 && version.err.is_empty(), "{version:?}");
    for part in [
        "version: warning (hard)\n\nsummary    version 1\n",
        "\nreason     ConditionFailed: warning because `report.metrics.version_number > 0.0`: is 1, expected <= 0\n",
        "\nconfirmed  warning for ",
        "\nruns       every 1day, each at most ",
        "\nplugin     swap-v1, kind swap\n",
        "\nEVIDENCE        ACTUAL  EXPECTED  UNIT\nversion_number  1       <= 0      -\n",
        "\nMETRIC          VALUE  UNIT  LABELS\nversion_number  1      -     -\n",
        "\nLAST RESULTS  STATUS   STATE  TOOK ",
    ] {
        assert!(version.out.contains(part), "`{part}` is not in {}", version.out);
    }
    let down = run(&sickbay, &format!("status down --url {url}")).await;
    assert!(down.out.starts_with("down: critical (soft ") && down.out.contains("\ndecision   SoftFailure: failure "), "{down:?}");
    assert!(!down.out.contains('\u{1b}') && !down.out.contains('\u{202e}'), "{:?}", down.out);
    let json = run(&sickbay, &format!("status version -o json --url {url}")).await;
    let told: Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((&told["check"]["name"], &told["config"]["error"]), (&"version".into(), &Value::Null));
    assert!(told["results"].as_array().is_some_and(|results| !results.is_empty()), "{told}");
    assert_fails(&run(&sickbay, &format!("status nobody --url {url}")).await, 1, &["no check is named `nobody`", "hint:"]);
}

#[tokio::test]
async fn a_refused_reload_is_told_by_status_and_api_without_the_lines_of_the_file() {
    let good = check("a", "noop", "24h", "");
    let sickbay = Sickbay::started(&good, &["noop"]).await;
    let url = sickbay.url();
    let began = sickbay.json("/api/v1/config").await;
    assert_eq!((&began["last_reload_successful"], &began["error"]), (&true.into(), &Value::Null));
    assert!(began["files"][0].as_str().is_some_and(|file| file.ends_with("/sickbay.toml") && file.starts_with('/')), "{began}");
    sickbay.configure(&(good.clone() + "[[check]]\nname = \"b\"\nplugin = \"noop\"\nevery = \"1s\"\nconfigg = { token = \"hunter2\" }\n"));
    until("it is refused", async || sickbay.json("/api/v1/config").await["last_reload_successful"] == false).await;
    let refused = sickbay.json("/api/v1/config").await;
    assert_eq!(refused["loaded_at"], began["loaded_at"]);
    assert!(refused["last_reload_at"].as_str() > began["last_reload_at"].as_str(), "{refused}");
    assert!(refused["error"].as_str().is_some_and(|error| error.starts_with("error: unknown key `configg`")), "{refused}");
    for line in ["status", "status a"] {
        let status = run(&sickbay, &format!("{line} --url {url}")).await;
        assert!(status.code == 0 && status.out.starts_with("configuration refused "), "{status:?}");
        for part in ["stays in force\n  error: unknown key `configg`", "    --> sickbay.toml:", "`sickbay validate --config /"] {
            assert!(status.out.contains(part), "`{part}` is not in {}", status.out);
        }
        assert!(!status.out.contains("hunter2"), "{}", status.out);
    }
    let json = run(&sickbay, &format!("status -o json --url {url}")).await;
    let told: Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((&told["config"]["last_reload_successful"], told["items"].as_array().map(Vec::len)), (&false.into(), Some(1)));
    assert!(!json.out.contains("hunter2"), "{}", json.out);
    sickbay.configure(&good);
    until("it is mended", async || sickbay.json("/api/v1/config").await["last_reload_successful"] == true).await;
    let mended = sickbay.json("/api/v1/config").await;
    assert_eq!((&mended["error"], &mended["loaded_at"]), (&Value::Null, &mended["last_reload_at"]));
    assert!(run(&sickbay, &format!("status --url {url}")).await.out.starts_with("NAME"), "nothing is above the table any more");
}

#[tokio::test]
async fn a_store_that_takes_no_results_is_told_by_status_and_the_page_with_what_to_do() {
    let sickbay = Sickbay::started(&check("a", "noop", "200ms", ""), &["noop"]).await;
    let url = sickbay.url();
    assert!(run(&sickbay, &format!("status --url {url}")).await.out.starts_with("NAME"), "nothing is above the table");
    std::fs::remove_file(sickbay.path("sickbay.db")).expect("the database can be removed");
    let told = "not ready: the database file was removed or replaced while Sickbay runs\n  hint: restart Sickbay\n\n";
    for line in ["status", "status a"] {
        until("status tells it", async || run(&sickbay, &format!("{line} --url {url}")).await.out.starts_with(told)).await;
    }
    let json: Value = serde_json::from_str(&run(&sickbay, &format!("status -o json --url {url}")).await.out).expect("JSON");
    assert_eq!((&json["unready"]["hint"], &json["config"]["error"]), (&"restart Sickbay".into(), &Value::Null));
    let page = sickbay.get("/").await.text();
    assert!(page.contains("Results are not stored now: the database file was removed or replaced"), "{page}");
}

/// The blocks that `plugin inspect` gives to paste.
fn blocks(told: &str) -> String {
    let block = |part: &str| format!("[[check]]{}\n\n", part.split("\n\n").next().unwrap_or_default());
    told.split("[[check]]").skip(1).map(block).collect()
}

#[tokio::test]
async fn what_inspect_gives_to_paste_is_a_configuration_without_a_warning() {
    let sickbay = Sickbay::prepared("", &["http", "system", "noop"]);
    let mut checks = String::new();
    for (plugin, kinds) in [("http", 2), ("system", 7), ("noop", 1)] {
        let told = run(&sickbay, &format!("plugin inspect plugins/{plugin}.wasm")).await;
        assert!(told.code == 0 && told.err.is_empty(), "{told:?}");
        let found = blocks(&told.out);
        assert_eq!(found.matches("[[check]]").count(), kinds, "{}", told.out);
        checks.push_str(&found);
    }
    sickbay.configure(&checks);
    let valid = run(&sickbay, "validate").await;
    assert_eq!((valid.code, valid.out.as_str()), (0, "sickbay.toml: ok (10 checks, 3 plugins, 0 warnings)\n"), "{valid:?}\n{checks}");
}

#[tokio::test]
async fn inspect_tells_keys_grants_and_metrics_of_a_file_without_a_running_sickbay() {
    let sickbay = Sickbay::prepared("", &["http"]);
    let told = run(&sickbay, "plugin inspect plugins/http.wasm").await;
    assert!(told.code == 0 && told.out.starts_with("http "), "{told:?}");
    let row = |begin: &str, parts: &[&str]| {
        let is_it = |line: &&str| line.starts_with(&format!("{begin} ")) && parts.iter().all(|part| line.contains(*part));
        assert!(told.out.lines().any(|line| is_it(&line)), "{begin} with {parts:?} is not in {}", told.out);
    };
    row("KEY OF CONFIG", &["TYPE", "DEFAULT", "REQUIRED", "MEANING"]);
    row("url", &["text", "yes", "Absolute URL"]);
    row("method", &["text", "\"GET\"", "no"]);
    row("redirects_max", &["whole number, 0 to 10", "5"]);
    row("headers", &["table of text", "{}"]);
    row("latency_seconds", &["seconds", "gauge"]);
    row("status", &[" -  ", "gauge"]);
    assert!(told.out.contains("  http = [\"GET https://example.com/\"]  # sends the request ("), "{}", told.out);
    assert!(
        told.out.contains("config = { url = \"https://example.com/\" }\ngrants = { http = [\"GET https://example.com/\"] }\n"),
        "{}",
        told.out
    );
    let json = run(&sickbay, "plugin inspect plugins/http.wasm -o json").await;
    let plugin: Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((&plugin["name"], &plugin["checks"][0]["config_schema"]["required"][0]), (&"http".into(), &"url".into()));
    sickbay.install_bytes("broken", b"no plugin");
    assert_fails(&run(&sickbay, "plugin inspect plugins/broken.wasm").await, 1, &["broken.wasm cannot be loaded", "hint:"]);
    assert_fails(&run(&sickbay, "plugin inspect plugins/htp.wasm").await, 2, &["there is no file", "did you mean plugins/http.wasm?"]);
}

#[tokio::test]
async fn an_address_without_a_scheme_is_taken_for_http() {
    let sickbay = Sickbay::started(&check("a", "noop", "24h", ""), &["noop"]).await;
    let address = sickbay.address();
    for url in [address.to_string(), format!("localhost:{}", address.port()), format!("http://{address}/")] {
        let status = run(&sickbay, &format!("status --url {url}")).await;
        assert!(status.code == 0 && status.out.starts_with("NAME"), "{url}: {status:?}");
    }
}

#[tokio::test]
async fn a_sickbay_that_is_not_there_is_told_with_the_fix() {
    let sickbay = Sickbay::prepared("", &[]);
    // Taken, and nobody answers there.
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    for verb in ["status", "status x", "plugin list", "plugin inspect x"] {
        let ran = run(&sickbay, &format!("{verb} --url {free}")).await;
        let asked = format!("cannot ask http://{free}/api/v1/");
        assert_fails(
            &ran,
            1,
            &[asked.as_str(), "because: ", "hint: start Sickbay with `sickbay serve` (`sickbay quickstart` to try it out)"],
        );
    }
    let ran = run(&sickbay, "status --url no-such-host.invalid:9470").await;
    assert_fails(&ran, 1, &["cannot ask http://no-such-host.invalid:9470/api/v1/", "because: ", "hint: start Sickbay with"]);
    assert_fails(&run(&sickbay, "status --url ftp://localhost").await, 2, &["neither http nor https"]);
    for url in ["ftp://localhost", "localhost:port"] {
        assert_fails(&run(&sickbay, &format!("status --url {url}")).await, 2, &["hint: write http://HOST:PORT"]);
    }
}

#[tokio::test]
async fn doctor_finds_what_is_wrong_with_a_configuration() {
    let sickbay = Sickbay::prepared(&one_of_each(), &PLUGINS);
    let good = run(&sickbay, "doctor").await;
    assert!(good.out.contains("sickbay.toml: 5 checks") && good.out.contains("3 .wasm"), "{good:?}");
    assert!(good.out.contains("sickbay.db: its tables are made by the first start"), "{good:?}");
    assert!(!sickbay.path("sickbay.db").exists(), "nothing is made");
    // Whether plugins can be built here is the machine's matter; the exit code follows the table.
    let is_needed = |line: &str| line.starts_with("missing ") || line.starts_with("wrong ");
    assert_eq!(good.code, i32::from(good.out.lines().any(is_needed)), "{good:?}");
    sickbay.write("typo.toml", "[[check]]\nname = \"a\"\nplugin = \"noop\"\nevry = \"1s\"\n");
    let wrong = run(&sickbay, "doctor --config typo.toml").await;
    assert_eq!(wrong.code, 1, "{wrong:?}");
    assert!(
        wrong.out.contains("typo.toml is wrong: line 4: unknown key `evry`")
            && wrong.out.contains("hint: sickbay validate --config typo.toml"),
        "{wrong:?}"
    );
    sickbay.write("broken.db", "no database at all, whatever its name says".repeat(100));
    sickbay.configure(&("[store]\nurl = \"sqlite:broken.db\"\n\n".to_owned() + &one_of_each()));
    let broken = run(&sickbay, "doctor").await;
    assert_eq!(broken.code, 1, "{broken:?}");
    let is_told = |line: &str| line.starts_with("wrong ") && line.contains("store ") && line.contains("the file is not a SQLite database");
    assert!(broken.out.lines().any(is_told) && broken.out.contains("hint: name another file in `[store] url`"), "{broken:?}");
    let absent = run(&sickbay, "doctor --config absent.toml").await;
    assert!(absent.out.contains("absent.toml is not there"), "{absent:?}");
}

#[tokio::test]
async fn doctor_enters_each_source_and_tells_what_its_role_may_do() {
    let (server, cache) = (Postgres::start(), RedisServer::start(""));
    server.sql("CREATE ROLE boss SUPERUSER LOGIN PASSWORD 'boss-secret'");
    let sickbay = Sickbay::prepared("", &["noop"]);
    sickbay.write("boss.url", server.url_of("boss", "boss-secret", DATABASE));
    sickbay.write("wrong.url", server.url_of(USER, "wrong-secret", DATABASE));
    sickbay.write("api.token", "token-secret");
    for file in ["boss.url", "wrong.url", "api.token"] {
        let mode = if file == "boss.url" { 0o644 } else { 0o600 };
        std::fs::set_permissions(sickbay.path(file), std::fs::Permissions::from_mode(mode)).expect("its mode can be set");
    }
    let tables = format!(
        "[store]\nurl_file = \"boss.url\"\n[sources.postgres.good]\nurl = \"{}\"\n[sources.postgres.boss]\nurl_file = \"boss.url\"\n\
         [sources.postgres.wrong]\nurl_file = \"wrong.url\"\n[sources.redis.cache]\nurl = \"{}\"\n\
         [secrets.api]\nfile = \"api.token\"\n[secrets.gone]\nfile = \"gone.token\"\n",
        server.url(),
        cache.url()
    );
    sickbay.configure(&(tables + &check("fine", "noop", "24h", "")));
    let doctor = run(&sickbay, "doctor").await;
    assert_eq!(doctor.code, 1, "one source cannot be entered: {doctor:?}");
    let found = |mark: &str, parts: &[&str]| {
        let is_it = |line: &&str| line.starts_with(mark) && parts.iter().all(|part| line.contains(part));
        assert!(doctor.out.lines().any(|line| is_it(&line)), "{mark} {parts:?} is not in {}", doctor.out);
    };
    found("warn ", &["store ", "the PostgreSQL database `", "its role has superuser, which Sickbay does not need"]);
    found("ok ", &["postgres source", "`good` answers"]);
    found("warn ", &["postgres source", "`boss` answers; its role has superuser"]);
    found("wrong ", &["postgres source", "`wrong` cannot be entered: the server refused the user or password"]);
    found("warn ", &["redis source", "`cache` answers without a password"]);
    found("warn ", &["secrets", "the secret `gone` cannot be used"]);
    found("warn ", &["secret file", "boss.url can be read by everybody"]);
    assert_eq!(doctor.out.matches("can be read by everybody").count(), 1, "{}", doctor.out);
    assert!(doctor.out.contains("hint: mend user and password in the URL") && doctor.out.contains("hint: chmod o= "), "{}", doctor.out);
    let validate = run(&sickbay, "validate").await;
    assert!(validate.code == 0 && validate.err.contains("warning: the secret `gone` cannot be used"), "{validate:?}");
    for secret in [PASSWORD, "boss-secret", "wrong-secret", "token-secret"] {
        assert!(!doctor.out.contains(secret) && !doctor.err.contains(secret) && !validate.err.contains(secret), "{doctor:?}");
    }
    assert!(!sickbay.path("sickbay.db").exists(), "nothing is started");
}

#[tokio::test]
async fn what_machines_read_is_well_formed() {
    let sickbay = Sickbay::prepared("", &[]);
    let schema = run(&sickbay, "schema").await;
    let document: Value = serde_json::from_str(&schema.out).expect("JSON");
    assert_eq!((schema.code, &document["$schema"]), (0, &"https://json-schema.org/draft/2020-12/schema".into()));
    for key in ["server", "store", "retention", "plugins", "plugin", "egress", "check"] {
        assert!(document["properties"][key].is_object(), "{key} is not in the schema");
    }
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(&sickbay, &format!("completions {shell}")).await;
        assert!(script.code == 0 && script.out.contains("quickstart"), "{shell}: {script:?}");
    }
    assert_fails(&run(&sickbay, "completions tcsh").await, 2, &["tcsh"]);
    let version = run(&sickbay, "--version").await;
    assert!(version.code == 0 && version.out.starts_with("sickbay "), "{version:?}");
    let help = run(&sickbay, "--help").await;
    assert!(help.code == 0 && help.out.contains("Exit codes:") && help.err.is_empty(), "{help:?}");
}

#[tokio::test]
async fn verbs_of_later_versions_are_known_and_slips_are_not_taken_for_them() {
    let sickbay = Sickbay::prepared("", &[]);
    assert_fails(&run(&sickbay, "plugin rollback http").await, 2, &["is known, but not yet built in this version", "hint:"]);
    let slip = run(&sickbay, "sreve").await;
    assert_fails(&slip, 2, &["unrecognized subcommand", "serve"]);
    assert!(!slip.err.contains("not yet"), "{slip:?}");
}

#[tokio::test]
async fn serve_says_what_keeps_it_from_starting() {
    let sickbay = Sickbay::prepared("", &["noop"]);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("its address");
    sickbay.write("taken.toml", format!("[server]\nlisten = \"{address}\"\n{}", check("a", "noop", "1s", "")));
    let ran = run(&sickbay, "serve --config taken.toml").await;
    assert_fails(&ran, 1, &[format!("cannot listen on {address}").as_str(), "hint:"]);

    sickbay.write("noise.db", vec![b'n'; 20_000]);
    std::fs::create_dir(sickbay.path("folder.db")).expect("a folder");
    for (store, told) in [
        ("sqlite:absent/sickbay.db", "there is no folder"),
        ("sqlite:/proc/sickbay.db", "the database can be neither opened nor made"),
        ("sqlite:folder.db", "it is a folder"),
        ("sqlite:noise.db", "is not a SQLite database"),
    ] {
        sickbay.write(
            "store.toml",
            format!("[server]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"{store}\"\n{}", check("a", "noop", "1s", "")),
        );
        let ran = run(&sickbay, "serve --config store.toml").await;
        assert_fails(&ran, 1, &["the store cannot be opened", told, "hint:"]);
    }
    assert_eq!(std::fs::read(sickbay.path("noise.db")).expect("the file is there"), vec![b'n'; 20_000], "what is not ours is not touched");

    assert_fails(&run(&sickbay, "serve --config absent.toml").await, 2, &["there is no such file", "hint:"]);
    sickbay.write("typo.toml", "[[check]]\nname = \"a\"\nplugin = \"noop\"\nevry = \"1s\"\n");
    assert_fails(&run(&sickbay, "serve --config typo.toml").await, 2, &["unknown key `evry`", "--> typo.toml:4:1"]);
    sickbay.write("unfit.toml", format!("[server]\nlisten = \"127.0.0.1:0\"\n{}", check("a", "noop", "1s", "kind = \"other\"")));
    let unfit = run(&sickbay, "serve --config unfit.toml").await;
    assert_eq!(unfit.code, 2, "{unfit:?}");
    assert!(unfit.err.contains("has no kind `other`"), "{unfit:?}");
}

#[tokio::test]
async fn a_log_in_json_is_json_to_the_end_also_where_serve_does_not_start() {
    let sickbay = Sickbay::prepared("", &["noop"]);
    sickbay.write("typo.toml", "[[check]]\nname = \"a\"\nplugin = \"noop\"\nevry = \"1s\"\n");
    let typo = run(&sickbay, "serve --config typo.toml --log-format json").await;
    assert_eq!((typo.code, typo.out.as_str()), (2, ""), "{typo:?}");
    let lines: Vec<Value> =
        typo.err.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    let mistake = lines.iter().find(|line| line["line"] == 4).unwrap_or_else(|| panic!("{}", typo.err));
    assert!(mistake["message"].as_str().is_some_and(|message| message.starts_with("unknown key `evry`")), "{mistake}");
    assert_eq!((&mistake["level"], &mistake["column"], &mistake["file"]), (&"ERROR".into(), &1.into(), &"typo.toml".into()));
    assert!(lines.iter().any(|line| line["message"] == "the configuration has 1 error" && line["hint"].is_string()), "{}", typo.err);
}

#[tokio::test]
async fn a_damaged_database_is_told_and_left_alone() {
    let mut sickbay = Sickbay::started(&check("a", "noop", "100ms", ""), &["noop"]).await;
    until("something is stored", async || sickbay.results("a").await.len() > 10).await;
    assert_eq!(sickbay.stop().await, 0);
    let file = sickbay.path("sickbay.db");
    let mut bytes = std::fs::read(&file).expect("the database");
    assert!(!sickbay.path("sickbay.db-wal").exists(), "an orderly stop leaves one file");
    bytes[4096..].fill(0x5a);
    std::fs::write(&file, &bytes).expect("the database can be damaged");
    let ran = run(&sickbay, "serve").await;
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    assert!(ran.err.contains("the database is damaged") && ran.err.contains("hint:"), "{ran:?}");
    assert_eq!(std::fs::read(&file).expect("the database"), bytes);
}
