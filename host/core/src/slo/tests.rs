//! Objectives with numbers that a hand can follow, and sums against counting one by one.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{MetricKind, Timestamp};

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 86_400_000;
/// 2026-01-01T00:00:00Z, where a day begins.
const BEGIN: Timestamp = Timestamp(1_767_225_600_000);

fn objective(target: f64, days: u64) -> Objective {
    Objective { target, window: Duration::from_secs(days * 86_400), indicator: Indicator::Status(BadFrom::Critical) }
}

fn check(name: &str) -> Arc<str> {
    Arc::from(name)
}

fn minutes(count: u64) -> Timestamp {
    Timestamp(BEGIN.0 + count * MINUTE_MS)
}

/// One result a minute of the check `a`, as the letters say (good, bad, `?`), from the begin on.
fn book(results: &str) -> Book {
    let mut book = Book::default();
    for (minute, letter) in (0..).zip(results.chars()) {
        let outcome = match letter {
            'g' => Outcome::Good,
            'b' => Outcome::Bad,
            '?' => Outcome::Uncovered,
            _ => panic!("no result is written `{letter}`"),
        };
        book.note(minutes(minute), &check("a"), outcome, None);
    }
    book
}

fn metric(name: &str, value: f64) -> Metric {
    Metric { name: name.to_owned(), value, kind: MetricKind::Gauge, unit: String::new(), labels: Vec::new() }
}

#[test]
fn the_budget_of_99_9_percent_a_month_is_43_2_minutes() {
    assert_eq!(objective(0.999, 30).budget(), Duration::from_secs(2_592));
    assert_eq!(objective(0.9995, 30).budget(), Duration::from_secs(1_296));
    assert_eq!(objective(0.99, 7).budget(), Duration::from_secs(6_048));
    assert_eq!(objective(0.999, 30).allowed(), 0.001);
}

#[test]
fn a_result_counts_by_its_status() {
    let outcomes = |bad: BadFrom| Status::ALL.map(|status| Indicator::Status(bad).outcome(status, &[]));
    use Outcome::{Bad, Good, Uncovered};
    assert_eq!(Status::ALL, [Status::Unknown, Status::Ok, Status::Warning, Status::Critical]);
    assert_eq!(outcomes(BadFrom::Critical), [Uncovered, Good, Good, Bad]);
    assert_eq!(outcomes(BadFrom::Warning), [Uncovered, Good, Bad, Bad]);
}

#[test]
fn a_result_counts_by_what_it_measured_where_a_latency_is_wanted() {
    let indicator = Indicator::Latency { metric: "seconds".to_owned(), below: 0.2 };
    let of = |status: Status, value: f64| indicator.outcome(status, &[metric("other", 9.0), metric("seconds", value)]);
    assert_eq!((of(Status::Ok, 0.19), of(Status::Warning, 0.2), of(Status::Critical, 0.1)), (Outcome::Good, Outcome::Bad, Outcome::Good));
    assert_eq!(of(Status::Unknown, 0.1), Outcome::Uncovered);
    assert_eq!(indicator.outcome(Status::Critical, &[]), Outcome::Bad, "what does not answer is not fast");
    assert_eq!(indicator.outcome(Status::Ok, &[]), Outcome::Uncovered);
    let labelled = Metric { labels: vec![crate::Label { name: "phase".to_owned(), value: "dns".to_owned() }], ..metric("seconds", 9.0) };
    assert_eq!(indicator.outcome(Status::Ok, &[labelled]), Outcome::Uncovered);
}

#[test]
fn an_account_has_the_numbers_of_a_hand() {
    // 1 of 100 is bad, and 2 could not be judged: 0.99 of 0.9 wanted, a tenth of the budget is gone.
    let book = book(&("g".repeat(50) + "b?" + &"g".repeat(49) + "?"));
    let account = Account::of(&objective(0.9, 30), &book, minutes(102));
    assert_eq!(account.counts, Counts { good: 99, bad: 1, uncovered: 2 });
    assert_eq!(account.counts.good_share(), Some(0.99));
    assert!((account.budget_remaining - 0.9).abs() < 1e-12, "{}", account.budget_remaining);
    assert_eq!(account.counts.uncovered_share(), 2.0 / 102.0);
    assert_eq!(account.since, Some(BEGIN));
    assert_eq!((account.status(), account.firing.len()), (Status::Ok, 0));
    // The last hour begins in the bucket of minute 40: 10 good ones, the bad one, one of nobody, 49 good ones, and the last.
    let hour = account.burn(BurnWindow::Hour1);
    assert_eq!(hour.counts, Counts { good: 59, bad: 1, uncovered: 2 });
    assert!((hour.rate.expect("it was counted") - 1.0 / 60.0 / 0.1).abs() < 1e-12);
    assert_eq!(account.burn(BurnWindow::Minutes5).rate, Some(0.0));
    assert_eq!(account.report(&objective(0.9, 30)).summary, "99 % good, 90 % wanted over 30d; 90 % of the error budget is left");
}

#[test]
fn without_a_result_that_could_be_judged_nothing_is_said() {
    for book in [Book::default(), book("???")] {
        let account = Account::of(&objective(0.999, 30), &book, minutes(10));
        assert_eq!((account.status(), account.counts.good_share(), account.budget_remaining), (Status::Unknown, None, 1.0));
        assert!(account.burns.iter().all(|burn| burn.rate.is_none()));
        assert_eq!(account.report(&objective(0.999, 30)).summary, "no result of the last 3d could be judged");
    }
}

/// The severities of the pairs that fire when a share of one result in `of` is bad, after three days in which none was.
fn firing(of: usize, for_minutes: usize) -> Vec<(f64, &'static str)> {
    const CALM_MINUTES: usize = 3 * 24 * 60;
    let burning: String = (0..for_minutes).map(|minute| if minute % of == 0 { 'b' } else { 'g' }).collect();
    let book = book(&("g".repeat(CALM_MINUTES) + &burning));
    // Behind the last result, in its bucket.
    let now = minutes((CALM_MINUTES + for_minutes) as u64 - 1);
    Account::of(&objective(0.999, 30), &book, now).firing.iter().map(|pair| (pair.factor, pair.severity)).collect()
}

#[test]
fn the_faster_it_burns_the_sooner_and_the_more_urgent_it_is_told() {
    // One bad minute alone is 16 times too fast over an hour of results (1 of 61), and still no burning budget.
    assert!(firing(1, 1).is_empty());
    assert_eq!(firing(1, 2), [(14.4, "P1")]);
    // After three: 3 of 363 over six hours, 8.3 times too fast.
    assert_eq!(firing(1, 3), [(14.4, "P1"), (6.0, "P1")]);
    // A fifth, 200 times what is allowed, for a day.
    assert_eq!(firing(5, 24 * 60), [(14.4, "P1"), (6.0, "P1"), (3.0, "P2"), (1.0, "P3")]);
    // One in an hour, for five hours: 5 of 1,445 over a day, 3.5 times too fast; none in the last half hour.
    assert_eq!(firing(60, 5 * 60), [(3.0, "P2"), (1.0, "P3")]);
    // One in 500, twice what is allowed, and only over three days above the factor.
    assert_eq!(firing(500, 3 * 24 * 60), [(1.0, "P3")]);
    // One in 1,100, less than what is allowed.
    assert!(firing(1_100, 3 * 24 * 60).is_empty());
}

#[test]
fn a_firing_pair_is_the_status_of_the_check_and_its_evidence() {
    let objective = objective(0.99, 30);
    let account = Account::of(&objective, &book("ggggggggbb"), minutes(9));
    let report = account.report(&objective);
    assert_eq!(report.status, Status::Critical);
    assert_eq!(
        report.summary,
        "P1: the error budget burns 20 times as fast as it lasts, over 1h; 80 % good, 99 % wanted over 30d; nothing of the error budget is left"
    );
    let first = report.evidence.first().expect("a pair fires");
    assert_eq!((first.actual.as_str(), first.expected.as_str()), ("20 over 1h, 20 over 5m", "at most 14.4 over one of them (P1)"));
    assert_eq!(report.evidence.len(), PAIRS.len());
    let rates: Vec<f64> = report.metrics.iter().filter(|metric| metric.name == "burn_rate").map(|metric| metric.value).collect();
    assert_eq!(rates, [20.0; 7]);
    assert!((account.budget_remaining + 19.0).abs() < 1e-9, "{}", account.budget_remaining);
    // What waits for the morning is a warning.
    let slow = Account { firing: vec![&PAIRS[2]], ..account };
    assert_eq!(slow.status(), Status::Warning);
}

#[test]
fn the_pairs_are_those_of_the_workbook() {
    let told: Vec<_> = PAIRS.iter().map(|pair| (pair.factor, pair.long.as_str(), pair.short.as_str(), pair.severity)).collect();
    assert_eq!(told, [(14.4, "1h", "5m", "P1"), (6.0, "6h", "30m", "P1"), (3.0, "1d", "2h", "P2"), (1.0, "3d", "6h", "P3")]);
    assert!(BurnWindow::ALL.is_sorted_by_key(|window| window.duration()));
    assert!(BurnWindow::ALL.iter().enumerate().all(|(place, window)| *window as usize == place));
    assert_eq!(BurnWindow::ALL.last(), Some(&BurnWindow::LONGEST));
}

#[test]
fn checks_are_told_apart_with_what_they_measured() {
    let mut book = Book::default();
    for minute in 0..100 {
        let outcome = if minute == 7 { Outcome::Bad } else { Outcome::Good };
        book.note(minutes(minute), &check("a"), outcome, Some(0.1));
        book.note(minutes(minute), &check("b"), Outcome::Good, Some(1.0));
        book.note(minutes(minute), &check("c"), Outcome::Uncovered, Some(9.0));
    }
    let tally = |checks: &[&str]| {
        let mut all = Tally::default();
        checks.iter().for_each(|check| all.include(&book.tally(check, WINDOW_MIN, minutes(100))));
        all
    };
    let (a, both, c) = (tally(&["a"]), tally(&["a", "b"]), tally(&["c", "absent"]));
    assert_eq!((a.counts.good_share(), both.counts.good_share()), (Some(0.99), Some(0.995)));
    assert_eq!((c.counts, c.latencies.is_empty()), (Counts { good: 0, bad: 0, uncovered: 100 }, true));
    let near = |found: Option<f64>, wanted: f64| found.is_some_and(|found| (found / wanted - 1.0).abs() < 0.2);
    assert!(near(a.latencies.percentile(0.99), 0.1), "{a:?}");
    assert!(near(both.latencies.percentile(0.25), 0.1) && near(both.latencies.percentile(0.95), 1.0), "{both:?}");
}

/// The book as it is after a restart.
fn kept(book: &mut Book) -> Book {
    let mut again = Book::default();
    for (day, stored) in book.take_changed() {
        let text = serde_json::to_string(&stored).expect("numbers and names");
        again.restore(day, serde_json::from_str(&text).expect("as it was written"));
    }
    again
}

#[test]
fn what_changed_is_given_once_and_is_the_whole_day() {
    let mut book = book(&"gb?".repeat(600));
    let days: Vec<u64> = book.clone().take_changed().iter().map(|(day, _)| *day).collect();
    assert_eq!(days.iter().map(|day| begin_of(*day)).collect::<Vec<_>>(), [BEGIN, Timestamp(BEGIN.0 + DAY_MS)]);
    let again = kept(&mut book);
    assert!(book.take_changed().is_empty());
    book.note(minutes(0), &check("a"), Outcome::Good, None);
    assert_eq!(book.take_changed().len(), 1);
    let account = |book: &Book| Account::of(&objective(0.9, 2), book, minutes(1_800));
    assert_eq!(account(&again).counts, Counts { good: 600, bad: 600, uncovered: 600 });
    assert_eq!(account(&book).counts, Counts { good: 601, bad: 600, uncovered: 600 });
    book.touch();
    assert_eq!(book.take_changed().len(), 2);
}

#[test]
fn what_no_sum_reaches_is_let_go_of() {
    let mut book = Book::default();
    for day in 0..40 {
        book.note(minutes(day * 24 * 60), &check("a"), Outcome::Good, None);
    }
    let _ = book.take_changed();
    let (window, now) = (Duration::from_secs(7 * 86_400), minutes(39 * 24 * 60));
    book.forget(window, now);
    assert_eq!(book.whole(WINDOW_MAX, now).0.good, 8, "seven days, and the one in which they begin");
    let slimmer: Vec<u64> = book.take_changed().iter().map(|(day, _)| day - BEGIN.0 / DAY_MS).collect();
    assert_eq!(slimmer, [32, 33, 34, 35], "they have no five-minute buckets any more");
    assert_eq!(book.recent(BurnWindow::LONGEST, now).good, 4);
    // A clock that runs wild makes no more days than there is room for.
    for day in 0..1_000 {
        book.note(Timestamp(day * DAY_MS), &check("a"), Outcome::Good, None);
    }
    assert_eq!(book.whole(Duration::MAX, Timestamp(u64::MAX)).0.good, DAYS_MAX as u64);
}

#[test]
fn a_day_that_was_kept_wrongly_does_no_harm() {
    let text =
        r#"{"hours":[[24,1,1,1],[65535,1,1,1],[0,1,0,0]],"fives":[[288,1,1,1]],"checks":{"a":{"counts":[1,0,0],"latency":[[-9999,1]]}}}"#;
    let mut book = Book::default();
    book.restore(BEGIN.0 / DAY_MS, serde_json::from_str(text).expect("it has the form"));
    assert_eq!(book.whole(WINDOW_MIN, minutes(60)).0, Counts { good: 1, bad: 0, uncovered: 0 });
}

proptest! {
    #[test]
    fn the_sum_over_buckets_is_what_counting_one_by_one_gives(
        results in prop::collection::vec((0_u64..100 * DAY_MS, 0_usize..3), 0..400),
        recent in prop::collection::vec((96 * DAY_MS..100 * DAY_MS, 0_usize..3), 0..400),
        now in 100 * DAY_MS..101 * DAY_MS,
        days in 1_u64..=90,
    ) {
        const OUTCOMES: [Outcome; 3] = [Outcome::Good, Outcome::Bad, Outcome::Uncovered];
        let results: Vec<(u64, usize)> = results.into_iter().chain(recent).collect();
        let (now, window) = (Timestamp(BEGIN.0 + now), Duration::from_secs(days * 86_400));
        let mut book = Book::default();
        for (at, outcome) in &results {
            book.note(Timestamp(BEGIN.0 + at), &check("a"), OUTCOMES[*outcome], None);
        }
        let one_by_one = |window: Duration, bucket_ms: u64| {
            let (first, last) = (now.minus(window).0 / bucket_ms, now.0 / bucket_ms);
            let is_within = |at: u64| (first..=last).contains(&((BEGIN.0 + at) / bucket_ms));
            let count = |wanted: usize| results.iter().filter(|(at, outcome)| is_within(*at) && *outcome == wanted).count() as u64;
            Counts { good: count(0), bad: count(1), uncovered: count(2) }
        };
        let mut again = kept(&mut book);
        again.forget(window, now);
        for book in [book, again] {
            for burn_window in BurnWindow::ALL {
                prop_assert_eq!(book.recent(burn_window, now), one_by_one(burn_window.duration(), 5 * MINUTE_MS));
            }
            prop_assert_eq!(book.whole(window, now).0, one_by_one(window, 60 * MINUTE_MS));
            let by_day = book.tally("a", window, now).counts;
            prop_assert_eq!(by_day, one_by_one(window, DAY_MS));
        }
    }
}
