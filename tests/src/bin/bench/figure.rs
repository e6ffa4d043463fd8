//! One figure: what was measured, beside its goal, as one line of JSON.

use std::fmt;

use serde_json::Value;

#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    /// None where it could not be measured for want of a tool; then `why` says which.
    value: Option<f64>,
    unit: &'static str,
    /// None: for information.
    goal: Option<Goal>,
    beside: Option<(&'static str, f64, &'static str)>,
    /// Under which conditions.
    with: Option<String>,
    why: Option<String>,
}

/// What passes.
#[derive(Clone, Copy, Debug)]
enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    fn value(self) -> f64 {
        match self {
            Goal::AtMost(value) | Goal::AtLeast(value) => value,
        }
    }
}

impl Figure {
    pub(crate) fn new(name: &'static str, value: f64, unit: &'static str) -> Figure {
        Figure { name, value: Some(value), unit, goal: None, beside: None, with: None, why: None }
    }

    /// The machine lacks what this needs.
    pub(crate) fn missing(name: &'static str, unit: &'static str, why: impl Into<String>) -> Figure {
        Figure { name, value: None, unit, goal: None, beside: None, with: None, why: Some(why.into()) }
    }

    pub(crate) fn at_most(self, goal: f64) -> Figure {
        Figure { goal: Some(Goal::AtMost(goal)), ..self }
    }

    pub(crate) fn at_least(self, goal: f64) -> Figure {
        Figure { goal: Some(Goal::AtLeast(goal)), ..self }
    }

    /// What ran next to it in the same run.
    pub(crate) fn beside(self, name: &'static str, value: f64, unit: &'static str) -> Figure {
        Figure { beside: Some((name, value, unit)), ..self }
    }

    pub(crate) fn with(self, conditions: impl Into<String>) -> Figure {
        Figure { with: Some(conditions.into()), ..self }
    }

    fn pass(&self) -> Option<bool> {
        let value = self.value?;
        Some(match self.goal? {
            Goal::AtMost(goal) => value <= goal,
            Goal::AtLeast(goal) => value >= goal,
        })
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pass = self.pass().map_or("null", |pass| if pass { "true" } else { "false" });
        write!(formatter, "{{\"name\":{},\"value\":{},\"unit\":{}", text(self.name), number(self.value), text(self.unit))?;
        write!(formatter, ",\"goal\":{}", number(self.goal.map(Goal::value)))?;
        if let Some(Goal::AtLeast(_)) = self.goal {
            write!(formatter, ",\"bound\":\"at least\"")?;
        }
        write!(formatter, ",\"pass\":{pass}")?;
        if let Some((name, value, unit)) = self.beside {
            write!(formatter, ",\"beside\":{{\"name\":{},\"value\":{},\"unit\":{}}}", text(name), number(Some(value)), text(unit))?;
        }
        if let Some(with) = &self.with {
            write!(formatter, ",\"with\":{}", text(with))?;
        }
        if let Some(why) = &self.why {
            write!(formatter, ",\"why\":{}", text(why))?;
        }
        write!(formatter, "}}")
    }
}

fn text(text: &str) -> String {
    Value::from(text).to_string()
}

/// Four significant digits: no figure is better than that.
fn number(value: Option<f64>) -> String {
    let Some(value) = value.filter(|value| value.is_finite()) else { return "null".to_owned() };
    if value == 0.0 {
        return "0".to_owned();
    }
    let decimals = (3 - value.abs().log10().floor() as i32).clamp(0, 12) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_one_line_of_json() {
        let figure = Figure::new("http_check_to_blackbox", 0.123_456, "ratio")
            .at_most(1.0 / 6.0)
            .beside("blackbox_probe_cpu", 580.4, "us")
            .with("\"a\"");
        let line = figure.to_string();
        assert_eq!(
            line,
            r#"{"name":"http_check_to_blackbox","value":0.1235,"unit":"ratio","goal":0.1667,"pass":true,"beside":{"name":"blackbox_probe_cpu","value":580.4,"unit":"us"},"with":"\"a\""}"#
        );
        assert!(serde_json::from_str::<Value>(&line).is_ok());
    }

    #[test]
    fn a_missed_goal_and_a_missing_tool_are_told_apart() {
        assert!(Figure::new("swap_new", 501.0, "ms").at_most(500.0).to_string().contains(r#""pass":false"#));
        assert!(Figure::new("bare_hyper_cpu", 37.0, "us").to_string().contains(r#""goal":null,"pass":null"#));
        let missing = Figure::missing("http_check_to_blackbox", "ratio", "not installed").at_most(0.5).to_string();
        assert!(missing.contains(r#""value":null"#) && missing.contains(r#""pass":null,"why":"not installed""#), "{missing}");
    }

    #[test]
    fn a_goal_from_below_says_so() {
        let told = |value: f64| Figure::new("core_results_per_second", value, "results/s").at_least(100_000.0).to_string();
        assert!(told(120_000.0).contains(r#""goal":100000,"bound":"at least","pass":true"#), "{}", told(120_000.0));
        assert!(told(99_999.0).contains(r#""pass":false"#));
        assert!(!Figure::new("swap_new", 1.0, "ms").at_most(500.0).to_string().contains("bound"));
    }

    #[test]
    fn numbers_have_four_digits_that_count() {
        let written = [0.0, 1.0, 123_456.0, 0.000_123_456, 2.5, 99.999_9, -1.5].map(|value| number(Some(value)));
        assert_eq!(written, ["0", "1", "123456", "0.0001235", "2.5", "100", "-1.5"]);
        assert_eq!(number(Some(f64::NAN)), "null");
    }
}
