//! Times at which nobody is told: `[[time_interval]]`, which routes name, and `[[maintenance]]`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sickbay_core::alerting::{self, IntervalError, LOOK_AHEAD, MaintenanceTime, MaintenanceWindow, NamedInterval, TimeInterval};
use sickbay_core::{Cron, Gap, Timestamp, Zone};

use super::alerting::AlertingReader;
use super::cadence::{self, shown_reason};
use super::diagnostic::{Problem, shown};
use super::place::Span;
use super::text::{DurationText, MaintenanceText, Placed, TimeIntervalText, TimesText};
use super::values::{self, DurationBounds};
use crate::clock::rfc3339;

const WINDOW: DurationBounds =
    DurationBounds { least: Duration::from_secs(60), least_text: "1m", most: Duration::from_secs(7 * 86_400), most_text: "7d" };
const TIME_HINT: &str = "write a time in RFC 3339, for example \"2027-03-01T22:00:00Z\" or \"2027-03-01T23:00:00+01:00\"";

impl AlertingReader<'_, '_> {
    pub(super) fn time_intervals(&mut self, written: &[Placed<TimeIntervalText>]) -> Vec<NamedInterval> {
        let mut taken = BTreeMap::new();
        let mut intervals = Vec::new();
        for (index, written) in written.iter().enumerate() {
            self.place(format!("interval[{index}]"), written.span());
            self.judge_name("time interval", &written.value().name, &mut taken);
            intervals.extend(self.time_interval(written));
        }
        intervals
    }

    fn time_interval(&mut self, written: &Placed<TimeIntervalText>) -> Option<NamedInterval> {
        let (header, written) = (written.span(), written.value());
        let zone = self.scope.read(written.timezone.as_ref(), Zone::UTC, |name| cadence::zone(name));
        let text = text_of(written, zone);
        match TimeInterval::parse(&text) {
            Ok(read) => {
                self.note_always(header, &text);
                self.note_gaps(written, &text, zone);
                Some(NamedInterval { name: Arc::from(written.name.value().as_str()), intervals: vec![read] })
            }
            Err(error) => {
                self.scope.note(place_of(&error, written, header), unusable(&error));
                None
            }
        }
    }

    fn note_always(&mut self, header: Span, text: &alerting::TimeIntervalText) {
        let lists = [&text.weekdays, &text.days_of_month, &text.months, &text.years];
        if text.times.is_empty() && lists.into_iter().all(Vec::is_empty) {
            let problem = Problem::warning("the time interval is at all times").reason("nothing restricts it");
            self.scope.note(header, problem.hint("add `times`, `weekdays`, `days_of_month`, `months` or `years`"));
        }
    }

    /// Times that are not there on the day on which the clock is put forward.
    fn note_gaps(&mut self, written: &TimeIntervalText, text: &alerting::TimeIntervalText, zone: Zone) {
        if written.times.is_empty() {
            return;
        }
        // Its days without its times.
        let whole_days = alerting::TimeIntervalText { times: Vec::new(), ..text.clone() };
        let Ok(days) = TimeInterval::parse(&whole_days) else { return };
        let mut gaps = zone.gaps(self.now, LOOK_AHEAD);
        gaps.retain(|gap| days.contains(gap.at.minus(Duration::from_millis(1))));
        for times in &written.times {
            let TimesText { start, end } = times.value();
            let (Some(start), Some(end)) = (minute_of_day(start.value()), minute_of_day(end.value())) else { continue };
            if let Some(gap) = gaps.iter().find(|gap| gap.begin_minute <= start && end <= gap.end_minute) {
                self.scope.note(times.span(), left_out(gap, zone));
            }
        }
    }

    pub(super) fn maintenance(&mut self, written: &[Placed<MaintenanceText>]) -> Vec<MaintenanceWindow> {
        let mut taken = BTreeMap::new();
        let mut windows = Vec::new();
        for (index, written) in written.iter().enumerate() {
            self.place(format!("maintenance[{index}]"), written.span());
            let (header, written) = (written.span(), written.value());
            self.judge_name("maintenance", &written.name, &mut taken);
            let matchers = self.matchers(&written.matchers);
            if let Some(when) = self.when(header, written) {
                windows.push(MaintenanceWindow { name: Arc::from(written.name.value().as_str()), matchers, when });
            }
        }
        windows
    }

    fn when(&mut self, header: Span, written: &MaintenanceText) -> Option<MaintenanceTime> {
        let MaintenanceText { start, end, cron, duration, timezone, .. } = written;
        match (start, end, cron, duration) {
            (Some(start), Some(end), None, None) => {
                if let Some(zone) = timezone {
                    let problem = Problem::new("`timezone` stands without `cron`")
                        .reason("`start` and `end` say themselves how far they are from UTC");
                    self.scope.note(zone.span(), problem.hint("remove it"));
                }
                self.once(header, start, end)
            }
            (None, None, Some(cron), Some(duration)) => self.recurring(cron, duration, timezone.as_ref()),
            _ => {
                let (span, problem) = mixed(header, written);
                self.scope.note(span, problem);
                None
            }
        }
    }

    fn once(&mut self, header: Span, start: &Placed<String>, end: &Placed<String>) -> Option<MaintenanceTime> {
        let starts_at = self.scope.read(Some(start), None, |text| time("start", text).map(Some));
        let ends_at = self.scope.read(Some(end), None, |text| time("end", text).map(Some));
        let (starts_at, ends_at) = (starts_at?, ends_at?);
        if ends_at <= starts_at {
            let problem = Problem::new("`end` is not later than `start`").reason(format!("it begins at {}", rfc3339(starts_at)));
            self.scope.note(end.span(), problem.hint("swap the two, or write a later `end`"));
            return None;
        }
        if ends_at <= self.now {
            let problem = Problem::warning("the maintenance is over").reason(format!("it ended at {}", rfc3339(ends_at)));
            self.scope.note(header, problem.hint("remove it"));
        }
        Some(MaintenanceTime::Once { starts_at, ends_at })
    }

    fn recurring(
        &mut self,
        cron: &Placed<String>,
        duration: &Placed<DurationText>,
        timezone: Option<&Placed<String>>,
    ) -> Option<MaintenanceTime> {
        let zone = self.scope.read(timezone, Zone::UTC, |name| cadence::zone(name));
        let expression = cadence::cron(cron, zone, self.scope);
        let lasts = self.scope.read(Some(duration), None, |text| values::duration("duration", text, &WINDOW).map(Some));
        let (expression, lasts) = (expression?, lasts?);
        if never_ends(&expression, lasts, self.now) {
            let problem = Problem::warning("the maintenance never ends").reason("it begins again before it is over");
            self.scope.note(duration.span(), problem.hint("write a shorter `duration`, or a `cron` that comes less often"));
        }
        Some(MaintenanceTime::Cron { cron: expression, duration: lasts })
    }
}

/// As `sickbay_core` reads it.
fn text_of(written: &TimeIntervalText, zone: Zone) -> alerting::TimeIntervalText {
    let times = |times: &Placed<TimesText>| {
        let TimesText { start, end } = times.value();
        alerting::TimesText { start: start.value().clone(), end: end.value().clone() }
    };
    alerting::TimeIntervalText {
        times: written.times.iter().map(times).collect(),
        weekdays: texts(&written.weekdays),
        days_of_month: texts(&written.days_of_month),
        months: texts(&written.months),
        years: texts(&written.years),
        location: Some(zone.name().to_owned()),
    }
}

fn texts(written: &[Placed<String>]) -> Vec<String> {
    written.iter().map(|text| text.value().clone()).collect()
}

fn never_ends(cron: &Cron, lasts: Duration, now: Timestamp) -> bool {
    let first = cron.next_after(now);
    cron.next_after(first).since(first) <= lasts
}

/// What is wrong with a window that comes neither once nor again and again.
fn mixed(header: Span, written: &MaintenanceText) -> (Span, Problem) {
    let MaintenanceText { start, end, cron, duration, .. } = written;
    let missing = |key: &str, example: &str| {
        (
            header,
            Problem::new(format!("missing key `{key}` in `[[maintenance]]`"))
                .reason("a window has a `start` and an `end`, or a `cron` and a `duration`")
                .hint(format!("add a line such as: {key} = \"{example}\"")),
        )
    };
    match (start.as_ref().or(end.as_ref()), cron, duration) {
        (Some(_), Some(cron), _) => {
            let problem = Problem::new("`cron` stands beside `start` and `end`").reason("a window comes once, or again and again");
            (cron.span(), problem.hint("remove `start` and `end`, or `cron` and `duration`"))
        }
        (Some(_), None, Some(duration)) => {
            let problem = Problem::new("`duration` stands beside `start` and `end`").reason("it says how long a window with `cron` lasts");
            (duration.span(), problem.hint("write `start` and `end` alone"))
        }
        (Some(_), None, None) if start.is_none() => missing("start", "2027-03-01T22:00:00Z"),
        (Some(_), None, None) => missing("end", "2027-03-02T02:00:00Z"),
        (None, Some(_), _) => missing("duration", "2h"),
        (None, None, Some(_)) => missing("cron", "0 2 * * SUN"),
        (None, None, None) => {
            let problem = Problem::new("`[[maintenance]]` does not say when it is")
                .reason("one that is always would keep everybody from being told for good");
            (header, problem.hint("add `start` and `end`, or `cron` and `duration`"))
        }
    }
}

fn time(key: &str, text: &str) -> Result<Timestamp, Problem> {
    Timestamp::from_rfc3339(text).ok_or_else(|| {
        let problem = Problem::new(format!("`{key}` is no time: \"{}\"", shown(text)));
        let has_no_offset = Timestamp::from_rfc3339(&format!("{text}Z")).is_some();
        let reason = if has_no_offset { "it does not say how far it is from UTC" } else { "it is not written as RFC 3339 wants it" };
        problem.reason(reason).hint(TIME_HINT)
    })
}

/// Where in the file an interval cannot be read.
fn place_of(error: &IntervalError, written: &TimeIntervalText, header: Span) -> Span {
    let in_list = |list: &[Placed<String>]| list.get(error.index).map(Placed::span);
    let span = match error.field {
        "times" => written.times.get(error.index).map(Placed::span),
        "weekdays" => in_list(&written.weekdays),
        "days_of_month" => in_list(&written.days_of_month),
        "months" => in_list(&written.months),
        "years" => in_list(&written.years),
        _ => None,
    };
    span.unwrap_or(header)
}

fn unusable(error: &IntervalError) -> Problem {
    let example = match error.field {
        "times" => r#"times = [{ start = "22:00", end = "24:00" }, { start = "00:00", end = "06:00" }]"#,
        "weekdays" => r#"weekdays = ["monday:friday", "sunday"]"#,
        "days_of_month" => r#"days_of_month = ["1:5", "-1"]"#,
        "months" => r#"months = ["november:february"]"#,
        _ => r#"years = ["2026:2028"]"#,
    };
    Problem::new(format!("`{}` cannot be used", error.field)).reason(shown_reason(&error.reason)).hint(format!("for example: {example}"))
}

fn left_out(gap: &Gap, zone: Zone) -> Problem {
    let clock = |minute: u32| format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
    let reason =
        format!("in {} it goes from {} to {} at once when summer begins", zone.name(), clock(gap.begin_minute), clock(gap.end_minute));
    Problem::warning("once a year the clock leaves these times out").reason(reason).hint("choose other times, where that day matters")
}

/// Of a time that was read as one.
fn minute_of_day(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    Some(hour.parse::<u32>().ok()? * 60 + minute.parse::<u32>().ok()?)
}
