//! `sickbay new LANG DIR`: a folder with a plugin to begin with, and what to type next.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::toolchain::{self, Language, template};

#[derive(Args)]
pub struct NewArgs {
    /// What it is written in
    #[arg(value_enum, value_name = "LANG")]
    language: Language,
    /// The folder to make; it may be there, and empty
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// What the plugin is called [default: as its folder]
    #[arg(long)]
    name: Option<String>,
}

pub fn run(args: NewArgs) -> anyhow::Result<ExitCode> {
    let name = template::name(args.name.as_deref(), &args.directory)?;
    let tools = toolchain::tools_folder();
    let files = template::create(args.language, &name, &args.directory, &tools)?;
    let listed: String = files.iter().map(|file| format!("{}\n", file.display())).collect();
    super::print_data(listed.as_bytes())?;
    let missing = toolchain::kit(args.language, Some(&args.directory)).err().map(|missing| missing.what);
    eprint!("\n{}", next(args.language, &name, &args.directory, &template::test_command(args.language, &tools), missing.as_deref()));
    Ok(ExitCode::SUCCESS)
}

/// What to type, each with what it does. `missing` is what building it lacks.
fn next(language: Language, name: &str, directory: &Path, test: &str, missing: Option<&str>) -> String {
    let mut steps: Vec<(String, String)> = Vec::new();
    if directory != Path::new(".") {
        steps.push((format!("cd {}", toolchain::shell_path(directory)), String::new()));
    }
    if let Some(missing) = missing {
        steps.push((format!("sickbay doctor --fix {}", language.word()), missing.to_owned()));
    }
    steps.push((test.to_owned(), "its tests, without WebAssembly".to_owned()));
    steps.push(("sickbay build . --out plugins".to_owned(), format!("plugins/{name}.wasm")));
    steps.push(("sickbay test".to_owned(), "the component, on what stands in fixtures/".to_owned()));
    steps.push((format!("sickbay probe --plugin plugins/{name}.wasm"), "one run with its own example and no grants".to_owned()));
    steps.push(("sickbay watch .".to_owned(), "builds and runs it at each save".to_owned()));
    let width = steps.iter().filter(|(_, what)| !what.is_empty()).map(|(command, _)| command.len()).max().unwrap_or(0);
    let mut text = format!("{name} is a plugin in {language} that works. Next:\n\n");
    for (command, what) in steps {
        let line = if what.is_empty() { format!("  {command}") } else { format!("  {command:<width$}  # {what}") };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_next_can_be_pasted() {
        let text = next(Language::Go, "queue-age", Path::new("work/queue-age"), "go test ./...", None);
        assert_eq!(
            text,
            "queue-age is a plugin in Go that works. Next:\n\n  cd work/queue-age\n  \
             go test ./...                                  # its tests, without WebAssembly\n  \
             sickbay build . --out plugins                  # plugins/queue-age.wasm\n  \
             sickbay test                                   # the component, on what stands in fixtures/\n  \
             sickbay probe --plugin plugins/queue-age.wasm  # one run with its own example and no grants\n  \
             sickbay watch .                                # builds and runs it at each save\n"
        );
    }

    #[test]
    fn what_building_lacks_comes_first() {
        let text = next(Language::Python, "a", Path::new("."), "python3 -m unittest", Some("componentize-py is not there"));
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert!(lines[0].starts_with("  sickbay doctor --fix python ") && lines[0].ends_with("# componentize-py is not there"), "{text}");
    }
}
