//! `sickbay doctor [--fix]`: what this machine has, what is missing, and how to get it.
//!
//! Who is who: a [`Finding`] is one line of the table. `toolchain`, `machine`, `setup`, `sources` and `secrets` look; the judging functions
//! take what was seen and decide, so that tests need no other machine.
//!
//! Invariant: without `--fix` nothing is changed.
//! Invariant: no password and no secret is shown.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::toolchain::{self, Facts, Target};

mod machine;
mod secrets;
mod setup;
mod sources;

#[derive(Args)]
pub struct DoctorArgs {
    /// Add what building plugins needs: `rustup target add`, or as root on Debian the packages of a second compiler.
    #[arg(long)]
    fix: bool,
    /// The configuration to look at.
    #[arg(long, value_name = "FILE", default_value = "sickbay.toml")]
    config: PathBuf,
}

pub fn run(args: DoctorArgs) -> anyhow::Result<ExitCode> {
    if args.fix {
        fix();
    }
    let facts = Facts::probe();
    let mut findings = building(&facts);
    findings.extend(machine::findings(Path::new(".")));
    findings.extend(setup::findings(&args.config));
    super::print_data(table(&findings).as_bytes())?;
    let failed = findings.iter().any(|finding| matches!(finding.mark, Mark::Wrong | Mark::Missing));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Tries the remedies for each target in their order until one has helped; the table afterwards tells what is still missing.
fn fix() {
    let mut tried = Vec::new();
    for target in Target::ALL {
        loop {
            let facts = Facts::probe();
            let Err(missing) = toolchain::plan(&facts, target) else { break };
            let Some(remedy) = missing.how_to_get.into_iter().find(|remedy| !tried.contains(remedy)) else { break };
            tried.push(remedy);
            eprintln!("fixing: {}", remedy.command_line(facts.root));
            if let Err(error) = toolchain::apply(remedy, facts.root) {
                eprintln!("{}", super::failure_text(&error));
            }
        }
    }
    if tried.is_empty() {
        eprintln!("nothing to fix");
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
            .with_fix(toolchain::Remedy::InstallRust.command_line(facts.root)),
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
    fn the_table_lines_up_and_puts_the_hint_under_its_finding() {
        let findings =
            [Finding::new("port", Mark::Ok, "free"), Finding::new("rust compiler", Mark::Missing, "none").with_fix("install it")];
        let expected = "ok       port           free\nmissing  rust compiler  none\n                        hint: install it\n";
        assert_eq!(table(&findings), expected);
    }
}
