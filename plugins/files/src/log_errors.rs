//! `log-errors`: how many lines of a log that came since the last run match a pattern, counted over a window.
//!
//! The place in the file is kept in `state` with its identity, so that a rotated or truncated log is read from its start; what was
//! written to the old file after the last run is lost. The first run only notes where the end is. A line without its end yet is left for
//! the next run.

use regex::bytes::{Regex, RegexBuilder};
use serde::Serialize;
use sickbay_sdk::files::READ_BYTES_MAX;
use sickbay_sdk::limit::Limit;
use sickbay_sdk::prelude::*;

const STATE_KEY: &str = "log";
/// What one run reads; the rest is skipped, oldest first.
const RUN_BYTES_MAX: u64 = 4 << 20;
const PATTERN_BYTES_MAX: usize = 1 << 20;
/// The window is counted in this many parts.
const WINDOW_PARTS: u64 = 20;
const SHOWN_CHARS_MAX: usize = 200;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Guest path of the log.
    #[schemars(length(min = 1))]
    path: String,
    /// Regular expression; a line that it is found in counts. Classes such as \d are ASCII.
    #[serde(default = "default_pattern")]
    #[schemars(length(min = 1, max = 1024))]
    pattern: String,
    /// Lines that do not count although the pattern is found in them.
    #[serde(default)]
    #[schemars(length(min = 1, max = 1024))]
    ignore: Option<String>,
    /// Over how long lines are counted.
    #[serde(default = "default_window_seconds")]
    #[schemars(range(min = 1, max = 604800))]
    window_seconds: u64,
    /// Warning when more lines match.
    #[serde(default = "default_warning_count")]
    #[schemars(range(min = 0))]
    warning_count: f64,
    /// Critical when more lines match.
    #[serde(default = "default_critical_count")]
    #[schemars(range(min = 0))]
    critical_count: f64,
}

fn default_pattern() -> String {
    "ERROR|FATAL|CRITICAL|PANIC".to_owned()
}

fn default_window_seconds() -> u64 {
    300
}

fn default_warning_count() -> f64 {
    10.0
}

fn default_critical_count() -> f64 {
    50.0
}

pub(crate) struct LogErrors;

/// Where reading goes on, and what was counted when.
#[derive(Serialize, Deserialize)]
struct Place {
    path: String,
    identity: String,
    offset: u64,
    /// Begin of a part of the window, in milliseconds, and its count.
    counts: Vec<(u64, u64)>,
}

/// What one reading found.
#[derive(Default)]
struct Found {
    count: u64,
    last: Option<String>,
    skipped_bytes: u64,
    end: u64,
}

impl Check for LogErrors {
    const NAME: &'static str = "log-errors";
    const SUMMARY: &'static str = "How many lines of a log match a pattern, over a window";
    type Config = Config;

    fn example() -> Value {
        json!({ "path": "/logs/app.log" })
    }

    fn needs() -> Vec<Need> {
        let grant = "files = [{ host = \"/HOST/DIRECTORY\", guest = \"/logs\", mode = \"ro\" }]";
        vec![Need::new("files", "reads the log", grant)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("matching_lines", "", "lines of the window that match"),
            MetricInfo::gauge("new_matching_lines", "", "those that came since the last run"),
            MetricInfo::gauge("size_bytes", "bytes", "size of the log"),
            MetricInfo::gauge("skipped_bytes", "bytes", "what came since the last run and was too much to read"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["missing", "file-system", "log-errors"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let pattern = compiled(&config.pattern)?;
        let ignore = config.ignore.as_deref().map(compiled).transpose()?;
        let counts = |line: &[u8]| pattern.is_match(line) && !ignore.as_ref().is_some_and(|ignore| ignore.is_match(line));
        let info = files::info(&config.path)?;
        if info.kind == "directory" {
            return Err(Error::configuration(format!("{0} is a directory and no log; hint: path = \"{0}/NAME.log\"", config.path)));
        }
        let now_ms = clock::now_ms();
        let earlier = state::get_json::<Place>(STATE_KEY).filter(|place| place.path == config.path);
        let (start, mut window) = match earlier {
            Some(place) if place.identity == info.identity && place.offset <= info.size_bytes => (place.offset, place.counts),
            Some(place) => (0, place.counts),
            None => (info.size_bytes, Vec::new()),
        };
        let found = read(&config.path, start, info.size_bytes, counts)?;
        add(&mut window, found.count, now_ms, config.window_seconds.saturating_mul(1000));
        let in_window: u64 = window.iter().map(|(_, count)| count).sum();
        let place = Place { path: config.path.clone(), identity: info.identity, offset: found.end, counts: window };
        state::put_json(STATE_KEY, &place)?;
        Ok(judge(config, &found, in_window, info.size_bytes))
    }
}

fn compiled(pattern: &str) -> Result<Regex, Error> {
    let built = RegexBuilder::new(pattern).unicode(false).size_limit(PATTERN_BYTES_MAX).build();
    built.map_err(|error| Error::configuration(format!("the pattern {pattern:?} cannot be used: {error}")))
}

/// Reads whole lines from `start` to `end`.
fn read(path: &str, start: u64, end: u64, counts: impl Fn(&[u8]) -> bool) -> Result<Found, Error> {
    let skipped_bytes = (end - start).saturating_sub(RUN_BYTES_MAX);
    let mut found = Found { skipped_bytes, end: start + skipped_bytes, ..Found::default() };
    let mut at = found.end;
    let mut rest: Vec<u8> = Vec::new();
    while at < end {
        let bytes = files::read(path, at, READ_BYTES_MAX.min((end - at).try_into().unwrap_or(READ_BYTES_MAX)))?;
        if bytes.is_empty() {
            break;
        }
        at += bytes.len() as u64;
        rest.extend(bytes);
        // A line that is longer than one reading is counted as it is.
        let whole = match rest.iter().rposition(|byte| *byte == b'\n') {
            Some(last) => last + 1,
            None if rest.len() >= READ_BYTES_MAX as usize => rest.len(),
            None => 0,
        };
        for line in rest[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && counts(line)) {
            found.count += 1;
            found.last = Some(shown(line));
        }
        rest.drain(..whole);
        found.end += whole as u64;
    }
    Ok(found)
}

fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(&line[..line.len().min(4 * SHOWN_CHARS_MAX)]);
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).take(SHOWN_CHARS_MAX).collect()
}

/// Forgets what is older than the window, also what a clock that was set back left in the future.
fn add(window: &mut Vec<(u64, u64)>, count: u64, now_ms: u64, window_ms: u64) {
    window.retain(|(at_ms, _)| *at_ms <= now_ms && now_ms - at_ms < window_ms);
    let part_ms = (window_ms / WINDOW_PARTS).max(1);
    match window.last_mut() {
        Some((at_ms, counted)) if now_ms - *at_ms < part_ms => *counted += count,
        _ if count > 0 => window.push((now_ms, count)),
        _ => {}
    }
}

fn judge(config: &Config, found: &Found, in_window: u64, size_bytes: u64) -> Report {
    let count = in_window as f64;
    let mut report = Report::ok(format!("{in_window} matching lines in {} s", config.window_seconds))
        .metric("matching_lines", count, "")
        .metric("new_matching_lines", found.count as f64, "")
        .metric("size_bytes", size_bytes as f64, "bytes")
        .metric("skipped_bytes", found.skipped_bytes as f64, "bytes");
    let (warning, critical) = (Some(config.warning_count), Some(config.critical_count));
    let limit = Limit { metric: "matching_lines", unit: "", failure: "log-errors", warning, critical };
    report = limit.at_most(report, count, || format!("{in_window} lines match in {} s", config.window_seconds));
    match &found.last {
        Some(line) => report.details(&json!({ "last_line": line })),
        None => report,
    }
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described};

    use super::*;

    const PATH: &str = "/logs/app.log";

    fn run(host: &mut FakeHost, log: &str) -> Report {
        *host = host.clone().file(PATH, log.as_bytes(), 0);
        let config = json!({ "path": PATH, "warning_count": 1, "critical_count": 3, "ignore": "harmless" });
        let report = host.run::<LogErrors>(config).expect("a report");
        assert_as_described::<LogErrors>(&report);
        report
    }

    fn counted(report: &Report) -> f64 {
        report.metrics[0].value
    }

    #[test]
    fn only_whole_lines_that_came_since_the_last_run_count() {
        let mut host = FakeHost::default();
        assert_eq!(counted(&run(&mut host, "ERROR old\n")), 0.0);
        assert_eq!(counted(&run(&mut host, "ERROR old\nfine\nERROR a\nERROR harmless\nERROR b")), 1.0);
        let report = run(&mut host, "ERROR old\nfine\nERROR a\nERROR harmless\nERROR b\n");
        assert_eq!((report.status, counted(&report)), (Status::Warning, 2.0));
    }

    #[test]
    fn a_rotated_log_is_read_from_its_start() {
        let mut host = FakeHost::default();
        run(&mut host, "a long line without a meaning\n");
        assert_eq!(counted(&run(&mut host, "ERROR a\n")), 1.0);
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let mut host = FakeHost::default();
        run(&mut host, "");
        assert_eq!(run(&mut host, "ERROR\nERROR\nERROR\nERROR\n").status, Status::Critical);
        host.now_ms = 301_000;
        assert_eq!(counted(&run(&mut host, "ERROR\nERROR\nERROR\nERROR\n")), 0.0);
    }

    #[test]
    fn a_folder_is_no_log() {
        let mut host = FakeHost::default().file(PATH, b"", 0);
        host.files.get_mut(PATH).expect("just added").info.kind = "directory".to_owned();
        let failure = host.run::<LogErrors>(json!({ "path": PATH })).expect_err("a failure");
        assert_eq!(failure.kind, "configuration");
        assert!(failure.message.contains("is a directory and no log"), "{failure:?}");
    }

    #[test]
    fn a_pattern_that_is_none_is_a_mistake_of_the_configuration() {
        let mut host = FakeHost::default().file(PATH, b"", 0);
        let failure = host.run::<LogErrors>(json!({ "path": PATH, "pattern": "(" })).expect_err("a failure");
        assert_eq!(failure.kind, "configuration");
    }
}
