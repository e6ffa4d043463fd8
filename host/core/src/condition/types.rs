//! What an expression gives, as far as that is known before there is a report.
//!
//! The interpreter finds out that a number is compared with a text, or that a condition gives no bool, when it evaluates: from then on
//! the check is `unknown`. Here the same is found when the condition is read. Metrics are numbers, whatever the plugin; what `report.details`
//! holds and what `dyn(...)` gives may be anything, so nothing is said against it.
//!
//! Invariant: what is refused is an error with every report that reaches it, or compares what is never equal.

use cel::IdedExpr;
use cel::common::ast::operators;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, LiteralValue, SelectExpr};

use super::operations::{of_arithmetic, of_equality, of_function, of_membership, of_negation, of_order};
use super::survey::{Problem, TYPES, check_field, metric, problem};

/// No node has this number: the condition as a whole is meant.
const WHOLE: u64 = 0;

pub(super) const ASK_MEMBERS: &str = "ask its members, for example with `.exists(s, s.value > 0.9)`";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// Not known before there is a report.
    Any,
    Bool,
    Double,
    Int,
    Uint,
    Text,
    Bytes,
    Null,
    /// What `type(x)` gives.
    Kind,
    List(Box<Type>),
    /// By the type of its values.
    Map(Box<Type>),
    /// The variable `report`.
    Report,
    /// A member of `report.series.NAME`.
    Entry,
}

/// Refuses an expression that can give no bool, or has a part that no report makes sense of.
pub(super) fn check(expression: &IdedExpr) -> Result<(), Problem> {
    let given = Types { variables: Vec::new() }.of(expression)?;
    if given.may_be_bool() {
        return Ok(());
    }
    Err(problem(WHOLE, format!("it gives {}, not true or false; hint: {}", given.words(), made_bool(expression, &given))))
}

impl Type {
    pub(super) fn list(member: Type) -> Type {
        Type::List(Box::new(member))
    }

    fn map(value: Type) -> Type {
        Type::Map(Box::new(value))
    }

    fn may_be_bool(&self) -> bool {
        matches!(self, Type::Any | Type::Bool)
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Type::Double | Type::Int | Type::Uint)
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self, Type::Map(_) | Type::Report | Type::Entry)
    }

    /// In the words of a message.
    pub(super) fn words(&self) -> &'static str {
        match self {
            Type::Any => "anything",
            Type::Bool => "true or false",
            Type::Double => "a number",
            Type::Int | Type::Uint => "a whole number",
            Type::Text => "a text",
            Type::Bytes => "bytes",
            Type::Null => "null",
            Type::Kind => "a type",
            Type::List(_) => "a list",
            Type::Map(_) => "a map",
            Type::Report => "the whole report",
            Type::Entry => "a member of a series",
        }
    }
}

/// What a branch gives that may be the one or the other.
pub(super) fn joined(one: Type, other: Type) -> Type {
    match (one, other) {
        (Type::List(one), Type::List(other)) => Type::list(joined(*one, *other)),
        (one, other) if one == other => one,
        _ => Type::Any,
    }
}

/// A part of a call, and what it gives.
pub(super) struct Operand<'expression> {
    pub(super) node: &'expression IdedExpr,
    pub(super) given: Type,
}

struct Types<'expression> {
    /// Of the macros round the place that is visited; the innermost last.
    variables: Vec<(&'expression str, Type)>,
}

impl<'expression> Types<'expression> {
    fn of(&mut self, node: &'expression IdedExpr) -> Result<Type, Problem> {
        match &node.expr {
            Expr::Literal(literal) => Ok(of_literal(literal)),
            Expr::Ident(name) => Ok(self.of_name(name)),
            Expr::Select(select) => {
                let operand = self.of(&select.operand)?;
                of_field(node.id, select, &operand)
            }
            Expr::Call(call) => self.of_call(node.id, call),
            Expr::List(list) => {
                let members = list.elements.iter().map(|element| self.of(element)).collect::<Result<Vec<Type>, Problem>>()?;
                Ok(Type::list(members.into_iter().reduce(joined).unwrap_or(Type::Any)))
            }
            Expr::Map(map) => {
                map.entries.iter().try_for_each(|entry| self.visit_entry(entry))?;
                Ok(Type::map(Type::Any))
            }
            Expr::Comprehension(comprehension) => self.of_loop(node.id, comprehension),
            Expr::Struct(_) | Expr::Unspecified => Ok(Type::Any),
        }
    }

    fn visit_entry(&mut self, entry: &'expression IdedEntryExpr) -> Result<(), Problem> {
        match &entry.expr {
            EntryExpr::StructField(field) => self.of(&field.value).map(|_| ()),
            EntryExpr::MapEntry(entry) => {
                self.of(&entry.key)?;
                self.of(&entry.value).map(|_| ())
            }
        }
    }

    fn of_name(&self, name: &str) -> Type {
        match self.variables.iter().rev().find(|(variable, _)| *variable == name) {
            Some((_, given)) => given.clone(),
            None if name == "report" => Type::Report,
            None if TYPES.contains(&name) => Type::Kind,
            None => Type::Any,
        }
    }

    fn of_call(&mut self, node: u64, call: &'expression CallExpr) -> Result<Type, Problem> {
        let mut operands = Vec::with_capacity(call.args.len() + 1);
        for part in call.target.as_deref().into_iter().chain(&call.args) {
            operands.push(Operand { node: part, given: self.of(part)? });
        }
        match (call.func_name.as_str(), operands.as_slice()) {
            (operators::CONDITIONAL, [condition, then, otherwise]) => {
                require_bool(condition)?;
                Ok(joined(then.given.clone(), otherwise.given.clone()))
            }
            (operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT, parts) => {
                parts.iter().try_for_each(require_bool)?;
                Ok(Type::Bool)
            }
            (operators::NOT_STRICTLY_FALSE, _) => Ok(Type::Bool),
            (operators::EQUALS | operators::NOT_EQUALS, [left, right]) => of_equality(node, left, right),
            (operators::IN, [left, right]) => of_membership(node, left, right),
            (operator @ (operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS), [left, right]) => {
                of_order(node, operator, left, right)
            }
            (
                operator @ (operators::ADD | operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE | operators::MODULO),
                [left, right],
            ) => of_arithmetic(node, operator, &left.given, &right.given),
            (operators::NEGATE, [operand]) => of_negation(node, &operand.given),
            (operators::INDEX, [operand, index]) => of_part(node, &operand.given, index),
            _ => of_function(node, call, &operands),
        }
    }

    fn of_loop(&mut self, node: u64, comprehension: &'expression ComprehensionExpr) -> Result<Type, Problem> {
        let range = self.of(&comprehension.iter_range)?;
        let member = of_member(node, &range)?;
        let begin = self.of(&comprehension.accu_init)?;
        let outside = self.variables.len();
        self.variables.push((comprehension.accu_var.as_str(), begin.clone()));
        self.variables.push((comprehension.iter_var.as_str(), member));
        if let Some(second) = comprehension.iter_var2.as_deref() {
            self.variables.push((second, Type::Any));
        }
        self.of(&comprehension.loop_cond)?;
        let step = self.of(&comprehension.loop_step)?;
        if let Some((_, gathered)) = self.variables.get_mut(outside) {
            *gathered = joined(begin, step);
        }
        let given = self.of(&comprehension.result);
        self.variables.truncate(outside);
        given
    }
}

fn of_literal(literal: &LiteralValue) -> Type {
    match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Bytes(_) => Type::Bytes,
        LiteralValue::Double(_) => Type::Double,
        LiteralValue::Int(_) => Type::Int,
        LiteralValue::Null => Type::Null,
        LiteralValue::String(_) => Type::Text,
        LiteralValue::UInt(_) => Type::Uint,
    }
}

fn of_report(field: &str) -> Type {
    match field {
        "status" | "summary" | "failure" => Type::Text,
        "metrics" => Type::map(Type::Double),
        "series" => Type::map(Type::list(Type::Entry)),
        "details" => Type::map(Type::Any),
        _ => Type::Any,
    }
}

fn of_entry(field: &str) -> Option<Type> {
    match field {
        "value" => Some(Type::Double),
        "labels" => Some(Type::map(Type::Text)),
        _ => None,
    }
}

/// `OPERAND.NAME` and `has(OPERAND.NAME)`.
fn of_field(node: u64, select: &SelectExpr, operand: &Type) -> Result<Type, Problem> {
    let field = select.field.as_str();
    let given = match operand {
        Type::Any => Type::Any,
        Type::Map(value) => (**value).clone(),
        Type::Report => of_report(field),
        Type::Entry => match of_entry(field) {
            Some(given) => given,
            None if select.test => Type::Any,
            None => {
                let hint = format!("it has `value` and `labels`; a label is `s.labels.{field}`");
                return Err(problem(node, format!("a member of a series has no field `{field}`; hint: {hint}")));
            }
        },
        other => return Err(no_field(node, field, other)),
    };
    Ok(if select.test { Type::Bool } else { given })
}

fn no_field(node: u64, field: &str, operand: &Type) -> Problem {
    let hint = match operand {
        Type::List(_) => ASK_MEMBERS.to_owned(),
        Type::Double => "a metric is its number; a metric with labels is in `report.series.NAME`".to_owned(),
        _ => format!("leave `.{field}` out"),
    };
    problem(node, format!("{} has no field `{field}`; hint: {hint}", operand.words()))
}

/// `OPERAND[INDEX]`
fn of_part(node: u64, operand: &Type, index: &Operand<'_>) -> Result<Type, Problem> {
    match operand {
        Type::Any => Ok(Type::Any),
        Type::List(member) if index.given == Type::Any || index.given.is_number() => Ok((**member).clone()),
        Type::List(_) => {
            Err(problem(node, format!("the members of a list have numbers, and this is {}; hint: {ASK_MEMBERS}", index.given.words())))
        }
        Type::Map(value) => Ok((**value).clone()),
        Type::Report => match text_of(index.node) {
            Some(field) => check_field(node, field).map(|()| of_report(field)),
            None => Ok(Type::Any),
        },
        Type::Entry => Ok(text_of(index.node).and_then(of_entry).unwrap_or(Type::Any)),
        other => Err(problem(node, format!("{} has no parts; hint: leave `[...]` out", other.words()))),
    }
}

/// What a macro hands to its variable.
fn of_member(node: u64, range: &Type) -> Result<Type, Problem> {
    match range {
        Type::Any => Ok(Type::Any),
        Type::List(member) => Ok((**member).clone()),
        // The keys; those of a map that the condition writes itself, or of `details`, may be anything.
        Type::Map(value) if **value == Type::Any => Ok(Type::Any),
        Type::Map(_) | Type::Report | Type::Entry => Ok(Type::Text),
        other => {
            let hint = "all numbers of a metric, with and without labels, are in `report.series.NAME`";
            Err(problem(node, format!("a macro asks the members of a list, and this is {}; hint: {hint}", other.words())))
        }
    }
}

fn require_bool(operand: &Operand<'_>) -> Result<(), Problem> {
    let Operand { node, given } = operand;
    if given.may_be_bool() {
        return Ok(());
    }
    Err(problem(node.id, format!("true or false is wanted here, and this is {}; hint: {}", given.words(), made_bool(node, given))))
}

/// How to make a question of what is none.
fn made_bool(node: &IdedExpr, given: &Type) -> String {
    match given {
        Type::Double | Type::Int | Type::Uint => match metric(node) {
            Some(("metrics", name)) => format!("compare it, for example `report.metrics.{name} > 0.0`"),
            _ => "compare it, for example with `> 0.5`".to_owned(),
        },
        Type::Text => "compare it, for example with `== 'ok'`".to_owned(),
        Type::List(_) => ASK_MEMBERS.to_owned(),
        _ => "write a comparison such as `report.metrics.latency_seconds > 0.2`".to_owned(),
    }
}

/// The text that a literal is.
pub(super) fn text_of(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}
