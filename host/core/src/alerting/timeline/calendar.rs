//! Times of the day where the clock is put back or forward: in Berlin on 25 October 2026 and on 28 March 2027, on both days at 01:00 UTC.

use super::*;
use crate::{Cron, Zone};

/// Midnight in UTC of the day on which summer ends, and of the one on which it begins.
const SUMMER_ENDS: u64 = 9_547_200;
const SUMMER_BEGINS: u64 = 22_852_800;
const NEXT_DAY: u64 = hours(24);

/// A time of a day in UTC.
const fn at(day: u64, hour: u64, minute: u64) -> u64 {
    day + hours(hour) + minutes(minute)
}

/// What the alerts of the shop are told by is mute at these times of each day in Berlin.
fn mute_in_berlin(start: &str, end: &str) -> AlertingConfig {
    let text = TimeIntervalText {
        times: vec![TimesText { start: start.into(), end: end.into() }],
        location: Some("Europe/Berlin".into()),
        ..TimeIntervalText::default()
    };
    let night = NamedInterval { name: "night".into(), intervals: vec![TimeInterval::parse(&text).expect("an interval")] };
    let muted = RouteConfig { mute_times: vec!["night".into()], ..child("service=shop", &["oncall"]) };
    AlertingConfig { intervals: vec![night], ..config(RouteConfig { routes: vec![muted], ..root(&["slack"]) }) }
}

fn of_the_shop(config: AlertingConfig) -> Timeline {
    let mut timeline = Timeline::new(config);
    timeline.labelled("api", &[("service", "shop")]);
    timeline
}

#[test]
fn times_that_the_clock_shows_twice_are_mute_twice() {
    let day = SUMMER_ENDS;
    let mut timeline = of_the_shop(mute_in_berlin("02:30", "02:45"));
    timeline.at(at(day, 0, 31)).fails("api");
    timeline.between(at(day, 0, 45) + 30, at(day, 0, 45) + 30).expects("oncall", firing(["api"]));
    timeline.at(at(day, 0, 55)).recovers("api");
    timeline.between(at(day, 0, 55) + 30, at(day, 0, 55) + 30).expects("oncall", resolved(["api"]));
    timeline.at(at(day, 1, 31)).fails("api");
    timeline.at(at(day, 1, 35)).restarts();
    timeline.between(at(day, 1, 45) + 30, at(day, 1, 45) + 30).expects("oncall", firing(["api"]));
    timeline.at(at(day, 2, 0)).recovers("api");
    timeline.between(at(day, 2, 0) + 30, at(day, 2, 0) + 30).expects("oncall", resolved(["api"]));
    timeline.run(at(day, 3, 0));
}

#[test]
fn times_that_the_clock_leaves_in_the_middle_end_with_it() {
    let day = SUMMER_BEGINS;
    let mut timeline = of_the_shop(mute_in_berlin("01:30", "02:30"));
    timeline.at(at(day, 0, 31)).fails("api");
    timeline.between(at(day, 1, 0) + 30, at(day, 1, 0) + 30).expects("oncall", firing(["api"]));
    timeline.at(at(day, 1, 20)).recovers("api");
    timeline.between(at(day, 1, 20) + 30, at(day, 1, 20) + 30).expects("oncall", resolved(["api"]));
    timeline.run(at(day, 3, 0));
}

#[test]
fn times_that_the_clock_leaves_out_are_mute_from_the_next_day_on() {
    let day = SUMMER_BEGINS;
    let mut timeline = of_the_shop(mute_in_berlin("02:15", "02:45"));
    timeline.at(at(day, 1, 1)).fails("api");
    timeline.between(at(day, 1, 1) + 30, at(day, 1, 1) + 30).expects("oncall", firing(["api"]));
    timeline.at(at(day, 1, 20)).recovers("api");
    timeline.between(at(day, 1, 20) + 30, at(day, 1, 20) + 30).expects("oncall", resolved(["api"]));
    let next = day + NEXT_DAY;
    timeline.at(at(next, 0, 16)).fails("api");
    timeline.between(at(next, 0, 45) + 30, at(next, 0, 45) + 30).expects("oncall", firing(["api"]));
    timeline.run(at(next, 2, 0));
}

#[test]
fn maintenance_whose_begin_the_clock_leaves_out_begins_right_after_it() {
    let day = SUMMER_BEGINS;
    let cron = Cron::parse("30 2 * * *", Zone::named("Europe/Berlin").expect("a zone")).expect("an expression");
    let when = MaintenanceTime::Cron { cron: Arc::new(cron), duration: Duration::from_secs(hours(1)) };
    let matchers = vec![Matcher::parse("service=shop").expect("a matcher")];
    let window = MaintenanceWindow { name: "backup".into(), matchers, when };
    let mut timeline = of_the_shop(AlertingConfig { maintenance: vec![window], ..config(root(&["oncall"])) });
    timeline.at(at(day, 1, 5)).fails("api");
    timeline.between(at(day, 2, 0) + 30, at(day, 2, 0) + 30).expects("oncall", firing(["api"]));
    timeline.run(at(day, 3, 0));
}
