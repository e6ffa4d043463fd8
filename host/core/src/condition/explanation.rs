//! Actual against expected: the comparison that made a condition true.

use cel::Value;
use cel::common::ast::operators;
use cel::common::ast::{CallExpr, Expr, IdedExpr};

use super::ReportView;
use super::evaluation::{evaluate, type_name};
use super::survey::metric;
use crate::text::cut;
use crate::window::WindowCall;

/// The longest text of a value.
const VALUE_BYTES_MAX: usize = 128;

/// What was measured against what was allowed. All empty where no single comparison decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Empty where the comparison is not of one metric (`report.metrics.a / report.metrics.b > 0.9`).
    pub metric: String,
    /// The value: `0.31`, `"refused"`.
    pub actual: String,
    /// The opposite of the comparison, which would have been fine: `<= 0.2`.
    pub expected: String,
}

impl Explanation {
    /// Whether no single comparison decided.
    pub fn is_empty(&self) -> bool {
        self.actual.is_empty()
    }
}

/// For an `expression` that is true.
pub(super) fn explain(expression: &IdedExpr, windows: &[WindowCall], view: &ReportView<'_>) -> Explanation {
    let mut comparisons = Vec::new();
    find_comparisons(expression, windows, view, &mut comparisons);
    let explanations: Vec<Explanation> = comparisons.into_iter().filter_map(|call| describe(call, windows, view)).collect();
    let of_a_metric = explanations.iter().position(|explanation| !explanation.metric.is_empty());
    explanations.into_iter().nth(of_a_metric.unwrap_or(0)).unwrap_or_default()
}

/// The comparisons that are true because `expression` is: all of an `&&`, and of an `||` those of the side that is true.
fn find_comparisons<'expression>(
    expression: &'expression IdedExpr,
    windows: &[WindowCall],
    view: &ReportView<'_>,
    found: &mut Vec<&'expression CallExpr>,
) {
    let Expr::Call(call) = &expression.expr else {
        return;
    };
    match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::LOGICAL_AND, [left, right]) => {
            find_comparisons(left, windows, view, found);
            find_comparisons(right, windows, view, found);
        }
        (operators::LOGICAL_OR, [left, right]) => {
            let deciding = if matches!(evaluate(left, windows, view), Ok(Value::Bool(true))) { left } else { right };
            find_comparisons(deciding, windows, view, found);
        }
        (operator, [_, _]) if opposite(operator).is_some() => found.push(call),
        _ => {}
    }
}

/// What is compared stands before what it is compared with: the metric, else what is no literal, else the left side.
fn describe(call: &CallExpr, windows: &[WindowCall], view: &ReportView<'_>) -> Option<Explanation> {
    let [left, right] = call.args.as_slice() else {
        return None;
    };
    let operator = call.func_name.as_str();
    let is_literal = |node: &IdedExpr| matches!(node.expr, Expr::Literal(_));
    let swapped = metric_name(left).is_none() && (metric_name(right).is_some() || is_literal(left));
    let (subject, bound, operator) = if swapped { (right, left, mirrored(operator)) } else { (left, right, operator) };
    Some(Explanation {
        metric: metric_name(subject).unwrap_or_default().to_owned(),
        actual: value_text(subject, windows, view)?,
        expected: format!("{} {}", opposite(operator)?, value_text(bound, windows, view)?),
    })
}

/// The name in `report.metrics.NAME`.
fn metric_name(node: &IdedExpr) -> Option<&str> {
    let presence = matches!(&node.expr, Expr::Select(select) if select.test);
    metric(node).filter(|(group, _)| *group == "metrics" && !presence).map(|(_, name)| name)
}

/// What holds exactly when the comparison does not.
fn opposite(operator: &str) -> Option<&'static str> {
    match operator {
        operators::GREATER => Some("<="),
        operators::GREATER_EQUALS => Some("<"),
        operators::LESS => Some(">="),
        operators::LESS_EQUALS => Some(">"),
        operators::EQUALS => Some("!="),
        operators::NOT_EQUALS => Some("=="),
        _ => None,
    }
}

/// The comparison with its sides exchanged.
fn mirrored(operator: &str) -> &str {
    match operator {
        operators::GREATER => operators::LESS,
        operators::GREATER_EQUALS => operators::LESS_EQUALS,
        operators::LESS => operators::GREATER,
        operators::LESS_EQUALS => operators::GREATER_EQUALS,
        other => other,
    }
}

fn value_text(node: &IdedExpr, windows: &[WindowCall], view: &ReportView<'_>) -> Option<String> {
    let text = match evaluate(node, windows, view).ok()? {
        // Beyond 15 digits the short form is the readable one.
        Value::Float(value) if value.abs() >= 1e15 => format!("{value:e}"),
        Value::Float(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::String(value) => format!("{value:?}"),
        Value::Null => "null".to_owned(),
        other => format!("a {}", type_name(&other)),
    };
    Some(cut(text, VALUE_BYTES_MAX))
}
