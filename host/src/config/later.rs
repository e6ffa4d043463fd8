//! Keys that the format fixes already and that this version does not act on: they are known, so a file that uses them gets
//! "not yet" in place of "unknown key".

use super::diagnostic::Problem;

struct Later {
    /// The table, in the words of `shape.rs`.
    table: &'static str,
    key: &'static str,
    /// How a person writes it.
    written: &'static str,
    hint: &'static str,
}

const REMOVE: &str = "remove it until a version has it";

const LATER: [Later; 3] = [
    Later { table: "", key: "recovery", written: "[[recovery]]", hint: REMOVE },
    Later { table: "", key: "heartbeat", written: "[heartbeat]", hint: REMOVE },
    Later { table: "", key: "cluster", written: "[cluster]", hint: REMOVE },
];

/// What to say about `key` in `table` where it belongs to a later version.
pub(super) fn key(table: &str, key: &str) -> Option<Problem> {
    let later = LATER.iter().find(|later| later.table == table && later.key == key)?;
    Some(not_yet(&format!("`{}`", later.written)).hint(later.hint))
}

/// `what` is the subject of the sentence, with its backticks.
fn not_yet(what: &str) -> Problem {
    Problem::new(format!("{what} is known, but not yet built in this version"))
        .reason("the format keeps the name for a later version; what would do nothing here is not passed over in silence")
}
