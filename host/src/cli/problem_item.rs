//! What is wrong with a configuration, as programs read it: one item for each mistake and warning.

use serde::Serialize;

use crate::config::{ConfigErrors, Diagnostic};

/// One mistake or warning.
#[derive(Debug, Serialize)]
pub(super) struct ProblemItem<'a> {
    /// `error` or `warning`.
    severity: &'static str,
    file: String,
    /// From 1; null where the file as a whole is meant.
    line: Option<usize>,
    /// In characters, from 1.
    column: Option<usize>,
    message: &'a str,
    reason: Option<&'a str>,
    hint: Option<&'a str>,
}

impl<'a> From<&'a Diagnostic> for ProblemItem<'a> {
    fn from(diagnostic: &'a Diagnostic) -> ProblemItem<'a> {
        let has_place = diagnostic.line > 0;
        ProblemItem {
            severity: diagnostic.severity.as_str(),
            file: diagnostic.file.display().to_string(),
            line: has_place.then_some(diagnostic.line),
            column: has_place.then_some(diagnostic.column),
            message: &diagnostic.message,
            reason: diagnostic.reason.as_deref(),
            hint: diagnostic.hint.as_deref(),
        }
    }
}

/// Warnings before errors, as a person is told.
pub(super) fn items(errors: &ConfigErrors) -> Vec<ProblemItem<'_>> {
    errors.warnings.iter().chain(&errors.errors).map(ProblemItem::from).collect()
}
