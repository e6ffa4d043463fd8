//! The contract's `log` on a run.

use sickbay_runtime::{HostResult, trap};

use super::policy::{Escaped, Fields, MESSAGE_BYTES_MAX, cost};
use crate::contract::log::{Host, Level};
use crate::contract::types::Label;
use crate::lent::{LAST_ERROR_BYTES_MAX, Lent};
use crate::meter::LogVerdict;

impl Host for Lent {
    async fn write(&mut self, level: Level, message: String, fields: Vec<Label>) -> HostResult<()> {
        let verdict = self.meter.log(cost(&message, &fields));
        let (message, fields) = self.without_secrets(message, fields);
        if level == Level::Error {
            let end = message.floor_char_boundary(LAST_ERROR_BYTES_MAX.min(message.len()));
            self.last_error.clear();
            self.last_error.push_str(&message[..end]);
        }
        match verdict {
            LogVerdict::Write => self.emit(level, &message, &fields),
            LogVerdict::Drop => {}
            LogVerdict::Flood(exceeded) => return Err(trap(exceeded)),
        }
        Ok(())
    }
}

/// The level of a `tracing` event is part of its place in the code, so there is one event for each.
macro_rules! emit {
    ($level:ident, $lent:expr, $fields:expr, $message:expr) => {
        tracing::$level!(
            target: "plugin",
            check = &*$lent.scope.check,
            plugin = &*$lent.scope.plugin,
            run = $lent.scope.run_id,
            fields = %Fields { labels: $fields, shapes: $lent.services.shapes() },
            "{}",
            Escaped { text: $message, bytes_max: MESSAGE_BYTES_MAX }
        )
    };
}

impl Lent {
    fn without_secrets(&self, message: String, fields: Vec<Label>) -> (String, Vec<Label>) {
        if self.secrets.is_empty() {
            return (message, fields);
        }
        let mask = |text: &str| self.secrets.mask_text(text).into_owned();
        let fields = fields.iter().map(|field| Label { name: mask(&field.name), value: mask(&field.value) }).collect();
        (mask(&message), fields)
    }

    /// Nothing is escaped or copied for a level that nobody reads.
    fn emit(&self, level: Level, message: &str, fields: &[Label]) {
        match level {
            Level::Trace => emit!(trace, self, fields, message),
            Level::Debug => emit!(debug, self, fields, message),
            Level::Info => emit!(info, self, fields, message),
            Level::Warn => emit!(warn, self, fields, message),
            Level::Error => emit!(error, self, fields, message),
        }
    }
}
