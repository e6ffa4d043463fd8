//! What sinks have in common: what an alert is called, how bad it is, its fingerprint and times, what an answer of a receiver means, and
//! texts by templates (feature `templates`).
//!
//! ```
//! # use sickbay_sdk::prelude::*;
//! # use sickbay_sdk::Notification;
//! use sickbay_sdk::sinks::{Level, accepted};
//!
//! # fn deliver(url: &str, notification: &Notification) -> Result<Receipt, DeliveryError> {
//! let level = Level::of_all(notification);
//! let message = json!({ "text": notification.alerts[0].name(), "colour": level.colour() });
//! accepted(http::post(url).json(&message).send()?)?;
//! # Ok(Receipt::default())
//! # }
//! ```
//!
//! Two things that the contract has no room for come in extras: the labels of a group as `group.NAME` of the notification
//! ([`Notification::group_labels`](crate::Notification::group_labels)), the annotations of an alert that no check made as `annotation.NAME`
//! ([`Alert::annotations`](crate::Alert::annotations)).

mod alert;
mod answer;
mod each;
mod fingerprint;
mod level;
#[cfg(feature = "templates")]
mod template;
mod text;
mod time;

pub use alert::common;
pub use answer::accepted;
pub use each::send_each;
pub use fingerprint::fingerprint;
pub use level::Level;
#[cfg(feature = "templates")]
pub use template::{HTML_KEY, TEXT, TITLE, Texts};
pub use text::{cut_bytes, cut_characters, one_line};
pub use time::rfc3339;
