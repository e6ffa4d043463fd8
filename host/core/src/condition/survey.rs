//! What an expression names: refused where it does not exist, listed where it is a metric.

use std::collections::BTreeSet;

use cel::IdedExpr;
use cel::common::ast::operators;
use cel::common::ast::{ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, LiteralValue};

use super::past;
use super::types::text_of;

/// Macros (`exists`, `all`, `map`, `filter`, `exists_one`) inside each other.
const LOOPS_MAX: usize = 3;

/// The fields of the variable `report`.
const FIELDS: [&str; 6] = ["status", "summary", "failure", "metrics", "series", "details"];

/// Names of types, as in `type(x) == double`.
pub(super) const TYPES: [&str; 10] = ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"];

/// The functions that a condition may call; macros are expanded by the parser and need no entry.
const FUNCTIONS: [&str; 13] =
    ["bool", "bytes", "contains", "double", "dyn", "endsWith", "int", "matches", "size", "startsWith", "string", "type", "uint"];

/// Why an expression is refused, and the node where.
pub(super) struct Problem {
    pub(super) node: u64,
    pub(super) message: String,
}

/// The metrics that `expression` names, sorted.
pub(super) fn survey(expression: &IdedExpr) -> Result<Vec<String>, Problem> {
    let mut survey = Survey { variables: Vec::new(), metric_names: BTreeSet::new() };
    survey.visit(expression, 0)?;
    Ok(survey.metric_names.into_iter().map(str::to_owned).collect())
}

/// The group (`metrics` or `series`) and the name of `report.GROUP.NAME` or `report.GROUP["NAME"]`.
pub(super) fn metric(node: &IdedExpr) -> Option<(&str, &str)> {
    let (operand, name) = member(node)?;
    let (root, group) = member(operand)?;
    (is_report(root) && matches!(group, "metrics" | "series")).then_some((group, name))
}

/// The operand and the name of `OPERAND.NAME`, `has(OPERAND.NAME)` or `OPERAND["NAME"]`.
fn member(node: &IdedExpr) -> Option<(&IdedExpr, &str)> {
    match &node.expr {
        Expr::Select(select) => Some((&*select.operand, select.field.as_str())),
        Expr::Call(call) if call.func_name == operators::INDEX => match call.args.as_slice() {
            [operand, IdedExpr { expr: Expr::Literal(LiteralValue::String(name)), .. }] => Some((operand, name.inner())),
            _ => None,
        },
        _ => None,
    }
}

fn is_report(node: &IdedExpr) -> bool {
    matches!(&node.expr, Expr::Ident(name) if name == "report")
}

struct Survey<'expression> {
    /// The variables of the macros round the place that is visited.
    variables: Vec<&'expression str>,
    metric_names: BTreeSet<&'expression str>,
}

impl<'expression> Survey<'expression> {
    fn visit(&mut self, node: &'expression IdedExpr, loops: usize) -> Result<(), Problem> {
        if let Some((_, name)) = metric(node) {
            self.metric_names.insert(name);
        }
        match &node.expr {
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.check_name(node.id, name),
            Expr::Select(select) => {
                if is_report(&select.operand) {
                    check_field(node.id, &select.field)?;
                }
                self.visit(&select.operand, loops)
            }
            Expr::Call(call) => {
                if let Some(found) = past::call(node.id, call) {
                    let metric = found.map(|_| call.args.first().and_then(text_of).filter(|_| call.args.len() > 1))?;
                    self.metric_names.extend(metric);
                    return Ok(());
                }
                check_function(node.id, &call.func_name)?;
                let mut parts = call.target.as_deref().into_iter().chain(&call.args);
                parts.try_for_each(|part| self.visit(part, loops))
            }
            Expr::List(list) => list.elements.iter().try_for_each(|element| self.visit(element, loops)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| self.visit_entry(entry, loops)),
            Expr::Comprehension(comprehension) => self.visit_loop(node.id, comprehension, loops),
            Expr::Struct(message) => {
                Err(problem(node.id, format!("there is no message type `{}`; hint: a condition is a comparison", message.type_name)))
            }
            Expr::Unspecified => Err(problem(node.id, "a part of it cannot be read")),
        }
    }

    fn visit_entry(&mut self, entry: &'expression IdedEntryExpr, loops: usize) -> Result<(), Problem> {
        match &entry.expr {
            EntryExpr::StructField(field) => self.visit(&field.value, loops),
            EntryExpr::MapEntry(entry) => {
                self.visit(&entry.key, loops)?;
                self.visit(&entry.value, loops)
            }
        }
    }

    fn visit_loop(&mut self, node: u64, comprehension: &'expression ComprehensionExpr, loops: usize) -> Result<(), Problem> {
        self.visit(&comprehension.iter_range, loops)?;
        self.visit(&comprehension.accu_init, loops)?;
        let loops = loops + 1;
        if loops > LOOPS_MAX {
            return Err(problem(
                node,
                format!("it has macros more than {LOOPS_MAX} deep inside each other; hint: judge in the plugin and report a metric"),
            ));
        }
        if comprehension.iter_var == "report" {
            return Err(problem(node, "the variable of a macro may not be called `report`; hint: call it `s`"));
        }
        let outside = self.variables.len();
        self.variables.push(&comprehension.iter_var);
        self.variables.extend(comprehension.iter_var2.as_deref());
        for part in [&comprehension.loop_cond, &comprehension.loop_step, &comprehension.result] {
            self.visit(part, loops)?;
        }
        self.variables.truncate(outside);
        Ok(())
    }

    fn check_name(&self, node: u64, name: &str) -> Result<(), Problem> {
        // Names that begin with `@` come from the parser's macros; none can be written.
        let known = name == "report" || name.starts_with('@') || self.variables.contains(&name) || TYPES.contains(&name);
        if known {
            return Ok(());
        }
        Err(problem(
            node,
            format!("unknown name `{name}`; hint: a condition reads `report`, as in `report.metrics.NAME`; texts stand in quotes"),
        ))
    }
}

pub(super) fn check_field(node: u64, field: &str) -> Result<(), Problem> {
    if FIELDS.contains(&field) {
        return Ok(());
    }
    let hint = format!("a report has {}; a metric is `report.metrics.{field}`", FIELDS.map(|field| format!("`{field}`")).join(", "));
    Err(problem(node, format!("a report has no field `{field}`; hint: {hint}")))
}

fn check_function(node: u64, name: &str) -> Result<(), Problem> {
    // Operators carry names that cannot be written, such as `_>_`.
    let written = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
    if !written || FUNCTIONS.contains(&name) {
        return Ok(());
    }
    let hint = "functions are `size`, `contains`, `startsWith`, `endsWith`, `matches`, `type` and conversions, over the last results \
                `p95('latency_seconds', '10m')` and its like; macros are `has(a.b)` and `list.exists(s, ...)`";
    Err(problem(node, format!("there is no function `{name}` for these arguments; hint: {hint}")))
}

pub(super) fn problem(node: u64, message: impl Into<String>) -> Problem {
    Problem { node, message: message.into() }
}
