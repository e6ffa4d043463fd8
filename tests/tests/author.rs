//! The way of an author: a new plugin, built, run, looked at, measured, and built again at each save; and what is said where something is
//! missing or wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sickbay_tests::found;
use sickbay_tests::program::{self, Ran};

/// A compiler may have a library to build first, beside other tests.
const BUILD_TIME_MAX: Duration = Duration::from_secs(600);

fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("sickbay-author-").tempdir().expect("a temporary folder")
}

async fn run(folder: &Path, line: &str) -> Ran {
    let arguments: Vec<&str> = line.split(' ').collect();
    program::run_within(BUILD_TIME_MAX, program::command(folder, &arguments)).await
}

async fn succeeds(folder: &Path, line: &str) -> Ran {
    let ran = run(folder, line).await;
    assert_eq!(ran.code, 0, "{line}: {ran:?}");
    ran
}

/// Ends with `code` and says each of `told` on standard error.
async fn fails(folder: &Path, line: &str, code: i32, told: &[&str]) {
    let ran = run(folder, line).await;
    assert_fails(&ran, code, told);
}

fn assert_fails(ran: &Ran, code: i32, told: &[&str]) {
    assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{ran:?}");
    for part in told {
        assert!(ran.err.contains(part), "`{part}` is not in {}", ran.err);
    }
}

/// Makes a new plugin in `directory`; gives what was told.
async fn made(folder: &Path, language: &str, directory: &str) -> Ran {
    let made = succeeds(folder, &format!("new {language} {directory}")).await;
    assert!(made.out.lines().all(|file| folder.join(file).is_file()) && made.out.lines().count() >= 3, "{made:?}");
    assert!(made.err.contains(&format!("  cd {directory}\n")) && made.err.contains("  sickbay build . --out plugins "), "{made:?}");
    made
}

/// Its tests, as they are told: what is told can be typed.
async fn assert_tested(folder: &Path, told: &Ran, test: &str, says: &str) {
    let line = told.err.lines().find(|line| line.contains(test)).unwrap_or_else(|| panic!("`{test}` is not told: {told:?}"));
    let mut shell = Command::new("sh");
    shell.args(["-c", line.trim()]).current_dir(folder).env_remove("PYTHONPATH").env("PYTHONDONTWRITEBYTECODE", "1");
    let tested = program::run_within(BUILD_TIME_MAX, shell).await;
    assert!(tested.code == 0 && (tested.out.contains(says) || tested.err.contains(says)), "{tested:?}");
}

/// What holds for every template: its component is green, tells what it is, and can be measured.
async fn assert_works(folder: &Path, directory: &str, name: &str, made_by: &str) {
    let built = succeeds(folder, &format!("build {directory} --out plugins")).await;
    let file = format!("plugins/{name}.wasm");
    assert!(built.out.ends_with(&format!("/{file}\n")) || built.out == format!("{file}\n"), "{built:?}");

    let probe = succeeds(folder, &format!("probe --plugin {file}")).await;
    assert!(probe.out.starts_with("OK - "), "{probe:?}");

    let told = succeeds(folder, &format!("inspect {file}")).await;
    let (title, block) = (format!("{name} 0.1.0\n"), format!("\n[[check]]\nname = \"{name}"));
    for part in [
        title.as_str(),
        "\ncontract  sickbay:plugin@0.1.0\n",
        "\nKind ",
        block.as_str(),
        "\nImports\n",
        "\nExports\n",
        "\n  sickbay:plugin/check@0.1.0\n",
        "\n  sickbay:plugin/plugin@0.1.0\n",
        "\nMade by, as it says itself\n",
        made_by,
    ] {
        assert!(told.out.contains(part), "`{part}` is not in {}", told.out);
    }
    assert_eq!(told.out, succeeds(folder, &format!("plugin inspect {file}")).await.out);

    let bench = succeeds(folder, &format!("bench {file} --runs 10 --json")).await;
    let figures: Value = serde_json::from_str(&bench.out).expect("JSON");
    for instance in ["fresh", "warm"] {
        let series = &figures[instance];
        assert!(series["runs"].as_u64() >= Some(10) && series["statuses"]["ok"] == series["runs"], "{figures}");
        let at = |key: &str| series[key].as_f64().unwrap_or_else(|| panic!("no {key} in {figures}"));
        assert!(at("p50_ms") > 0.0 && at("p99_ms") >= at("p50_ms") && at("memory_bytes") > 0.0 && at("host_calls") >= 0.0, "{figures}");
    }
    let table = succeeds(folder, &format!("bench {file} --runs 10")).await;
    assert!(table.out.contains("INSTANCE  RUNS") && table.out.contains("\nfresh ") && table.out.contains("\nwarm "), "{}", table.out);
}

#[tokio::test]
async fn a_new_plugin_in_python_is_green() {
    let folder = folder();
    let told = made(folder.path(), "python", "feed-age").await;
    assert_tested(&folder.path().join("feed-age"), &told, "python3 -m unittest", "\nOK").await;
    assert_works(folder.path(), "feed-age", "feed-age", "component-init-transform").await;
}

#[tokio::test]
async fn a_new_plugin_in_rust_is_green() {
    let folder = folder();
    let told = made(folder.path(), "rust", "work/queue-age").await;
    assert!(told.err.contains("  cargo test "), "{told:?}");
    let manifest = fs::read_to_string(folder.path().join("work/queue-age/Cargo.toml")).expect("a manifest");
    assert!(manifest.contains("\nsickbay-sdk = { path = \""), "{manifest}");
    // The versions that the host was built with are there already: nothing is looked up.
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("Cargo.lock");
    fs::copy(lock, folder.path().join("work/queue-age/Cargo.lock")).expect("a lock file");
    assert_works(folder.path(), "work", "queue-age", "wit-bindgen-rust").await;
}

#[tokio::test]
async fn a_new_plugin_never_takes_the_place_of_something_else() {
    let folder = folder();
    succeeds(folder.path(), "new python mine").await;
    fs::write(folder.path().join("mine/app.py"), "# edited").expect("writable");
    fails(folder.path(), "new python mine", 2, &["mine is there already, and is not empty", "hint:"]).await;
    assert_eq!(fs::read_to_string(folder.path().join("mine/app.py")).expect("there"), "# edited");
    fs::write(folder.path().join("file"), "").expect("writable");
    fails(folder.path(), "new python file", 2, &["file is a file", "hint:"]).await;
    fails(folder.path(), "new python Mine", 2, &["a new plugin cannot be called \"Mine\"", "hint: --name my-check"]).await;
    assert!(!folder.path().join("Mine").exists());
    fails(folder.path(), "new cobol mine", 2, &["cobol", "possible values: rust, python, js, go, c"]).await;
}

#[tokio::test]
async fn what_is_no_plugin_is_told_with_what_makes_it_one() {
    let folder = folder();
    fs::create_dir_all(folder.path().join("empty")).expect("writable");
    fails(folder.path(), "build empty", 2, &["no plugin in /", "/empty", "hint:"]).await;
    fails(folder.path(), "watch empty", 2, &["no plugin in /", "/empty", "hint:"]).await;
    fails(folder.path(), "build absent", 2, &["cannot read the folder absent", "hint:"]).await;
    fs::create_dir_all(folder.path().join("tool")).expect("writable");
    fs::write(folder.path().join("tool/pyproject.toml"), "[project]\nname = \"tool\"\n").expect("writable");
    fails(folder.path(), "build tool", 2, &["tool looks like Python, and says nothing of Sickbay", "hint: add to pyproject.toml"]).await;
    fs::write(folder.path().join("tool/pyproject.toml"), "[tool.sickbay]\nnmae = \"tool\"\n").expect("writable");
    fails(folder.path(), "build tool", 2, &["tool/pyproject.toml: [tool.sickbay]: unknown field `nmae`"]).await;
}

/// A folder of programs, and of Sickbay's tools, that are scripts.
struct Scripts(tempfile::TempDir);

impl Scripts {
    fn new(scripts: &[(&str, &str)]) -> Scripts {
        let folder = folder();
        for (name, script) in scripts {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().expect("a file stands in a folder")).expect("writable");
            fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("writable");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("its mode can be set");
        }
        Scripts(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// The program, which looks for tools here.
    fn command(&self, folder: &Path, line: &str) -> Command {
        let arguments: Vec<&str> = line.split(' ').collect();
        let mut command = program::command(folder, &arguments);
        command.env("SICKBAY_TOOLS_DIR", self.path());
        command
    }
}

#[tokio::test]
async fn a_tool_that_is_missing_is_told_with_the_commands_that_get_it() {
    let scripts = Scripts::new(&[("bin/python3", "case $1 in --version) echo Python 3.11.2 ;; esac")]);
    let folder = folder();
    let run = async |line: &str| {
        let mut command = scripts.command(folder.path(), line);
        command.env("PATH", scripts.path().join("bin"));
        program::run_within(BUILD_TIME_MAX, command).await
    };
    let made = run("new python feed-age").await;
    assert!(made.code == 0 && made.err.contains("  sickbay doctor --fix python "), "{made:?}");
    let told = [
        "plugins in Python cannot be built here: componentize-py 0.25.1 is not there",
        "hint: run sickbay doctor --fix python\n     or python3 -m venv --clear ",
        "/python/bin/python -m pip install ",
        "componentize-py==0.25.1",
    ];
    assert_fails(&run("build feed-age").await, 1, &told);
    let doctor = run("doctor").await;
    assert!(
        doctor.out.contains("python plugins") && doctor.out.contains("hint: run sickbay doctor --fix python, or python3"),
        "{doctor:?}"
    );
}

#[tokio::test]
async fn doctor_gets_the_tools_of_a_language_and_then_has_nothing_to_do() {
    // An empty folder of tools, which nobody else has.
    let (tools, folder) = (Scripts::new(&[]), folder());
    let run = async |line: &str| program::run_within(BUILD_TIME_MAX, tools.command(folder.path(), line)).await;
    let fixed = run("doctor --fix python").await;
    let table = |ran: &Ran, mark: &str| {
        let line = ran.out.lines().find(|line| line.contains(" python plugins ")).unwrap_or_default();
        assert!(line.starts_with(mark), "{ran:?}");
    };
    // Where no package can be had, that is all there is to see.
    if fixed.err.contains("No matching distribution found") {
        eprintln!("left out in part: componentize-py cannot be downloaded here");
        assert_eq!(fixed.code, 1, "{fixed:?}");
        table(&fixed, "missing ");
        return;
    }
    assert_eq!(fixed.code, 0, "{fixed:?}");
    assert!(fixed.err.contains("fixing: python3 -m venv --clear ") && fixed.err.contains("componentize-py==0.25.1"), "{fixed:?}");
    table(&fixed, "ok ");
    assert!(tools.path().join("python/bin/componentize-py").is_file());

    let again = run("doctor --fix python").await;
    assert_eq!((again.code, again.err.as_str()), (0, "nothing to fix\n"), "{again:?}");
    table(&again, "ok ");

    assert_eq!(run("new python feed-age").await.code, 0);
    let built = run("build feed-age --out plugins").await;
    assert_eq!(built.code, 0, "{built:?}");
    assert!(folder.path().join("plugins/feed-age.wasm").is_file());
}

/// In componentize-py's place: a component that is built already, unless the module says that it is broken.
fn quick_builder() -> Scripts {
    let script = format!(
        "if [ \"$1\" = --version ]; then echo componentize-py 0.25.1; exit; fi\n\
         if grep -q broken app.py; then echo \"SyntaxError: this is broken\" >&2; exit 3; fi\n\
         while [ \"$1\" != -o ]; do shift; done\ncp '{}' \"$2\"",
        program::guest("noop").display()
    );
    Scripts::new(&[("python/bin/componentize-py", &script)])
}

fn python_project(folder: &Path) {
    fs::create_dir(folder.join("quick")).expect("writable");
    fs::write(folder.join("quick/pyproject.toml"), "[tool.sickbay]\nname = \"quick\"\n").expect("writable");
    fs::write(folder.join("quick/app.py"), "").expect("writable");
}

#[tokio::test]
async fn a_compiler_that_fails_is_shown_and_changes_nothing() {
    let (scripts, folder) = (quick_builder(), folder());
    python_project(folder.path());
    let run = async |line: &str| program::run_within(BUILD_TIME_MAX, scripts.command(folder.path(), line)).await;
    assert_eq!(run("build quick").await.code, 0);
    let component = folder.path().join("quick/target/plugins/quick.wasm");
    let before = fs::read(&component).expect("it is built");
    fs::write(folder.path().join("quick/app.py"), "broken").expect("writable");
    let broken = run("build quick").await;
    assert_fails(&broken, 1, &["componentize-py could not build quick in /", "exit status: 3", "SyntaxError: this is broken", "hint:"]);
    assert_eq!(fs::read(&component).expect("there"), before);
    // As it comes, on standard error: standard output is for the paths.
    let verbose = run("build quick -v").await;
    assert_fails(&verbose, 1, &["SyntaxError: this is broken"]);
}

/// One `sickbay watch`; killed when it is dropped.
struct Watch {
    child: Child,
    log: PathBuf,
}

impl Watch {
    fn start(mut command: Command, log: PathBuf) -> Watch {
        let file = fs::File::create(&log).expect("a log");
        let errors = file.try_clone().expect("a second handle of the log");
        let child = command.stdout(file).stderr(errors).stdin(Stdio::null()).spawn().expect("SICKBAY_BIN can be started");
        Watch { child, log }
    }

    fn told(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it has said `part` so often.
    async fn says(&self, part: &str, times: usize) {
        found(&format!("`{part}` is said {times} times"), async || (self.told().matches(part).count() >= times).then_some(())).await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("what `watch` said:\n{}", self.told());
        }
    }
}

#[tokio::test]
async fn watch_builds_and_runs_at_each_save_until_it_is_stopped() {
    let (scripts, folder) = (quick_builder(), folder());
    python_project(folder.path());
    let mut watch = Watch::start(scripts.command(folder.path(), "watch quick"), folder.path().join("log"));
    watch.says("== built and run: ok; waiting for a change", 1).await;
    assert!(watch.told().contains("\nOK - ok\n"), "{}", watch.told());
    fs::write(folder.path().join("quick/app.py"), "broken").expect("writable");
    watch.says("== not built; the component before it stays", 1).await;
    for part in ["== app.py changed\n", "SyntaxError: this is broken", "hint:"] {
        assert!(watch.told().contains(part), "`{part}` is not in {}", watch.told());
    }
    fs::write(folder.path().join("quick/app.py"), "mended").expect("writable");
    watch.says("== built and run: ok", 2).await;
    let id = Pid::from_raw(watch.child.id().cast_signed()).expect("a process");
    kill_process(id, Signal::INT).expect("it runs");
    let code = found("watch ends", async || watch.child.try_wait().expect("a child")).await;
    assert_eq!(code.code(), Some(0), "{}", watch.told());
    assert_eq!(watch.told().matches("== built and run").count(), 2, "a build is no change: {}", watch.told());
}

#[tokio::test]
async fn bench_measures_a_check_of_a_configuration_with_its_grants() {
    let folder = folder();
    fs::create_dir(folder.path().join("plugins")).expect("writable");
    fs::copy(program::guest("system"), folder.path().join("plugins/system.wasm")).expect("a guest");
    let check = "[[check]]\nname = \"load\"\nplugin = \"system\"\nkind = \"load\"\nevery = \"1m\"\n";
    fs::write(folder.path().join("granted.toml"), format!("{check}grants = {{ system = [\"load\", \"cpu\"] }}\n")).expect("writable");
    fs::write(folder.path().join("denied.toml"), check).expect("writable");
    let bench = async |config: &str| {
        let line = format!("bench plugins/system.wasm --check load --config {config} --runs 5 -o json");
        serde_json::from_str::<Value>(&succeeds(folder.path(), &line).await.out).expect("JSON")
    };
    let granted = bench("granted.toml").await;
    assert_eq!((&granted["check"], &granted["kind"]), (&"load".into(), &"load".into()), "{granted}");
    assert!(granted["fresh"]["statuses"].get("unknown").is_none(), "{granted}");
    let denied = bench("denied.toml").await;
    assert!(denied["fresh"]["statuses"]["unknown"].as_u64() >= Some(5) && denied["warm"].is_null(), "{denied}");
    assert!(denied["fresh"]["told"].as_str().is_some_and(|told| told.contains("is not granted")), "{denied}");
    fails(folder.path(), "bench plugins/absent.wasm", 2, &["there is no file plugins/absent.wasm", "hint:"]).await;
    fails(folder.path(), "bench plugins/system.wasm --runs 0", 2, &["0 is not in 1..=100000"]).await;
}
