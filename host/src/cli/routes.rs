//! `sickbay routes show` and `sickbay routes test`: where alerts go by a configuration, and why.
//!
//! Who is who: [`alert`] makes an alert of what the command line says, [`tree`] walks the routes, [`told`] is what people and programs
//! read. An alert is tried on the machine that the daemon has, in memory: groups, mutes and the route of checks that cannot judge are its own
//! words.
//!
//! Invariant: no daemon is asked, nothing is stored, and no sink is called.

mod alert;
mod told;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Subcommand};
use sickbay_core::Timestamp;
use sickbay_core::alerting::Alerting;

use self::told::{Tried, tree_json, tree_text, tried_json, tried_text};
use self::tree::nodes;
use super::client::OutputFormat;
use super::serve::load;
use super::table::{Last, Layout};
use crate::clock;
use crate::escape::escaped;
use crate::failure::Failure;

/// Ids are made of it; none is shown.
const SEED: u64 = 0;

#[derive(Args)]
pub struct RoutesArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    #[command(
        about = "Show where an alert would go, and why: of a check, or one with these labels",
        after_help = "NAME is a check of the configuration; labels behind it change or add to those of the check, and `status=warning` or \
                      `status=unknown` say how it is (critical otherwise; of an unknown one nobody can judge the target). Labels alone are those of an \
                      alert that somebody posts.\n\n\
                      It shows each route and whether it takes the alert, then for each that does: who is told, in which group, when, and what \
                      mutes it at that moment. Silences, dependencies and other alerts are not known here: a running Sickbay tells them.\n\n\
                      Examples:\n  sickbay routes test api\n  sickbay routes test api status=unknown\n  \
                      sickbay routes test service=orders severity=P0 --config /etc/sickbay/sickbay.toml\n  \
                      sickbay routes test api --at 2027-03-01T03:00:00+01:00   in the night\n  sickbay routes test api -o json\n\n\
                      Exit codes: 0 shown, 2 wrong usage or configuration."
    )]
    Test(TestArgs),
    #[command(
        about = "Show the tree of routes, with what each has from those above it",
        after_help = "An alert goes down from the root to the first child that matches, and on to the next ones where that says `continue`.\n\n\
                      Examples:\n  sickbay routes show\n  sickbay routes show --config /etc/sickbay/sickbay.toml -o json\n\n\
                      Exit codes: 0 shown, 2 the configuration is wrong or not there."
    )]
    Show(ShowArgs),
}

#[derive(Args)]
struct TestArgs {
    /// A check of the configuration, labels, or both: api, service=orders severity=P0, api status=unknown
    #[arg(value_name = "NAME|LABEL=VALUE", required = true)]
    alert: Vec<String>,
    /// The configuration
    #[arg(long, default_value = "sickbay.toml", value_name = "FILE")]
    config: PathBuf,
    /// The moment that is meant, in RFC 3339: 2027-03-01T22:00:00Z, or with +01:00 in place of Z; now where it is left out
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Text for people, or JSON
    #[arg(short, long, value_enum, default_value_t = OutputFormat::Text, value_name = "FORMAT")]
    output: OutputFormat,
}

#[derive(Args)]
struct ShowArgs {
    /// The configuration
    #[arg(long, default_value = "sickbay.toml", value_name = "FILE")]
    config: PathBuf,
    /// Text for people, or JSON
    #[arg(short, long, value_enum, default_value_t = OutputFormat::Text, value_name = "FORMAT")]
    output: OutputFormat,
}

pub fn run(args: RoutesArgs) -> anyhow::Result<ExitCode> {
    let text = match args.verb {
        Verb::Test(args) => test(&args)?,
        Verb::Show(args) => show(&args)?,
    };
    super::print_data(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn show(args: &ShowArgs) -> anyhow::Result<String> {
    let config = load(&args.config)?;
    let nodes = nodes(&config.alerting, None);
    Ok(match args.output {
        OutputFormat::Text => tree_text(&nodes, Layout::for_stdout(Last::Wrapped)),
        OutputFormat::Json => format!("{:#}\n", tree_json(&nodes)),
    })
}

fn test(args: &TestArgs) -> anyhow::Result<String> {
    let at = args.at.as_deref().map_or_else(|| Ok(clock::now()), time)?;
    let config = load(&args.config)?;
    let alert = alert::of(&args.alert, &config, &args.config)?;
    let mut machine = Alerting::new(Arc::clone(&config.alerting), SEED, at);
    machine.apply(alert.fact, at);
    let incident = machine.incidents().next().context("no incident comes of this alert")?;
    let explanation = machine.explain(incident.id).context("nothing is known of its incident")?;
    let nodes = nodes(&config.alerting, Some(incident));
    let tried = Tried { at, config: &config.alerting, incident, explanation: &explanation, nodes: &nodes, note: alert.note };
    Ok(match args.output {
        OutputFormat::Text => tried_text(&tried, Layout::for_stdout(Last::Wrapped)),
        OutputFormat::Json => format!("{:#}\n", tried_json(&tried)),
    })
}

fn time(text: &str) -> Result<Timestamp, Failure> {
    let failure = || {
        Failure::usage(format!("`--at` is no time: \"{}\"", escaped(text)))
            .with_hint("write RFC 3339, for example --at 2027-03-01T22:00:00Z or --at 2027-03-01T23:00:00+01:00")
    };
    Timestamp::from_rfc3339(text).ok_or_else(failure)
}

#[cfg(test)]
mod tests;
