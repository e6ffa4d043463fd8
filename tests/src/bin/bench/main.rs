//! The bench: speed and size beside the goals, measured on the program as users run it.
//!
//! Who is who: a [`Measure`] starts what it needs, measures and gives [`Figure`]s, each one line of JSON on standard output. `daemon.rs`
//! starts Sickbay with a configuration and a folder of its own; `whole.rs` runs a guest within this process as Sickbay does; `process.rs`
//! reads what the kernel counts of a process; `scrape.rs` reads `/metrics`; `client.rs` asks over HTTP; `exporter.rs` scrapes what others
//! run; `target.rs` is the server that HTTP checks ask, `servers.rs` starts databases; `processors.rs` is how many processors a measure has;
//! `core_checks.rs` makes up checks for the measures of `core` alone.
//!
//! How: everything is compared with what ran next to it in the same run, so that a slow or busy machine moves both sides. Processor time
//! is what the kernel counts for the whole process, including the scrape that ends a window: the figures are rather too high than too low.
//!
//! Limits: `--quick` shows that everything can be measured; its figures mean little.
//!
//! Invariant: whatever way this process ends, except by SIGKILL, what it started ends with it, and its temporary folders are removed.

mod alerting_burst;
mod client;
mod core_checks;
mod core_results;
mod daemon;
mod exporter;
mod figure;
mod fresh;
mod http_check;
mod instance_pool;
mod languages;
mod loops;
mod mixed;
mod postgres_connections;
mod process;
mod processors;
mod redis_memory;
mod render;
mod resident_checks;
mod scheduled;
mod scrape;
mod servers;
mod settings;
mod spread;
mod state_bytes;
mod swap;
mod target;
mod ten_thousand;
mod whole;

use std::process::ExitCode;

use figure::Figure;
use settings::Settings;

/// As the program has it: a run allocates a few hundred small things.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: ./tests/bench [--quick] [NAME...]";

/// What is measured together, because it needs the same things running.
#[derive(Clone, Copy, Debug)]
enum Measure {
    Fresh,
    Languages,
    Scheduled,
    HttpCheck,
    PostgresConnections,
    RedisMemory,
    TenThousand,
    Mixed,
    Swap,
    Render,
    Loops,
    CoreResults,
    AlertingBurst,
    StateBytes,
    ResidentChecks,
    InstancePool,
}

impl Measure {
    const ALL: [Measure; 16] = [
        Measure::Fresh,
        Measure::Languages,
        Measure::Scheduled,
        Measure::HttpCheck,
        Measure::PostgresConnections,
        Measure::RedisMemory,
        Measure::TenThousand,
        Measure::Mixed,
        Measure::Swap,
        Measure::Render,
        Measure::Loops,
        Measure::CoreResults,
        Measure::AlertingBurst,
        Measure::StateBytes,
        Measure::ResidentChecks,
        Measure::InstancePool,
    ];

    fn names(self) -> &'static [&'static str] {
        match self {
            Measure::Fresh => &fresh::NAMES,
            Measure::Languages => &languages::NAMES,
            Measure::Scheduled => &scheduled::NAMES,
            Measure::HttpCheck => &http_check::NAMES,
            Measure::PostgresConnections => &postgres_connections::NAMES,
            Measure::RedisMemory => &redis_memory::NAMES,
            Measure::TenThousand => &ten_thousand::NAMES,
            Measure::Mixed => &mixed::NAMES,
            Measure::Swap => &swap::NAMES,
            Measure::Render => &render::NAMES,
            Measure::Loops => &loops::NAMES,
            Measure::CoreResults => &core_results::NAMES,
            Measure::AlertingBurst => &alerting_burst::NAMES,
            Measure::StateBytes => &state_bytes::NAMES,
            Measure::ResidentChecks => &resident_checks::NAMES,
            Measure::InstancePool => &instance_pool::NAMES,
        }
    }

    async fn run(self, settings: &Settings) -> anyhow::Result<Vec<Figure>> {
        match self {
            Measure::Fresh => fresh::measure(settings).await,
            Measure::Languages => languages::measure(settings).await,
            Measure::Scheduled => scheduled::measure(settings).await,
            Measure::HttpCheck => http_check::measure(settings).await,
            Measure::PostgresConnections => postgres_connections::measure(settings).await,
            Measure::RedisMemory => redis_memory::measure(settings).await,
            Measure::TenThousand => ten_thousand::measure(settings).await,
            Measure::Mixed => mixed::measure(settings).await,
            Measure::Swap => swap::measure(settings).await,
            Measure::Render => render::measure(settings).await,
            Measure::Loops => loops::measure(settings).await,
            Measure::CoreResults => core_results::measure(settings),
            Measure::AlertingBurst => alerting_burst::measure(settings).await,
            Measure::StateBytes => state_bytes::measure(settings).await,
            Measure::ResidentChecks => resident_checks::measure(settings).await,
            Measure::InstancePool => instance_pool::measure(settings).await,
        }
    }
}

/// What the command line asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    quick: bool,
    names: Vec<String>,
}

impl Wanted {
    fn read(arguments: impl Iterator<Item = String>) -> Result<Wanted, String> {
        let mut wanted = Wanted::default();
        for argument in arguments {
            if argument == "--quick" {
                wanted.quick = true;
            } else if argument.starts_with('-') || !all_names().any(|name| name.starts_with(&argument)) {
                let known: Vec<&str> = all_names().collect();
                return Err(format!("error: no figure begins with `{argument}`\n  hint: figures are {}\n{USAGE}", known.join(", ")));
            } else {
                wanted.names.push(argument);
            }
        }
        Ok(wanted)
    }

    fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|beginning| name.starts_with(beginning.as_str()))
    }
}

fn all_names() -> impl Iterator<Item = &'static str> {
    Measure::ALL.into_iter().flat_map(Measure::names).copied()
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    // One thread: what it does between two readings of its own clock is what is measured, and nothing else.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("error: no runtime: {error}")),
    };
    if arguments.peek().is_some_and(|first| first == target::COMMAND) {
        return match runtime.block_on(target::serve()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&format!("error: {error:#}")),
        };
    }
    if arguments.peek().is_some_and(|first| first == state_bytes::COMMAND) {
        return match state_bytes::count_here(arguments.nth(1).as_deref()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&format!("error: {error:#}")),
        };
    }
    if arguments.peek().is_some_and(|first| first == "-h" || first == "--help") {
        println!("{USAGE}    figures: {}", all_names().collect::<Vec<_>>().join(" "));
        return ExitCode::SUCCESS;
    }
    let wanted = match Wanted::read(arguments) {
        Ok(wanted) => wanted,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    runtime.block_on(async {
        tokio::select! {
            code = measure(&wanted) => code,
            // What was started ends when the measure is dropped.
            _ = sickbay::daemon::stop_signal() => failed("stopped by a signal"),
        }
    })
}

async fn measure(wanted: &Wanted) -> ExitCode {
    let settings = match Settings::from_environment(wanted.quick) {
        Ok(settings) => settings,
        Err(error) => return failed(&format!("error: {error:#}")),
    };
    let mut code = ExitCode::SUCCESS;
    for measure in Measure::ALL {
        if !measure.names().iter().any(|name| wanted.wants(name)) {
            continue;
        }
        eprintln!("bench: {}", measure.names().join(", "));
        match measure.run(&settings).await {
            Ok(figures) => figures.iter().filter(|figure| wanted.wants(figure.name)).for_each(|figure| println!("{figure}")),
            Err(error) => code = failed(&format!("error: {} could not be measured: {error:#}", measure.names().join(", "))),
        }
    }
    code
}

fn failed(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Wanted, String> {
        Wanted::read(arguments.iter().map(|argument| (*argument).to_owned()))
    }

    #[test]
    fn a_name_selects_all_figures_that_begin_with_it() {
        let wanted = read(&["--quick", "ten_thousand"]).unwrap();
        assert!(wanted.quick && wanted.wants("ten_thousand_skipped") && !wanted.wants("swap_new"));
        assert!(read(&[]).unwrap().wants("swap_new"));
    }

    #[test]
    fn a_name_that_selects_nothing_is_refused_with_the_names_there_are() {
        let message = read(&["ten_thousands"]).unwrap_err();
        assert!(message.contains("ten_thousand_skipped"), "{message}");
        assert!(read(&["--fast"]).is_err());
    }

    #[test]
    fn no_two_figures_have_the_same_name() {
        let names: std::collections::BTreeSet<&str> = all_names().collect();
        assert_eq!(names.len(), all_names().count());
    }
}
