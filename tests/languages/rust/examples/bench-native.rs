//! The same check as a process: its configuration is the argument.

use std::process::ExitCode;

#[derive(serde::Deserialize)]
struct Config {
    waiting: f64,
    limit: f64,
}

fn main() -> ExitCode {
    let argument = std::env::args().nth(1).unwrap_or_default();
    match serde_json::from_str(&argument) {
        Ok(Config { waiting, limit }) => {
            println!("OK - {waiting} of at most {limit} jobs wait | waiting={waiting}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("UNKNOWN - {error}");
            ExitCode::from(3)
        }
    }
}
