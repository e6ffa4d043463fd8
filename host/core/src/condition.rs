//! Conditions in CEL over a report: the thresholds of the operator, judged by the host, so that every plugin has them for free.
//!
//! A condition reads one variable, `report`:
//!
//! | name | type |
//! |---|---|
//! | `report.status` | string: `ok`, `warning`, ... |
//! | `report.summary` | string |
//! | `report.failure` | string; absent where the report names none, so `has(report.failure)` asks |
//! | `report.metrics.NAME` | double: the metric without labels |
//! | `report.series.NAME` | list of `{value: double, labels: map}`: every metric of that name, with and without labels |
//! | `report.details` | the report's own JSON object, its numbers as doubles; absent where the report has none |
//!
//! Functions over the last results (`p95('latency_seconds', '10m')`) are those of [`crate::window`].
//!
//! How: `syntax` bounds and parses the text, `survey` checks what it names, `types` (with `operations`) whether its parts go together,
//! `evaluation` runs it against a [`ReportView`], `past` takes out what
//! asks the past, `explanation` finds the comparison that made it true.
//!
//! Limits: 4 KiB of text, 64 levels of nesting, 128 operators in one chain, macros nested 3 deep, 20,000 steps of macros in one evaluation.
//!
//! Invariant: neither a condition nor a report can panic the caller, overflow its stack or hold it for longer than its steps.

mod evaluation;
mod explanation;
mod operations;
mod past;
mod survey;
mod syntax;
mod types;
mod view;

use std::fmt;
use std::sync::Arc;

use cel::{IdedExpr, Value};

pub use explanation::Explanation;
pub use view::ReportView;

use crate::text::cut;
use crate::window::{Function, WindowCall};

/// The longest condition.
pub const CONDITION_BYTES_MAX: usize = 4096;

/// The longest text of an error.
const MESSAGE_BYTES_MAX: usize = 512;

/// A compiled condition; cheap to clone. Two are equal when their texts are.
#[derive(Clone)]
pub struct Condition {
    compiled: Arc<Compiled>,
}

struct Compiled {
    source: String,
    /// With every macro's loop counted, see `evaluation`.
    expression: IdedExpr,
    metric_names: Vec<String>,
    /// In place of which `expression` has variables, see `past`.
    windows: Vec<WindowCall>,
}

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConditionError {
    /// What is wrong and, after `hint:`, what to write instead.
    pub message: String,
    /// Line and column in the expression, from 1, where the compiler knows them.
    pub place: Option<(usize, usize)>,
}

impl Condition {
    /// Compiles `source` and checks all that can be known without a report: its bounds, its syntax, that it names only what exists,
    /// and that its parts go together and give a bool, as far as their types are known (see `types`).
    pub fn parse(source: &str) -> Result<Condition, ConditionError> {
        syntax::check_bounds(source)?;
        let (mut expression, source_info) = syntax::parse(source)?;
        let checked = survey::survey(&expression).and_then(|metric_names| types::check(&expression).map(|()| metric_names));
        let metric_names = checked.map_err(|problem| {
            let place = source_info.offset_for(problem.node).map(|(start, _)| syntax::place_of(source, start as usize));
            ConditionError::new(problem.message, place)
        })?;
        let mut windows = Vec::new();
        past::take(&mut expression, &mut windows);
        evaluation::count_loops(&mut expression);
        Ok(Condition { compiled: Arc::new(Compiled { source: source.to_owned(), expression, metric_names, windows }) })
    }

    /// The text that it was compiled from.
    pub fn source(&self) -> &str {
        &self.compiled.source
    }

    /// The metrics that it names as `report.metrics.NAME` or `report.series.NAME` (or `["NAME"]`) or asks the past of, sorted, each once.
    /// A name that the condition computes is not among them.
    pub fn metric_names(&self) -> Vec<String> {
        self.compiled.metric_names.clone()
    }

    /// What it asks of the past, each once.
    pub fn windows(&self) -> &[WindowCall] {
        &self.compiled.windows
    }

    /// Whether it asks how many results failed.
    pub(crate) fn asks_failures(&self) -> bool {
        self.windows().iter().any(|call| call.function == Function::FailureRatio)
    }

    /// Whether it holds; it does not where the past that it asks has too few samples to decide. An error says why it cannot be judged: a
    /// missing key, types that do not go together, a result that is no bool, too many steps; at most 512 bytes.
    pub fn evaluate(&self, view: &ReportView<'_>) -> Result<bool, String> {
        match evaluation::evaluate(&self.compiled.expression, &self.compiled.windows, view)? {
            Value::Bool(holds) => Ok(holds),
            other => Err(format!("it gives a value of type {}; hint: a condition gives true or false", evaluation::type_name(&other))),
        }
    }

    /// For a condition that holds: what was measured against what was allowed, from the comparison that decided.
    /// All texts are empty where no single comparison did.
    pub fn explain(&self, view: &ReportView<'_>) -> Explanation {
        explanation::explain(&self.compiled.expression, &self.compiled.windows, view)
    }

    /// Whether the word occurs in the text, so that a part of the report that it never names need not be made ready.
    fn mentions(&self, word: &str) -> bool {
        self.compiled.source.contains(word)
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Condition) -> bool {
        self.source() == other.source()
    }
}

impl Eq for Condition {}

impl fmt::Debug for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Condition").field(&self.compiled.source).finish()
    }
}

impl ConditionError {
    fn new(message: impl Into<String>, place: Option<(usize, usize)>) -> ConditionError {
        ConditionError { message: cut(message.into(), MESSAGE_BYTES_MAX), place }
    }
}

#[cfg(test)]
mod tests;
