//! What needs no service: the kinds `report`, `end`, `state` and `log`.

use sickbay_sdk::log::Level;
use sickbay_sdk::prelude::*;

use crate::asked::Nothing;
use crate::told::{Lines, string};

/// One more than a report may have.
const METRICS: u32 = 257;
const EVIDENCE: u32 = 9;
const SUMMARY_CHARACTERS: usize = 300;
const DETAILS_BYTES: usize = 70_000;
const STATE_BYTES: usize = 20_000;
const BLOCK_BYTES: usize = 1 << 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReportsConfig {
    /// Which report.
    what: What,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum What {
    Whole,
    Findings,
    Unknown,
    NotFinite,
    TooMuch,
}

pub(crate) struct Reports;

impl Check for Reports {
    const NAME: &'static str = "report";
    const SUMMARY: &'static str = "Reports everything that a report may hold";
    type Config = ReportsConfig;

    fn example() -> Value {
        json!({ "what": "unknown" })
    }

    fn run(request: &Request<ReportsConfig>) -> Result<Report, Error> {
        Ok(match request.config.what {
            What::Whole => whole(),
            What::Findings => findings(),
            What::Unknown => Report::unknown("it cannot be judged yet"),
            What::NotFinite => Report::ok("one number of three")
                .metric("not_a_number", f64::NAN, "")
                .metric("endless", f64::INFINITY, "")
                .metric("finite", 1.0, ""),
            What::TooMuch => too_much(),
        })
    }
}

fn whole() -> Report {
    Report::ok("é ☃ \"quoted\" \\")
        .metric("latency_seconds", 0.25, "seconds")
        .metric("used_bytes", 1024.0, "bytes")
        .metric("hit_ratio", 0.5, "ratio")
        .metric("jobs", -3.0, "")
        .counter("served", 7.0, "")
        .labelled("queue_jobs", 2.0, "", &[("queue", "é\"\\"), ("state", "waiting")])
        .labelled("queue_jobs", 4.0, "", &[("queue", "mail"), ("state", "waiting")])
        .evidence("latency_seconds", "0.25", "at most 0.1", "seconds")
        .evidence("", "é", "☃", "")
        .warning("capacity", "é ☃ it is too much")
        .details(&json!({ "nested": { "list": [1, true, "é\n"] } }))
        .extra("conformance.extra", "é")
}

fn findings() -> Report {
    Report::ok("fine")
        .warning("latency", "slow")
        .critical("content", "wrong")
        .critical("certificate", "expired")
        .warning("capacity", "full")
}

fn too_much() -> Report {
    let report = Report::ok("é".repeat(SUMMARY_CHARACTERS)).details(&json!({ "text": "x".repeat(DETAILS_BYTES) }));
    let report = (0..METRICS).fold(report, |report, number| report.metric(format!("metric_{number}"), number.into(), ""));
    (0..EVIDENCE).fold(report, |report, number| report.evidence("", number, "☃".repeat(SUMMARY_CHARACTERS * 2), ""))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndConfig {
    /// How the run ends.
    how: How,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum How {
    Service,
    Configuration,
    Quota,
    Internal,
    Defect,
    Trap,
    Loop,
    Memory,
}

pub(crate) struct End;

impl Check for End {
    const NAME: &'static str = "end";
    const SUMMARY: &'static str = "Ends in every way that is no report";
    type Config = EndConfig;

    fn example() -> Value {
        json!({ "how": "service" })
    }

    fn failures() -> &'static [&'static str] {
        &["stale"]
    }

    fn run(request: &Request<EndConfig>) -> Result<Report, Error> {
        match request.config.how {
            How::Service => Err(Error::service("stale", "the newest entry is é old")),
            How::Configuration => Err(Error::configuration("it cannot be so")),
            How::Quota => Err(Error::quota("it is too much")),
            How::Internal => Err(Error::internal("it is broken")),
            How::Defect => panic!("the plugin has a defect"),
            How::Trap => std::process::abort(),
            How::Loop => endless(),
            How::Memory => Err(exhausted()),
        }
    }
}

fn endless() -> ! {
    let mut number: u32 = 0;
    loop {
        number = std::hint::black_box(number.wrapping_add(1));
    }
}

/// It takes memory until there is none.
fn exhausted() -> Error {
    let mut blocks = Vec::new();
    loop {
        blocks.push(std::hint::black_box(vec![1_u8; BLOCK_BYTES]));
        if blocks.len() > 4096 {
            return Error::internal("there is no end to its memory");
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StateConfig {
    /// What is kept.
    #[serde(default)]
    what: Kept,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Kept {
    #[default]
    Count,
    TooMuch,
}

pub(crate) struct State;

impl Check for State {
    const NAME: &'static str = "state";
    const SUMMARY: &'static str = "Counts its runs, and keeps bytes";
    type Config = StateConfig;

    fn example() -> Value {
        json!({})
    }

    fn run(request: &Request<StateConfig>) -> Result<Report, Error> {
        if let Kept::TooMuch = request.config.what {
            state::put("much", "x".repeat(STATE_BYTES).as_bytes())?;
        }
        let mut lines = Lines::default();
        let told = |value: Option<Vec<u8>>| value.map_or_else(|| "null".to_owned(), |value| string(&value));
        let runs = state::get_json::<u64>("runs").unwrap_or(0) + 1;
        state::put_json("runs", &runs)?;
        lines.push(format!("runs {runs}"));
        lines.push(format!("before {}", told(state::get("raw"))));
        state::put("raw", &[0x00, 0xff])?;
        lines.push(format!("after {}", told(state::get("raw"))));
        state::remove("gone");
        Ok(lines.report())
    }
}

pub(crate) struct Log;

impl Check for Log {
    const NAME: &'static str = "log";
    const SUMMARY: &'static str = "Logs a line of each level";
    type Config = Nothing;

    fn example() -> Value {
        json!({})
    }

    fn run(_request: &Request<Nothing>) -> Result<Report, Error> {
        let levels =
            [(Level::Trace, "trace"), (Level::Debug, "debug"), (Level::Info, "info"), (Level::Warn, "warn"), (Level::Error, "error")];
        for (level, word) in levels {
            log::write(level, &format!("conformance {word}"), &[("number", "7"), ("text", "é")]);
        }
        Ok(Report::ok("logged"))
    }
}
