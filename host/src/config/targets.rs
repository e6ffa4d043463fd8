//! `targets = [...]`: one `[[check]]` that stands for many, `NAME@TARGET` each.
//!
//! `{{target}}` in a value of `config` and in a grant stands for the target, as it is written; in a check without `targets` it is text like any
//! other, with a warning.
//!
//! Limits: [`TARGETS_MAX`], [`TARGET_BYTES_MAX`].

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::Value;

use super::diagnostic::{Problem, shown};
use super::nearest;
use super::settings::Scope;
use super::text::{CheckText, Placed};

const TARGETS_MAX: usize = 1_000;
/// With the longest name before it still a short cursor of a list.
const TARGET_BYTES_MAX: usize = 256;
const PLACEHOLDER: &str = "{{target}}";
/// The label that says which target a check has.
pub(super) const LABEL: &str = "target";

/// Each target of a check; one `None` for a check without. Wrong ones are noted and left out.
pub(super) fn targets<'w>(written: &'w CheckText, scope: &mut Scope<'_>) -> Vec<Option<&'w str>> {
    let Some(list) = &written.targets else { return vec![None] };
    if list.value().is_empty() {
        let problem = Problem::new("`targets` is empty").reason("a check runs once for each of its targets");
        scope.note(list.span(), problem.hint("write at least one, or remove `targets`"));
    }
    if let Some(excess) = list.value().get(TARGETS_MAX) {
        let reason = format!("a check has at most {TARGETS_MAX}");
        scope.note(excess.span(), Problem::new("too many targets").reason(reason).hint("share them out among several checks"));
    }
    let mut taken = HashSet::new();
    let mut targets = Vec::new();
    for target in list.value().iter().take(TARGETS_MAX) {
        match judge(target, &mut taken) {
            Ok(()) => targets.push(Some(target.value().as_str())),
            Err(problem) => scope.note(target.span(), problem),
        }
    }
    targets
}

fn judge<'w>(target: &'w Placed<String>, taken: &mut HashSet<&'w str>) -> Result<(), Problem> {
    let text = target.value().as_str();
    if text.is_empty() || text.trim() != text || text.chars().any(char::is_control) {
        return Err(Problem::new(format!("\"{}\" is not a target", shown(text)))
            .reason("a target is not empty, has no control characters, and neither begins nor ends with a blank")
            .hint("write a target such as \"a.internal\""));
    }
    if text.len() > TARGET_BYTES_MAX {
        let reason = format!("it has {} bytes, the limit is {TARGET_BYTES_MAX}", text.len());
        return Err(Problem::new("the target is too long").reason(reason).hint("write what all targets share into `config`"));
    }
    if !taken.insert(text) {
        let problem = Problem::new(format!("the target `{}` stands twice", shown(text)));
        return Err(problem.reason("a check has one name for each target").hint("remove one"));
    }
    Ok(())
}

/// The name of the check of one target.
pub(super) fn name(check: &str, target: Option<&str>) -> String {
    target.map_or_else(|| check.to_owned(), |target| format!("{check}@{target}"))
}

pub(super) fn filled<'t>(text: &'t str, target: Option<&str>) -> Cow<'t, str> {
    match target {
        Some(target) if text.contains(PLACEHOLDER) => Cow::Owned(text.replace(PLACEHOLDER, target)),
        _ => Cow::Borrowed(text),
    }
}

/// Every text of `value` filled; names of keys stay as they are.
pub(super) fn fill(value: &mut Value, target: Option<&str>) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(filled) = filled(text, target) {
                *text = filled;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, target)),
        Value::Object(entries) => entries.values_mut().for_each(|value| fill(value, target)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Warns of what looks as if it were filled in and is not.
pub(super) fn judge_unfilled(written: &CheckText, config: &Value, scope: &mut Scope<'_>) {
    let Some(table) = &written.config else { return };
    // Two opening braces stand side by side in a text only, never in what JSON itself is made of.
    let text = config.to_string();
    let found = text.match_indices("{{").find_map(|(at, _)| {
        let inner = text[at + 2..].split_once("}}")?.0;
        unfilled(inner, written.targets.is_some())
    });
    if let Some((name, hint)) = found {
        let problem = Problem::warning(format!("nothing is filled in for `{{{{{}}}}}`", shown(&name)));
        let reason = "of a check's `config` only `{{target}}`, with `targets`, and `{{secret:NAME}}` are filled in; all else is text";
        scope.note(table.span(), problem.reason(reason).hint(hint));
    }
}

/// What is written between the braces, and what was meant; None where it is filled in, or another's.
fn unfilled(inner: &str, has_targets: bool) -> Option<(String, String)> {
    const NAME_BYTES_MAX: usize = 128;
    if inner.len() > NAME_BYTES_MAX {
        return None;
    }
    let (word, rest) = inner.split_once(':').map_or((inner, None), |(word, rest)| (word, Some(rest.trim())));
    let hint = match (word, rest) {
        ("secret", _) => return None,
        ("target", None) if has_targets => return None,
        ("target", None) => "write `targets = [\"...\"]` into the check, or the name itself here".to_owned(),
        (word, Some(rest)) => format!("did you mean `{{{{{}:{rest}}}}}`?", nearest(word.trim(), &["secret"])?),
        (word, None) => format!("did you mean `{{{{{}}}}}`?", nearest(word.trim(), &["target"])?),
    };
    Some((inner.to_owned(), hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_between_braces_is_told_and_what_is_others_is_not() {
        let told = |inner: &str, has_targets| unfilled(inner, has_targets).map(|(_, hint)| hint);
        assert!(told("target", false).is_some_and(|hint| hint.contains("targets = ")));
        for (inner, meant) in
            [("taget", "{{target}}"), (" target ", "{{target}}"), ("secrets:tok", "{{secret:tok}}"), ("Secret:a", "{{secret:a}}")]
        {
            assert!(told(inner, true).is_some_and(|hint| hint.contains(meant)), "{inner}");
        }
        for inner in ["target", "secret:a", "name", "user:id", ""] {
            assert_eq!(told(inner, true), None, "{inner}");
        }
    }

    #[test]
    fn the_placeholder_is_filled_at_every_depth_and_in_no_key() {
        let mut value =
            serde_json::json!({ "url": "https://{{target}}/{{target}}", "{{target}}": [{ "x": "{{target}}" }, 1, null, "{target}"] });
        fill(&mut value, Some("a"));
        assert_eq!(value, serde_json::json!({ "url": "https://a/a", "{{target}}": [{ "x": "a" }, 1, null, "{target}"] }));
    }

    #[test]
    fn a_target_that_looks_like_the_placeholder_is_filled_once() {
        assert_eq!(filled("<{{target}}>", Some("{{target}}")), "<{{target}}>");
    }

    #[test]
    fn without_a_target_the_placeholder_is_text() {
        assert_eq!(filled("{{target}}", None), "{{target}}");
        assert_eq!((name("api", None), name("api", Some("b/c"))), ("api".to_owned(), "api@b/c".to_owned()));
    }
}
