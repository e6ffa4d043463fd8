//! The verbs as people and scripts call them: what goes where, and how they end.

use std::net::TcpListener;

use serde_json::Value;
use sickbay_tests::program::{self, Ran};
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
    assert_eq!((good.code, good.out.as_str()), (0, "sickbay.toml: ok (5 checks, 3 plugins, 1 warnings)\n"), "{good:?}");
    for part in ["warning: the plugin `absent` is not loaded", "--> sickbay.toml:", "hint: copy absent.wasm into"] {
        assert!(good.err.contains(part), "`{part}` is not in {}", good.err);
    }
    sickbay.write("typo.toml", "[[check]]\nname = \"a\"\nplugin = \"noop\"\nevry = \"1s\"\n");
    let typo = run(&sickbay, "validate --config typo.toml").await;
    assert_fails(&typo, 2, &["unknown key `evry`", "--> typo.toml:4:1", "did you mean `every`?", "the configuration has 1 mistake"]);
    sickbay.write("unfit.toml", check("a", "noop", "1s", "kind = \"other\""));
    assert_fails(&run(&sickbay, "validate --config unfit.toml").await, 2, &["has no kind `other`", "hint: its kinds are `noop`"]);
    assert_fails(&run(&sickbay, "validate --config absent.toml").await, 2, &["there is no such file", "absent.toml", "hint:"]);
    sickbay.install_bytes("broken", b"no plugin");
    let broken = run(&sickbay, "validate").await;
    assert!(broken.code == 0 && broken.err.contains("broken.wasm is refused"), "{broken:?}");
    assert!(!sickbay.path("sickbay.db").exists(), "validate starts nothing");
}

/// The plugin's words, the condition that decided with actual against expected, and the performance data.
const BY_CONDITION: &str =
    "WARNING - version 1; warning because `report.metrics.version_number > 0.0`: is 1, wanted <= 0 | 'version_number'=1\n";

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
    let waits = run(&sickbay, "probe waits").await;
    assert!(waits.code == 3 && waits.err.contains("absent.wasm cannot be loaded"), "{waits:?}");
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
    for part in ["swap-v1 1.0.0", "ConditionFailed", "version_number is 1, wanted <= 0", "cpu ", "memory ", "host calls "] {
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
    assert!(status.out.starts_with("STATUS"), "{}", status.out);
    for part in ["fine", "version 1", "5 checks: 1 ok, 1 warning, 2 unknown, 1 critical"] {
        assert!(status.out.contains(part), "`{part}` is not in {}", status.out);
    }
    assert!(!status.out.contains('\u{1b}'), "{:?}", status.out);
    let json = run(&sickbay, &format!("status -o json --url {url}")).await;
    let items: Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(items["items"].as_array().map(Vec::len), Some(5));
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
}

#[tokio::test]
async fn a_sickbay_that_is_not_there_is_told_with_the_fix() {
    let sickbay = Sickbay::prepared("", &[]);
    // Taken, and nobody answers there.
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    for verb in ["status", "plugin list", "plugin inspect x"] {
        let ran = run(&sickbay, &format!("{verb} --url http://{free}")).await;
        assert_fails(&ran, 1, &["cannot ask http://", "hint: is `sickbay serve` running there?"]);
    }
    assert_fails(&run(&sickbay, "status --url https://localhost").await, 2, &["not built yet"]);
    assert_fails(&run(&sickbay, "status --url localhost").await, 2, &["hint:"]);
}

#[tokio::test]
async fn doctor_finds_what_is_wrong_with_a_configuration() {
    let sickbay = Sickbay::prepared(&one_of_each(), &PLUGINS);
    let good = run(&sickbay, "doctor").await;
    assert!(good.out.contains("sickbay.toml: 5 checks") && good.out.contains("3 .wasm"), "{good:?}");
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
    let absent = run(&sickbay, "doctor --config absent.toml").await;
    assert!(absent.out.contains("absent.toml is not there"), "{absent:?}");
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
    for line in [
        "new my-check",
        "watch",
        "test",
        "inspect",
        "bench",
        "replay x",
        "incident list",
        "silence add x",
        "routes test",
        "plugin rollback http",
    ] {
        assert_fails(&run(&sickbay, line).await, 2, &["is not built yet in this version", "hint:"]);
    }
    let slip = run(&sickbay, "sreve").await;
    assert_fails(&slip, 2, &["unrecognized subcommand", "serve"]);
    assert!(!slip.err.contains("not built yet"), "{slip:?}");
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
        ("sqlite:/proc/sickbay.db", "it can be neither opened nor made"),
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
