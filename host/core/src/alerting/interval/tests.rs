use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::*;

fn time(text: &str) -> Timestamp {
    let at = text.parse::<DateTime<Utc>>().expect("a time in UTC");
    Timestamp(u64::try_from(at.timestamp_millis()).expect("a time after 1970"))
}

fn texts(entries: &[&str]) -> Vec<String> {
    entries.iter().map(|entry| (*entry).to_owned()).collect()
}

fn times(entries: &[(&str, &str)]) -> Vec<TimesText> {
    entries.iter().map(|(start, end)| TimesText { start: (*start).to_owned(), end: (*end).to_owned() }).collect()
}

fn interval(text: &TimeIntervalText) -> TimeInterval {
    TimeInterval::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn working_hours() -> TimeInterval {
    interval(&TimeIntervalText {
        times: times(&[("09:00", "17:00")]),
        weekdays: texts(&["monday:friday"]),
        location: Some("Europe/Berlin".into()),
        ..TimeIntervalText::default()
    })
}

/// The changes after `from`, `count` of them.
fn changes(interval: &TimeInterval, from: &str, count: usize) -> Vec<Timestamp> {
    let changes = std::iter::successors(Some(time(from)), |at| interval.next_change_after(*at));
    changes.skip(1).take(count).collect()
}

fn at<const N: usize>(texts: [&str; N]) -> Vec<Timestamp> {
    texts.into_iter().map(time).collect()
}

#[test]
fn working_hours_are_those_of_their_zone() {
    let hours = working_hours();
    // A Friday in winter, and one in summer.
    for (begin, end) in [("2026-01-09T08:00:00Z", "2026-01-09T16:00:00Z"), ("2026-07-10T07:00:00Z", "2026-07-10T15:00:00Z")] {
        assert!(hours.contains(time(begin)) && !hours.contains(Timestamp(time(begin).0 - 1)), "{begin}");
        assert!(!hours.contains(time(end)) && hours.contains(Timestamp(time(end).0 - 1)), "{end}");
    }
    assert!(!hours.contains(time("2026-07-11T10:00:00Z")), "a Saturday");
    assert_eq!(changes(&hours, "2026-07-10T12:00:00Z", 3), at(["2026-07-10T15:00:00Z", "2026-07-13T07:00:00Z", "2026-07-13T15:00:00Z"]));
}

#[test]
fn an_interval_without_restrictions_is_always() {
    let always = interval(&TimeIntervalText::default());
    assert!(always.contains(time("2026-07-11T10:00:00Z")));
    assert_eq!(always.next_change_after(time("2026-07-11T10:00:00Z")), None);
    assert!(always.ever_is());
}

#[test]
fn days_of_a_month_may_be_counted_from_its_end() {
    let last = interval(&TimeIntervalText { days_of_month: texts(&["-1"]), ..TimeIntervalText::default() });
    assert!(last.contains(time("2026-02-28T12:00:00Z")) && last.contains(time("2028-02-29T12:00:00Z")));
    assert!(!last.contains(time("2028-02-28T12:00:00Z")));
    let from_the_fifth = interval(&TimeIntervalText { days_of_month: texts(&["5:-2", "31"]), ..TimeIntervalText::default() });
    assert!(from_the_fifth.contains(time("2026-04-05T00:00:00Z")) && from_the_fifth.contains(time("2026-04-29T00:00:00Z")));
    assert!(!from_the_fifth.contains(time("2026-04-30T00:00:00Z")) && from_the_fifth.contains(time("2026-05-31T00:00:00Z")));
}

#[test]
fn weekdays_and_months_may_run_over_the_end() {
    let weekend = interval(&TimeIntervalText { weekdays: texts(&["saturday:sunday"]), ..TimeIntervalText::default() });
    assert_eq!(changes(&weekend, "2026-07-10T12:00:00Z", 2), at(["2026-07-11T00:00:00Z", "2026-07-13T00:00:00Z"]));
    let winter = interval(&TimeIntervalText { months: texts(&["nov:feb", "7"]), ..TimeIntervalText::default() });
    assert_eq!(changes(&winter, "2026-07-10T12:00:00Z", 3), at(["2026-08-01T00:00:00Z", "2026-11-01T00:00:00Z", "2027-03-01T00:00:00Z"]));
}

/// In Berlin the clock goes from 02:00 to 03:00 on 29 March 2026, which is 01:00 in UTC.
#[test]
fn a_time_that_the_clock_leaves_out_is_not_there_that_day() {
    let zone = Some("Europe/Berlin".to_owned());
    let in_the_gap = TimeIntervalText { times: times(&[("02:15", "02:45")]), location: zone.clone(), ..TimeIntervalText::default() };
    assert_eq!(changes(&interval(&in_the_gap), "2026-03-28T12:00:00Z", 2), at(["2026-03-30T00:15:00Z", "2026-03-30T00:45:00Z"]));
    let into_the_gap = TimeIntervalText { times: times(&[("01:30", "02:30")]), location: zone, ..TimeIntervalText::default() };
    assert_eq!(changes(&interval(&into_the_gap), "2026-03-28T12:00:00Z", 2), at(["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"]));
}

/// In Berlin the clock goes from 03:00 back to 02:00 on 25 October 2026, which is 01:00 in UTC.
#[test]
fn a_time_that_the_clock_shows_twice_is_there_twice() {
    let repeated =
        TimeIntervalText { times: times(&[("02:30", "02:45")]), location: Some("Europe/Berlin".into()), ..TimeIntervalText::default() };
    let expected = at(["2026-10-25T00:30:00Z", "2026-10-25T00:45:00Z", "2026-10-25T01:30:00Z", "2026-10-25T01:45:00Z"]);
    assert_eq!(changes(&interval(&repeated), "2026-10-24T12:00:00Z", 4), expected);
}

#[test]
fn an_interval_that_never_is_is_known() {
    let never = TimeIntervalText { days_of_month: texts(&["30"]), months: texts(&["february"]), ..TimeIntervalText::default() };
    assert!(!interval(&never).ever_is());
    let leap = TimeIntervalText { days_of_month: texts(&["29"]), months: texts(&["february"]), ..TimeIntervalText::default() };
    assert!(interval(&leap).ever_is());
    let no_leap = TimeIntervalText { years: texts(&["2026:2027"]), ..leap };
    assert!(!interval(&no_leap).ever_is());
    let upside_down = TimeIntervalText { days_of_month: texts(&["31:-5"]), ..TimeIntervalText::default() };
    assert!(!interval(&upside_down).ever_is());
}

#[test]
fn what_is_no_interval_is_told_with_its_place() {
    let error = |text: TimeIntervalText| {
        let error = TimeInterval::parse(&text).expect_err("no interval");
        (error.field, error.index, error.reason)
    };
    let empty = TimeIntervalText::default;
    let (field, index, reason) = error(TimeIntervalText { weekdays: texts(&["monday", "funday"]), ..empty() });
    assert_eq!((field, index), ("weekdays", 1));
    assert!(reason.starts_with("`funday` is none of sunday, "), "{reason}");
    for wrong in ["9:00", "24:01", "12:60", "1200", "", "ab:cd"] {
        let (field, _, reason) = error(TimeIntervalText { times: times(&[(wrong, "24:00")]), ..empty() });
        assert_eq!((field, reason), ("times", format!("`{wrong}` is no time; one is written `00:00` to `24:00`")));
    }
    assert!(error(TimeIntervalText { times: times(&[("22:00", "06:00")]), ..empty() }).2.contains("write a night as two"));
    for wrong in ["0", "32", "5:3", "-1:-3", "x"] {
        assert_eq!(error(TimeIntervalText { days_of_month: texts(&[wrong]), ..empty() }).0, "days_of_month", "{wrong}");
    }
    assert_eq!(error(TimeIntervalText { years: texts(&["2027:2026"]), ..empty() }).0, "years");
    assert_eq!(error(TimeIntervalText { months: texts(&["13"]), ..empty() }).0, "months");
    assert_eq!(error(TimeIntervalText { location: Some("Berlin".into()), ..empty() }).0, "location");
    assert_eq!(error(TimeIntervalText { years: vec!["2026".into(); ENTRIES_MAX + 1], ..empty() }).0, "years");
}

proptest! {
    #[test]
    fn nothing_changes_before_the_next_change(
        start in 0_u32..1439, len in 1_u32..600, weekday in 0_usize..7, now in 1_700_000_000_u64..1_900_000_000, step in 7_u64..997,
    ) {
        let end = (start + len).min(1440);
        let written = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let interval = interval(&TimeIntervalText {
            times: vec![TimesText { start: written(start), end: written(end) }],
            weekdays: texts(&[WEEKDAYS[weekday], "wednesday"]),
            location: Some("America/New_York".into()),
            ..TimeIntervalText::default()
        });
        let now = Timestamp(now * 1000);
        let change = interval.next_change_after(now).expect("one in each week");
        prop_assert_ne!(interval.contains(now), interval.contains(change));
        let mut at = now;
        while at < change {
            prop_assert_eq!(interval.contains(at), interval.contains(now));
            at = at.plus(Duration::from_secs(60 * step));
        }
    }
}
