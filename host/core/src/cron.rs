//! When a check is due by a cron expression, in a time zone.
//!
//! An expression has five fields as in a crontab (minute, hour, day of the month, month, day of the week) or six with the second in front.
//! Where both days are restricted, either is enough. `croner` reads the fields and walks the calendar; what happens where clocks are put
//! forward or back is decided here:
//!
//! - Where the hour is written out (`30 2 * * *`, `0 1-5 * * *`) every time of the clock is due once: one that the clock leaves out is
//!   due right after the gap, all those of a gap together once; one that the clock shows twice is due the first time.
//! - Where the hour begins with `*` (`*/5 * * * *`) the expression is a cadence: it goes on through a repeated hour, and a gap adds nothing.
//!
//! Limits: [`CRON_BYTES_MAX`]. An expression that names no day of any year (30 February) is refused.
//! Invariant: no clock and no zone of this machine: the zones are those of the IANA database that is built in.

mod gap;

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeZone, Utc};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};
use croner::parser::{CronParser, Seconds, Year};

pub use gap::Gap;

use crate::Timestamp;

pub const CRON_BYTES_MAX: usize = 256;

/// Second, minute, hour, day of the month, month, day of the week: what a value is called, and what it may be.
const FIELDS: [(&str, &str); 6] = [
    ("second", "0 to 59"),
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31"),
    ("month", "1 to 12 or JAN to DEC"),
    ("day of the week", "0 to 7 or SUN to SAT, where 0 and 7 are Sunday"),
];
const HOUR: usize = 2;
/// From here on fields may be names.
const DAY_OF_THE_MONTH: usize = 3;

/// A time zone of the IANA database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(Tz);

impl Zone {
    pub const UTC: Zone = Zone(Tz::UTC);

    /// The zone of exactly this name.
    pub fn named(name: &str) -> Option<Zone> {
        name.parse().ok().map(Zone)
    }

    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// What a clock in this zone shows; none beyond what calendars reach.
    pub(crate) fn wall(self, at: Timestamp) -> Option<NaiveDateTime> {
        let at = i64::try_from(at.0).ok().and_then(DateTime::from_timestamp_millis)?;
        Some(at.with_timezone(&self.0).naive_local())
    }

    /// The names of all zones.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TZ_VARIANTS.iter().map(|zone| zone.name())
    }
}

/// Due times by a cron expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    expression: String,
    zone: Zone,
    pattern: croner::Cron,
    hours: Hours,
}

/// What becomes of times that a clock leaves out or shows twice; see the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hours {
    WrittenOut,
    Cadence,
}

/// Why an expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct CronError {
    pub reason: String,
    /// Where in the expression, in bytes.
    pub offset: usize,
}

impl Cron {
    pub fn parse(expression: &str, zone: Zone) -> Result<Cron, CronError> {
        let whole = |reason: String| CronError { reason, offset: 0 };
        if expression.len() > CRON_BYTES_MAX {
            return Err(whole(format!("it has {} bytes, the limit is {CRON_BYTES_MAX}", expression.len())));
        }
        let fields: Vec<&str> = expression.split_ascii_whitespace().collect();
        // Without the second the list of fields begins with the minute.
        let first = match fields.len() {
            5 => 1,
            6 => 0,
            1 => return Err(whole("it has 1 field, not 5 or 6".to_owned())),
            count => return Err(whole(format!("it has {count} fields, not 5 or 6"))),
        };
        for (index, text) in fields.iter().enumerate() {
            judge_field(first + index, text).map_err(|reason| CronError { reason, offset: offset_of(expression, text) })?;
        }
        let pattern = parsed(expression).ok_or_else(|| whole("its fields do not go together".to_owned()))?;
        // The calendar repeats itself, so the day from which this looks does not matter.
        if pattern.find_next_occurrence(&DateTime::<Utc>::UNIX_EPOCH.naive_utc(), false).is_err() {
            return Err(whole("no day of any year is meant by it, so it never fires".to_owned()));
        }
        let hours = if fields.get(HOUR - first).is_some_and(|hour| hour.starts_with('*')) { Hours::Cadence } else { Hours::WrittenOut };
        Ok(Cron { expression: fields.join(" "), zone, pattern, hours })
    }

    /// As it was written, with one blank between fields.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    pub fn zone(&self) -> Zone {
        self.zone
    }

    /// The first due time strictly after `now`; the last moment there is where none comes any more.
    pub fn next_after(&self, now: Timestamp) -> Timestamp {
        let next = i64::try_from(now.0).ok().and_then(DateTime::from_timestamp_millis).and_then(|now| match self.hours {
            Hours::WrittenOut => self.next_written_out(now),
            Hours::Cadence => self.next_of_cadence(now),
        });
        let next_ms = next.and_then(|next| u64::try_from(next.timestamp_millis()).ok());
        next_ms.map_or(Timestamp(u64::MAX), |next_ms| Timestamp(next_ms.max(now.0.saturating_add(1))))
    }

    /// Walks the times of the wall clock. The moments that they stand for follow each other in the same order, some together; while the
    /// clock shows an hour for the second time, those of that hour are over.
    fn next_written_out(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut wall = now.with_timezone(&self.zone.0).naive_local();
        loop {
            wall = self.pattern.find_next_occurrence(&wall, false).ok()?;
            let at = moment(self.zone.0, wall)?;
            if at > now {
                return Some(at);
            }
        }
    }

    fn next_of_cadence(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let second = DateTime::from_timestamp(now.timestamp(), 0)?;
        let next = self.pattern.find_next_occurrence(&second.with_timezone(&self.zone.0), false).ok()?;
        Some(next.with_timezone(&Utc))
    }
}

/// The moment of a time of the wall clock: the first where there are two, the end of the gap where there is none.
fn moment(zone: Tz, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
    let at = match zone.from_local_datetime(&wall) {
        LocalResult::Single(at) => at,
        LocalResult::Ambiguous(first, second) => first.min(second),
        LocalResult::None => GapInfo::new(&wall, &zone)?.end?,
    };
    Some(at.with_timezone(&Utc))
}

fn parsed(expression: &str) -> Option<croner::Cron> {
    CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build().parse(expression).ok()
}

/// Whether one field is right, whatever the others are.
fn judge_field(index: usize, text: &str) -> Result<(), String> {
    let Some((name, allowed)) = FIELDS.get(index) else { return Ok(()) };
    let mut fields = ["*"; FIELDS.len()];
    if let Some(field) = fields.get_mut(index) {
        *field = text;
    }
    // The reader takes the name of a day or a month for its number wherever it stands.
    let has_name = text.contains(|character: char| character.is_ascii_alphabetic());
    // It also passes over nothing between commas, and a field of nothing else would match no time.
    let is_whole = text.is_ascii() && text.split(',').all(|part| !part.is_empty());
    if is_whole && (index >= DAY_OF_THE_MONTH || !has_name) && parsed(&fields.join(" ")).is_some() {
        return Ok(());
    }
    Err(format!("`{text}` is no {name}: one is {allowed}, `*` any, `1-5` a range, `1,3` a list, `*/5` every fifth"))
}

/// Where `part` stands in the text that it was cut from.
fn offset_of(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

#[cfg(test)]
mod tests;
