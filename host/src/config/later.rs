//! Keys that the format fixes already and that this version does not act on: they are known, so a file that uses them gets
//! "not built yet" in place of "unknown key".

use super::diagnostic::Problem;

struct Later {
    /// The table, in the words of `shape.rs`.
    table: &'static str,
    key: &'static str,
    /// How a person writes it.
    written: &'static str,
    hint: &'static str,
}

const REMOVE: &str = "remove it";

const LATER: [Later; 4] = [
    Later { table: "", key: "recovery", written: "[[recovery]]", hint: REMOVE },
    Later { table: "", key: "heartbeat", written: "[heartbeat]", hint: REMOVE },
    Later { table: "", key: "cluster", written: "[cluster]", hint: REMOVE },
    Later { table: "check", key: "depends_on", written: "depends_on", hint: REMOVE },
];

/// What to say about `key` in `table` where it belongs to a later version.
pub(super) fn key(table: &str, key: &str) -> Option<Problem> {
    let later = LATER.iter().find(|later| later.table == table && later.key == key)?;
    Some(not_yet(&format!("`{}`", later.written)).hint(later.hint))
}

/// A condition that is a table: `{ when = "...", for = "5m" }`.
pub(super) fn timed_condition() -> Problem {
    not_yet("a condition with `when` and `for`")
        .hint("write the expression alone, for example: critical = [\"report.metrics.latency_seconds > 1.0\"]")
}

/// `what` is the subject of the sentence, with its backticks.
pub(super) fn not_yet(what: &str) -> Problem {
    Problem::new(format!("{what} is known but not built yet in this version"))
}
