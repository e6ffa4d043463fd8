//! Asks the host for what its configuration lists, one call after the other, and tells what became of each: what is tried at the host's
//! boundaries is a table of a test.
//!
//! ```toml
//! config = { calls = [{ postgres = { source = "main", sql = "select 1" } }, { read = { path = "/data/x" } }] }
//! ```
//!
//! The outcomes are texts in `details.outcomes`: `ok` with what came, or the arm of the contract's error with its words. Each is logged.
//! It speaks the bare contract: the SDK would judge what the host answers.

mod databases;
mod others;

use serde_json::{Value, json};
use sickbay_sdk::bindings::exports::sickbay::plugin::check::{Guest as CheckGuest, Request};
use sickbay_sdk::bindings::exports::sickbay::plugin::plugin::Guest as PluginGuest;
use sickbay_sdk::{Denial, Descriptor, Failure, Kind, Report, log};

/// Of one outcome.
const CHARACTERS_SHOWN_MAX: usize = 400;

pub struct Ask;

impl PluginGuest for Ask {
    fn describe() -> Descriptor {
        Descriptor {
            name: "ask".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Makes the calls that its configuration lists".to_owned(),
            checks: vec![Kind {
                name: "ask".to_owned(),
                summary: "Tells what became of each call".to_owned(),
                config_schema: "{}".to_owned(),
                example: "{}".to_owned(),
                needs: Vec::new(),
                metrics: Vec::new(),
                failures: Vec::new(),
                extras: Vec::new(),
            }],
            recoveries: Vec::new(),
            sinks: Vec::new(),
            homepage: None,
            licence: None,
            extras: Vec::new(),
        }
    }
}

impl CheckGuest for Ask {
    fn run(request: Request) -> Result<Report, Failure> {
        let config: Value = serde_json::from_str(&request.config).map_err(|error| unusable(error.to_string()))?;
        let mut outcomes = Vec::new();
        for call in config["calls"].as_array().into_iter().flatten() {
            let outcome: String = outcome(call).map_err(unusable)?.chars().take(CHARACTERS_SHOWN_MAX).collect();
            log::info(&outcome, &[]);
            outcomes.push(outcome);
        }
        let summary = outcomes.first().cloned().unwrap_or_else(|| "nothing was asked".to_owned());
        Ok(Report { details: Some(json!({ "outcomes": outcomes }).to_string()), ..Report::ok(summary) })
    }
}

/// A call is a table with one key, the name of what is asked.
fn outcome(call: &Value) -> Result<String, String> {
    let Some((what, asked)) = call.as_object().and_then(|call| call.iter().next()) else { return Err(format!("`{call}` is no call")) };
    Ok(match what.as_str() {
        "postgres" => databases::postgres(asked),
        "postgres_many" => databases::postgres_many(asked),
        "postgres_simple" => databases::postgres_simple(asked),
        "redis" => databases::redis(asked),
        "redis_many" => databases::redis_many(asked),
        "read" => others::read(asked),
        "list" => others::list(asked),
        "info" => others::info(asked),
        "create" => others::create(asked),
        "remove" => others::remove(asked),
        "set_mode" => others::set_mode(asked),
        "net" => others::net(asked),
        "http" => others::http(asked),
        "inspect" => others::inspect(asked),
        // So written the host does not know it again: what comes is what this guest was given.
        "apart" => outcome(asked)?.chars().flat_map(|letter| [letter, ' ']).collect(),
        other => return Err(format!("there is no call `{other}`")),
    })
}

fn unusable(message: String) -> Failure {
    Failure { kind: "configuration".to_owned(), message, extras: Vec::new() }
}

fn denied(denial: &Denial) -> String {
    format!("denied: {}; {}", denial.reason, denial.hint)
}

/// A text as it stands, a list of texts as one, `{ repeat = "x", times = 1000 }`, or `{ hex = "00ff" }`.
fn bytes(value: &Value) -> Vec<u8> {
    if let Some(parts) = value.as_array() {
        return parts.iter().flat_map(bytes).collect();
    }
    if let Some(digits) = value["hex"].as_str() {
        let digit = |digit: u8| char::from(digit).to_digit(16).unwrap_or_default() as u8;
        return digits.as_bytes().chunks(2).map(|pair| pair.iter().fold(0, |byte, one| (byte << 4) | digit(*one))).collect();
    }
    if let Some(repeated) = value["repeat"].as_str() {
        return repeated.repeat(value["times"].as_u64().unwrap_or_default() as usize).into_bytes();
    }
    value.as_str().unwrap_or_default().as_bytes().to_vec()
}

fn text(value: &Value) -> String {
    String::from_utf8_lossy(&bytes(value)).into_owned()
}

/// Absent where nothing is written.
fn milliseconds(value: &Value) -> Option<u32> {
    value.as_u64().map(|milliseconds| milliseconds as u32)
}

/// Bytes on one line, as far as they are text.
fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[cfg(target_family = "wasm")]
sickbay_sdk::bindings::export_check_plugin!(Ask with_types_in sickbay_sdk::bindings);
