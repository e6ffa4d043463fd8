//! A failure that tells its fix. Made where the fix is known, printed in one place: `cli::failure_text`.

use std::fmt;

/// What happened and where, and beside it what to do. Put it on top of a cause with `anyhow`'s `context`.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: Option<String>,
    blame: Blame,
}

/// Whose doing a failure is; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Something failed: exit code 1.
    Circumstances,
    /// The command line or the configuration is wrong: exit code 2.
    Usage,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), hint: None, blame: Blame::Circumstances }
    }

    /// The command line or the configuration is wrong.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure { blame: Blame::Usage, ..Failure::new(message) }
    }

    /// What to do about it, in one sentence or one command.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    pub fn blame(&self) -> Blame {
        self.blame
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
