//! Making guests buildable: running what [`plan`](super::plan()) named as missing, and looking again.

use std::path::PathBuf;
use std::process::Command;

use super::plan::plan;
use super::run::run_bounded;
use super::{Facts, Language, Missing, Plan, Remedy, Step, Target, ToolOutput, Workspace, javascript};
use crate::failure::Failure;

/// How far Sickbay may go on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Add a target to the user's own toolchain.
    OwnToolchain,
    /// Also install Debian packages, when run as root.
    SystemPackages,
}

/// The plan for each workspace, in their order, once its target can be built for: made so within `permission`, before anything is built.
/// Tells each step on standard error.
///
/// # Errors
/// When nothing that may be tried has helped; the hint is the command to run by hand.
pub fn ensure_for(permission: Permission, workspaces: &[Workspace]) -> anyhow::Result<Vec<Plan>> {
    let mut tried = Vec::new();
    workspaces.iter().map(|workspace| ensure(permission, workspace.target, &mut tried)).collect()
}

/// Makes guests buildable for one target. What was tried for another target is not tried again.
fn ensure(permission: Permission, target: Target, tried: &mut Vec<Remedy>) -> anyhow::Result<Plan> {
    let mut failures = Vec::new();
    loop {
        let facts = Facts::probe();
        let missing = match plan(&facts, target) {
            Ok(plan) => return Ok(plan),
            Err(missing) => missing,
        };
        let Some(remedy) = next_remedy(&missing, &facts, permission, tried) else {
            return Err(cannot_build(Language::Rust, &missing, facts.root, &failures).into());
        };
        tried.push(remedy.clone());
        if let Err(failure) = apply(&remedy, facts.root) {
            failures.push(format!("{failure:#}"));
        }
    }
}

/// The best remedy that may be tried and has not been.
fn next_remedy(missing: &Missing, facts: &Facts, permission: Permission, tried: &[Remedy]) -> Option<Remedy> {
    let allowed = |remedy: &&Remedy| match remedy {
        Remedy::Install(_) | Remedy::Compiler { .. } => false,
        Remedy::RustupTarget(_) | Remedy::Tools { .. } => true,
        Remedy::SecondCompiler | Remedy::Packages(_) => permission == Permission::SystemPackages && facts.root,
    };
    missing.how_to_get.iter().filter(allowed).find(|remedy| !tried.contains(remedy)).cloned()
}

/// Why plugins in `language` cannot be built here, what was tried, and the commands that change it.
pub fn cannot_build(language: Language, missing: &Missing, root: bool, failures: &[String]) -> Failure {
    let mut message = format!("plugins in {language} cannot be built here: {}", missing.what);
    for failure in failures {
        message.push_str("\n  tried: ");
        message.push_str(failure);
    }
    Failure::new(message).with_hint(ways(language, missing, root).join("\n     or "))
}

/// What to type. For Rust each remedy is a way of its own; for the others they follow each other, and `doctor` knows them.
pub fn ways(language: Language, missing: &Missing, root: bool) -> Vec<String> {
    let mut by_hand: Vec<String> = missing.how_to_get.iter().map(|remedy| remedy.command_line(root)).collect();
    if missing.how_to_get.iter().all(|remedy| remedy.commands().is_empty()) {
        return by_hand;
    }
    if language != Language::Rust {
        return vec![format!("run sickbay doctor --fix {}", language.word()), by_hand.join(" && ")];
    }
    if let Some(first) = by_hand.first_mut() {
        first.insert_str(0, "run ");
    }
    by_hand
}

/// Runs a remedy's commands, each announced before it starts.
///
/// # Errors
/// When one of them cannot be started or fails, with the end of its output.
pub fn apply(remedy: &Remedy, root: bool) -> anyhow::Result<()> {
    let commands = remedy.commands();
    if commands.is_empty() || (remedy.needs_root() && !root) {
        return Err(Failure::new("this needs a person").with_hint(remedy.command_line(root)).into());
    }
    for words in commands {
        run(&words, remedy.search())?;
    }
    Ok(())
}

fn run(words: &[String], search: &[PathBuf]) -> anyhow::Result<()> {
    let line = words.join(" ");
    let step = Step::begin(&format!("running {line}"));
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    // Packages must not stop to ask; there is nobody to answer.
    command.env("DEBIAN_FRONTEND", "noninteractive");
    if !search.is_empty() {
        command.env("PATH", javascript::before(search, "PATH"));
    }
    let ran = run_bounded(&mut command, ToolOutput::OnFailure)?;
    if ran.status.success() {
        step.done(&format!("ran {line}"));
        return Ok(());
    }
    drop(step);
    Err(anyhow::anyhow!("`{line}` failed ({}): {}", ran.status, last_lines(&ran.output)))
}

/// The last few lines: rustup, apt, pip and npm say at the end what went wrong.
fn last_lines(output: &str) -> String {
    const LINES_MAX: usize = 3;
    let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LINES_MAX)..].join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolchain::SecondCompiler;

    fn facts(root: bool) -> Facts {
        Facts { compiler: None, rustup: true, second_compiler: SecondCompiler::default(), apt: true, root }
    }

    fn missing() -> Missing {
        Missing { what: "the target".to_owned(), how_to_get: vec![Remedy::RustupTarget(Target::Wasi), Remedy::SecondCompiler] }
    }

    #[test]
    fn packages_are_installed_only_as_root_and_only_when_permitted() {
        let after_rustup = [Remedy::RustupTarget(Target::Wasi)];
        assert_eq!(next_remedy(&missing(), &facts(true), Permission::SystemPackages, &after_rustup), Some(Remedy::SecondCompiler));
        assert_eq!(next_remedy(&missing(), &facts(false), Permission::SystemPackages, &after_rustup), None);
        assert_eq!(next_remedy(&missing(), &facts(true), Permission::OwnToolchain, &after_rustup), None);
    }

    #[test]
    fn each_remedy_is_tried_once_the_users_own_toolchain_first() {
        assert_eq!(next_remedy(&missing(), &facts(true), Permission::SystemPackages, &[]), Some(Remedy::RustupTarget(Target::Wasi)));
        let all = [Remedy::RustupTarget(Target::Wasi), Remedy::SecondCompiler];
        assert_eq!(next_remedy(&missing(), &facts(true), Permission::SystemPackages, &all), None);
    }

    #[test]
    fn what_was_tried_is_told_with_the_commands_to_run_by_hand() {
        let failure = cannot_build(Language::Rust, &missing(), false, &["no network".to_owned()]);
        assert!(failure.to_string().contains("tried: no network"));
        let hint = failure.hint().unwrap_or_default();
        assert!(hint.starts_with("run rustup target add wasm32-wasip2\n     or sudo apt-get update"), "{hint}");
    }

    #[test]
    fn for_another_language_doctor_is_named_first_and_then_every_command_in_its_order() {
        let get = Remedy::Tools { language: Language::Python, into: "/tools/python".into(), search: Vec::new() };
        let both = Missing { what: "it".to_owned(), how_to_get: vec![Remedy::Packages(Language::Python), get] };
        let [doctor, by_hand]: [String; 2] = ways(Language::Python, &both, false).try_into().expect("two ways");
        assert_eq!(doctor, "run sickbay doctor --fix python");
        assert!(
            by_hand.starts_with("sudo apt-get update && sudo apt-get install") && by_hand.contains(" && python3 -m venv "),
            "{by_hand}"
        );
        let none = Missing { what: "it".to_owned(), how_to_get: vec![Remedy::Install(Language::Go)] };
        assert_eq!(ways(Language::Go, &none, true), ["install Go 1.24 or newer from https://go.dev/dl"]);
    }

    #[test]
    fn a_command_that_fails_tells_its_last_words() {
        let words = ["sh", "-c", "echo one >&2; echo two; exit 3"].map(str::to_owned);
        let error = run(&words, &[]).expect_err("it fails");
        assert!(error.to_string().ends_with("one / two"), "{error}");
    }
}
