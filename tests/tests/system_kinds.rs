//! The kinds of the plugin `system`: a program that goes and comes back, a machine that is busy or has many files open and then no more, and
//! limits that this machine keeps or passes. What fills a file system is in `files_kinds.rs`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sickbay_tests::{OK, Sickbay, Turn, Verdict, on_demand, program};

/// A process that waits for its input, under the name of `link`; ended when it is dropped.
struct Waiting(Child);

impl Waiting {
    fn start(link: &Path) -> Waiting {
        // By the name that it is known by to itself, wherever one program is many.
        Waiting(Command::new(link).arg0("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("`cat`"))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_program_that_ends_or_runs_twice_is_told_until_it_runs_once() {
    let name = format!("kinds-{}", std::process::id());
    let config = format!("config = {{ name = \"{name}\", count_max = 1 }}\ngrants = {{ system = [\"processes:{name}\"] }}");
    let sickbay = Sickbay::started(&on_demand("program", "system", "processes", &config), &["system"]).await;
    let link = sickbay.path(&name);
    symlink("/bin/cat", &link).expect("a link");

    let mut first = Some(Waiting::start(&link));
    let turn = |turn| match turn {
        Turn::Break => drop(first.take()),
        Turn::Mend => first = Some(Waiting::start(&link)),
    };
    let none = format!("0 processes named {name} run, at least 1 should");
    sickbay.breaks_and_mends("program", Verdict::critical("process", &[&none]), turn).await;

    let mut second = None;
    let turn = |turn| match turn {
        Turn::Break => second = Some(Waiting::start(&link)),
        Turn::Mend => drop(second.take()),
    };
    let two = format!("2 processes named {name} run, at most 1 should");
    sickbay.breaks_and_mends("program", Verdict::critical("process", &[&two]), turn).await;
    drop(first);
}

/// What is called a machine that rests: other tests may build something meanwhile.
const REST_MAX: Duration = Duration::from_secs(300);

/// Takes what processor time nobody else wants, until it is dropped.
fn burning() -> Waiting {
    let mut command = Command::new("nice");
    Waiting(command.args(["-n", "19", "sh", "-c", "while :; do :; done"]).stdin(Stdio::null()).spawn().expect("`nice`"))
}

#[tokio::test]
async fn processors_that_are_all_busy_are_told_until_they_rest() {
    let cores = fs::read_to_string("/proc/stat").expect("the processors").lines().filter(|line| line.starts_with("cpu")).count() - 1;
    let own = std::thread::available_parallelism().expect("the processors").get();
    if own < cores {
        eprintln!("left out: these tests may use {own} of {cores} processors, so that they cannot keep all of them busy");
        return;
    }
    let config = "config = { warning_ratio = 0.99, critical_ratio = 1, iowait_warning_ratio = 1 }\ngrants = { system = [\"cpu\"] }";
    let sickbay = Sickbay::started(&on_demand("cpu", "system", "cpu", config), &["system"]).await;
    sickbay.comes_to_within(REST_MAX, "cpu", OK).await;
    let burners: Vec<Waiting> = (0..2 * cores).map(|_| burning()).collect();
    sickbay.comes_to("cpu", Verdict::warning("capacity", &["processors ", " busy over "])).await;
    drop(burners);
    sickbay.comes_to_within(REST_MAX, "cpu", OK).await;
}

/// Opens so many files and waits for the end of its input.
const HOLDS: &str = "import resource, sys
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
files = [open('/dev/null') for _ in range(int(sys.argv[1]))]
print('open', flush=True)
sys.stdin.read()";

/// A process that has `files` open, until it is dropped.
fn holding(files: u32) -> Waiting {
    let mut command = Command::new("python3");
    command.args(["-c", HOLDS, &files.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holding = Waiting(command.spawn().expect("`python3`"));
    let mut said = String::new();
    let output = holding.0.stdout.take().expect("a pipe");
    BufReader::new(output).read_line(&mut said).expect("it says that they are open");
    assert_eq!(said, "open\n", "it could not open {files} files");
    holding
}

#[tokio::test]
async fn a_machine_with_too_many_open_files_is_told_until_they_are_closed() {
    const PROCESSES: u32 = 4;
    const FILES_EACH: u32 = 3_000;
    let told = fs::read_to_string("/proc/sys/fs/file-nr").expect("the open files");
    let numbers: Vec<f64> = told.split_ascii_whitespace().map(|number| number.parse().expect("a number")).collect();
    let [open, _, most] = numbers[..] else { panic!("{told} are not three numbers") };
    // In the middle, for other tests open and close files too.
    let limit = (open + f64::from(PROCESSES * FILES_EACH / 2)) / most;
    let config = format!("config = {{ warning_ratio = {limit:e}, critical_ratio = {limit:e} }}\ngrants = {{ system = [\"files\"] }}");
    let sickbay = Sickbay::started(&on_demand("open-files", "system", "open-files", &config), &["system"]).await;
    let mut held = Vec::new();
    let turn = |turn| match turn {
        Turn::Break => held.extend((0..PROCESSES).map(|_| holding(FILES_EACH))),
        Turn::Mend => held.clear(),
    };
    sickbay.breaks_and_mends("open-files", Verdict::critical("capacity", &["of the open files are used"]), turn).await;
}

#[tokio::test]
async fn load_that_is_too_high_is_told_until_it_is_low_again() {
    const LOW: &str = "0.10 0.20 0.30 1/100 1\n";
    const HIGH: &str = "0.10 1000000.00 0.30 1/100 1\n";
    let checks = on_demand("load", "system", "load", "grants = { system = [\"load\", \"cpu\"] }");
    // Nobody can wait for minutes of load: it is what the system tells, and this one tells what the test wants.
    let mut sickbay = Sickbay::prepared(&checks, &["system"]).with_mounts("mount --bind loadavg /proc/loadavg");
    let told = sickbay.path("loadavg");
    fs::write(&told, LOW).expect("the load");
    sickbay.start().await;
    let turn = |turn: Turn| fs::write(&told, if turn == Turn::Break { HIGH } else { LOW }).expect("the load");
    sickbay.breaks_and_mends("load", Verdict::critical("capacity", &["load ", " per core"]), turn).await;
}

#[tokio::test]
async fn a_limit_that_the_machine_passes_is_told_and_one_that_it_keeps_is_not() {
    let check = |name: &str, kind: &str, config: &str, words: &str| {
        on_demand(name, "system", kind, &format!("config = {{ {config} }}\ngrants = {{ system = [{words}] }}"))
    };
    // A ratio is never above 1, and these are never 0.
    let (wide, tight) = ("warning_ratio = 1, critical_ratio = 1", "warning_ratio = 0, critical_ratio = 0");
    let checks = [
        check("cpu", "cpu", &format!("{wide}, iowait_warning_ratio = 1"), "\"cpu\""),
        check("busy", "cpu", tight, "\"cpu\""),
        check("memory", "memory", &format!("{wide}, swap_warning_ratio = 1"), "\"memory\""),
        check("full", "memory", tight, "\"memory\""),
        check("open-files", "open-files", wide, "\"files\""),
        check("many-files", "open-files", tight, "\"files\""),
        check("load", "load", "warning_per_core = 1000000, critical_per_core = 1000000", "\"load\", \"cpu\""),
        check("io", "io", "warning_busy_ratio = 1", "\"io\""),
        check("ungranted", "cpu", wide, "\"memory\""),
    ];
    let sickbay = Sickbay::started(&checks.concat(), &["system"]).await;
    sickbay.all_come_to(&["cpu", "memory", "open-files", "load", "io"], OK).await;
    for (name, failure, tells) in
        [("busy", "capacity", "busy over"), ("full", "memory", " used"), ("many-files", "capacity", "of the open files are used")]
    {
        sickbay.comes_to(name, Verdict::critical(failure, &[tells])).await;
    }
    sickbay.comes_to("ungranted", Verdict::unknown(&["system = [\"cpu\"]"])).await;
}

#[tokio::test]
async fn a_percentage_in_the_place_of_a_ratio_is_refused_before_anything_runs() {
    let memory = |limit: &str| {
        let more = format!("config = {{ warning_ratio = {limit} }}\ngrants = {{ system = [\"memory\"] }}");
        on_demand("memory", "system", "memory", &more)
    };
    let sickbay = Sickbay::prepared(&memory("80"), &["system"]);
    let refused = program::run(sickbay.folder(), &["validate"]).await;
    assert!(refused.code == 2 && refused.err.contains("warning_ratio"), "{refused:?}");
    sickbay.configure(&memory("0.8"));
    let good = program::run(sickbay.folder(), &["validate"]).await;
    assert_eq!(good.code, 0, "{good:?}");
}
