//! Functions over the past in an expression: found and checked when it is compiled, then replaced by a variable that no text can spell.
//!
//! `p95('latency_seconds', '10m')` becomes the variable `@window 0`, the first of the condition's calls; `evaluation` looks it up.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedEntryExpr};

use super::survey::{Problem, problem};
use super::types::text_of;
use crate::window::{self, Function, WindowCall};

const VARIABLE: &str = "@window ";
const METRIC_NAME_BYTES_MAX: usize = 64;

/// The call that `call` is, where it is one of a function over the past.
pub(super) fn call(node: u64, call: &CallExpr) -> Option<Result<WindowCall, Problem>> {
    let function = Function::named(&call.func_name).filter(|_| call.target.is_none())?;
    Some(checked(node, function, call))
}

fn checked(node: u64, function: Function, call: &CallExpr) -> Result<WindowCall, Problem> {
    let name = &call.func_name;
    let (metric, written) = match (function, call.args.as_slice()) {
        (Function::FailureRatio, [written]) => (None, written),
        (Function::FailureRatio, _) => return Err(problem(node, format!("`{name}` takes a window; hint: write `{name}('10m')`"))),
        (_, [metric, written]) => (Some(metric), written),
        _ => {
            let hint = format!("write `{name}('latency_seconds', '10m')`");
            return Err(problem(node, format!("`{name}` takes the name of a metric and a window; hint: {hint}")));
        }
    };
    let metric = match metric {
        None => "",
        Some(node) => match text_of(node) {
            Some(metric) if !metric.is_empty() && metric.len() <= METRIC_NAME_BYTES_MAX => metric,
            _ => return Err(problem(node.id, "the name of a metric stands in quotes here; hint: write 'latency_seconds'")),
        },
    };
    let text = text_of(written).ok_or_else(|| problem(written.id, "a window stands in quotes; hint: write '10m'"))?;
    let window = window::window(text).map_err(|message| problem(written.id, message))?;
    Ok(WindowCall { function, metric: metric.to_owned(), written: text.to_owned(), window })
}

/// Takes the calls out of an expression that was checked, in their order.
pub(super) fn take(expression: &mut IdedExpr, taken: &mut Vec<WindowCall>) {
    if let Expr::Call(found) = &expression.expr
        && let Some(Ok(found)) = call(expression.id, found)
    {
        let index = taken.iter().position(|known| *known == found).unwrap_or_else(|| {
            taken.push(found);
            taken.len() - 1
        });
        expression.expr = Expr::Ident(format!("{VARIABLE}{index}"));
        return;
    }
    match &mut expression.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
        Expr::Select(select) => take(&mut select.operand, taken),
        Expr::Call(call) => {
            call.target.as_deref_mut().into_iter().chain(&mut call.args).for_each(|part| take(part, taken));
        }
        Expr::List(list) => list.elements.iter_mut().for_each(|element| take(element, taken)),
        Expr::Map(map) => map.entries.iter_mut().for_each(|entry| take_of_entry(entry, taken)),
        Expr::Struct(message) => message.entries.iter_mut().for_each(|entry| take_of_entry(entry, taken)),
        Expr::Comprehension(comprehension) => {
            for part in [
                &mut comprehension.iter_range,
                &mut comprehension.accu_init,
                &mut comprehension.loop_cond,
                &mut comprehension.loop_step,
                &mut comprehension.result,
            ] {
                take(part, taken);
            }
        }
    }
}

fn take_of_entry(entry: &mut IdedEntryExpr, taken: &mut Vec<WindowCall>) {
    match &mut entry.expr {
        EntryExpr::StructField(field) => take(&mut field.value, taken),
        EntryExpr::MapEntry(entry) => {
            take(&mut entry.key, taken);
            take(&mut entry.value, taken);
        }
    }
}

/// Which call a variable stands for.
pub(super) fn index_of(variable: &str) -> Option<usize> {
    variable.strip_prefix(VARIABLE)?.parse().ok()
}
