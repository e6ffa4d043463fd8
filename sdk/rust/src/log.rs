//! Log lines, to which the host adds the check's name and the run's id. 64 KiB per run, then counted and dropped.

pub use crate::bindings::sickbay::plugin::log::Level;

#[cfg(target_family = "wasm")]
use crate::bindings::sickbay::plugin::log::write as write_line;
#[cfg(not(target_family = "wasm"))]
use crate::testing::log_write as write_line;

use crate::Label;

/// One line at any level. At most 32 fields, names at most 64 bytes, values 1 KiB.
pub fn write(level: Level, message: &str, fields: &[(&str, &str)]) {
    let fields: Vec<Label> = fields.iter().map(|(name, value)| Label::new(*name, *value)).collect();
    write_line(level, message, &fields);
}

pub fn trace(message: &str, fields: &[(&str, &str)]) {
    write(Level::Trace, message, fields);
}

pub fn debug(message: &str, fields: &[(&str, &str)]) {
    write(Level::Debug, message, fields);
}

pub fn info(message: &str, fields: &[(&str, &str)]) {
    write(Level::Info, message, fields);
}

pub fn warn(message: &str, fields: &[(&str, &str)]) {
    write(Level::Warn, message, fields);
}

pub fn error(message: &str, fields: &[(&str, &str)]) {
    write(Level::Error, message, fields);
}
