//! Times at which incidents are not told: maintenance windows, and the mute and active times of routes.
//!
//! Whether a window or an interval is on is looked up at its edges and remembered between them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config::{MaintenanceTime, MaintenanceWindow};
use super::incident::Mute;
use super::interval::{LOOK_AHEAD, NamedInterval, next_change_of};
use super::matcher::{Subject, all_match};
use super::route::Route;
use crate::Timestamp;

impl MaintenanceWindow {
    pub fn contains(&self, at: Timestamp) -> bool {
        match &self.when {
            MaintenanceTime::Once { starts_at, ends_at } => *starts_at <= at && at < *ends_at,
            MaintenanceTime::Recurring(intervals) => intervals.iter().any(|interval| interval.contains(at)),
            MaintenanceTime::Cron { cron, duration } => cron.next_after(at.minus(*duration)) <= at,
        }
    }

    /// When it may begin or end.
    pub fn next_change_after(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.when {
            MaintenanceTime::Once { starts_at, ends_at } => [*starts_at, *ends_at].into_iter().find(|at| *at > now),
            MaintenanceTime::Recurring(intervals) => Some(next_change_of(intervals, now).unwrap_or_else(|| now.plus(LOOK_AHEAD))),
            MaintenanceTime::Cron { cron, duration } => {
                let begin = cron.next_after(now.minus(*duration));
                Some(if begin <= now { begin.plus(*duration) } else { begin })
            }
        }
    }
}

/// The maintenance windows, and which of them are on.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Windows {
    windows: Vec<(MaintenanceWindow, bool)>,
}

impl Windows {
    pub(super) fn new(windows: &[MaintenanceWindow], now: Timestamp) -> Windows {
        Windows { windows: windows.iter().map(|window| (window.clone(), window.contains(now))).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.windows.len()
    }

    /// Looks again; whether that changed something.
    pub(super) fn look(&mut self, index: usize, now: Timestamp) -> bool {
        let Some((window, is_on)) = self.windows.get_mut(index) else { return false };
        let was_on = std::mem::replace(is_on, window.contains(now));
        was_on != *is_on
    }

    pub(super) fn next_change_after(&self, index: usize, now: Timestamp) -> Option<Timestamp> {
        self.windows.get(index)?.0.next_change_after(now)
    }

    pub(super) fn mute_of(&self, subject: &Subject<'_>) -> Option<Mute> {
        let (window, _) = self.windows.iter().find(|(window, is_on)| *is_on && all_match(&window.matchers, subject))?;
        let until = match window.when {
            MaintenanceTime::Once { ends_at, .. } => Some(ends_at),
            MaintenanceTime::Recurring(_) | MaintenanceTime::Cron { .. } => None,
        };
        Some(Mute::InMaintenance { window: Arc::clone(&window.name), until })
    }
}

/// The named intervals, and which of them are now.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Calendar {
    intervals: BTreeMap<Arc<str>, (NamedInterval, bool)>,
}

impl Calendar {
    pub(super) fn new(intervals: &[NamedInterval], now: Timestamp) -> Calendar {
        let entry = |interval: &NamedInterval| (Arc::clone(&interval.name), (interval.clone(), interval.contains(now)));
        Calendar { intervals: intervals.iter().map(entry).collect() }
    }

    pub(super) fn names(&self) -> Vec<Arc<str>> {
        self.intervals.keys().cloned().collect()
    }

    /// Looks again; whether that changed something.
    pub(super) fn look(&mut self, name: &str, now: Timestamp) -> bool {
        let Some((interval, is_now)) = self.intervals.get_mut(name) else { return false };
        let was = std::mem::replace(is_now, interval.contains(now));
        was != *is_now
    }

    pub(super) fn next_change_after(&self, name: &str, now: Timestamp) -> Option<Timestamp> {
        let (interval, _) = self.intervals.get(name)?;
        Some(interval.next_change_after(now).unwrap_or_else(|| now.plus(LOOK_AHEAD)))
    }

    /// Why a route is mute now.
    pub(super) fn mute_of(&self, route: &Route) -> Option<Mute> {
        let is_now = |name: &Arc<str>| self.intervals.get(name).is_some_and(|(_, is_now)| *is_now);
        if let Some(interval) = route.mute_times.iter().find(|name| is_now(name)) {
            return Some(Mute::MutedTime { interval: Arc::clone(interval) });
        }
        let is_inactive = !route.active_times.is_empty() && !route.active_times.iter().any(is_now);
        is_inactive.then_some(Mute::OutsideActiveTime)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::alerting::interval::{TimeInterval, TimeIntervalText, TimesText};
    use crate::{Cron, Zone};

    const DAY_MS: u64 = 86_400_000;

    /// From 02:00 to 03:00 UTC.
    fn night() -> TimeInterval {
        let times = vec![TimesText { start: "02:00".into(), end: "03:00".into() }];
        TimeInterval::parse(&TimeIntervalText { times, ..TimeIntervalText::default() }).expect("an interval")
    }

    #[test]
    fn a_window_that_comes_once_begins_and_ends() {
        let when = MaintenanceTime::Once { starts_at: Timestamp(10), ends_at: Timestamp(20) };
        let window = MaintenanceWindow { name: "move".into(), matchers: Vec::new(), when };
        assert_eq!([9, 10, 19, 20].map(|at| window.contains(Timestamp(at))), [false, true, true, false]);
        let next = |now| window.next_change_after(Timestamp(now));
        assert_eq!([next(0), next(10), next(20)], [Some(Timestamp(10)), Some(Timestamp(20)), None]);
    }

    #[test]
    fn a_window_that_comes_again_is_looked_at_at_its_edges() {
        let when = MaintenanceTime::Recurring(vec![night()]);
        let window = MaintenanceWindow { name: "backup".into(), matchers: Vec::new(), when };
        let mut windows = Windows::new(&[window], Timestamp(DAY_MS));
        let begin = windows.next_change_after(0, Timestamp(DAY_MS)).expect("the next night");
        assert_eq!(begin, Timestamp(DAY_MS + 2 * 3_600_000));
        assert!(!windows.look(0, Timestamp(begin.0 - 1)) && windows.look(0, begin) && !windows.look(0, begin));
    }

    #[test]
    fn a_window_by_cron_lasts_from_each_of_its_times_on() {
        let cron = Arc::new(Cron::parse("0 22 * * *", Zone::UTC).expect("an expression"));
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let when = MaintenanceTime::Cron { cron, duration: hours(4) };
        let window = MaintenanceWindow { name: "night".into(), matchers: Vec::new(), when };
        let at = |hour: u64| Timestamp(DAY_MS).plus(hours(hour));
        let is_on: Vec<u64> = (0..48).filter(|hour| window.contains(at(*hour))).collect();
        assert_eq!(is_on, [0, 1, 22, 23, 24, 25, 46, 47]);
        assert_eq!([0, 2, 21, 22, 25].map(|hour| window.next_change_after(at(hour))), [2, 22, 22, 26, 26].map(|hour| Some(at(hour))));
    }

    #[test]
    fn the_calendar_knows_which_intervals_are_now() {
        let named = NamedInterval { name: "night".into(), intervals: vec![night()] };
        let mut calendar = Calendar::new(&[named], Timestamp(0));
        assert_eq!(calendar.names(), [Arc::<str>::from("night")]);
        let begin = calendar.next_change_after("night", Timestamp(0)).expect("the next night");
        assert!(calendar.look("night", begin) && !calendar.look("day", begin));
    }
}
