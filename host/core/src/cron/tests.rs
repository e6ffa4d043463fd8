use proptest::prelude::*;

use super::*;

fn cron(expression: &str, zone: &str) -> Cron {
    let zone = Zone::named(zone).expect("a zone of the database");
    Cron::parse(expression, zone).unwrap_or_else(|error| panic!("`{expression}`: {error}"))
}

fn time(text: &str) -> Timestamp {
    let at = text.parse::<DateTime<Utc>>().expect("a time in UTC");
    Timestamp(u64::try_from(at.timestamp_millis()).expect("a time after 1970"))
}

/// The due times after `from`, `count` of them.
fn due(cron: &Cron, from: &str, count: usize) -> Vec<Timestamp> {
    let times = std::iter::successors(Some(time(from)), |at| Some(cron.next_after(*at)));
    times.skip(1).take(count).collect()
}

fn times<const N: usize>(texts: [&str; N]) -> Vec<Timestamp> {
    texts.into_iter().map(time).collect()
}

fn reason(expression: &str) -> (String, usize) {
    let error = Cron::parse(expression, Zone::UTC).expect_err(expression);
    (error.reason, error.offset)
}

#[test]
fn an_expression_is_read_in_its_zone() {
    let nightly = cron("0 2 * * *", "Europe/Berlin");
    assert_eq!(due(&nightly, "2026-01-10T00:59:59Z", 2), times(["2026-01-10T01:00:00Z", "2026-01-11T01:00:00Z"]));
    assert_eq!(due(&nightly, "2026-07-10T01:00:00Z", 1), times(["2026-07-11T00:00:00Z"]));
    assert_eq!(due(&cron("0 2 * * *", "UTC"), "2026-07-10T01:00:00Z", 1), times(["2026-07-10T02:00:00Z"]));
}

#[test]
fn a_due_time_is_strictly_after_now_also_within_a_second() {
    let nightly = cron("0 2 * * *", "UTC");
    assert_eq!(nightly.next_after(Timestamp(time("2026-01-10T02:00:00Z").0 - 1)), time("2026-01-10T02:00:00Z"));
    assert_eq!(nightly.next_after(time("2026-01-10T02:00:00Z")), time("2026-01-11T02:00:00Z"));
    assert_eq!(nightly.next_after(Timestamp(time("2026-01-10T02:00:00Z").0 + 500)), time("2026-01-11T02:00:00Z"));
    let each_second = cron("* * * * * *", "UTC");
    assert_eq!(each_second.next_after(Timestamp(time("2026-01-10T02:00:00Z").0 + 500)), time("2026-01-10T02:00:01Z"));
}

/// In Berlin the clock goes from 02:00 to 03:00 on 29 March 2026, which is 01:00 in UTC.
#[test]
fn a_time_in_a_gap_is_due_once_right_after_the_gap() {
    let once = cron("30 2 * * *", "Europe/Berlin");
    assert_eq!(due(&once, "2026-03-28T12:00:00Z", 2), times(["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),);
    let several = cron("0,20,40 2 * * *", "Europe/Berlin");
    assert_eq!(due(&several, "2026-03-28T12:00:00Z", 2), times(["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"]),);
    let with_the_hour_after = cron("30 2,3 * * *", "Europe/Berlin");
    assert_eq!(due(&with_the_hour_after, "2026-03-28T12:00:00Z", 2), times(["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"]),);
}

#[test]
fn a_day_that_a_zone_left_out_is_a_gap_too() {
    // Samoa had no 30 December 2011; the 31st began at 10:00 in UTC.
    let daily = cron("0 12 * * *", "Pacific/Apia");
    assert_eq!(due(&daily, "2011-12-29T21:00:00Z", 3), times(["2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"]),);
}

/// In Berlin the clock goes from 03:00 back to 02:00 on 25 October 2026, which is 01:00 in UTC.
#[test]
fn a_time_in_an_overlap_is_due_once() {
    let once = cron("30 2 * * *", "Europe/Berlin");
    assert_eq!(due(&once, "2026-10-24T12:00:00Z", 2), times(["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),);
    // Who looks while the hour is repeated has missed it.
    assert_eq!(due(&once, "2026-10-25T01:10:00Z", 1), times(["2026-10-26T01:30:00Z"]));
}

#[test]
fn a_cadence_goes_on_through_a_gap_and_an_overlap() {
    let half_hourly = cron("*/30 * * * *", "Europe/Berlin");
    assert_eq!(
        due(&half_hourly, "2026-03-29T00:00:00Z", 3),
        times(["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"]),
    );
    assert_eq!(
        due(&half_hourly, "2026-10-25T00:00:00Z", 4),
        times(["2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"]),
    );
}

#[test]
fn either_day_is_enough_where_both_are_restricted() {
    let either = cron("0 0 13 * FRI", "UTC");
    assert_eq!(
        due(&either, "2026-01-01T12:00:00Z", 4),
        times(["2026-01-02T00:00:00Z", "2026-01-09T00:00:00Z", "2026-01-13T00:00:00Z", "2026-01-16T00:00:00Z"]),
    );
}

#[test]
fn a_leap_day_is_waited_for() {
    assert_eq!(due(&cron("0 0 29 2 *", "UTC"), "2096-03-01T00:00:00Z", 1), times(["2104-02-29T00:00:00Z"]));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    assert_eq!(reason("0 2 * *"), ("it has 4 fields, not 5 or 6".to_owned(), 0));
    assert_eq!(reason("@daily"), ("it has 1 field, not 5 or 6".to_owned(), 0));
    assert_eq!(reason("0 0 2 * * * 2026"), ("it has 7 fields, not 5 or 6".to_owned(), 0));
    assert_eq!(reason(&"0 ".repeat(200)).0, "it has 400 bytes, the limit is 256");
    for (expression, field, offset) in [
        ("60 2 * * *", "`60` is no minute: one is 0 to 59,", 0),
        ("0 24 * * *", "`24` is no hour: one is 0 to 23,", 2),
        ("0  MON * * *", "`MON` is no hour:", 3),
        ("0 2 0 * *", "`0` is no day of the month:", 4),
        ("0 2 * 13 *", "`13` is no month:", 6),
        ("0 2 * * 8", "`8` is no day of the week:", 8),
        ("*/0 * * * *", "`*/0` is no minute:", 0),
        ("61 0 2 * * *", "`61` is no second:", 0),
        (", 2 * * *", "`,` is no minute:", 0),
        ("0 2, * * *", "`2,` is no hour:", 2),
        ("é 2 * * *", "`é` is no minute:", 0),
    ] {
        let (reason, at) = reason(expression);
        assert!(reason.starts_with(field), "`{expression}`: {reason}");
        assert_eq!(at, offset, "`{expression}`");
    }
}

#[test]
fn an_expression_that_never_fires_is_refused() {
    for expression in ["0 0 30 2 *", "0 0 31 4,6,9,11 *"] {
        assert_eq!(reason(expression).0, "no day of any year is meant by it, so it never fires");
    }
}

#[test]
fn at_the_end_of_the_calendar_nothing_is_due_any_more() {
    assert_eq!(cron("0 2 * * *", "UTC").next_after(Timestamp(u64::MAX)), Timestamp(u64::MAX));
    assert_eq!(cron("0 2 * * *", "UTC").next_after(Timestamp(u64::MAX / 4)), Timestamp(u64::MAX));
}

#[test]
fn zones_have_the_names_of_the_database() {
    assert_eq!(Zone::named("Europe/Berlin").map(Zone::name), Some("Europe/Berlin"));
    assert_eq!(Zone::named("europe/berlin"), None);
    assert!(Zone::names().any(|name| name == "America/Argentina/Buenos_Aires"));
}

const EXPRESSIONS: [&str; 10] = [
    "* * * * *",
    "*/7 * * * *",
    "30 * * * *",
    "0 2 * * *",
    "30 2 * * *",
    "*/15 1-3 * * *",
    "0,30 0 * * SUN",
    "59 23 28-31 * *",
    "0 3 1 1 *",
    "15 30 2 * * *",
];
const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
    "Pacific/Apia",
];

proptest! {
    #[test]
    fn a_due_time_comes_and_none_lies_between(
        expression in prop::sample::select(EXPRESSIONS.to_vec()),
        zone in prop::sample::select(ZONES.to_vec()),
        now in 1_000_000_000_000_u64..=4_000_000_000_000,
        share in 0.0_f64..1.0,
    ) {
        let cron = cron(expression, zone);
        let next = cron.next_after(Timestamp(now));
        prop_assert!(next.0 > now && next.0 < u64::MAX);
        // From anywhere before it the same time is next: looking late or early moves nothing.
        let between = now + ((next.0 - now) as f64 * share) as u64;
        prop_assert_eq!(cron.next_after(Timestamp(between.min(next.0 - 1))), next);
        prop_assert!(cron.next_after(next) > next);
    }

    #[test]
    fn any_text_is_judged_and_not_crashed_on(text in "\\PC{0,40}") {
        let _ = Cron::parse(&text, Zone::UTC);
    }

    #[test]
    fn any_fields_are_judged_and_what_is_taken_fires(text in "[0-9*/,-]{1,4}( [0-9*/,-]{1,4}){4,5}") {
        if let Ok(cron) = Cron::parse(&text, Zone::UTC) {
            prop_assert!(cron.next_after(Timestamp(1_700_000_000_000)).0 < u64::MAX);
        }
    }
}
