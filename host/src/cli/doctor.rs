//! `sickbay doctor [--fix]`: what this machine has, what is missing, and how to get it.
//!
//! Who is who: a [`Finding`] is one line of the table. `toolchain`, `machine`, `setup`, `store`, `sources` and `secrets` look; the judging functions
//! take what was seen and decide, so that tests need no other machine.
//!
//! Invariant: without `--fix` nothing is changed.
//! Invariant: no password and no secret is shown.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::client::OutputFormat;
use super::problem_item::{ProblemItem, items};
use crate::config;
use crate::toolchain::{self, Facts, Language, Missing, Remedy, Target};

mod machine;
mod secrets;
mod setup;
mod sources;
mod store;

#[derive(Args)]
pub struct DoctorArgs {
    /// Get what building plugins needs, for these languages or for all that this machine has: compiler targets with rustup, tools for
    /// Python and JavaScript into a folder of Sickbay's own, and as root on Debian the packages of a second Rust compiler. Go, Node.js
    /// and packages for another language are installed only where it is named; Go and Node.js come into that folder, by pip.
    #[arg(long, value_enum, value_name = "LANG", num_args = 0..)]
    fix: Option<Vec<Language>>,
    /// The configuration to look at.
    #[arg(long, value_name = "FILE", default_value = "sickbay.toml")]
    config: PathBuf,
    /// Text for people, or JSON: what was looked at, and each problem of the configuration with its place, reason and hint
    #[arg(short, long, value_enum, default_value_t = OutputFormat::Text, value_name = "FORMAT")]
    output: OutputFormat,
}

pub fn run(args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let asked_for = args.fix.as_deref().unwrap_or_default();
    if args.fix.is_some() {
        fix(asked_for);
    }
    let facts = Facts::probe();
    let mut findings = building(&facts);
    findings.extend(other_languages(asked_for, facts.root));
    findings.extend(machine::findings(Path::new(".")));
    findings.extend(setup::findings(&args.config));
    let text = match args.output {
        OutputFormat::Text => table(&findings),
        OutputFormat::Json => format!("{:#}\n", answer(&findings, &args.config)),
    };
    super::print_data(text.as_bytes())?;
    let failed = findings.iter().any(|finding| matches!(finding.mark, Mark::Wrong | Mark::Missing));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Tries what helps each language, those that are named or all; the table afterwards tells what is still missing.
fn fix(named: &[Language]) {
    let languages: &[Language] = if named.is_empty() { &Language::ALL } else { named };
    let mut tried = Vec::new();
    for language in languages {
        match language {
            Language::Rust => {
                for target in Target::ALL {
                    try_all(&mut tried, |_| true, || toolchain::plan(&Facts::probe(), target).err());
                }
            }
            // Nobody who asked for everything wants the packages of every language.
            other => try_all(
                &mut tried,
                |remedy| named.contains(other) || matches!(remedy, Remedy::Tools { .. }),
                || toolchain::kit(*other, None).err(),
            ),
        }
    }
    if tried.is_empty() {
        eprintln!("nothing to fix");
    }
}

/// Tries the remedies in their order until nothing is missing or nothing is left to try.
fn try_all(tried: &mut Vec<Remedy>, may_try: impl Fn(&Remedy) -> bool, missing: impl Fn() -> Option<Missing>) {
    let root = rustix::process::geteuid().is_root();
    while let Some(missing) = missing() {
        let untried = |remedy: &Remedy| may_try(remedy) && !tried.contains(remedy);
        let Some(remedy) = missing.how_to_get.into_iter().find(untried) else { return };
        eprintln!("fixing: {}", remedy.command_line(root));
        if let Err(error) = toolchain::apply(&remedy, root) {
            eprintln!("{}", super::failure_text(&error));
        }
        tried.push(remedy);
    }
}

/// How a finding counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Ok,
    /// Not needed; good to know.
    Info,
    /// Works, and may be better.
    Warn,
    /// There, and has to be mended: the exit code is 1.
    Wrong,
    /// Needed: the exit code is 1.
    Missing,
}

impl Mark {
    fn as_str(self) -> &'static str {
        match self {
            Mark::Ok => "ok",
            Mark::Info => "info",
            Mark::Warn => "warn",
            Mark::Wrong => "wrong",
            Mark::Missing => "missing",
        }
    }
}

/// One line of the table, and under it how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    subject: &'static str,
    mark: Mark,
    seen: String,
    fix: Option<String>,
}

impl Finding {
    fn new(subject: &'static str, mark: Mark, seen: impl Into<String>) -> Finding {
        Finding { subject, mark, seen: seen.into(), fix: None }
    }

    /// Of a message that brings its hint.
    fn of_message(subject: &'static str, mark: Mark, message: &str) -> Finding {
        const HINT_MARK: &str = "; hint: ";
        match message.split_once(HINT_MARK) {
            Some((seen, fix)) => Finding::new(subject, mark, seen).with_fix(fix),
            None => Finding::new(subject, mark, message),
        }
    }

    fn with_fix(mut self, fix: impl Into<String>) -> Finding {
        self.fix = Some(fix.into());
        self
    }
}

/// Whether plugins in Rust can be built, and which way.
fn building(facts: &Facts) -> Vec<Finding> {
    let compiler = match &facts.compiler {
        Some(compiler) => Finding::new("rust compiler", Mark::Ok, format!("rustc {}", compiler.version)),
        None => Finding::new("rust compiler", Mark::Missing, "rustc and cargo are not on the path")
            .with_fix(Remedy::Install(Language::Rust).command_line(facts.root)),
    };
    let target = |target| match toolchain::plan(facts, target) {
        Ok(plan) => Finding::new("wasm target", Mark::Ok, plan.describe(target)),
        Err(missing) => {
            let ways: Vec<String> = missing.how_to_get.iter().map(|remedy| remedy.command_line(facts.root)).collect();
            Finding::new("wasm target", Mark::Missing, missing.what).with_fix(format!("sickbay doctor --fix, or {}", ways.join(", or ")))
        }
    };
    std::iter::once(compiler).chain(Target::ALL.map(target)).collect()
}

/// Whether plugins in the other languages can be built: good to know, and needed where it was asked for.
fn other_languages(asked_for: &[Language], root: bool) -> Vec<Finding> {
    let others = Language::ALL.into_iter().filter(|language| *language != Language::Rust);
    let finding = |language| match toolchain::kit(language, None) {
        Ok(kit) => other_language(language, Ok(&kit.told), asked_for, root),
        Err(missing) => other_language(language, Err(&missing), asked_for, root),
    };
    others.map(finding).collect()
}

fn other_language(language: Language, found: Result<&str, &Missing>, asked_for: &[Language], root: bool) -> Finding {
    let subject = match language {
        Language::Rust => "rust plugins",
        Language::Python => "python plugins",
        Language::JavaScript => "js plugins",
        Language::Go => "go plugins",
        Language::C => "c plugins",
    };
    match found {
        Ok(told) => Finding::new(subject, Mark::Ok, told),
        Err(missing) => {
            let mark = if asked_for.contains(&language) { Mark::Missing } else { Mark::Info };
            let seen = format!("{}; only plugins in {language} need it", missing.what);
            Finding::new(subject, mark, seen).with_fix(toolchain::ways(language, missing, root).join(", or "))
        }
    }
}

/// What programs read: the findings, and the problems of the configuration where there is one.
fn answer(findings: &[Finding], file: &Path) -> Value {
    let told = |finding: &Finding| {
        let Finding { subject, mark, seen, fix } = finding;
        json!({ "subject": subject, "severity": mark.as_str(), "message": seen, "hint": fix })
    };
    let problems = match file.exists().then(|| config::load(file)) {
        Some(Ok(config)) => json!(config.warnings.iter().map(ProblemItem::from).collect::<Vec<_>>()),
        Some(Err(errors)) => json!(items(&errors)),
        None => json!([]),
    };
    json!({ "findings": findings.iter().map(told).collect::<Vec<_>>(), "problems": problems })
}

fn table(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.subject.len()).max().unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        text.push_str(&format!("{:<7}  {:<width$}  {}\n", finding.mark.as_str(), finding.subject, finding.seen));
        if let Some(fix) = &finding.fix {
            text.push_str(&format!("{:<7}  {:<width$}  hint: {fix}\n", "", ""));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolchain::{Compiler, SecondCompiler};

    fn facts(compiler: Option<Compiler>) -> Facts {
        Facts { compiler, rustup: true, second_compiler: SecondCompiler::default(), apt: false, root: false }
    }

    fn compiler(targets_installed: &[Target]) -> Compiler {
        Compiler { version: "1.95.0".to_owned(), targets_installed: targets_installed.to_vec(), linkers: None }
    }

    #[test]
    fn a_machine_with_the_targets_misses_nothing() {
        let findings = building(&facts(Some(compiler(&Target::ALL))));
        assert!(findings.iter().all(|finding| finding.mark == Mark::Ok), "{findings:?}");
    }

    #[test]
    fn a_missing_target_is_told_with_the_command_that_adds_it() {
        let findings = building(&facts(Some(compiler(&[Target::Bare]))));
        assert_eq!(findings[1].mark, Mark::Missing);
        assert_eq!(findings[1].fix.as_deref(), Some("sickbay doctor --fix, or rustup target add wasm32-wasip2"));
        assert_eq!((findings[2].mark, findings[2].seen.as_str()), (Mark::Ok, "wasm32-unknown-unknown is installed"));
    }

    #[test]
    fn a_tool_for_another_language_is_missing_only_where_it_was_asked_for() {
        let missing = Missing { what: "no `go` on the path".to_owned(), how_to_get: vec![Remedy::Install(Language::Go)] };
        let mark = |asked_for: &[Language]| other_language(Language::Go, Err(&missing), asked_for, false).mark;
        assert_eq!((mark(&[]), mark(&[Language::Go])), (Mark::Info, Mark::Missing));
        let finding = other_language(Language::Go, Err(&missing), &[], false);
        assert_eq!(finding.seen, "no `go` on the path; only plugins in Go need it");
        assert_eq!(finding.fix.as_deref(), Some("install Go 1.24 or newer from https://go.dev/dl"));
        assert_eq!(other_language(Language::Go, Ok("go 1.26"), &[], false).mark, Mark::Ok);
    }

    #[test]
    fn each_remedy_is_tried_once_and_in_its_order() {
        let remedies = [Remedy::Install(Language::Go), Remedy::Install(Language::C), Remedy::Packages(Language::C)];
        let mut tried = Vec::new();
        // None of these runs anything: a person has to act, or none of them may be tried.
        let missing = || Some(Missing { what: "it".to_owned(), how_to_get: remedies.to_vec() });
        try_all(&mut tried, |remedy| !remedy.needs_root(), missing);
        assert_eq!(tried, remedies[..2]);
    }

    #[test]
    fn programs_read_the_findings_and_the_problems_of_the_configuration() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("sickbay.toml");
        let findings =
            [Finding::new("port", Mark::Ok, "free"), Finding::new("rust compiler", Mark::Missing, "none").with_fix("install it")];
        let told = answer(&findings, &file);
        assert_eq!(
            told["findings"][1],
            json!({ "subject": "rust compiler", "severity": "missing", "message": "none", "hint": "install it" })
        );
        assert_eq!((&told["findings"][0]["hint"], &told["problems"]), (&Value::Null, &json!([])));
        std::fs::write(&file, "[server]\nlistn = 1\n").expect("the folder is writable");
        let told = answer(&findings, &file);
        let problem = &told["problems"].as_array().and_then(|problems| problems.last()).expect("a problem");
        assert_eq!((&problem["severity"], &problem["line"], &problem["column"]), (&json!("error"), &json!(2), &json!(1)));
        assert_eq!(
            (&problem["message"], &problem["hint"]),
            (&json!("unknown key `listn` in `[server]`"), &json!("did you mean `listen`?"))
        );
        assert!(problem["reason"].is_string() && problem["file"].as_str().is_some_and(|file| file.ends_with("sickbay.toml")), "{problem}");
    }

    #[test]
    fn the_table_lines_up_and_puts_the_hint_under_its_finding() {
        let findings =
            [Finding::new("port", Mark::Ok, "free"), Finding::new("rust compiler", Mark::Missing, "none").with_fix("install it")];
        let expected = "ok       port           free\nmissing  rust compiler  none\n                        hint: install it\n";
        assert_eq!(table(&findings), expected);
    }
}
