//! The kinds of the plugin `system`: a program that goes and comes back, and limits that this machine keeps or passes. What fills a file
//! system is in `files_kinds.rs`.

use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

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
