//! How an attempt to deliver ended.

use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Delivered { reference: Option<String> },
    /// The receiver could not take it now. It may have it all the same: an answer can be lost.
    Retryable { error: String, after: Option<Duration> },
    /// Trying again cannot help, and the receiver does not have it.
    Refused { error: String },
    /// Nothing was sent, for certain.
    NotAttempted { error: String },
    /// Nobody knows: a crash, a trap, a deadline.
    Lost { error: String },
}
