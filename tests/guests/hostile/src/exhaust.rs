//! Kinds that use up time, memory, calls or output.

use std::hint::black_box;
use std::io::Write;
use std::time::Duration;

use sickbay_sdk::bindings::exports::sickbay::plugin::check::Request;
use sickbay_sdk::http::{self, HttpError};
use sickbay_sdk::{Failure, Report, log, state};

use crate::failure;

type Answer = Result<Report, Failure>;

const MIB: usize = 1 << 20;

pub(crate) fn spin(_request: &Request) -> Answer {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

pub(crate) fn trap(_request: &Request) -> Answer {
    panic!("the guest gives up")
}

pub(crate) fn recurse(_request: &Request) -> Answer {
    Ok(Report::ok(format!("came back from {}", descend(0))))
}

#[inline(never)]
fn descend(depth: u64) -> u64 {
    if depth == u64::MAX {
        return depth;
    }
    let frame = black_box([depth; 32]);
    let deepest = descend(depth + 1);
    black_box(&frame);
    deepest.max(frame[31])
}

/// Claims success although it was refused: the host must not believe it.
pub(crate) fn memory(_request: &Request) -> Answer {
    const CHUNKS_MAX: usize = 4096;
    let mut held: Vec<Vec<u8>> = Vec::with_capacity(CHUNKS_MAX);
    while held.len() < CHUNKS_MAX {
        let mut chunk = Vec::new();
        if chunk.try_reserve_exact(MIB).is_err() {
            break;
        }
        chunk.resize(MIB, 1);
        held.push(chunk);
    }
    let mebibytes = black_box(&held).len();
    drop(held);
    Ok(Report::ok("all is well").metric("value_mebibytes", mebibytes as f64, ""))
}

pub(crate) fn flood_log(_request: &Request) -> Answer {
    let line = "x".repeat(1 << 10);
    for _ in 0..10 * (1 << 10) {
        log::info(&line, &[("field", &line)]);
    }
    Ok(Report::ok("logged 10 MiB"))
}

pub(crate) fn flood_stdout(_request: &Request) -> Answer {
    let block = [b'x'; 64 << 10];
    let mut refused = 0_u32;
    for _ in 0..1024 {
        if std::io::stdout().write_all(&block).is_err() {
            refused += 1;
        }
    }
    Ok(Report::ok("printed 64 MiB").metric("value_refused", refused.into(), ""))
}

pub(crate) fn calls(_request: &Request) -> Answer {
    let mut found = 0_u32;
    for _ in 0..10_000_000 {
        found += u32::from(state::get("nothing").is_some());
    }
    Ok(Report::ok("called").metric("value_found", found.into(), ""))
}

pub(crate) fn state_flood(_request: &Request) -> Answer {
    let value = vec![1; 1 << 10];
    let mut refused = 0_u32;
    for number in 0..10_000_u32 {
        if state::put(&format!("key-{number}"), &value).is_err() {
            refused += 1;
        }
    }
    Ok(Report::ok("put").metric("value_refused", refused.into(), ""))
}

pub(crate) fn sleep(_request: &Request) -> Answer {
    std::thread::sleep(Duration::from_secs(60));
    Ok(Report::ok("slept"))
}

/// A service that hangs must end as a timeout of the service, not of this guest.
pub(crate) fn slow_http(request: &Request) -> Answer {
    let config: serde_json::Value = serde_json::from_str(&request.config).map_err(|error| failure(error.to_string()))?;
    let url = config["url"].as_str().ok_or_else(|| failure("no url".to_owned()))?;
    match http::get(url).send() {
        Ok(response) => Ok(Report::ok("answered").metric("value_status", response.status.into(), "")),
        Err(HttpError::Timeout(phase)) => Ok(Report::ok("").critical("timeout", phase)),
        Err(HttpError::Denied(denial)) => {
            Err(Failure { kind: "denied".to_owned(), message: denial.reason + "; hint: " + &denial.hint, extras: Vec::new() })
        }
        Err(error) => Ok(Report::ok("").critical("connection", format!("{error:?}"))),
    }
}
