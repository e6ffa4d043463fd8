//! `sickbay schema`: the JSON Schema of the configuration, for editors.

use std::process::ExitCode;

use clap::Args;

#[derive(Args)]
pub struct SchemaArgs {}

pub fn run(_args: SchemaArgs) -> anyhow::Result<ExitCode> {
    let mut text = serde_json::to_vec_pretty(&crate::config::schema())?;
    text.push(b'\n');
    super::print_data(&text)?;
    Ok(ExitCode::SUCCESS)
}
