//! Where the daemon's own log goes: standard error, one line an event, as text for people or as JSON for collectors.
//!
//! Text is `TIME LEVEL message name=value ...`, with `plugin:` before the message where a guest speaks. JSON is one object with
//! `timestamp`, `level`, `target`, `message` and the event's own fields.
//!
//! Limits: the message and the values of an event together are cut at [`LINE_BYTES_MAX`].
//!
//! What looks like a secret is masked in every message and every value, whoever wrote it: from the start on what everybody knows by its
//! shape, later what the configuration says ([`mask_by`]).
//!
//! Invariant: an event is exactly one line, whatever its message and its values hold; what a terminal would act on is written as its code
//! point.

use std::fmt::{self, Write};
use std::io::IsTerminal;
use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;
use serde_json::Value;
use sickbay_core::{Shapes, Timestamp};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::clock;
use crate::escape::{escaped, is_unfit};

/// Before anything is escaped; more than the contract lets a guest write in one call.
const LINE_BYTES_MAX: usize = 64 << 10;
/// What `SICKBAY_LOG` does not name is logged from this level on.
const DEFAULT_DIRECTIVE: &str = "info";
/// What guests log and print.
const GUEST_TARGET: &str = "plugin";

/// As the log itself there is one of the process.
static SHAPES: LazyLock<ArcSwap<Shapes>> = LazyLock::new(ArcSwap::default);

/// From now on these are masked.
pub fn mask_by(shapes: &Arc<Shapes>) {
    SHAPES.store(Arc::clone(shapes));
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    // Without documentation of their own, so that help shows them on one line.
    Text,
    Json,
}

/// Starts the log. `SICKBAY_LOG` filters it (`debug`, `sickbay=debug,plugin=off`): `info` where it is not set or cannot be read.
pub fn start(format: LogFormat) {
    let asked = std::env::var("SICKBAY_LOG").unwrap_or_default();
    let (filter, mistake) = filter(&asked);
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = Lines { format, colours };
    // A second start in one process (tests) keeps the first.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).event_format(lines).try_init();
    if let Some(mistake) = mistake {
        tracing::warn!("SICKBAY_LOG cannot be read ({mistake}): `{DEFAULT_DIRECTIVE}` is logged; hint: write sickbay=debug,plugin=off");
    }
}

/// The filter that was asked for; where it cannot be read the default, and why.
fn filter(asked: &str) -> (EnvFilter, Option<String>) {
    // People put blanks behind commas. What comes later counts: `debug` replaces the default, `plugin=off` stands beside it.
    let asked: String = asked.split_whitespace().collect();
    match EnvFilter::try_new(format!("{DEFAULT_DIRECTIVE},{asked}")) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(DEFAULT_DIRECTIVE), Some(error.to_string())),
    }
}

/// Writes events as lines.
struct Lines {
    format: LogFormat,
    /// Text alone is coloured, and only its level.
    colours: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, _context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = Line::new(clock::now(), *event.metadata().level(), event.metadata().target());
        event.record(&mut line);
        match self.format {
            LogFormat::Text => line.write_text(&mut writer, if self.colours { colour(line.level) } else { ("", "") }),
            LogFormat::Json => line.write_json(&mut writer),
        }
    }
}

/// What is written before a level and behind it.
fn colour(level: Level) -> (&'static str, &'static str) {
    let begin = match level {
        Level::ERROR => "\u{1b}[1;31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        _ => "\u{1b}[2m",
    };
    (begin, "\u{1b}[0m")
}

/// One event, its texts bounded.
struct Line<'a> {
    at: Timestamp,
    level: Level,
    target: &'a str,
    message: String,
    fields: Vec<(&'static str, Value)>,
    bytes_left: usize,
}

impl<'a> Line<'a> {
    fn new(at: Timestamp, level: Level, target: &'a str) -> Line<'a> {
        Line { at, level, target, message: String::new(), fields: Vec::new(), bytes_left: LINE_BYTES_MAX }
    }

    fn write_text(&self, writer: &mut impl Write, (begin, end): (&str, &str)) -> fmt::Result {
        let speaker = if self.target == GUEST_TARGET { "plugin: " } else { "" };
        write!(writer, "{} {begin}{:>5}{end} {speaker}{}", clock::rfc3339(self.at), self.level.as_str(), escaped(&self.message))?;
        for (name, value) in &self.fields {
            match value {
                Value::String(text) => write!(writer, " {name}={text:?}")?,
                other => write!(writer, " {name}={other}")?,
            }
        }
        writer.write_char('\n')
    }

    fn write_json(&self, writer: &mut impl Write) -> fmt::Result {
        let (at, level) = (clock::rfc3339(self.at), self.level.as_str());
        write!(writer, "{{\"timestamp\":\"{at}\",\"level\":\"{level}\",\"target\":{}", quoted(self.target))?;
        write!(writer, ",\"message\":{}", quoted(&self.message))?;
        for (name, value) in &self.fields {
            match value {
                Value::String(text) => write!(writer, ",{}:{}", quoted(name), quoted(text))?,
                other => write!(writer, ",{}:{other}", quoted(name))?,
            }
        }
        writer.write_str("}\n")
    }

    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            // What the `log` crate says of itself is in the metadata already.
            (name, _) if name.starts_with("log.") => {}
            (name, value) => self.fields.push((name, value)),
        }
    }

    fn add_text(&mut self, field: &Field, text: fmt::Arguments<'_>) {
        let mut bounded = Bounded { text: String::new(), bytes_max: self.bytes_left };
        // It ends early where the text is too long.
        if bounded.write_fmt(text).is_err() {
            bounded.text.push('…');
        }
        self.bytes_left = self.bytes_left.saturating_sub(bounded.text.len());
        self.add(field, Value::String(SHAPES.load().masked(bounded.text)));
    }
}

impl Visit for Line<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Value::from(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add_text(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add_text(field, format_args!("{value:?}"));
    }
}

/// Takes what fits and refuses the rest, so that nobody goes on writing it.
struct Bounded {
    text: String,
    bytes_max: usize,
}

impl Write for Bounded {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = self.bytes_max.saturating_sub(self.text.len());
        if part.len() <= room {
            self.text.push_str(part);
            return Ok(());
        }
        self.text.push_str(&part[..part.floor_char_boundary(room)]);
        Err(fmt::Error)
    }
}

/// A text in JSON, fit for a terminal too.
fn quoted(text: &str) -> String {
    let json = Value::from(text).to_string();
    if !json.contains(is_unfit) {
        return json;
    }
    let mut fit = String::with_capacity(json.len());
    for character in json.chars() {
        if is_unfit(character) {
            fit.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            fit.push(character);
        }
    }
    fit
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What was logged, kept for the test.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `act` logs, each without its time.
    fn logged(format: LogFormat, colours: bool, act: impl FnOnce()) -> Vec<String> {
        let kept = Kept::default();
        let writer = kept.clone();
        let lines = Lines { format, colours };
        let log = tracing_subscriber::fmt().with_writer(move || writer.clone()).event_format(lines).finish();
        tracing::subscriber::with_default(log, act);
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
        text.lines().map(str::to_owned).collect()
    }

    const HOSTILE: &str = "a\n2026-01-01T00:00:00.000Z  INFO forged\u{1b}[2J\u{202e}\u{9b}";

    fn hostile_events() {
        tracing::warn!(target: "plugin", check = HOSTILE, error = %HOSTILE, count = 3, "{HOSTILE}");
        tracing::info!(ratio = 0.5, well = true, name = "a \"b\"", "plain");
    }

    #[test]
    fn text_is_one_line_an_event_and_says_when_a_guest_speaks() {
        let lines = logged(LogFormat::Text, false, hostile_events);
        assert_eq!(lines.len(), 2, "{lines:?}");
        let hostile = r"a\u{a}2026-01-01T00:00:00.000Z  INFO forged\u{1b}[2J\u{202e}\u{9b}";
        assert!(lines[0].contains(&format!("  WARN plugin: {hostile} check=\"a\\n2026")), "{}", lines[0]);
        assert!(lines[0].ends_with(" count=3") && !lines[0].contains(is_unfit), "{}", lines[0]);
        assert!(lines[1].ends_with("  INFO plain ratio=0.5 well=true name=\"a \\\"b\\\"\""), "{}", lines[1]);
        assert_eq!(lines[1].get(10..11), Some("T"));
    }

    #[test]
    fn json_is_one_object_a_line_with_numbers_as_numbers() {
        let lines = logged(LogFormat::Json, true, hostile_events);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(!lines.iter().any(|line| line.contains(is_unfit)), "{lines:?}");
        let first: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!((&first["message"], &first["check"], &first["error"]), (&HOSTILE.into(), &HOSTILE.into(), &HOSTILE.into()));
        assert_eq!((&first["level"], &first["target"], &first["count"]), (&"WARN".into(), &"plugin".into(), &3.into()));
        let second: Value = serde_json::from_str(&lines[1]).unwrap();
        assert_eq!((&second["ratio"], &second["well"], &second["message"]), (&0.5.into(), &true.into(), &"plain".into()));
        assert!(humantime::parse_rfc3339(second["timestamp"].as_str().unwrap()).is_ok());
    }

    #[test]
    fn a_line_is_bounded_however_long_its_values_are() {
        let long = "日".repeat(LINE_BYTES_MAX);
        for format in [LogFormat::Text, LogFormat::Json] {
            let lines = logged(format, false, || tracing::info!(first = long, second = ?long, "{long}"));
            assert_eq!(lines.len(), 1);
            assert!(lines[0].len() < LINE_BYTES_MAX + 256, "{} bytes", lines[0].len());
            assert!(lines[0].contains('…'));
        }
    }

    #[test]
    fn what_looks_like_a_secret_is_masked_in_messages_and_values() {
        let act = || {
            let url = "postgres://sickbay:hunter2@db/x";
            tracing::error!(url, error = ?format!("no {url}"), "cannot enter {url} with password=hunter2");
        };
        for format in [LogFormat::Text, LogFormat::Json] {
            let lines = logged(format, false, act);
            assert!(lines[0].contains("postgres://sickbay:[masked]@db/x with password=[masked]"), "{lines:?}");
            assert!(!lines[0].contains("hunter2"), "{lines:?}");
        }
    }

    #[test]
    fn only_the_level_is_coloured() {
        let lines = logged(LogFormat::Text, true, || tracing::error!(name = "x", "failed"));
        assert!(lines[0].ends_with(" \u{1b}[1;31mERROR\u{1b}[0m failed name=\"x\""), "{:?}", lines[0]);
    }

    #[test]
    fn a_filter_that_names_a_part_leaves_the_rest_at_its_level() {
        assert_eq!(filter("").0.to_string(), "info");
        assert_eq!(filter("debug").0.to_string(), "debug");
        let parts = filter("plugin=off, sickbay=debug").0.to_string();
        assert!(["plugin=off", "sickbay=debug", "info"].iter().all(|part| parts.contains(part)), "{parts}");
        let (taken, mistake) = filter("sickbay=loud");
        assert_eq!(taken.to_string(), "info");
        assert!(mistake.is_some());
    }
}
