//! What differs between two values of JSON, told so that a person sees it.

use std::fmt;

use serde_json::Value;

/// Differences told of two values.
const DIFFERENCES_MAX: usize = 20;
const SHOWN_CHARACTERS_MAX: usize = 160;
/// Of a long text, before the place where it becomes another.
const BEFORE_CHARACTERS: usize = 30;
/// Numbers are the same when they differ by less than this part: JSON's text of a number is not always the number.
const NUMBER_TOLERANCE: f64 = 1e-9;

/// How much of a value must be there again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// All of it, and nothing more.
    Whole,
    /// As much as is written; `{ contains = "..." }` is any text with that in it.
    Part,
}

/// One place where two values differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub at: String,
    pub expected: String,
    pub got: String,
}

impl Difference {
    pub fn new(at: impl Into<String>, expected: impl Into<String>, got: impl Into<String>) -> Difference {
        Difference { at: at.into(), expected: expected.into(), got: got.into() }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}\n  expected  {}\n  got       {}", self.at, self.expected, self.got)
    }
}

/// In the order in which `expected` is written; `at` is where both stand.
pub fn differences(at: &str, expected: &Value, got: &Value, likeness: Likeness) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(at, expected, Some(got), likeness, &mut found);
    found
}

fn compare(at: &str, expected: &Value, got: Option<&Value>, likeness: Likeness, found: &mut Vec<Difference>) {
    if found.len() >= DIFFERENCES_MAX {
        return;
    }
    let Some(got) = got else {
        return found.push(Difference::new(at, shown(expected), "nothing"));
    };
    if likeness == Likeness::Part
        && let Some(part) = contained(expected)
    {
        if !got.as_str().is_some_and(|text| text.contains(part)) {
            found.push(Difference::new(at, format!("a text with {}", shown(&Value::from(part))), shown(got)));
        }
        return;
    }
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => {
            for (key, value) in expected {
                compare(&inside(at, key), value, got.get(key), likeness, found);
            }
            if likeness == Likeness::Whole {
                let more = got.iter().filter(|(key, _)| !expected.contains_key(*key));
                found.extend(more.map(|(key, value)| Difference::new(inside(at, key), "nothing", shown(value))));
            }
        }
        (Value::Array(expected), Value::Array(got)) => {
            for (index, value) in expected.iter().enumerate() {
                compare(&format!("{at}[{index}]"), value, got.get(index), likeness, found);
            }
            let more = got.iter().enumerate().skip(expected.len());
            found.extend(more.map(|(index, value)| Difference::new(format!("{at}[{index}]"), "nothing", shown(value))));
        }
        (Value::Number(_), Value::Number(_)) if same_number(expected, got) => {}
        (Value::String(one), Value::String(other)) if one != other => {
            let (expected, got) = both_shown(one, other);
            found.push(Difference::new(at, expected, got));
        }
        _ if expected == got => {}
        _ => found.push(Difference::new(at, shown(expected), shown(got))),
    }
    found.truncate(DIFFERENCES_MAX);
}

fn inside(at: &str, key: &str) -> String {
    if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") }
}

fn contained(expected: &Value) -> Option<&str> {
    let table = expected.as_object().filter(|table| table.len() == 1)?;
    table.get("contains")?.as_str()
}

fn same_number(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        _ if one == other => true,
        // Whole numbers are compared as such: a float has no room for all of them.
        _ if !one.is_f64() && !other.is_f64() => false,
        (Some(one), Some(other)) => (one - other).abs() <= NUMBER_TOLERANCE * one.abs().max(other.abs()),
        _ => false,
    }
}

/// JSON on one line, cut where it is long.
pub(crate) fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Two texts; where they are long, from shortly before the place where they part.
fn both_shown(one: &str, other: &str) -> (String, String) {
    if one.chars().count().max(other.chars().count()) <= SHOWN_CHARACTERS_MAX {
        return (shown(&Value::from(one)), shown(&Value::from(other)));
    }
    let same = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    let skipped = same.saturating_sub(BEFORE_CHARACTERS);
    let from_there = |text: &str| {
        let rest: String = text.chars().skip(skipped).collect();
        let shown = shown(&Value::from(rest));
        if skipped == 0 { shown } else { format!("…{shown}") }
    };
    (from_there(one), from_there(other))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(expected: &Value, got: &Value, likeness: Likeness) -> Vec<String> {
        differences("it", expected, got, likeness)
            .into_iter()
            .map(|difference| format!("{}: {} | {}", difference.at, difference.expected, difference.got))
            .collect()
    }

    #[test]
    fn each_place_that_differs_is_told_once() {
        let expected = json!({ "a": 1, "b": { "c": "x", "d": [1, 2] }, "e": true });
        let got = json!({ "a": 1, "b": { "c": "y", "d": [1, 3, 4] }, "f": 5 });
        let whole = told(&expected, &got, Likeness::Whole);
        assert_eq!(
            whole,
            ["it.b.c: \"x\" | \"y\"", "it.b.d[1]: 2 | 3", "it.b.d[2]: nothing | 4", "it.e: true | nothing", "it.f: nothing | 5"]
        );
        let part = told(&expected, &got, Likeness::Part);
        assert_eq!(part, whole[..4]);
        assert!(told(&expected, &expected, Likeness::Whole).is_empty());
    }

    #[test]
    fn a_text_may_be_expected_in_part() {
        let expected = json!({ "summary": { "contains": "refused" } });
        assert!(told(&expected, &json!({ "summary": "connection refused" }), Likeness::Part).is_empty());
        assert_eq!(told(&expected, &json!({ "summary": "slow" }), Likeness::Part), ["it.summary: a text with \"refused\" | \"slow\""]);
        assert_eq!(told(&expected, &json!({ "summary": "connection refused" }), Likeness::Whole).len(), 1);
    }

    #[test]
    fn numbers_are_compared_by_what_they_are_worth() {
        let same = |one: Value, other: Value| told(&one, &other, Likeness::Whole).is_empty();
        assert!(same(json!(1), json!(1.0)) && same(json!(0.1), json!(0.1 + 1e-17)) && same(json!(0.0), json!(0)));
        assert!(!same(json!(1), json!(1.1)) && !same(json!(u64::MAX), json!(u64::MAX - 1)) && !same(json!(1), json!("1")));
    }

    #[test]
    fn long_texts_are_shown_where_they_part() {
        let (one, other) = (format!("{}one{}", "x".repeat(500), "y".repeat(500)), format!("{}other", "x".repeat(500)));
        let told = told(&json!(one), &json!(other), Likeness::Whole);
        let expected = format!("…\"{}one", "x".repeat(BEFORE_CHARACTERS - 1));
        assert!(told[0].contains(&expected) && told[0].ends_with("other\"") && told[0].chars().count() < 300, "{told:?}");
    }

    #[test]
    fn no_more_is_told_than_a_person_reads() {
        assert_eq!(told(&json!(vec![0; 1000]), &json!(vec![1; 1000]), Likeness::Whole).len(), DIFFERENCES_MAX);
    }
}
