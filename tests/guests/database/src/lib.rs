//! A check that asks the PostgreSQL source `main` as whom it is entered: critical where there is no answer.

use sickbay_sdk::bindings::exports::sickbay::plugin::check::{Guest as CheckGuest, Request};
use sickbay_sdk::bindings::exports::sickbay::plugin::plugin::Guest as PluginGuest;
use sickbay_sdk::bindings::sickbay::plugin::postgres::{self, Query, RowSet, Value};
use sickbay_sdk::{Descriptor, Failure, Kind, Report};

pub struct Database;

impl PluginGuest for Database {
    fn describe() -> Descriptor {
        Descriptor {
            name: "database".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Asks a database as whom it is entered".to_owned(),
            checks: vec![Kind {
                name: "database".to_owned(),
                summary: "The summary is the name of the role".to_owned(),
                config_schema: "{}".to_owned(),
                example: "{}".to_owned(),
                needs: Vec::new(),
                metrics: Vec::new(),
                failures: vec!["database".to_owned()],
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

impl CheckGuest for Database {
    fn run(_request: Request) -> Result<Report, Failure> {
        let query = Query { sql: "SELECT current_user".to_owned(), params: Vec::new(), timeout_ms: None };
        Ok(match postgres::run("main", &query) {
            Ok(answer) => Report::ok(role(&answer)),
            Err(error) => Report::ok("").critical("database", format!("{error:?}")),
        })
    }
}

fn role(answer: &RowSet) -> &str {
    match answer.rows.first().and_then(|row| row.first()) {
        Some(Value::Text(role)) => role,
        _ => "no role",
    }
}

#[cfg(target_family = "wasm")]
sickbay_sdk::bindings::export_check_plugin!(Database with_types_in sickbay_sdk::bindings);
