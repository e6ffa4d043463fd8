//! What operators and functions take, and what they give: the part of `types` that knows no tree.

use cel::IdedExpr;
use cel::common::ast::operators;
use cel::common::ast::{CallExpr, Expr, LiteralValue};

use super::evaluation::evaluate;
use super::survey::{Problem, problem};
use super::types::{ASK_MEMBERS, Operand, Type, joined, text_of};
use super::{Condition, ReportView, past};
use crate::{Report, Status};

const COMPARE_ALIKE: &str = "compare a number with a number, and a text with a text in quotes";
/// How much of a text that is no status a message quotes.
const STATUS_CHARACTERS_MAX: usize = 40;
const CONVERSION: &str = "it takes one number or one text: `double('1.5')`";

/// Whether two values of these types can be equal.
fn can_be_equal(left: &Type, right: &Type) -> bool {
    match (left, right) {
        (Type::Any, _) | (_, Type::Any) | (Type::List(_), Type::List(_)) => true,
        (left, right) => (left.is_number() && right.is_number()) || (left.is_map() && right.is_map()) || left == right,
    }
}

pub(super) fn of_equality(node: u64, left: &Operand<'_>, right: &Operand<'_>) -> Result<Type, Problem> {
    refuse_strange_status(left.node, right.node)?;
    refuse_strange_status(right.node, left.node)?;
    if can_be_equal(&left.given, &right.given) {
        return Ok(Type::Bool);
    }
    Err(problem(node, format!("{} never equals {}; hint: {}", left.given.words(), right.given.words(), made_alike(left, right))))
}

/// `report.status == "down"`: no report says so.
fn refuse_strange_status(status: &IdedExpr, word: &IdedExpr) -> Result<(), Problem> {
    let is_status = matches!(&status.expr, Expr::Select(select)
        if select.field == "status" && matches!(&select.operand.expr, Expr::Ident(name) if name == "report"));
    match text_of(word) {
        Some(text) if is_status && Status::ALL.iter().all(|status| status.as_str() != text) => {
            let text: String = text.chars().take(STATUS_CHARACTERS_MAX).flat_map(char::escape_debug).collect();
            Err(problem(word.id, format!("no report has the status `{text}`; hint: it is `ok`, `warning`, `critical` or `unknown`")))
        }
        _ => Ok(()),
    }
}

pub(super) fn of_order(node: u64, operator: &str, left: &Operand<'_>, right: &Operand<'_>) -> Result<Type, Problem> {
    let fits = match (&left.given, &right.given) {
        (Type::Any, _) | (_, Type::Any) => true,
        (Type::Text, Type::Text) | (Type::Bytes, Type::Bytes) | (Type::Bool, Type::Bool) => true,
        (left, right) => left.is_number() && right.is_number(),
    };
    if fits {
        return Ok(Type::Bool);
    }
    let operator = written(operator);
    let (left_words, right_words) = (left.given.words(), right.given.words());
    Err(problem(node, format!("`{operator}` does not compare {left_words} with {right_words}; hint: {}", made_alike(left, right))))
}

/// How to compare what is not alike.
fn made_alike(left: &Operand<'_>, right: &Operand<'_>) -> String {
    let number_in_quotes =
        |text: &Operand<'_>| text_of(text.node).and_then(|text| text.trim().parse::<f64>().ok()).filter(|number| number.is_finite());
    match (&left.given, &right.given) {
        (Type::Null, _) | (_, Type::Null) => "ask with `has(...)` whether it is there".to_owned(),
        (Type::List(_), _) | (_, Type::List(_)) => ASK_MEMBERS.to_owned(),
        (number, Type::Bool) | (Type::Bool, number) if number.is_number() => "a metric is a number: `== 1.0`".to_owned(),
        (number, Type::Text) if number.is_number() => match number_in_quotes(right) {
            Some(number) => format!("a number stands without quotes: `{number:?}`"),
            None => COMPARE_ALIKE.to_owned(),
        },
        (Type::Text, number) if number.is_number() => match number_in_quotes(left) {
            Some(number) => format!("a number stands without quotes: `{number:?}`"),
            None => COMPARE_ALIKE.to_owned(),
        },
        _ => COMPARE_ALIKE.to_owned(),
    }
}

/// `LEFT in RIGHT`
pub(super) fn of_membership(node: u64, left: &Operand<'_>, right: &Operand<'_>) -> Result<Type, Problem> {
    match &right.given {
        Type::List(member) if !can_be_equal(&left.given, member) => {
            let (left, member) = (left.given.words(), member.words());
            Err(problem(node, format!("the members of the list are of another kind: {left} never equals {member}; hint: {COMPARE_ALIKE}")))
        }
        Type::Any | Type::List(_) | Type::Map(_) | Type::Report | Type::Entry => Ok(Type::Bool),
        Type::Text => {
            Err(problem(node, "`in` does not look into a text; hint: ask with `.contains(...)`: `report.summary.contains('text')`"))
        }
        other => Err(problem(
            node,
            format!("`in` looks into a list, and this is {}; hint: write a list such as `[200.0, 204.0]`", other.words()),
        )),
    }
}

pub(super) fn of_arithmetic(node: u64, operator: &str, left: &Type, right: &Type) -> Result<Type, Problem> {
    let takes = |operand: &Type| match operand {
        Type::Any | Type::Int | Type::Uint => true,
        Type::Double => operator != operators::MODULO,
        Type::Text | Type::Bytes | Type::List(_) => operator == operators::ADD,
        _ => false,
    };
    match (left, right) {
        (left, right) if !takes(left) || !takes(right) => {}
        // What the one side is, the other has to be; a list takes what it can run over.
        (Type::Any, Type::List(_)) | (Type::List(_), Type::Any) => return Ok(Type::Any),
        (Type::Any, known) | (known, Type::Any) => return Ok(known.clone()),
        (Type::List(left), Type::List(right)) => return Ok(Type::list(joined((**left).clone(), (**right).clone()))),
        (left, right) if left == right => return Ok(left.clone()),
        _ => {}
    }
    let operator = written(operator);
    let hint = match (left, right) {
        (Type::Double, _) | (_, Type::Double) if operator == "%" => "write `int(...)` round what is no whole number",
        (left, right) if left.is_number() && right.is_number() => "metrics are doubles, and beside one `2` is written `2.0`",
        (Type::Text, number) | (number, Type::Text) if number.is_number() => {
            "write `string(...)` round the number, or `double(...)` round the text"
        }
        (Type::List(_), _) | (_, Type::List(_)) => "count its members with `.size()`, or take one: `[0]`",
        _ => "compute with numbers",
    };
    let numbers = |operand: &Type| match operand {
        Type::Double => "a double",
        Type::Int => "an int",
        Type::Uint => "a uint",
        other => other.words(),
    };
    Err(problem(node, format!("`{operator}` does not take {} and {}; hint: {hint}", numbers(left), numbers(right))))
}

pub(super) fn of_negation(node: u64, operand: &Type) -> Result<Type, Problem> {
    match operand {
        Type::Any | Type::Double | Type::Int => Ok(operand.clone()),
        other => Err(problem(node, format!("`-` does not take {}; hint: compute with numbers", other.words()))),
    }
}

/// An operator as it is written: `_>_` is `>`.
fn written(operator: &str) -> &str {
    operator.trim_matches('_')
}

/// A function that is called by its name: `size(x)` or `x.size()`.
pub(super) fn of_function(node: u64, call: &CallExpr, operands: &[Operand<'_>]) -> Result<Type, Problem> {
    if let Some(call) = past::call(node, call) {
        return call.map(|_| Type::Double);
    }
    let name = call.func_name.as_str();
    let is_member = call.target.is_some();
    let is_text = |operand: &Operand<'_>| matches!(operand.given, Type::Any | Type::Text);
    let only = |fits: fn(&Type) -> bool| matches!(operands, [operand] if operand.given == Type::Any || fits(&operand.given));
    let (given, fits, usage) = match name {
        "size" => (
            Type::Int,
            only(|given| matches!(given, Type::Text | Type::Bytes | Type::List(_)) || given.is_map()),
            "it counts the members of a list: `size(report.series.NAME)`",
        ),
        "contains" | "startsWith" | "endsWith" => (
            Type::Bool,
            is_member && operands.len() == 2 && operands.iter().all(is_text),
            "it asks a text: `report.summary.contains('text')`",
        ),
        "matches" => {
            (Type::Bool, operands.len() == 2 && operands.iter().all(is_text), "it asks a text: `report.summary.matches('^HTTP 2')`")
        }
        "type" => (Type::Kind, !is_member && operands.len() == 1, "it takes one value: `type(report.details.x)`"),
        "dyn" => (Type::Any, !is_member && operands.len() == 1, "it takes one value: `dyn(report.details.x)`"),
        "bool" => (Type::Bool, !is_member && only(|given| matches!(given, Type::Bool | Type::Text)), "it takes a text: `bool('true')`"),
        "bytes" => (Type::Bytes, !is_member && only(|given| matches!(given, Type::Text | Type::Bytes)), "it takes a text"),
        "double" => (Type::Double, !is_member && only(is_convertible), CONVERSION),
        "int" => (Type::Int, !is_member && only(is_convertible), CONVERSION),
        "uint" => (Type::Uint, !is_member && only(is_convertible), CONVERSION),
        "string" => (
            Type::Text,
            !is_member && only(|given| matches!(given, Type::Bool | Type::Bytes) || is_convertible(given)),
            "it takes one number: `string(report.metrics.NAME)`",
        ),
        _ => return Ok(Type::Any),
    };
    if !fits {
        let takes: Vec<&str> = operands.iter().map(|operand| operand.given.words()).collect();
        let takes = if takes.is_empty() { "nothing".to_owned() } else { takes.join(" and ") };
        return Err(problem(node, format!("`{name}` does not take {takes}; hint: {usage}")));
    }
    if let ("matches", [_, pattern]) = (name, operands) {
        check_pattern(pattern.node)?;
    }
    Ok(given)
}

fn is_convertible(given: &Type) -> bool {
    given.is_number() || *given == Type::Text
}

/// A pattern that stands in the condition is compiled once here: a broken one fails with every report.
fn check_pattern(pattern: &IdedExpr) -> Result<(), Problem> {
    if text_of(pattern).is_none() {
        return Ok(());
    }
    let report = Report::default();
    let nobody: [&Condition; 0] = [];
    let view = ReportView::new(&report, nobody);
    let subject = IdedExpr { id: 0, expr: Expr::Literal(LiteralValue::String("".into())) };
    let call = CallExpr { func_name: "matches".to_owned(), target: Some(Box::new(subject)), args: vec![pattern.clone()] };
    let Err(reason) = evaluate(&IdedExpr { id: 0, expr: Expr::Call(call) }, &[], &view) else { return Ok(()) };
    let reason = reason.lines().rev().find_map(|line| line.trim().strip_prefix("error: ")).unwrap_or("it cannot be used").to_owned();
    let hint = "a dot or a bracket that is meant as such is written `[.]`, `[(]`";
    Err(problem(pattern.id, format!("the pattern of `matches` is not valid: {reason}; hint: {hint}")))
}
