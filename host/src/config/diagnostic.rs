//! What is wrong (or odd) about a configuration: what happened, where, why, and how to mend it.
//!
//! A [`Problem`] is the finding of a pure function and knows no place. [`Findings`] puts problems at their places and keeps a
//! bounded number of them, in the order of the files. A [`Diagnostic`] is what people see: a block on a terminal, one line in a log.
//! Warnings come before errors, so that a terminal ends with what has to be mended.
//!
//! Invariant: no text of a diagnostic shows the user information of a URL; an excerpt shows stars in its place, and nothing of a text that
//! stands below a table with credentials.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use sickbay_core::Shapes;

use super::place::{Position, Source, Span};
use super::veil::veiled;

/// Of errors and of warnings. A longer list helps nobody: the first mistakes are mended first.
const DIAGNOSTICS_MAX: usize = 50;
/// Longer lines are cut round the place.
const EXCERPT_CHARACTERS_MAX: usize = 120;
/// How much of a cut line stands before the place.
const EXCERPT_LEAD_CHARACTERS: usize = 40;
/// How much of a value a message quotes.
const SHOWN_CHARACTERS_MAX: usize = 80;
/// How much of a plugin's own sentence a message quotes.
const SENTENCE_CHARACTERS_MAX: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The configuration does not take effect.
    Error,
    /// It does; somebody should look.
    Warning,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// `1 error`, `2 errors`.
pub fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// The line that a diagnostic points at, made fit for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    pub text: String,
    /// Characters of `text` before the underlined ones.
    pub offset: usize,
    /// How many characters are underlined; at least 1.
    pub width: usize,
}

/// One finding at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub file: PathBuf,
    /// From 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// In characters, from 1; 0 where the file as a whole is meant.
    pub column: usize,
    pub message: String,
    /// Why it is not allowed.
    pub reason: Option<String>,
    /// What to write instead.
    pub hint: Option<String>,
    pub severity: Severity,
    pub excerpt: Option<Excerpt>,
}

impl Diagnostic {
    pub(super) fn new(source: &Source, span: Span, problem: Problem) -> Diagnostic {
        let position = source.position(span);
        Diagnostic {
            file: source.path().to_path_buf(),
            line: position.line,
            column: position.column,
            message: problem.message,
            reason: problem.reason,
            hint: problem.hint,
            severity: problem.severity,
            excerpt: Some(excerpt_of(source, &position)),
        }
    }

    pub(super) fn of_file(file: &Path, problem: Problem) -> Diagnostic {
        Diagnostic {
            file: file.to_path_buf(),
            line: 0,
            column: 0,
            message: problem.message,
            reason: problem.reason,
            hint: problem.hint,
            severity: problem.severity,
            excerpt: None,
        }
    }

    /// Writes it into the log: one line, the place, the reason and the hint as fields.
    pub fn log(&self) {
        let message = one_line(&self.message);
        let file = self.file.to_string_lossy();
        let file: &str = &file;
        let (line, column) = ((self.line > 0).then_some(self.line), (self.line > 0).then_some(self.column));
        let (reason, hint) = (self.reason.as_deref(), self.hint.as_deref());
        match self.severity {
            Severity::Error => tracing::error!(file, line, column, reason, hint, "{message}"),
            Severity::Warning => tracing::warn!(file, line, column, reason, hint, "{message}"),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}\n  --> {}", self.severity.as_str(), self.message, self.file.display())?;
        if self.line > 0 {
            write!(formatter, ":{}:{}", self.line, self.column)?;
        }
        if let Some(excerpt) = &self.excerpt {
            let number = self.line.to_string();
            let gutter = " ".repeat(number.len());
            write!(formatter, "\n{gutter} |\n{number} | {}", excerpt.text)?;
            write!(formatter, "\n{gutter} | {}{}", " ".repeat(excerpt.offset), "^".repeat(excerpt.width))?;
        }
        if let Some(reason) = &self.reason {
            write!(formatter, "\n  reason: {reason}")?;
        }
        if let Some(hint) = &self.hint {
            write!(formatter, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// Why a configuration is not taken, and what else was found; each list in the order of the files and bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    /// At least one and at most 50.
    pub errors: Vec<Diagnostic>,
    /// At most 50.
    pub warnings: Vec<Diagnostic>,
}

impl ConfigErrors {
    /// `1 error, 2 warnings`
    pub fn tally(&self) -> String {
        // A list that was cut is told by its length.
        let count = |list: &[Diagnostic], noun: &str| match list.len() {
            DIAGNOSTICS_MAX => format!("{DIAGNOSTICS_MAX} or more {noun}s"),
            length => counted(length, noun),
        };
        let errors = count(&self.errors, "error");
        if self.warnings.is_empty() { errors } else { format!("{errors}, {}", count(&self.warnings, "warning")) }
    }

    /// Writes all of it into the log, a line each.
    pub fn log(&self) {
        self.warnings.iter().chain(&self.errors).for_each(Diagnostic::log);
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.warnings.iter().chain(&self.errors).enumerate() {
            if index > 0 {
                formatter.write_str("\n\n")?;
            }
            write!(formatter, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// The warnings among what was found where nothing is wrong; sorted by place and bounded.
pub fn verdict(mut found: Vec<Diagnostic>) -> Result<Vec<Diagnostic>, ConfigErrors> {
    found.sort_by(|one, other| (&one.file, one.line, one.column).cmp(&(&other.file, other.line, other.column)));
    // The targets of a check share its place, and mostly what is found there.
    let mut seen = HashSet::new();
    found.retain(|diagnostic| seen.insert((diagnostic.file.clone(), diagnostic.line, diagnostic.column, diagnostic.message.clone())));
    let (errors, warnings): (Vec<_>, Vec<_>) = found.into_iter().partition(|diagnostic| diagnostic.severity == Severity::Error);
    let warnings = bounded(warnings, 0);
    if errors.is_empty() { Ok(warnings) } else { Err(ConfigErrors { errors: bounded(errors, 0), warnings }) }
}

/// At most [`DIAGNOSTICS_MAX`]; the last tells how many more there are, with the `left_out` ones.
fn bounded(mut found: Vec<Diagnostic>, left_out: usize) -> Vec<Diagnostic> {
    let left_out = left_out + found.len().saturating_sub(DIAGNOSTICS_MAX);
    found.truncate(DIAGNOSTICS_MAX);
    if left_out > 0
        && let Some(last) = found.pop()
    {
        let (noun, hint) = match last.severity {
            Severity::Error => ("mistakes", "mend the ones above first"),
            Severity::Warning => ("warnings", "see to the ones above first"),
        };
        let problem = Problem::new(format!("and {} more {noun}", left_out + 1)).reason("a longer list helps nobody").hint(hint);
        found.push(Diagnostic::of_file(&last.file, Problem { severity: last.severity, ..problem }));
    }
    found
}

/// What a pure judgement found; whoever called it knows the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub message: String,
    pub reason: Option<String>,
    pub hint: Option<String>,
    pub severity: Severity,
}

impl Problem {
    pub(super) fn new(message: impl Into<String>) -> Problem {
        Problem { message: message.into(), reason: None, hint: None, severity: Severity::Error }
    }

    pub(super) fn warning(message: impl Into<String>) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::new(message) }
    }

    pub(super) fn reason(self, reason: impl Into<String>) -> Problem {
        Problem { reason: Some(reason.into()), ..self }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Problem {
        Problem { hint: Some(hint.into()), ..self }
    }
}

/// Collects findings while files are judged.
#[derive(Default)]
pub(super) struct Findings {
    errors: Kept,
    warnings: Kept,
    /// Files in the order in which they were met: the order of the report.
    files: Vec<PathBuf>,
}

/// The first of what was found, and how much more there was.
#[derive(Default)]
struct Kept {
    found: Vec<Found>,
    left_out: usize,
}

struct Found {
    file: usize,
    offset: usize,
    diagnostic: Diagnostic,
}

impl Kept {
    fn into_list(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|found| (found.file, found.offset));
        bounded(self.found.into_iter().map(|found| found.diagnostic).collect(), self.left_out)
    }
}

impl Findings {
    pub(super) fn add(&mut self, source: &Source, span: Span, problem: Problem) {
        self.keep(span.start(), Diagnostic::new(source, span, problem));
    }

    pub(super) fn add_to_file(&mut self, file: &Path, problem: Problem) {
        self.keep(0, Diagnostic::of_file(file, problem));
    }

    /// The value, or its problem noted at `span`.
    pub(super) fn check<T>(&mut self, source: &Source, span: Span, judged: Result<T, Problem>) -> Option<T> {
        judged.map_err(|problem| self.add(source, span, problem)).ok()
    }

    pub(super) fn has_errors(&self) -> bool {
        !self.errors.found.is_empty()
    }

    fn keep(&mut self, offset: usize, diagnostic: Diagnostic) {
        let file = self.files.iter().position(|file| *file == diagnostic.file).unwrap_or_else(|| {
            self.files.push(diagnostic.file.clone());
            self.files.len() - 1
        });
        let kept = match diagnostic.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        // The targets of a check share its place, and mostly its mistakes.
        if kept.found.iter().any(|found| found.diagnostic == diagnostic) {
            return;
        }
        if kept.found.len() < DIAGNOSTICS_MAX {
            kept.found.push(Found { file, offset, diagnostic });
        } else {
            kept.left_out += 1;
        }
    }

    /// The warnings where nothing is wrong.
    pub(super) fn into_result(self) -> Result<Vec<Diagnostic>, ConfigErrors> {
        if self.has_errors() { Err(self.into_errors()) } else { Ok(self.warnings.into_list()) }
    }

    /// What is wrong; called where something is.
    pub(super) fn into_errors(self) -> ConfigErrors {
        ConfigErrors { errors: self.errors.into_list(), warnings: self.warnings.into_list() }
    }
}

/// A value of the configuration (or of a plugin) as a message may quote it: one short line without credentials.
pub(super) fn shown(value: &str) -> String {
    shown_within(value, SHOWN_CHARACTERS_MAX)
}

/// What a plugin says for a person, as a message may quote it.
pub(super) fn sentence(text: &str) -> String {
    shown_within(&text.replace('\n', " "), SENTENCE_CHARACTERS_MAX)
}

fn shown_within(value: &str, characters_max: usize) -> String {
    let safe = one_line(&without_credentials(value));
    match safe.char_indices().nth(characters_max) {
        Some((end, _)) => format!("{}...", &safe[..end]),
        None => safe,
    }
}

/// Names in backticks, as a person lists them.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const NAMES_SHOWN_MAX: usize = 40;
    let mut names = names.into_iter();
    let mut list: Vec<String> = names.by_ref().take(NAMES_SHOWN_MAX).map(|name| format!("`{}`", shown(name))).collect();
    let left_out = names.count();
    if left_out > 0 {
        list.push(format!("and {left_out} more"));
    }
    list.join(", ")
}

/// What a password stands behind in texts that are no URL, as other programs write them, and in a URL's parameters.
const PASSWORD_MARKS: [&str; 4] = ["password=", "passwd=", "pwd=", "pass="];

/// `text` with a star for every character of a URL's user information and of what follows a [`PASSWORD_MARKS`], so that columns stay.
pub(super) fn without_credentials(text: &str) -> Cow<'_, str> {
    match without_user_information(text) {
        Cow::Borrowed(text) => without_passwords(text),
        Cow::Owned(text) => Cow::Owned(without_passwords(&text).into_owned()),
    }
}

fn without_user_information(text: &str) -> Cow<'_, str> {
    let Some(scheme_end) = text.find("://") else { return Cow::Borrowed(text) };
    let (head, rest) = text.split_at(scheme_end + 3);
    let end = rest.find(|character: char| character.is_whitespace() || matches!(character, '"' | '\'' | ',')).unwrap_or(rest.len());
    // A password with a blank or a comma in it ends no URL: an `@` before the closing quote belongs to it.
    let quoted = rest.find('"').unwrap_or(rest.len());
    let begins_with_user =
        rest[..end].split(['/', '@']).next().is_some_and(|user| user.split_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_err()));
    let end = if begins_with_user { rest[..quoted].rfind('@').map_or(end, |at| end.max(at + 1)) } else { end };
    let (authority, tail) = rest.split_at(end);
    let masked = match authority.rfind('@') {
        Some(at) => stars(&authority[..at]) + &authority[at..],
        None => authority.to_owned(),
    };
    Cow::Owned(format!("{head}{masked}{}", without_user_information(tail)))
}

fn without_passwords(text: &str) -> Cow<'_, str> {
    let lower = text.to_ascii_lowercase();
    let Some(begin) = PASSWORD_MARKS.iter().filter_map(|mark| Some(lower.find(mark)? + mark.len())).min() else {
        return Cow::Borrowed(text);
    };
    let (head, rest) = text.split_at(begin);
    let length = match rest.strip_prefix('\'') {
        Some(quoted) => quoted.find('\'').map_or(rest.len(), |end| end + 2),
        None => rest.find(|end: char| end.is_whitespace() || matches!(end, '"' | '\'' | ',' | ';' | '&')).unwrap_or(rest.len()),
    };
    let (password, tail) = rest.split_at(length);
    Cow::Owned(format!("{head}{}{}", stars(password), without_passwords(tail)))
}

fn stars(text: &str) -> String {
    "*".repeat(text.chars().count())
}

/// No control character reaches a terminal; every character keeps its column.
fn one_line(text: &str) -> String {
    let safe = |character: char| match character {
        '\t' => ' ',
        control if control.is_control() => char::REPLACEMENT_CHARACTER,
        other => other,
    };
    text.chars().map(safe).collect()
}

fn excerpt_of(source: &Source, position: &Position<'_>) -> Excerpt {
    let line = position.line_text;
    let byte = |character: usize| line.char_indices().nth(character).map_or(line.len(), |(byte, _)| byte);
    let marked = byte(position.column - 1)..byte(position.column - 1 + position.width);
    let (shown, marked) = veiled(line, position.line_start, marked, source.veils());
    let count = |stretch: std::ops::Range<usize>| shown.get(stretch).unwrap_or("").chars().count();
    excerpt(&shown, count(0..marked.start), count(marked))
}

/// `width` characters at `offset` of a line are underlined.
fn excerpt(line: &str, offset: usize, width: usize) -> Excerpt {
    // Below `config` stands what plugins want, tokens too: as in the log, what looks like one is hidden.
    let line: Vec<char> = Shapes::default().masked(one_line(&without_credentials(line))).chars().collect();
    let offset = offset.min(line.len());
    let first = if line.len() > EXCERPT_CHARACTERS_MAX { offset.saturating_sub(EXCERPT_LEAD_CHARACTERS) } else { 0 };
    let end = line.len().min(first + EXCERPT_CHARACTERS_MAX);
    let cut: String = line.get(first..end).unwrap_or_default().iter().collect();
    let before = if first > 0 { "..." } else { "" };
    let after = if end < line.len() { "..." } else { "" };
    Excerpt {
        text: format!("{before}{cut}{after}"),
        offset: offset - first + before.len(),
        width: width.clamp(1, end.saturating_sub(offset).max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source::new(PathBuf::from("sickbay.toml"), "[[check]]\nevery = \"10 parsecs\"\n".to_owned())
    }

    #[test]
    fn a_diagnostic_shows_the_line_and_underlines_the_place() {
        let problem = Problem::new("`every` is not a duration").reason("why").hint("how");
        let diagnostic = Diagnostic::new(&source(), Span::from(18..30), problem);
        assert_eq!(
            diagnostic.to_string(),
            "error: `every` is not a duration\n  --> sickbay.toml:2:9\n  |\n2 | every = \"10 parsecs\"\n  |         ^^^^^^^^^^^^\n  reason: why\n  hint: how"
        );
    }

    #[test]
    fn what_looks_like_a_credential_is_not_shown_below_config_either() {
        for (line, secret) in [
            ("config = { headers = { authorization = \"Bearer TokSecretFF1234567890\" }", "TokSecretFF"),
            ("config = { url = \"https://h/x?token=QSecretJJ\" ", "QSecretJJ"),
            ("password = \"MailSecretQQ", "MailSecretQQ"),
            ("auth_token = MailSecretQQ", "MailSecretQQ"),
        ] {
            for offset in [0, 3, line.len()] {
                let shown = excerpt(line, offset, 2);
                assert!(!shown.text.contains(secret), "{}", shown.text);
                assert!(shown.text.contains(&line[..8]) && shown.width > 0, "{}", shown.text);
            }
        }
    }

    #[test]
    fn a_diagnostic_of_a_whole_file_has_no_line() {
        let diagnostic = Diagnostic::of_file(Path::new("sickbay.toml"), Problem::warning("odd"));
        assert_eq!(diagnostic.to_string(), "warning: odd\n  --> sickbay.toml");
    }

    #[test]
    fn passwords_in_urls_become_stars_that_keep_the_columns() {
        let line = "url = \"postgres://me:p@ss@db/x\" # and http://a:b@c";
        let masked = without_credentials(line);
        assert_eq!(masked, "url = \"postgres://*******@db/x\" # and http://***@c");
        assert_eq!(masked.chars().count(), line.chars().count());
        assert_eq!(without_credentials("postgres://db/x?password=p%40ss&port=1 y"), "postgres://db/x?password=******&port=1 y");
    }

    #[test]
    fn passwords_in_texts_that_are_no_url_become_stars_too() {
        for (line, masked) in [
            ("url = \"host=db user=me password=s3cret port=1\"", "url = \"host=db user=me password=****** port=1\""),
            ("url = \"password='a b' host=db\"", "url = \"password=***** host=db\""),
            ("url = \"db:6379,Password=hunter2,ssl=true\"", "url = \"db:6379,Password=*******,ssl=true\""),
            ("url = \"Server=db;Pwd=x;\" # pass=y", "url = \"Server=db;Pwd=*;\" # pass=*"),
            ("url = \"jdbc:postgresql://db/x?user=me&password=a\"", "url = \"jdbc:postgresql://db/x?user=me&password=*\""),
        ] {
            assert_eq!(without_credentials(line), masked);
        }
    }

    #[test]
    fn below_a_table_with_credentials_an_excerpt_shows_keys_alone() {
        let text = "[sources.postgres.main]\nurl = \"postgres://db\"\npassword = \"ü hunter2\" # or hunter3\n";
        let source = Source::new(PathBuf::from("sickbay.toml"), text.to_owned());
        let shown = |stretch: &str| {
            let begin = text.find(stretch).expect("it is in the text");
            let told = Diagnostic::new(&source, Span::from(begin..begin + stretch.len()), Problem::new("wrong")).to_string();
            told.split_once("|\n").map(|(_, excerpt)| excerpt.to_owned()).expect("an excerpt")
        };
        assert_eq!(shown("password"), "3 | password = \"...\" # ...\n  | ^^^^^^^^");
        assert_eq!(shown("hunter2"), "3 | password = \"...\" # ...\n  |            ^^^^^");
        assert_eq!(shown("\"ü hunter2\""), "3 | password = \"...\" # ...\n  |            ^^^^^");
        assert_eq!(shown("sources"), "1 | [sources.postgres.main]\n  |  ^^^^^^^");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(shown("a\u{1b}[31mb\n"), "a\u{fffd}[31mb\u{fffd}");
    }

    #[test]
    fn a_long_line_is_cut_round_the_place() {
        let line = format!("{}here{}", "a".repeat(300), "b".repeat(300));
        let excerpt = excerpt(&line, 300, 4);
        let underlined: String = excerpt.text.chars().skip(excerpt.offset).take(excerpt.width).collect();
        assert_eq!(underlined, "here");
        assert!(excerpt.text.chars().count() <= EXCERPT_CHARACTERS_MAX + 6);
    }

    #[test]
    fn findings_come_in_the_order_of_the_file_whatever_the_order_of_judging() {
        let source = source();
        let mut findings = Findings::default();
        findings.add(&source, Span::from(18..30), Problem::new("second"));
        findings.add(&source, Span::from(0..9), Problem::new("first"));
        let messages: Vec<String> =
            findings.into_result().unwrap_or_else(|errors| errors.errors).into_iter().map(|found| found.message).collect();
        assert_eq!(messages, ["first", "second"]);
    }

    #[test]
    fn warnings_are_shown_beside_errors_and_before_them() {
        let source = source();
        let mut findings = Findings::default();
        findings.add(&source, Span::from(0..9), Problem::new("wrong"));
        findings.add(&source, Span::from(18..30), Problem::warning("odd"));
        findings.add(&source, Span::from(18..30), Problem::warning("strange"));
        let errors = findings.into_result().expect_err("there is a mistake");
        assert_eq!(errors.tally(), "1 error, 2 warnings");
        let first_lines: Vec<String> =
            errors.to_string().split("\n\n").filter_map(|block| block.lines().next()).map(str::to_owned).collect();
        assert_eq!(first_lines, ["warning: odd", "warning: strange", "error: wrong"]);
    }

    #[test]
    fn one_is_not_counted_in_the_plural() {
        assert_eq!([counted(0, "error"), counted(1, "error"), counted(2, "error")], ["0 errors", "1 error", "2 errors"]);
    }

    #[test]
    fn a_verdict_is_sorted_and_bounded_too() {
        let odd = |number: usize| Diagnostic { line: number, ..Diagnostic::of_file(Path::new("a.toml"), Problem::warning("odd")) };
        let warnings = verdict((1..=70).rev().map(odd).collect()).expect("nothing is wrong");
        assert_eq!(warnings.first().map(|first| first.line), Some(1));
        assert_eq!(warnings.last().map(|last| last.message.as_str()), Some("and 21 more warnings"));
        assert_eq!(warnings.len(), DIAGNOSTICS_MAX);
    }

    #[test]
    fn what_was_found_there_already_is_told_once() {
        let source = source();
        let mut findings = Findings::default();
        for message in ["wrong", "wrong", "odd"] {
            findings.add(&source, Span::from(0..1), Problem::new(message));
        }
        let errors = findings.into_result().expect_err("there are mistakes").errors;
        let again = errors.iter().chain(&errors).cloned().collect();
        assert_eq!(verdict(again).map_err(|errors| errors.errors.len()), Err(2));
        assert_eq!(errors.len(), 2);
    }

    #[test]
    fn no_more_than_fifty_mistakes_are_listed() {
        let source = source();
        let mut findings = Findings::default();
        for number in 0..60 {
            findings.add(&source, Span::from(0..1), Problem::new(format!("wrong {number}")));
        }
        let errors = findings.into_result().expect_err("there are mistakes").errors;
        assert_eq!(errors.len(), DIAGNOSTICS_MAX);
        assert_eq!(errors.last().map(|last| last.message.as_str()), Some("and 11 more mistakes"));
    }
}
