//! A plugin for `wasm32-unknown-unknown`: one kind for each thing that the standard library cannot do there and the SDK does.

use std::hint::black_box;

use sickbay_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

struct Clock;

impl Check for Clock {
    const NAME: &'static str = "clock";
    const SUMMARY: &'static str = "Says what time it is, in milliseconds since 1970";
    type Config = Config;

    fn example() -> Value {
        json!({})
    }

    fn run(_request: &Request<Config>) -> Result<Report, Error> {
        Ok(Report::ok(clock::now_ms().to_string()))
    }
}

struct Panic;

impl Check for Panic {
    const NAME: &'static str = "panic";
    const SUMMARY: &'static str = "Panics";
    type Config = Config;

    fn example() -> Value {
        json!({})
    }

    fn run(_request: &Request<Config>) -> Result<Report, Error> {
        panic!("the bare guest gives up")
    }
}

/// Needs more heap than a guest begins with, and frees it again.
struct Heap;

impl Check for Heap {
    const NAME: &'static str = "heap";
    const SUMMARY: &'static str = "Takes 8 MiB of memory piece by piece";
    type Config = Config;

    fn example() -> Value {
        json!({})
    }

    fn run(_request: &Request<Config>) -> Result<Report, Error> {
        const PIECE_BYTES: usize = 1000;
        const PIECES: usize = 8389;
        let pieces: Vec<Vec<u8>> = black_box((0..PIECES).map(|number| vec![number as u8; PIECE_BYTES]).collect());
        for (number, piece) in pieces.iter().enumerate() {
            if piece.iter().any(|byte| *byte != number as u8) {
                return Err(Error::internal("a piece holds what belongs to another"));
            }
        }
        drop(pieces);
        let zeros = black_box(vec![0_u8; PIECES * PIECE_BYTES / 2]);
        if zeros.iter().any(|byte| *byte != 0) {
            return Err(Error::internal("zeros are none where memory is used again"));
        }
        Ok(Report::ok("as it should be"))
    }
}

sickbay_sdk::plugin! {
    name: "bare",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Runs without WASI below it",
    checks: [Clock, Panic, Heap],
}
