//! The contract's `log` on a run.

use sickbay_runtime::{HostResult, trap};

use super::policy::{Escaped, Fields, MESSAGE_BYTES_MAX, cost};
use crate::contract::log::{Host, Level};
use crate::contract::types::Label;
use crate::lent::Lent;
use crate::meter::LogVerdict;

impl Host for Lent {
    async fn write(&mut self, level: Level, message: String, fields: Vec<Label>) -> HostResult<()> {
        match self.meter.log(cost(&message, &fields)) {
            LogVerdict::Write => self.emit(level, &message, &fields),
            LogVerdict::Drop => {}
            LogVerdict::Flood(exceeded) => return Err(trap(exceeded)),
        }
        Ok(())
    }
}

/// The level of a `tracing` event is part of its place in the code, so there is one event for each.
macro_rules! emit {
    ($level:ident, $scope:expr, $fields:expr, $message:expr) => {
        tracing::$level!(
            target: "plugin",
            check = &*$scope.check,
            plugin = &*$scope.plugin,
            run = $scope.run_id,
            fields = %Fields($fields),
            "{}",
            Escaped { text: $message, bytes_max: MESSAGE_BYTES_MAX }
        )
    };
}

impl Lent {
    /// Nothing is escaped or copied for a level that nobody reads.
    fn emit(&self, level: Level, message: &str, fields: &[Label]) {
        match level {
            Level::Trace => emit!(trace, self.scope, fields, message),
            Level::Debug => emit!(debug, self.scope, fields, message),
            Level::Info => emit!(info, self.scope, fields, message),
            Level::Warn => emit!(warn, self.scope, fields, message),
            Level::Error => emit!(error, self.scope, fields, message),
        }
    }
}
