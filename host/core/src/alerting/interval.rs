//! Times that come again: weekdays, times of the day, days of the month, months, years, in a time zone.
//!
//! The grammar is Alertmanager's: `monday:friday`, `09:00` to `17:00` (`24:00` is the end of the day), `1:5`, `-3:-1` (from the end of the
//! month), `january:march`, `2026:2028`. A list that is empty restricts nothing; where several are given all must hold. Weekdays and months
//! may run over the end (`saturday:sunday`, `november:february`); times may not: a night is two of them.
//!
//! What counts is what a clock in the zone shows. So a time that the clock leaves out is not there on that day, and one that it shows
//! twice is there twice.
//!
//! Limits: [`ENTRIES_MAX`] of a list; a change is looked for [`LOOK_AHEAD`] ahead.
//! Invariant: whether a time is in an interval depends on that time alone, never on when it was asked before.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};

use crate::{Timestamp, Zone};

/// Entries of each list of one interval.
pub const ENTRIES_MAX: usize = 64;

/// How far ahead the next change is looked for.
pub const LOOK_AHEAD: Duration = Duration::from_secs(366 * 24 * 3600);

const MINUTE_MS: u64 = 60_000;
const DAY_MINUTES: u32 = 24 * 60;

/// No clock is put forward or back by more within a day.
const CLOCK_SHIFT_MINUTES_MAX: u32 = 180;

/// After so many years the calendar repeats itself.
const CALENDAR_YEARS: usize = 400;

const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS: [&str; 12] =
    ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];

/// An interval as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeIntervalText {
    pub times: Vec<TimesText>,
    pub weekdays: Vec<String>,
    pub days_of_month: Vec<String>,
    pub months: Vec<String>,
    pub years: Vec<String>,
    /// The name of a zone; UTC where there is none.
    pub location: Option<String>,
}

/// `start` belongs to it, `end` does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimesText {
    pub start: String,
    pub end: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeInterval {
    /// Minutes of the day: first, and first that is none any more.
    times: Vec<(u32, u32)>,
    /// A bit for each, Sunday lowest; all where none is named.
    weekdays: u32,
    days_of_month: Vec<(i32, i32)>,
    /// A bit for each, January lowest.
    months: u32,
    years: Vec<RangeInclusive<i32>>,
    zone: Zone,
}

/// One name for several intervals; in it is what is in any of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedInterval {
    pub name: Arc<str>,
    pub intervals: Vec<TimeInterval>,
}

/// Why a text is no interval.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct IntervalError {
    /// `times`, `weekdays`, `days_of_month`, `months`, `years` or `location`.
    pub field: &'static str,
    /// Which entry of the list.
    pub index: usize,
    pub reason: String,
}

impl TimeInterval {
    pub fn parse(text: &TimeIntervalText) -> Result<TimeInterval, IntervalError> {
        let zone = match &text.location {
            None => Zone::UTC,
            Some(name) => Zone::named(name).ok_or_else(|| IntervalError {
                field: "location",
                index: 0,
                reason: format!("`{name}` is no time zone; one is written like `Europe/Berlin` or `UTC`"),
            })?,
        };
        let bits = |ranges: Vec<u32>| ranges.into_iter().fold(0, |all, range| all | range);
        Ok(TimeInterval {
            times: each("times", &text.times, parse_times)?,
            weekdays: bits(each("weekdays", &text.weekdays, |entry| parse_names(entry, &WEEKDAYS))?),
            days_of_month: each("days_of_month", &text.days_of_month, |entry| parse_days(entry))?,
            months: bits(each("months", &text.months, |entry| parse_names(entry, &MONTHS))?),
            years: each("years", &text.years, |entry| parse_years(entry))?,
            zone,
        })
    }

    pub fn contains(&self, at: Timestamp) -> bool {
        self.zone.wall(at).is_some_and(|wall| self.contains_wall(wall))
    }

    /// When `contains` becomes another than it is at `now`; none where nothing changes within [`LOOK_AHEAD`].
    pub fn next_change_after(&self, now: Timestamp) -> Option<Timestamp> {
        let is_in = self.contains(now);
        let mut at = Timestamp((now.0 / MINUTE_MS).saturating_add(1).saturating_mul(MINUTE_MS));
        let end = now.plus(LOOK_AHEAD);
        while at <= end {
            let wall = self.zone.wall(at)?;
            if self.contains_wall(wall) != is_in {
                return Some(at);
            }
            at = at.plus(self.alike_from(wall, is_in));
        }
        None
    }

    /// Whether there is a day in any year on which this can be.
    pub fn ever_is(&self) -> bool {
        let of_ranges = self.years.iter().flat_map(|years| years.clone().take(CALENDAR_YEARS));
        let all = (2000..).take(if self.years.is_empty() { CALENDAR_YEARS } else { 0 });
        of_ranges.chain(all).any(|year| self.is_in_year(year))
    }

    fn is_in_year(&self, year: i32) -> bool {
        let first_days = (1..=12).filter_map(|month| NaiveDate::from_ymd_opt(year, month, 1));
        let mut days = first_days.flat_map(|first| first.iter_days().take(usize::from(first.num_days_in_month())));
        days.any(|day| self.has_day(day))
    }

    fn contains_wall(&self, wall: NaiveDateTime) -> bool {
        let minute = minute_of_day(wall);
        let has_time = self.times.is_empty() || self.times.iter().any(|(start, end)| (*start..*end).contains(&minute));
        has_time && self.has_day(wall.date())
    }

    fn has_day(&self, date: NaiveDate) -> bool {
        let has_bit = |bits: u32, bit: u32| bits == 0 || (bits >> bit) & 1 == 1;
        has_bit(self.weekdays, date.weekday().num_days_from_sunday())
            && has_bit(self.months, date.month0())
            && (self.years.is_empty() || self.years.iter().any(|years| years.contains(&date.year())))
            && (self.days_of_month.is_empty() || self.has_day_of_month(date))
    }

    fn has_day_of_month(&self, date: NaiveDate) -> bool {
        let len = i32::from(date.num_days_in_month());
        let counted = |day: i32| if day < 0 { len + day + 1 } else { day };
        let day = i32::try_from(date.day()).unwrap_or_default();
        self.days_of_month.iter().any(|(first, last)| (counted(*first)..=counted(*last)).contains(&day))
    }

    /// For how long from `wall` on nothing can change: most of a day that is alike as a whole, else a minute.
    fn alike_from(&self, wall: NaiveDateTime, is_in: bool) -> Duration {
        let is_day_alike = if is_in { self.times.is_empty() } else { !self.has_day(wall.date()) };
        let left = DAY_MINUTES.saturating_sub(minute_of_day(wall)).saturating_sub(CLOCK_SHIFT_MINUTES_MAX);
        let minutes = if is_day_alike { left.max(1) } else { 1 };
        Duration::from_secs(u64::from(minutes) * 60)
    }
}

impl NamedInterval {
    pub fn contains(&self, at: Timestamp) -> bool {
        self.intervals.iter().any(|interval| interval.contains(at))
    }

    /// When `contains` may become another than it is at `now`.
    pub fn next_change_after(&self, now: Timestamp) -> Option<Timestamp> {
        next_change_of(&self.intervals, now)
    }
}

/// When any of `intervals` changes.
pub(super) fn next_change_of(intervals: &[TimeInterval], now: Timestamp) -> Option<Timestamp> {
    intervals.iter().filter_map(|interval| interval.next_change_after(now)).min()
}

fn minute_of_day(wall: NaiveDateTime) -> u32 {
    wall.hour() * 60 + wall.minute()
}

/// Reads each entry of a list; an error names the entry.
fn each<Entry, Read>(
    field: &'static str,
    entries: &[Entry],
    read: impl Fn(&Entry) -> Result<Read, String>,
) -> Result<Vec<Read>, IntervalError> {
    if entries.len() > ENTRIES_MAX {
        return Err(IntervalError { field, index: ENTRIES_MAX, reason: format!("there are more than {ENTRIES_MAX} entries") });
    }
    let read = |(index, entry)| read(entry).map_err(|reason| IntervalError { field, index, reason });
    entries.iter().enumerate().map(read).collect()
}

fn parse_times(text: &TimesText) -> Result<(u32, u32), String> {
    let (start, end) = (parse_time(&text.start)?, parse_time(&text.end)?);
    if start >= end {
        return Err(format!("`{}` is not before `{}`; write a night as two: to `24:00`, and from `00:00`", text.start, text.end));
    }
    Ok((start, end))
}

/// Minutes since midnight.
fn parse_time(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is no time; one is written `00:00` to `24:00`");
    let two_digits = |part: &str| if part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()) { part.parse().ok() } else { None };
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    let (hour, minute): (u32, u32) = (two_digits(hour).ok_or_else(wrong)?, two_digits(minute).ok_or_else(wrong)?);
    let minutes = hour * 60 + minute;
    if minute > 59 || minutes > DAY_MINUTES { Err(wrong()) } else { Ok(minutes) }
}

/// A bit for each name from `a` to `b`, over the end where `b` comes before `a`.
fn parse_names(text: &str, names: &[&str]) -> Result<u32, String> {
    let number = |part: &str| {
        let part = part.trim().to_ascii_lowercase();
        let by_name = names.iter().position(|name| *name == part || (part.len() == 3 && name.starts_with(part.as_str())));
        // Months have numbers, weekdays have not.
        let by_number = || part.parse::<usize>().ok().filter(|number| names.len() == MONTHS.len() && (1..=names.len()).contains(number));
        by_name.or_else(|| by_number().map(|number| number - 1)).ok_or_else(|| format!("`{part}` is none of {}", names.join(", ")))
    };
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    let mut bits = 1 << last;
    let mut index = first;
    while index != last {
        bits |= 1 << index;
        index = (index + 1) % names.len();
    }
    Ok(bits)
}

fn parse_days(text: &str) -> Result<(i32, i32), String> {
    let wrong = || format!("`{text}` names no days of a month; write `1`, `1:5` or, from its end, `-3:-1`");
    let day = |part: &str| part.trim().parse::<i32>().ok().filter(|day| (1..=31).contains(&day.unsigned_abs())).ok_or_else(wrong);
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    let (first, last) = (day(first)?, day(last)?);
    // Where one is counted from the end it depends on the month.
    if first.signum() == last.signum() && first > last { Err(wrong()) } else { Ok((first, last)) }
}

fn parse_years(text: &str) -> Result<RangeInclusive<i32>, String> {
    let wrong = || format!("`{text}` names no years; write `2026` or `2026:2028`");
    let year = |part: &str| part.trim().parse::<i32>().ok().filter(|year| (1970..=9999).contains(year)).ok_or_else(wrong);
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    let (first, last) = (year(first)?, year(last)?);
    if first > last { Err(wrong()) } else { Ok(first..=last) }
}

#[cfg(test)]
mod tests;
