//! Evaluation with an end: every loop of a macro asks for a step, and when the steps are spent the evaluation fails.
//!
//! A report is bounded, yet three macros inside each other over 256 series are 16 million rounds. So the expression is changed once,
//! when it is compiled: each loop first reads the variable [`STEP`], which no text can spell and which is gone when the steps are.
//! A name that is gone is an error, and the place is chosen so that the loop ends with it.
//!
//! A function over the past that has too few samples is a variable without a value, so what needs it fails, and the condition does not hold;
//! `||` forgives it where the other side holds.
//!
//! Functions and types of CEL live in one context for the whole process: making it costs more than ten evaluations.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use cel::common::ast::operators;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, IdedExpr, LiteralValue};
use cel::common::types::{CelBool, CelDouble, CelMap};
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::{Context, ExecutionError, Value};

use super::{MESSAGE_BYTES_MAX, ReportView, past};
use crate::text::cut;
use crate::window::WindowCall;

/// Rounds of all loops of one evaluation together.
const STEPS_MAX: u32 = 20_000;

/// The variable that each round of a loop reads.
const STEP: &str = "@step";

static ROOT: LazyLock<Context<'static, 'static>> = LazyLock::new(Context::default);

/// The value of `expression`, which has variables for `windows`, for the report of `view`; or why it has none.
pub(super) fn evaluate(expression: &IdedExpr, windows: &[WindowCall], view: &ReportView<'_>) -> Result<Value, String> {
    let variables = Variables {
        report: view.variable(),
        step: CelBool::from(true),
        steps: AtomicU32::new(0),
        view,
        windows,
        too_few_samples: AtomicBool::new(false),
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let root: &Context<'_, '_> = LazyLock::force(&ROOT);
        let mut scope = root.new_inner_scope();
        scope.set_variable_resolver(&variables);
        Value::resolve(expression, &scope)
    }));
    let message = match outcome {
        // Also where a value came out: `||` forgives the error that ended a loop.
        _ if variables.steps.load(Ordering::Relaxed) > STEPS_MAX => {
            format!(
                "it takes more than {STEPS_MAX} steps; hint: put fewer macros inside each other, or judge in the plugin and report a metric"
            )
        }
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(_)) if variables.too_few_samples.load(Ordering::Relaxed) => return Ok(Value::Bool(false)),
        Ok(Err(error)) => describe(error),
        Err(_panic) => "its evaluation broke down".to_owned(),
    };
    Err(cut(message, MESSAGE_BYTES_MAX))
}

/// What CEL calls the type of `value`.
pub(super) fn type_name(value: &Value) -> String {
    match value {
        Value::Float(_) => "double".to_owned(),
        other => other.type_of().to_string(),
    }
}

/// The variables of one evaluation.
struct Variables<'view> {
    report: &'view CelMap<'view>,
    step: CelBool,
    steps: AtomicU32,
    view: &'view ReportView<'view>,
    windows: &'view [WindowCall],
    too_few_samples: AtomicBool,
}

impl VariableResolver for Variables<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        match variable {
            "report" => Some(CowVal::Borrowed(self.report)),
            STEP if self.steps.fetch_add(1, Ordering::Relaxed) < STEPS_MAX => Some(CowVal::Borrowed(&self.step)),
            _ => {
                let value = self.view.past(self.windows.get(past::index_of(variable)?)?);
                if value.is_none() {
                    self.too_few_samples.store(true, Ordering::Relaxed);
                }
                value.map(|value| CowVal::owned(CelDouble::from(value)))
            }
        }
    }
}

fn describe(error: ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => {
            format!("the report has no `{key}`; hint: guard with `has(...) &&`; a metric with labels is in `report.series`")
        }
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => format!(
            "`{operator}` does not take {} and {}; hint: metrics are doubles, and beside one `2` is written `2.0`",
            type_name(&left),
            type_name(&right)
        ),
        ExecutionError::ValuesNotComparable(left, right) => {
            format!("{} and {} cannot be compared", type_name(&left), type_name(&right))
        }
        other => other.to_string(),
    }
}

/// Makes every loop in `expression` read [`STEP`] in each round.
pub(super) fn count_loops(expression: &mut IdedExpr) {
    match &mut expression.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
        Expr::Select(select) => count_loops(&mut select.operand),
        Expr::Call(call) => {
            call.target.as_deref_mut().into_iter().for_each(count_loops);
            call.args.iter_mut().for_each(count_loops);
        }
        Expr::List(list) => list.elements.iter_mut().for_each(count_loops),
        Expr::Map(map) => map.entries.iter_mut().for_each(count_entry),
        Expr::Struct(message) => message.entries.iter_mut().for_each(count_entry),
        Expr::Comprehension(comprehension) => count_loop(comprehension),
    }
}

fn count_entry(entry: &mut IdedEntryExpr) {
    match &mut entry.expr {
        EntryExpr::StructField(field) => count_loops(&mut field.value),
        EntryExpr::MapEntry(entry) => {
            count_loops(&mut entry.key);
            count_loops(&mut entry.value);
        }
    }
}

fn count_loop(comprehension: &mut ComprehensionExpr) {
    count_loops(&mut comprehension.iter_range);
    count_loops(&mut comprehension.accu_init);
    count_loops(&mut comprehension.loop_cond);
    count_loops(&mut comprehension.loop_step);
    count_loops(&mut comprehension.result);
    // The interpreter appends in place for `map` and `filter`, and forgives errors for `all` and `exists`, where it knows the loop by
    // its shape. Those shapes stay: a literal loop condition and a step that is conditional or an addition, or a step that is `&&` or `||`.
    if !matches!(comprehension.loop_cond.expr, Expr::Literal(_)) {
        stepping(&mut comprehension.loop_cond);
        return;
    }
    match &mut comprehension.loop_step.expr {
        Expr::Call(call) if call.func_name == operators::CONDITIONAL && call.args.len() == 3 => stepping(&mut call.args[0]),
        _ => {
            let step = mem::take(&mut comprehension.loop_step);
            let unchanged = node(Expr::Ident(comprehension.accu_var.clone()));
            comprehension.loop_step = conditional(node(Expr::Ident(STEP.to_owned())), step, unchanged);
        }
    }
}

/// `condition` becomes `@step ? condition : false`: without a step it is an error, which nothing in the loop forgives.
fn stepping(condition: &mut IdedExpr) {
    let inner = mem::take(condition);
    let never = node(Expr::Literal(LiteralValue::Boolean(CelBool::from(false))));
    *condition = conditional(node(Expr::Ident(STEP.to_owned())), inner, never);
}

fn conditional(condition: IdedExpr, then: IdedExpr, otherwise: IdedExpr) -> IdedExpr {
    let func_name = operators::CONDITIONAL.to_owned();
    node(Expr::Call(CallExpr { func_name, target: None, args: vec![condition, then, otherwise] }))
}

fn node(expr: Expr) -> IdedExpr {
    IdedExpr { id: 0, expr }
}
