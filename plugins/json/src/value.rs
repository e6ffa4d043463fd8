//! One place in a JSON answer: where it is, what number it makes, what it may be.

use std::collections::BTreeMap;

use sickbay_sdk::limit::counted;
use sickbay_sdk::prelude::*;

const METRIC_NAME_BYTES_MAX: usize = 64;
const SHOWN_CHARS_MAX: usize = 100;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    /// JSON Pointer (RFC 6901): "/queue/length".
    #[schemars(regex(pattern = "^(/.*)?$"), example = "/queue/length")]
    pub(crate) pointer: String,
    /// Name of the metric, after "value_". Made of the pointer where absent.
    #[serde(default)]
    metric: Option<String>,
    /// Numbers for words: { green = 0, yellow = 1, red = 2 }. A word that is not in it is critical.
    #[serde(default)]
    map: BTreeMap<String, f64>,
    /// The number is how many elements of the array match.
    #[serde(default)]
    count: Option<Count>,
    /// Critical unless the value is equal.
    #[serde(default)]
    equals: Option<Value>,
    /// Warning when the number is larger.
    #[serde(default)]
    warning_above: Option<f64>,
    /// Critical when the number is larger.
    #[serde(default)]
    critical_above: Option<f64>,
    /// Warning when the number is smaller.
    #[serde(default)]
    warning_below: Option<f64>,
    /// Critical when the number is smaller.
    #[serde(default)]
    critical_below: Option<f64>,
    /// Say nothing where the place is not there.
    #[serde(default)]
    optional: bool,
}

/// Which elements of an array count.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Count {
    /// JSON Pointer inside the element; empty for the element itself.
    #[serde(default)]
    #[schemars(regex(pattern = "^(/.*)?$"), example = "/state")]
    pointer: String,
    /// What must stand there. Absent: anything but nothing.
    #[serde(default)]
    equals: Option<Value>,
}

/// What stands at a place.
pub(crate) struct Found<'a> {
    value: Option<&'a Value>,
    number: Option<f64>,
    pub(crate) shown: String,
}

impl Place {
    /// `value_` and the metric's name, or the pointer in its letters.
    pub(crate) fn metric_name(&self) -> Result<String, Error> {
        let is_letter = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_';
        if let Some(metric) = &self.metric {
            if metric.is_empty() || !metric.chars().all(is_letter) || metric.len() + 6 > METRIC_NAME_BYTES_MAX {
                return Err(Error::configuration(format!("{metric:?} is no name for a metric: a-z, 0-9 and _, at most 58")));
            }
            return Ok(format!("value_{metric}"));
        }
        let letter = |character: char| if is_letter(character) { character } else { '_' };
        let made = self.pointer.trim_start_matches('/').chars().map(|character| letter(character.to_ascii_lowercase()));
        Ok(made.fold("value_".to_owned(), |mut name, character| {
            if name.len() < METRIC_NAME_BYTES_MAX {
                name.push(character);
            }
            name
        }))
    }

    pub(crate) fn find<'a>(&self, body: &'a Value) -> Found<'a> {
        let value = body.pointer(&self.pointer);
        let number = value.and_then(|value| self.number(value));
        let shown = match (value, &self.count, number) {
            (None, _, _) => "nothing there".to_owned(),
            (Some(_), Some(_), Some(number)) => counted(number, "element"),
            (Some(value), _, _) => value.to_string().chars().take(SHOWN_CHARS_MAX).collect(),
        };
        Found { value, number, shown }
    }

    fn number(&self, value: &Value) -> Option<f64> {
        if let Some(count) = &self.count {
            return value.as_array().map(|elements| elements.iter().filter(|element| count.matches(element)).count() as f64);
        }
        match value {
            Value::Number(number) => number.as_f64(),
            Value::Bool(yes) => Some(f64::from(u8::from(*yes))),
            Value::String(word) if !self.map.is_empty() => self.map.get(word).copied(),
            Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// Whether only a number will do.
    fn asks_number(&self) -> bool {
        let limits = [self.warning_above, self.critical_above, self.warning_below, self.critical_below];
        limits.iter().any(Option::is_some) || !self.map.is_empty() || self.count.is_some()
    }

    pub(crate) fn judge(&self, mut report: Report, name: &str, found: &Found<'_>) -> Report {
        let Some(value) = found.value else {
            return if self.optional { report } else { self.absent(report) };
        };
        if let Some(equals) = &self.equals
            && !same(value, equals)
        {
            report = self.wrong(report, "", found, &equals.to_string());
        }
        let Some(number) = found.number else {
            return if self.asks_number() { self.wrong(report, "", found, "a number, or a word of the map") } else { report };
        };
        report = report.metric(name, number, "");
        let above = |limit: Option<f64>| limit.filter(|limit| number > *limit).map(|limit| format!("at most {limit}"));
        let below = |limit: Option<f64>| limit.filter(|limit| number < *limit).map(|limit| format!("at least {limit}"));
        let summary = |expected: &str| format!("{} is {}, expected {expected}", self.pointer, found.shown);
        if let Some(expected) = above(self.critical_above).or_else(|| below(self.critical_below)) {
            report.evidence(name, number, &expected, "").critical("capacity", summary(&expected))
        } else if let Some(expected) = above(self.warning_above).or_else(|| below(self.warning_below)) {
            report.evidence(name, number, &expected, "").warning("capacity", summary(&expected))
        } else {
            report
        }
    }

    fn absent(&self, report: Report) -> Report {
        report
            .evidence("", format!("{}: nothing", self.pointer), "any value", "")
            .critical("content", format!("the answer has nothing at {}", self.pointer))
    }

    fn wrong(&self, report: Report, name: &str, found: &Found<'_>, expected: &str) -> Report {
        let summary = format!("{} is {}, expected {expected}", self.pointer, found.shown);
        report.evidence(name, format!("{}: {}", self.pointer, found.shown), expected, "").critical("content", summary)
    }
}

impl Count {
    fn matches(&self, element: &Value) -> bool {
        let Some(value) = element.pointer(&self.pointer) else { return false };
        self.equals.as_ref().is_none_or(|equals| same(value, equals))
    }
}

/// `1` and `1.0` are the same number.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        _ => left == right,
    }
}
