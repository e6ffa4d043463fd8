//! Turning sources into WebAssembly components, on a machine that may not be ready for it yet.
//!
//! Who is who, for Rust: [`Facts`] is what this machine has; [`plan`](plan()) decides from them how guests are built for a [`Target`]
//! ([`Plan`]) or what is missing and how to get it ([`Missing`], [`Remedy`]); [`Workspace`] is what cargo says about a folder with plugin
//! crates; [`Invocation`] is one call of cargo with exactly the environment it needs; [`build`](build()) runs it.
//! For the other languages: a [`Project`] is what a manifest says; a [`Kit`] is what builds it on this machine, or what is missing;
//! [`build_project`] runs it. One file for each language (`python`, `javascript`, `go`, `c`) holds all that is its own.
//! For all: [`Language`]; `embedded` is what the program brings along, the SDKs and the contract; [`template`] makes a new plugin of it;
//! `publish` makes a component of what a compiler made, and puts it where it is wanted.
//!
//! How it works, for Rust: facts -> plan -> (remedy -> facts -> plan)* -> one cargo call per workspace and [`Target`] -> publish. There are two
//! ways to build. The usual one is the target as rustup installs it. Where rustup cannot download (a closed network with a Debian mirror),
//! Debian's second compiler builds the standard library from source; it has its own target folder. Another language: project -> kit -> its
//! compiler, with the SDK and the contract of this program -> publish.
//!
//! Limits: a component is at most [`COMPONENT_BYTES_MAX`] bytes; the output of a tool is kept up to [`OUTPUT_BYTES_MAX`] bytes.
//!
//! Invariant: what is decided is decided from values alone; only `facts`, `kit`, `remedy`, `run` and what builds touch the machine.
//! Invariant: a component appears under its name whole or not at all.

mod build;
mod c;
mod compile;
mod embedded;
mod facts;
mod fresh;
mod go;
mod invocation;
mod javascript;
mod kit;
mod language;
mod pip;
mod plan;
mod progress;
mod project;
mod publish;
mod python;
mod python_world;
mod remedy;
mod run;
mod saved;
mod sources;
mod target;
pub mod template;
mod workspace;

pub use build::{BuildOptions, ToolOutput, build};
pub use compile::build_project;
pub use facts::{Compiler, Facts, SecondCompiler};
pub use fresh::is_up_to_date;
pub use invocation::Invocation;
pub use kit::{Kit, kit, tools_folder};
pub use language::Language;
pub use plan::{Missing, Plan, Remedy, plan, shell_path};
pub use progress::Step;
pub use project::Project;
pub use publish::{Built, COMPONENT_BYTES_MAX};
pub use remedy::{Permission, apply, cannot_build, ensure_for, ways};
pub use saved::{Saved, may_be_source};
pub use sources::{Expected, Manifest, Sources, find as find_sources, how_to_say_it};
pub use target::Target;
pub use workspace::{Guest, Workspace, load_workspaces};

/// Output of a tool kept for a failure: the last bytes of it.
pub const OUTPUT_BYTES_MAX: usize = 64 << 10;

/// The end of what a program wrote, cut at a line, at most [`OUTPUT_BYTES_MAX`] bytes.
fn last_output(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let text = text.trim_end();
    if text.len() <= OUTPUT_BYTES_MAX {
        return text.to_owned();
    }
    let mut start = text.len() - OUTPUT_BYTES_MAX;
    while !text.is_char_boundary(start) {
        start += 1;
    }
    match text[start..].find('\n') {
        Some(line_end) => format!("(earlier output left out)\n{}", &text[start + line_end + 1..]),
        None => text[start..].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_output_is_kept_whole() {
        assert_eq!(last_output(b"error: one\nerror: two\n"), "error: one\nerror: two");
    }

    #[test]
    fn of_long_output_the_last_lines_are_kept() {
        let lines: String = (0..20_000).map(|number| format!("line {number} \u{e4}\n")).collect();
        let kept = last_output(lines.as_bytes());
        assert!(kept.len() <= OUTPUT_BYTES_MAX + 64);
        assert!(kept.starts_with("(earlier output left out)\nline "));
        assert!(kept.ends_with("line 19999 \u{e4}"));
    }
}
