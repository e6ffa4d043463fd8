//! Building one plugin in another language than Rust: the compiler of its language, then a component.
//!
//! The SDK and the contract are those that this program brings along, where the project has none of its own: nothing is downloaded.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::project::{Project, Recipe};
use super::publish::publish;
use super::run::{Ran, run_bounded};
use super::{BuildOptions, Built, Kit, Language, Step, c, embedded, go, javascript, kit, python};
use crate::failure::Failure;

/// What a compiler works with.
pub(super) struct Work<'a> {
    pub project: &'a Project,
    pub kit: &'a Kit,
    /// The folder with `sdk/LANG` and `wit`.
    pub brought: &'a Path,
    /// A folder of its own, gone when the build ends.
    pub scratch: &'a Path,
}

impl Work<'_> {
    /// Where the compiler puts what it made.
    pub(super) fn made(&self) -> PathBuf {
        self.scratch.join("made.wasm")
    }
}

/// Builds `project` and publishes it by rename.
///
/// # Errors
/// When its compiler fails (the end of its output is in the message), or what it made can be no component or is too large. What was there
/// before stays.
pub fn build_project(kit: &Kit, project: &Project, options: BuildOptions<'_>) -> anyhow::Result<Built> {
    let language = project.language();
    let brought = embedded::unpacked(&kit::tools_folder())?;
    let scratch = tempfile::Builder::new().prefix("sickbay-build-").tempdir().context("cannot make a temporary folder")?;
    let work = Work { project, kit, brought: &brought, scratch: scratch.path() };
    let step = Step::begin(&format!("building {} ({language})", project.name));
    let ran = run_bounded(&mut command(&work)?, options.output)?;
    let made = work.made();
    if !ran.status.success() || !made.is_file() {
        drop(step);
        return Err(failed(project, kit, &ran).into());
    }
    let built = publish(&project.name, language, &made, options.out)?;
    step.done(&format!("built {} ({} KiB)", built.name, built.size_bytes.div_ceil(1024)));
    Ok(built)
}

fn command(work: &Work<'_>) -> anyhow::Result<Command> {
    match &work.project.recipe {
        Recipe::Python(recipe) => python::command(work, recipe),
        Recipe::JavaScript(recipe) => Ok(javascript::command(work, recipe)),
        Recipe::Go(recipe) => go::command(work, recipe),
        Recipe::C(recipe) => c::command(work, recipe),
    }
}

fn failed(project: &Project, kit: &Kit, ran: &Ran) -> Failure {
    let hint = match project.language() {
        Language::Python => python::hint(&ran.output),
        Language::JavaScript => javascript::hint(&ran.output),
        Language::Go => go::hint(&ran.output),
        Language::C => c::hint(&ran.output),
        Language::Rust => None,
    };
    let program = kit.program.file_name().unwrap_or_default().to_string_lossy();
    let message = format!("{program} could not build {} in {} ({})\n{}", project.name, project.directory.display(), ran.status, ran.output);
    Failure::new(message.trim_end()).with_hint(hint.unwrap_or("what the compiler said is above; `sickbay build -v` shows all of it"))
}
