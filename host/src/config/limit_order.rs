//! Limits of a check's `config` that come in the wrong order: where `critical` is reached before `warning`, nobody ever hears the warning.
//!
//! Two keys of a plugin's schema are a pair where their names differ in `warning` and `critical` alone, such as `warning_ratio` and
//! `critical_ratio`. Which way is worse is told by the name (`above`, `below`), by the schema's own defaults, by what the plugin says of
//! the key, and at last by a name of which more is always worse. Where none of them tells, nothing is said.
//!
//! Invariant: this is advice, so all of it is warnings.

use serde_json::Value;

use super::diagnostic::{Problem, shown};

/// In a description: more is worse.
const MORE_WORDS: [&str; 7] = ["above", "further", "larger", "longer", "more", "older", "slower"];
/// In a description: less is worse.
const LESS_WORDS: [&str; 7] = ["below", "fewer", "less", "lower", "shorter", "smaller", "within"];
/// Parts of names that say nothing by themselves: a hit ratio is worse where it is small, a used one where it is large.
const EITHER_WAY: [&str; 9] = ["available", "days", "free", "hit", "left", "min", "ratio", "remaining", "score"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worse {
    Above,
    Below,
}

/// A key of `config`, written, whose limit is in the wrong order, and what to say of it.
pub(super) fn problems(config: &Value, schema: &Value) -> Vec<(String, Problem)> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Vec::new() };
    let pairs = properties.keys().filter_map(|warning| {
        let critical = partner(warning)?;
        properties.contains_key(&critical).then_some((warning.as_str(), critical))
    });
    pairs.filter_map(|(warning, critical)| problem(config, properties, warning, &critical)).collect()
}

/// `critical_ratio` for `warning_ratio`.
fn partner(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split('_').collect();
    let is_warning = parts.iter().filter(|part| **part == "warning").count() == 1;
    is_warning.then(|| parts.iter().map(|part| if *part == "warning" { "critical" } else { *part }).collect::<Vec<_>>().join("_"))
}

fn problem(config: &Value, properties: &serde_json::Map<String, Value>, warning: &str, critical: &str) -> Option<(String, Problem)> {
    let limit = |key: &str| config.get(key).or_else(|| properties.get(key)?.get("default")).filter(|value| value.is_number());
    let (warning_limit, critical_limit) = (limit(warning)?, limit(critical)?);
    let key = [critical, warning].into_iter().find(|key| config.get(*key).is_some())?;
    let worse = worse(properties, warning, critical)?;
    let (warns_at, fails_at) = (warning_limit.as_f64()?, critical_limit.as_f64()?);
    let (is_wrong, side) = match worse {
        Worse::Above => (fails_at < warns_at, "below"),
        Worse::Below => (fails_at > warns_at, "above"),
    };
    if !is_wrong {
        return None;
    }
    let message =
        format!("the critical limit {critical_limit} is reached before the warning limit {warning_limit}, so `warning` is never said");
    let problem = Problem::warning(message);
    let problem = match [warning, critical].into_iter().find(|key| config.get(*key).is_none()) {
        Some(absent) => problem.reason(format!("`config.{}` is not written, so it is the plugin's default", shown(absent))),
        None => problem,
    };
    Some((key.to_owned(), problem.hint(format!("make `{}` a number {side} `{}`", shown(warning), shown(critical)))))
}

/// Which way is worse, where that is certain.
fn worse(properties: &serde_json::Map<String, Value>, warning: &str, critical: &str) -> Option<Worse> {
    let has = |part: &str| warning.split('_').any(|have| have == part);
    match (has("above"), has("below")) {
        (true, false) => return Some(Worse::Above),
        (false, true) => return Some(Worse::Below),
        _ => {}
    }
    let default = |key: &str| properties.get(key)?.get("default")?.as_f64();
    if let (Some(warning), Some(critical)) = (default(warning), default(critical))
        && warning.total_cmp(&critical).is_ne()
    {
        return Some(if warning < critical { Worse::Above } else { Worse::Below });
    }
    let said = |key: &str| properties.get(key).and_then(|part| part.get("description")).and_then(Value::as_str).unwrap_or_default();
    let (says_more, says_less) = (speaks(said(warning), &MORE_WORDS), speaks(said(warning), &LESS_WORDS));
    match (says_more, says_less) {
        (true, false) => Some(Worse::Above),
        (false, true) => Some(Worse::Below),
        (true, true) => None,
        (false, false) => (!EITHER_WAY.iter().any(|part| has(part))).then_some(Worse::Above),
    }
}

fn speaks(text: &str, words: &[&str]) -> bool {
    text.split(|character: char| !character.is_alphabetic()).any(|spoken| words.iter().any(|word| spoken.eq_ignore_ascii_case(word)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `key: message; reason; hint` of every pair in the wrong order.
    fn told(properties: Value, config: &Value) -> Vec<String> {
        let found = problems(config, &json!({ "properties": properties }));
        let line = |(key, problem): (String, Problem)| {
            let more: Vec<String> = [problem.reason, problem.hint].into_iter().flatten().collect();
            format!("{key}: {}; {}", problem.message, more.join("; "))
        };
        found.into_iter().map(line).collect()
    }

    #[test]
    fn a_critical_limit_that_is_reached_first_is_told_at_its_key() {
        let used = json!({
            "warning_ratio": { "type": "number", "default": 0.8, "description": "Warning when a larger part is used." },
            "critical_ratio": { "type": "number", "default": 0.9 }
        });
        assert_eq!(
            told(used.clone(), &json!({ "warning_ratio": 0.9, "critical_ratio": 0.5 })),
            ["critical_ratio: the critical limit 0.5 is reached before the warning limit 0.9, so `warning` is never said; \
              make `warning_ratio` a number below `critical_ratio`"]
        );
        assert_eq!(
            told(used.clone(), &json!({ "warning_ratio": 0.95 })),
            ["warning_ratio: the critical limit 0.9 is reached before the warning limit 0.95, so `warning` is never said; \
              `config.critical_ratio` is not written, so it is the plugin's default; make `warning_ratio` a number below `critical_ratio`"]
        );
        for right in [json!({}), json!({ "critical_ratio": 0.8 }), json!({ "warning_ratio": 0.1, "critical_ratio": 0.2 })] {
            assert_eq!(told(used.clone(), &right), Vec::<String>::new(), "{right}");
        }
    }

    #[test]
    fn below_turns_the_order_round() {
        let properties = json!({ "warning_below": {}, "critical_below": {}, "lag_warning_above": {}, "lag_critical_above": {} });
        let found = told(properties.clone(), &json!({ "warning_below": 5, "critical_below": 10 }));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].ends_with("make `warning_below` a number above `critical_below`"), "{found:?}");
        let right = json!({ "warning_below": 10, "critical_below": 5, "lag_warning_above": 1, "lag_critical_above": 2 });
        assert_eq!(told(properties, &right), Vec::<String>::new());
    }

    #[test]
    fn the_plugins_words_tell_which_way_is_worse() {
        let hits = |description: &str| json!({ "warning_ratio": { "description": description }, "critical_ratio": {} });
        let wrong_for_hits = json!({ "warning_ratio": 0.5, "critical_ratio": 0.9 });
        assert_eq!(told(hits("Warning when a smaller part is a hit."), &wrong_for_hits).len(), 1);
        assert_eq!(told(hits("Warning when a larger part is used."), &wrong_for_hits).len(), 0);
        // A ratio alone is worse either way.
        let other_order = json!({ "warning_ratio": 0.9, "critical_ratio": 0.5 });
        assert_eq!(told(hits("A part."), &wrong_for_hits).len() + told(hits("A part."), &other_order).len(), 0);
    }

    #[test]
    fn names_alone_tell_where_more_is_always_worse() {
        let properties =
            json!({ "warning_seconds": {}, "critical_seconds": {}, "certificate_warning_days": {}, "certificate_critical_days": {} });
        let config = json!({
            "warning_seconds": 10, "critical_seconds": 5, "certificate_warning_days": 7, "certificate_critical_days": 30
        });
        let found = told(properties, &config);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("critical_seconds: the critical limit 5 is reached before the warning limit 10"), "{found:?}");
    }

    #[test]
    fn what_is_no_number_or_has_no_partner_is_left_alone() {
        let properties = json!({ "warning_seconds": {}, "critical_seconds": {}, "waiting_warning": {}, "warning": {} });
        assert_eq!(
            told(properties, &json!({ "warning_seconds": "10s", "critical_seconds": 5, "waiting_warning": 1, "warning": 1 })),
            Vec::<String>::new()
        );
        assert!(problems(&json!({ "warning": 1 }), &json!(true)).is_empty());
    }
}
