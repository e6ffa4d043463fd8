//! The command line: which verbs there are, what their help says, how they end.
//!
//! Who is who: one module per verb, each with its `Args` and `run(args) -> anyhow::Result<ExitCode>`; [`run`] parses, calls one of
//! them, and is the only place that prints a failure. `client` asks a running Sickbay, `table` draws.
//!
//! How it works: data goes to standard output, everything else to standard error. A reader that closes the pipe early (`| head`)
//! ends the program quietly. A failure is printed with its causes and its hint; its exit code is 1, or 2 where the command line or
//! the configuration is to blame. `probe` speaks Nagios instead: 0 ok, 1 warning, 2 critical, 3 unknown, and every failure is 3; of a sink 0
//! is delivered and 2 is not.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Parser, Subcommand};

use crate::failure::{Blame, Failure};

pub mod bench;
pub mod build;
pub mod client;
pub mod completions;
pub mod doctor;
pub mod incident;
mod loading;
pub mod new;
pub mod plugin;
pub mod probe;
pub mod quickstart;
pub mod replay;
pub mod routes;
pub mod schema;
pub mod serve;
pub mod silence;
pub mod slo;
mod stage;
pub mod status;
mod table;
pub mod test;
pub mod validate;
pub mod watch;

/// The command line or the configuration is wrong.
pub const EXIT_USAGE: u8 = 2;
/// `probe` could not tell.
const EXIT_NAGIOS_UNKNOWN: u8 = 3;

/// Verbs that are planned and not built yet.
const LATER_VERBS: [&str; 1] = ["rollback"];

const EXAMPLES: &str = "\
First steps:
  sickbay quickstart                    build two plugins, write a configuration, serve it
  sickbay status                        in a second terminal: what the checks say
  sickbay status NAME                   one check in detail

A configuration:
  sickbay inspect http                  what a plugin can check, with a [[check]] to paste
  sickbay schema                        everything that may stand in the file
  sickbay validate --config FILE        is it right?
  sickbay probe NAME --config FILE      run one check once
  sickbay probe --sink NAME             send a test to one sink
  sickbay routes test NAME              whom its alert would be told
  sickbay doctor --config FILE          does what it names work: store, sources, secrets?
  sickbay serve --config FILE           run it

While it runs:
  sickbay incident list                 what fires
  sickbay incident show ID              its timeline, and why who is told
  sickbay incident ack ID --for 2h      it is yours
  sickbay silence add service=api --for 2h   nobody is told of what matches
  sickbay slo list                      what is left of the error budgets
  sickbay plugin list                   which versions serve, which wait or were refused, and why

Plugins of your own:
  sickbay new python my-check           a plugin to begin with; also rust, js, go and c
  sickbay build my-check --out plugins  make a component of it
  sickbay watch my-check                build and run it at each save
  sickbay test my-check                 run it on its fixtures
  sickbay replay NAME                   run the newest recorded run of a check again
  sickbay bench plugins/my-check.wasm   what a run costs

The configuration is ./sickbay.toml where --config names no other; quickstart keeps its own in ./sickbay-quickstart.

Exit codes:
  0  done
  1  it failed, or something needed is missing
  2  the command line or the configuration is wrong
  `probe` ends as Nagios expects: 0 ok, 1 warning, 2 critical, 3 unknown.

Environment:
  SICKBAY_URL        where `status`, `slo`, `plugin`, `inspect`, `incident` and `silence` find a running Sickbay
  SICKBAY_TOKEN      the token that it asks for, where it does
  SICKBAY_CA_FILE    a PEM file with certificates to trust, where it speaks HTTPS
  SICKBAY_LOG        what is logged: debug, or by part: sickbay=debug,plugin=off
  SICKBAY_CACHE_DIR  where compiled plugins are kept, by default ~/.cache/sickbay/artifacts
  SICKBAY_TOOLS_DIR  where `doctor --fix` puts what builds plugins, by default ~/.cache/sickbay/tools
  NO_COLOR           no colours, where it is set

`sickbay VERB --help` shows each verb with examples.";

/// Runs health checks as sandboxed WebAssembly plugins.
#[derive(Parser)]
#[command(name = "sickbay", version, after_help = EXAMPLES, max_term_width = 110)]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

// A paragraph is one line of the source: it is wrapped where the terminal ends.
#[derive(Subcommand)]
enum Verb {
    #[command(
        about = "Build the first plugins, write a commented configuration, and serve it",
        long_about = None,
        after_help = "It builds from the sources of a checkout, and keeps everything in ./sickbay-quickstart: configuration, plugins, results. \
                      A configuration that you edited is used as it is. Delete the folder to start afresh.\n\n\
                      Examples:\n  sickbay quickstart\n  sickbay quickstart --listen 127.0.0.1:9471\n  sickbay quickstart --dir /tmp/try-sickbay\n\n\
                      Exit codes: 0 stopped by Ctrl-C or SIGTERM, 1 failed, 2 wrong usage or configuration."
    )]
    Quickstart(quickstart::QuickstartArgs),
    #[command(
        about = "Run the checks of a configuration until stopped",
        long_about = None,
        after_help = "The configuration and the plugin folder are watched: what is saved takes effect at once, and what is wrong is logged and \
                      changes nothing. SIGHUP reads the configuration again. SIGTERM and Ctrl-C finish the runs under way and stop.\n\n\
                      The log goes to standard error, one line for each event; SICKBAY_LOG filters it.\n\n\
                      Examples:\n  sickbay serve\n  sickbay serve --config /etc/sickbay/sickbay.toml\n  sickbay serve --log-format json\n  \
                      SICKBAY_LOG=sickbay=debug,plugin=off sickbay serve\n  \
                      sickbay serve --import-from sqlite:sickbay.db   the first start after `[store]` was changed\n  \
                      sickbay serve --import-from 'postgres://me:${PASSWORD}@db/checks'\n\n\
                      Exit codes: 0 stopped as asked, 1 failed, 2 the configuration is wrong."
    )]
    Serve(serve::ServeArgs),
    #[command(
        about = "Check a configuration without starting anything",
        long_about = None,
        after_help = "Each mistake is told with file, line, column and hint, also what does not fit the plugins in the plugin folder. Warnings \
                      are shown and are no mistakes.\n\n\
                      Examples:\n  sickbay validate\n  sickbay validate --config /etc/sickbay/sickbay.toml\n\n\
                      Exit codes: 0 the configuration is right, 1 plugins could not be looked at, 2 it is wrong or not there."
    )]
    Validate(validate::ValidateArgs),
    #[command(
        about = "Run one check once and end with its Nagios exit code, or try a sink",
        long_about = None,
        after_help = "Nothing is stored, and Sickbay need not run. The line on standard output is what Nagios reads, with performance data. \
                      A check with `isolation = \"warm\"` runs on a fresh instance, as in its first run; --debug tells whether it would be \
                      kept.\n\n\
                      With --sink a notification that says it is a test is delivered to one sink, as a running Sickbay would, once. What \
                      came of it is one line: DELIVERED, or why not: RETRYABLE (it would be tried again), REFUSED, LOST, or NOT ATTEMPTED (nothing was \
                      sent; where a grant is missing, with the line to add).\n\n\
                      Examples:\n  sickbay probe api                     the check `api` of ./sickbay.toml\n  \
                      sickbay probe api --debug             with what the plugin logged and called\n  \
                      sickbay probe --plugin my-check.wasm  with the plugin's own example and no grants\n  \
                      sickbay probe --sink oncall           the sink `oncall` is told of a test; with --resolve also that it is over\n\n\
                      Exit codes: 0 ok, 1 warning, 2 critical, 3 unknown or it could not run. Of a sink: 0 delivered, 2 not delivered, 3 it \
                      could not be tried."
    )]
    Probe(probe::ProbeArgs),
    #[command(
        about = "Make a folder with a plugin to begin with, in a language of your choice",
        long_about = None,
        after_help = "The plugin works as it is: its tests pass, and one run of it is ok. Nothing is downloaded; its manifest names the \
                      SDK that this program brings along.\n\n\
                      Examples:\n  sickbay new rust queue-age\n  sickbay new python checks/feed-age --name feed\n\n\
                      Exit codes: 0 made, 1 it could not be written, 2 the folder is not empty, or there is no such language."
    )]
    New(new::NewArgs),
    #[command(
        about = "Build plugins into components",
        long_about = None,
        after_help = build::AFTER_HELP
    )]
    Build(build::BuildArgs),
    #[command(
        about = "Build a plugin and run it, at each save",
        long_about = None,
        after_help = "Each time it does what `sickbay build DIR` and `sickbay probe --plugin` do, and shows what they show. A component that \
                      cannot be built leaves the one before it in place.\n\n\
                      Examples:\n  sickbay watch my-check\n  sickbay watch my-check --kind queue\n  \
                      sickbay watch my-check --check api --config sickbay.toml   with the `config` and the grants of a check\n  \
                      sickbay watch my-check --out sickbay-quickstart/plugins    a running Sickbay swaps it in\n\n\
                      Exit codes: 0 stopped by Ctrl-C or SIGTERM, 1 failed, 2 there is nothing to build."
    )]
    Watch(watch::WatchArgs),
    #[command(
        about = "Show what one plugin offers and needs, with a [[check]] or a [[sink]] to paste, and what it was made of",
        long_about = None,
        after_help = "The same as `sickbay plugin inspect`. A NAME is looked up in a running Sickbay. A FILE (anything with a `/` or `.wasm` at \
                      its end) is described here, in the sandbox, without a running Sickbay and with nothing granted.\n\n\
                      Examples:\n  sickbay inspect plugins/my-check.wasm\n  sickbay inspect http\n  \
                      sickbay inspect http -o json   with the JSON Schema of each kind\n\n\
                      Exit codes: 0 told, 1 Sickbay does not answer, knows no such plugin, or the file is refused, 2 wrong usage."
    )]
    Inspect(plugin::InspectArgs),
    #[command(
        about = "Measure what one run of a plugin costs, on a fresh instance and on a warm one",
        long_about = None,
        after_help = "Times are those of a run as the daemon does it, one after the other on one thread, without judgement and store. `fresh` \
                      is a new instance for each run, `warm` the instance that the run before left (`isolation = \"warm\"`).\n\n\
                      Examples:\n  sickbay bench plugins/my-check.wasm\n  sickbay bench plugins/http.wasm --check api --config sickbay.toml\n  \
                      sickbay bench plugins/my-check.wasm --runs 1000 --json\n\n\
                      Exit codes: 0 measured, whatever the runs said; 1 the file is refused, 2 wrong usage or configuration."
    )]
    Bench(bench::BenchArgs),
    #[command(
        about = "Run plugins on fixtures, with nothing of this machine behind them",
        long_about = None,
        after_help = test::AFTER_HELP
    )]
    Test(test::TestArgs),
    #[command(
        about = "Run a recorded run again, from its transcript alone",
        long_about = None,
        after_help = replay::AFTER_HELP
    )]
    Replay(replay::ReplayArgs),
    #[command(
        about = "Show where alerts go by a configuration, and why",
        long_about = None,
        after_help = "Sickbay need not run, and nobody is told anything.\n\n\
                      Examples:\n  sickbay routes show\n  sickbay routes test api\n  sickbay routes test service=orders severity=P0\n\n\
                      Exit codes: 0 shown, 2 wrong usage or configuration."
    )]
    Routes(routes::RoutesArgs),
    #[command(
        about = "Tell what this machine has and what is missing",
        long_about = None,
        after_help = "It looks at what builds plugins, at this folder, and at the configuration with its plugin folder, its address, its \
                      secrets, its store and its sources: each is entered, and a role that may do more than is needed, or too little, is \
                      told. Nothing is changed without --fix.\n\n\
                      Examples:\n  sickbay doctor\n  sickbay doctor --fix          get what building plugins needs\n  \
                      sickbay doctor --fix python   for plugins in Python only\n  \
                      sickbay doctor --config sickbay-quickstart/sickbay.toml\n\n\
                      Exit codes: 0 nothing that is needed is missing or wrong, 1 something is."
    )]
    Doctor(doctor::DoctorArgs),
    #[command(
        about = "Show what the checks of a running Sickbay say, the worst first",
        long_about = None,
        after_help = "STATUS is what the last run said. STATE is `hard` when enough runs in a row agree (`failures` and `successes` of the \
                      check); else it is `soft`, with how many of them there are and what is still confirmed: `soft 1/3, hard: ok`. SINCE is how long \
                      the confirmed status has been what it is. A changed configuration that was refused is told above the table.\n\n\
                      With NAME: the reason and the decision, the evidence, the metrics and the last results of one check.\n\n\
                      Examples:\n  sickbay status\n  sickbay status api\n  sickbay status -o json\n  sickbay status --url 127.0.0.1:9471\n\n\
                      Exit codes: 0 Sickbay answered, also where checks fail; 1 it does not answer or has no such check; 2 wrong usage. For an \
                      exit code by status there are `sickbay probe NAME` and /healthz, which is 503 while a check is hard critical."
    )]
    Status(status::StatusArgs),
    #[command(
        about = "List the objectives of a running Sickbay: what is good, what is left of the error budget, how fast it burns",
        long_about = None,
        after_help = "Example:\n  sickbay slo list\n\n\
                      Exit codes: 0 answered, also where a budget burns; 1 Sickbay does not answer; 2 wrong usage."
    )]
    Slo(slo::SloArgs),
    #[command(
        about = "List plugins, or show what one offers, with a [[check]] or a [[sink]] to paste",
        long_about = None,
        after_help = "Examples:\n  sickbay plugin list\n  sickbay plugin inspect http\n  \
                      sickbay plugin inspect target/plugins/my-check.wasm\n\n\
                      Exit codes: 0 told, 1 Sickbay does not answer, knows no such plugin, or the file is refused, 2 wrong usage."
    )]
    Plugin(plugin::PluginArgs),
    #[command(
        about = "List incidents of a running Sickbay, show one, take one, or write down what was found",
        long_about = None,
        after_help = "An incident is one time that a check, or an alert that somebody posted, was bad, from its begin to its end. ID is what \
                      `incident list` shows, such as 01JH2Q0M5T7V8W9X0Y1Z2A3B4C.\n\n\
                      Examples:\n  sickbay incident list\n  sickbay incident show ID\n  sickbay incident ack ID --for 2h\n  \
                      sickbay incident note ID \"the disk was full\"\n\n\
                      Exit codes: 0 done, 1 Sickbay does not answer or knows no such incident, 2 wrong usage."
    )]
    Incident(incident::IncidentArgs),
    #[command(
        about = "Mute alerts of a running Sickbay for a time, list what is muted, or end it",
        long_about = None,
        after_help = "A silence lasts for a span (--for 30m, 2h, 7d; at most 366d) or until a time (--until 2027-01-31T18:00:00Z; at most 5 years \
                      ahead). Checks run on.\n\n\
                      Examples:\n  sickbay silence add 'service=\"api\"' --for 2h --comment \"moving\"\n  sickbay silence list\n  \
                      sickbay silence expire ID\n\n\
                      Exit codes: 0 done, 1 Sickbay does not answer or refuses it, 2 wrong usage."
    )]
    Silence(silence::SilenceArgs),
    #[command(
        about = "Print the JSON Schema of the configuration",
        long_about = None,
        after_help = "Editors complete and check sickbay.toml with it; many take it from a first line `#:schema sickbay.schema.json`.\n\n\
                      Example:\n  sickbay schema > sickbay.schema.json"
    )]
    Schema(schema::SchemaArgs),
    #[command(
        about = "Print completions for a shell",
        long_about = None,
        after_help = "Examples:\n  source <(sickbay completions bash)\n  sickbay completions zsh > ~/.zfunc/_sickbay\n  sickbay completions fish > ~/.config/fish/completions/sickbay.fish"
    )]
    Completions(completions::CompletionsArgs),
}

impl Verb {
    fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Verb::Quickstart(args) => quickstart::run(args),
            Verb::Serve(args) => serve::run(args),
            Verb::Validate(args) => validate::run(args),
            Verb::Probe(args) => probe::run(args),
            Verb::New(args) => new::run(args),
            Verb::Build(args) => build::run(args),
            Verb::Watch(args) => watch::run(args),
            Verb::Inspect(args) => plugin::run_inspect(&args),
            Verb::Bench(args) => bench::run(args),
            Verb::Test(args) => test::run(args),
            Verb::Replay(args) => replay::run(args),
            Verb::Routes(args) => routes::run(args),
            Verb::Doctor(args) => doctor::run(args),
            Verb::Status(args) => status::run(args),
            Verb::Slo(args) => slo::run(args),
            Verb::Plugin(args) => plugin::run(args),
            Verb::Incident(args) => incident::run(args),
            Verb::Silence(args) => silence::run(args),
            Verb::Schema(args) => schema::run(args),
            Verb::Completions(args) => completions::run(args),
        }
    }
}

/// Runs one command line, the program's name first, and says how to end.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    end_quietly_when_the_reader_is_gone();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let probing = arguments.get(1).is_some_and(|verb| verb == "probe");
    let command_line = match CommandLine::try_parse_from(arguments) {
        Ok(command_line) => command_line,
        Err(error) => return usage(&error, probing),
    };
    match command_line.verb.run() {
        Ok(exit_code) => exit_code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            if probing {
                // Nagios reads standard output alone.
                println!("UNKNOWN - {error}");
            }
            eprintln!("{}", failure_text(&error));
            ExitCode::from(exit_code_of(&error, probing))
        }
    }
}

/// Prints what clap has to say: help and version are data, a mistake is not.
fn usage(error: &clap::Error, probing: bool) -> ExitCode {
    if let Some(verb) = later_verb(error) {
        eprintln!("error: `{verb}` is not built yet in this version\n  hint: sickbay --help lists what is");
        return ExitCode::from(EXIT_USAGE);
    }
    // Nothing can be done for a reader that is gone.
    let _ = error.print();
    match (error.exit_code(), probing) {
        (0, _) => ExitCode::SUCCESS,
        // To Nagios, 2 would say that the service is down.
        (_, true) => ExitCode::from(EXIT_NAGIOS_UNKNOWN),
        (_, false) => ExitCode::from(EXIT_USAGE),
    }
}

fn later_verb(error: &clap::Error) -> Option<&'static str> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(verb)) => LATER_VERBS.iter().copied().find(|later| later == verb),
        _ => None,
    }
}

fn exit_code_of(error: &anyhow::Error, probing: bool) -> u8 {
    if probing {
        return EXIT_NAGIOS_UNKNOWN;
    }
    match error.downcast_ref::<Failure>().map(Failure::blame) {
        Some(Blame::Usage) => EXIT_USAGE,
        Some(Blame::Circumstances) | None => 1,
    }
}

/// A failure as a person reads it: what happened, because of what, and what to do.
fn failure_text(error: &anyhow::Error) -> String {
    let whole: &(dyn std::error::Error + 'static) = error.as_ref();
    let mut told = sickbay_store::causes(whole).into_iter();
    let mut text = format!("error: {}", told.next().unwrap_or_default());
    for cause in told {
        text.push_str(&format!("\n  because: {cause}"));
    }
    if let Some(hint) = error.downcast_ref::<Failure>().and_then(Failure::hint) {
        text.push_str(&format!("\n  hint: {hint}"));
    }
    text
}

/// Prints data on standard output, as it is.
///
/// # Errors
/// When it cannot be written; [`run`] takes a reader that is gone for a quiet end.
pub(crate) fn print_data(data: &[u8]) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(data)?;
    stdout.flush()?;
    Ok(())
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe))
}

/// `println!` panics when nobody reads any more; that is an end, not a fault.
fn end_quietly_when_the_reader_is_gone() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload().downcast_ref::<String>().map(String::as_str).unwrap_or_default();
        if message.starts_with("failed printing to stdout") && message.contains("Broken pipe") {
            #[expect(clippy::disallowed_methods, reason = "nobody reads what is left to print, and there is nothing to undo")]
            std::process::exit(0);
        }
        report(panic);
    }));
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory};

    use super::*;

    fn parse(line: &str) -> Result<CommandLine, clap::Error> {
        CommandLine::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definitions_are_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_verb_teaches_by_example() {
        let mut verbs: Vec<(String, Command)> = vec![("sickbay".to_owned(), CommandLine::command())];
        while let Some((name, verb)) = verbs.pop() {
            let after = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.contains("Example") || after.contains("First steps"), "{name} shows no example");
            assert!(after.contains(&name), "{name} shows no command of its own");
            verbs.extend(verb.get_subcommands().map(|inner| (format!("{name} {}", inner.get_name()), inner.clone())));
        }
    }

    #[test]
    fn help_is_wrapped_where_the_terminal_ends_and_nowhere_else() {
        let help = |columns: usize| {
            let command = CommandLine::command();
            let status = command.find_subcommand("status").expect("a verb");
            status.clone().term_width(columns).render_long_help().to_string()
        };
        for columns in [60, 100] {
            let text = help(columns);
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap_or_default();
            assert!((columns - 20..=columns).contains(&longest), "{longest} of {columns}:\n{text}");
        }
    }

    #[test]
    fn a_later_verb_is_known_and_not_built_yet() {
        let error = parse("sickbay plugin rollback http").err().expect("not built yet");
        assert!(later_verb(&error).is_some(), "{error}");
    }

    #[test]
    fn a_mistyped_verb_is_not_taken_for_a_later_one() {
        let error = parse("sickbay sreve").err().expect("no such verb");
        assert_eq!(later_verb(&error), None);
        assert!(error.to_string().contains("serve"), "{error}");
    }

    #[test]
    fn a_failure_is_told_with_cause_and_hint() {
        let cause = std::io::Error::other("disk full");
        let error = anyhow::Error::from(cause).context(Failure::usage("cannot write x").with_hint("make room"));
        assert_eq!(failure_text(&error), "error: cannot write x\n  because: disk full\n  hint: make room");
        assert_eq!(exit_code_of(&error, false), 2);
    }

    #[test]
    fn a_failure_under_probe_is_unknown_never_critical() {
        let error = anyhow::Error::from(Failure::usage("no such check"));
        assert_eq!(exit_code_of(&error, true), 3);
    }

    #[test]
    fn a_reader_that_went_away_is_recognised_below_any_context() {
        let error = anyhow::Error::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe)).context("printing");
        assert!(is_broken_pipe(&error));
        assert!(!is_broken_pipe(&anyhow::anyhow!("other")));
    }
}
