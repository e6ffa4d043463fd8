//! What `replay` and `test` have in common: transcripts and fixtures out of files, plugins, a run with nothing of this machine behind it, and
//! how such a run is told.
//!
//! Invariant: no run here has a grant, a source or a secret.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sickbay_capabilities::{Grants, Lent, RunScope, ServiceSettings, Services};
use sickbay_runtime::transcript::{Call, Tape, Transcript};
use sickbay_runtime::{Limits, LoadError, Replayed, SandboxSettings};
use tokio::time::Instant;

use super::table::cut;
use crate::config::Config;
use crate::daemon::folder::{name_of, nothing, read_bounded};
use crate::daemon::{artifacts, sandbox};
use crate::escape::escaped;
use crate::failure::Failure;
use crate::plugins::{Plugin, Sandbox};

/// A transcript has some MiB at most.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Of the arguments or the answer of one call.
const CALL_CHARACTERS_MAX: usize = 1_000;
const OUTPUT_LINES_MAX: usize = 100;
/// Nothing waits for anything: this is never reached.
const HOST_CALLS_END: Duration = Duration::from_secs(600);
const HINT_MARK: &str = "; hint: ";

/// Where plugins are run on transcripts.
pub(super) struct Stage {
    sandbox: Sandbox,
    services: Arc<Services>,
}

impl Stage {
    /// With the cache of compiled plugins of a configuration, or that of this user.
    pub(super) fn new(config: Option<&Config>) -> anyhow::Result<Stage> {
        let sandbox = match config {
            Some(config) => sandbox(config)?,
            None => Sandbox::new(&SandboxSettings { artifacts: artifacts(&std::env::temp_dir()), worker: std::env::current_exe()? })?,
        };
        Ok(Stage { sandbox, services: Services::new(&ServiceSettings::default())? })
    }

    /// A plugin of whatever sort.
    pub(super) async fn load(&self, file: &Path) -> anyhow::Result<Plugin> {
        let name = name_of(file).unwrap_or_else(|| "plugin".to_owned());
        let refused = |error: LoadError| {
            let failure = Failure::new(format!("the plugin {} cannot be loaded: {}", file.display(), error.message));
            match error.hint {
                Some(hint) => failure.with_hint(hint),
                None => failure,
            }
        };
        let bytes = read_bounded(file).map_err(refused)?;
        Ok(self.sandbox.load(&name, bytes, nothing(&self.services, &name)).await.map_err(refused)?)
    }

    /// A version whose file is gone, where it was compiled here.
    pub(super) async fn load_kept(&self, name: &str, sha256: &str) -> Option<Plugin> {
        // One that is damaged is as good as none.
        self.sandbox.load_kept(name, sha256, nothing(&self.services, name)).await.ok().flatten()
    }

    pub(super) async fn run(&self, plugin: &Plugin, transcript: &Arc<Transcript>) -> Result<Replayed, Failure> {
        let lend = |tape: Box<Tape>, limits: &Limits| {
            let state = transcript.state.iter().flatten().map(|(key, value)| (key.clone(), value.clone().into_bytes()));
            let scope = RunScope {
                check: Arc::from(transcript.subject()),
                plugin: Arc::clone(&plugin.name),
                run_id: 0,
                deadline: Instant::now() + HOST_CALLS_END,
                state: Arc::new(state.collect()),
            };
            Lent::new(&self.services, &Arc::new(Grants::default()), limits, scope).with_tape(Some(tape))
        };
        plugin.replay(transcript, lend).await.map_err(|error| usage(&error.to_string()))
    }
}

/// A failure whose message may bring its hint.
pub(super) fn usage(message: &str) -> Failure {
    match message.split_once(HINT_MARK) {
        Some((message, hint)) => Failure::usage(message).with_hint(hint),
        None => Failure::usage(message),
    }
}

/// A transcript, or a fixture, in JSON or (`.toml`) in TOML.
pub(super) fn read(file: &Path) -> anyhow::Result<Transcript> {
    let mut text = String::new();
    let unreadable = |error: std::io::Error| anyhow::Error::from(error).context(Failure::usage(format!("cannot read {}", file.display())));
    File::open(file).and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)).map_err(unreadable)?;
    if u64::try_from(text.len()).is_ok_and(|bytes| bytes > FILE_BYTES_MAX) {
        return Err(Failure::usage(format!("{} has more than {FILE_BYTES_MAX} bytes", file.display())).into());
    }
    let told = |why: String| usage(&format!("{}: {why}", file.display()));
    let value: Value = if file.extension().is_some_and(|extension| extension == "toml") {
        toml::from_str(&text).map_err(|error| told(format!("it is no TOML: {error}")))?
    } else {
        serde_json::from_str(&text).map_err(|error| {
            let cut_short = "it ends too early: a part of it is missing";
            told(if error.is_eof() {
                format!("{cut_short} ({error}){HINT_MARK}copy it again, as a whole")
            } else {
                format!("it is no JSON: {error}")
            })
        })?
    };
    Ok(Transcript::from_value(value).map_err(|error| told(error.to_string()))?)
}

/// Every call with its answer, and log lines among them.
pub(super) fn calls(calls: &[Call]) -> String {
    let mut text = String::new();
    let mut number = 0;
    for call in calls {
        let at = format!("+{:.3} ms", call.at_us as f64 / 1000.0);
        if call.interface() == "log" {
            // A stack has a line for each frame.
            let told = log_line(&call.asked).replace('\t', "    ");
            for (number, part) in told.lines().enumerate() {
                line(&mut text, format_args!("       {:<14} {part}", if number == 0 { at.as_str() } else { "" }));
            }
            continue;
        }
        number += 1;
        line(&mut text, format_args!("{number:>5}  {at:<14} {}", call.call));
        line(&mut text, format_args!("       asked          {}", short(&call.asked)));
        match &call.ended {
            Some(why) => line(&mut text, format_args!("       ended the run  {why}")),
            None => line(&mut text, format_args!("       answer         {}", short(&call.answer))),
        }
    }
    text
}

/// `warn  it is slow  url=http://a/`
fn log_line(asked: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut line = format!("log {} {}", text(&asked["level"]), text(&asked["message"]));
    for field in asked["fields"].as_array().into_iter().flatten() {
        // Writing to a text does not fail.
        let _ = write!(line, " {}={}", text(&field["name"]), text(&field["value"]));
    }
    line
}

/// What a run came to, in one line.
pub(super) fn result(outcome: &Value) -> String {
    let text = |key: &str| outcome.get(key).and_then(Value::as_str);
    let said = text("message").or_else(|| text("quota"));
    let told = match (text("status"), text("failed"), text("ended")) {
        (Some(status), _, _) => format!("{status}: {}", text("summary").unwrap_or_default()),
        (None, Some(kind), _) => format!("failed ({kind}): {}", said.unwrap_or_default()),
        (None, None, Some(why)) => match said {
            Some(said) => format!("ended by {why}: {said}"),
            None => format!("ended by {why}"),
        },
        (None, None, None) => outcome.to_string(),
    };
    escaped(&cut(&told, CALL_CHARACTERS_MAX)).to_string()
}

/// What is known of a run beyond its calls: where it crashed, and what it printed.
pub(super) fn traces(replayed: &Replayed) -> String {
    let mut text = String::new();
    for frame in &replayed.backtrace {
        line(&mut text, format_args!("at        {frame}"));
    }
    if replayed.backtrace.iter().any(|frame| frame.contains("<wasm function")) {
        line(
            &mut text,
            format_args!(
                "          functions have names where what made the plugin leaves them in: in Rust `strip = \"debuginfo\"` in its profile"
            ),
        );
    }
    for printed in replayed.output.lines().take(OUTPUT_LINES_MAX) {
        line(&mut text, format_args!("output    {printed}"));
    }
    text
}

/// Each difference with what was expected and what came.
pub(super) fn differences(replayed: &Replayed) -> String {
    let mut text = String::new();
    for difference in &replayed.differences {
        for shown in difference.to_string().lines() {
            line(&mut text, format_args!("  {shown}"));
        }
    }
    text
}

fn line(text: &mut String, told: std::fmt::Arguments<'_>) {
    // Writing to a text does not fail.
    let _ = writeln!(text, "{}", escaped(&told.to_string()));
}

fn short(value: &Value) -> String {
    cut(&value.to_string(), CALL_CHARACTERS_MAX).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_text(name: &str, text: &str) -> Result<Transcript, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("the folder is writable");
        read(&file).map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
    }

    #[test]
    fn a_fixture_may_be_toml_or_json() {
        let toml = "plugin = \"http\"\n[request]\nconfig = { url = \"http://a/\" }\n[[calls]]\ncall = \"http.send\"\nanswer.ok = { status = 200 }\n[expect]\nstatus = \"ok\"\n";
        let json = r#"{"plugin":"http","request":{"config":{"url":"http://a/"}},"calls":[{"call":"http.send","answer":{"ok":{"status":200}}}],"expect":{"status":"ok"}}"#;
        let read = read_text("a.toml", toml).expect("a fixture");
        assert_eq!(read, read_text("a.json", json).expect("a fixture"));
        assert_eq!((read.calls[0].answer.clone(), read.expect), (json!({ "ok": { "status": 200 } }), json!({ "status": "ok" })));
    }

    #[test]
    fn what_is_no_fixture_is_told_with_its_file() {
        let told = |name: &str, text: &str| read_text(name, text).expect_err("refused");
        assert!(told("a.toml", "a = ").starts_with("a.toml: it is no TOML: "));
        assert!(told("a.json", "{]").starts_with("a.json: it is no JSON: "));
        for cut in ["", "{", "{\"transcript\": 1, \"calls\": [{\"call\": \"http.se"] {
            assert!(told("a.json", cut).starts_with("a.json: it ends too early: a part of it is missing (EOF while parsing "), "{cut}");
        }
        assert!(told("a.toml", "stauts = \"ok\"").contains("a.toml: it is no transcript: unknown field `stauts`"));
        let other = told("a.json", r#"{"transcript":9}"#);
        assert_eq!(other, "a.json: it has version 9 of the format, and this Sickbay reads version 1");
        assert!(read(Path::new("absent/a.json")).expect_err("nothing there").to_string().contains("cannot read absent/a.json"));
    }

    #[test]
    fn calls_are_told_with_what_was_asked_and_answered() {
        let call = |name: &str, asked: Value, answer: Value| Call { call: name.to_owned(), asked, answer, at_us: 1_500, ..Call::default() };
        let logged = json!({ "level": "warn", "message": "slow\u{1b}[2J\n\tat a", "fields": [{ "name": "url", "value": "http://a/" }] });
        let told = calls(&[
            call("log.write", logged, Value::Null),
            call("state.get", json!({ "key": "a" }), json!("1")),
            Call { ended: Some("out of calls".to_owned()), ..call("system.read_cpu", json!({}), Value::Null) },
        ]);
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(
            lines,
            [
                "       +1.500 ms      log warn slow\\u{1b}[2J",
                "                          at a url=http://a/",
                "    1  +1.500 ms      state.get",
                "       asked          {\"key\":\"a\"}",
                "       answer         \"1\"",
                "    2  +1.500 ms      system.read_cpu",
                "       asked          {}",
                "       ended the run  out of calls",
            ]
        );
    }

    #[test]
    fn a_result_is_one_line_whatever_it_is() {
        for (outcome, told) in [
            (json!({ "status": "ok", "summary": "well" }), "ok: well"),
            (json!({ "failed": "denied", "message": "no grant" }), "failed (denied): no grant"),
            (json!({ "ended": "trap", "message": "unreachable" }), "ended by trap: unreachable"),
            (json!({ "ended": "quota", "quota": "rows", "limit": 5 }), "ended by quota: rows"),
            (json!({ "ended": "deadline", "timeout_ms": 5 }), "ended by deadline"),
            (json!({ "ok": { "reference": "x" } }), "{\"ok\":{\"reference\":\"x\"}}"),
        ] {
            assert_eq!(result(&outcome), told);
        }
    }
}
