//! A recovery and nothing else, through the bare contract: it plans to kill each of the `clients` of its configuration, asks Redis to, and
//! says of one that is stubborn that it is still running.

use serde_json::Value;

wit_bindgen::generate!({
    path: "../../../wit",
    world: "recovery-plugin",
});

use exports::sickbay::plugin::plugin::{Descriptor, Guest as PluginGuest, Kind};
use exports::sickbay::plugin::recovery::{Action, Failure, Guest as RecoveryGuest, Outcome, Progress, Request, Running};
use sickbay::plugin::redis::{self, Node, RedisError};
use sickbay::plugin::state;

const SOURCE: &str = "cache";
const ATTEMPTS: &str = "attempts";

pub struct Treat;

impl PluginGuest for Treat {
    fn describe() -> Descriptor {
        Descriptor {
            name: "treat".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Kills clients of Redis".to_owned(),
            checks: Vec::new(),
            recoveries: vec![Kind {
                name: "kill-clients".to_owned(),
                summary: "Kills the clients that it is told".to_owned(),
                config_schema: "{}".to_owned(),
                example: "{\"clients\":[\"10.0.0.1:5000\"]}".to_owned(),
                needs: Vec::new(),
                metrics: Vec::new(),
                failures: vec!["too-many-connections".to_owned()],
                extras: Vec::new(),
            }],
            sinks: Vec::new(),
            homepage: None,
            licence: None,
            extras: Vec::new(),
        }
    }
}

impl RecoveryGuest for Treat {
    fn plan(request: Request) -> Result<Vec<Action>, Failure> {
        let config: Value = serde_json::from_str(&request.config).map_err(|error| failure("configuration", error.to_string()))?;
        let clients = config["clients"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Ok(clients.map(action).collect())
    }

    fn act(_request: Request, action: Action) -> Result<Progress, Failure> {
        let killed = kill(&action)?;
        let attempts = attempts() + 1;
        state::put(ATTEMPTS, attempts.to_string().as_bytes()).map_err(|error| failure("internal", error))?;
        Ok(if killed { done(&action) } else { running(&action) })
    }

    fn follow(_request: Request, action: Action, token: String) -> Result<Progress, Failure> {
        if token != "\"stubborn\"" {
            return Err(failure("internal", format!("the token is {token}")));
        }
        let killed = kill(&action)?;
        Ok(if killed { done(&action) } else { running(&action) })
    }
}

fn action(client: &str) -> Action {
    Action {
        id: format!("kill-{client}"),
        title: format!("kill the client {client}"),
        target: client.to_owned(),
        idempotent: true,
        parameters: "{}".to_owned(),
        extras: Vec::new(),
    }
}

/// Whether it is gone.
fn kill(action: &Action) -> Result<bool, Failure> {
    let command: Vec<Vec<u8>> = ["CLIENT", "KILL", action.target.as_str()].map(|word| word.as_bytes().to_vec()).to_vec();
    match redis::run(SOURCE, &command, None) {
        Ok(reply) => Ok(matches!(reply.first(), Some(Node::Simple(text)) if text == "OK")),
        Err(RedisError::Denied(denial)) => Err(failure("denied", denial.reason)),
        Err(other) => Err(failure("internal", format!("{other:?}"))),
    }
}

fn attempts() -> u32 {
    let kept = state::get(ATTEMPTS).and_then(|bytes| String::from_utf8(bytes).ok());
    kept.and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn done(action: &Action) -> Progress {
    Progress::Done(Outcome {
        success: true,
        reason: format!("{} is gone", action.target),
        actions: vec![format!("CLIENT KILL {}", action.target)],
        recommendation: None,
        details: None,
        extras: Vec::new(),
    })
}

fn running(action: &Action) -> Progress {
    Progress::Running(Running {
        token: "\"stubborn\"".to_owned(),
        summary: format!("{} is still there, attempt {}", action.target, attempts()),
        again_after_ms: 1_000,
    })
}

fn failure(kind: &str, message: String) -> Failure {
    Failure { kind: kind.to_owned(), message, extras: Vec::new() }
}

#[cfg(target_family = "wasm")]
export!(Treat);
