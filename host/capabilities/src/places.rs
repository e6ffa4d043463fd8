//! The connections that a source may have in use at once: who has one, who waits for one, and who is next.
//!
//! How: a call holds a [`Place`] while it has a connection. A check counts with all its targets as one, and its next place is due a round
//! after its last one; a round is over when as many places were given out as there are checks. A free place goes to the check for which
//! one is due first. So whatever a check has waiting, single calls of others come in between, and they do not keep it out either.
//!
//! Invariant: of several places one check never has all: a single call of another one waits for none that only this check has.
//! Invariant: nobody waits while there is a place that it may have; a wait that is dropped leaves nothing behind.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::source::lock;

/// Stands between the name of a check and its target.
const BEFORE_TARGET: char = '@';
/// A call that waited for more than one part in so many of its time left the service too little of it.
const FAIR_PART: u32 = 10;
/// On the clock of the rounds.
const ROUND: u64 = 1 << 20;

/// The places of one source.
pub(crate) struct Places {
    count: usize,
    crowd: Mutex<Crowd>,
}

#[derive(Default)]
struct Crowd {
    taken: usize,
    waiting: usize,
    /// Those that have a place or wait for one.
    checks: HashMap<Arc<str>, OfCheck>,
    /// Goes on with every place that is given out.
    clock: u64,
    /// Calls that had to wait so far.
    came: u64,
}

#[derive(Default)]
struct OfCheck {
    taken: usize,
    /// In the order in which they came.
    waiting: BTreeMap<u64, oneshot::Sender<Place>>,
    /// When its next place is.
    due: u64,
}

/// Free again when it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    check: Arc<str>,
}

/// Stands in the queue until it is dropped.
struct Waiting<'places> {
    places: &'places Places,
    check: Arc<str>,
    came: u64,
    told: oneshot::Receiver<Place>,
}

impl Places {
    pub(crate) fn new(count: usize) -> Places {
        Places { count, crowd: Mutex::default() }
    }

    /// The caller bounds the waiting. None when the host ends.
    pub(crate) async fn take(self: &Arc<Places>, check: &Arc<str>) -> Option<Place> {
        match self.ask(check) {
            Ok(place) => Some(place),
            Err(mut waiting) => {
                let told = (&mut waiting.told).await;
                told.ok()
            }
        }
    }

    pub(crate) fn in_use(&self) -> usize {
        lock(&self.crowd).taken
    }

    /// For a call whose time went by here. `source` stands in `[sources.KIND.SOURCE]`.
    pub(crate) fn crowded(&self, kind: &str, source: &str, waited: Duration, whole: Duration) -> String {
        let (count, share, waited, whole) = (self.count, self.share(), waited.as_millis(), whole.as_millis());
        format!(
            "{waited} of {whole} ms went by while the call waited for a connection of source `{source}`, which may have {count} \
             (`connections_max`), {share} of them for one check with its targets; \
             hint: raise `connections_max` of `[sources.{kind}.{source}]`"
        )
    }

    /// That one check may have.
    fn share(&self) -> usize {
        self.count.saturating_sub(1).max(1)
    }

    fn place(self: &Arc<Places>, check: Arc<str>) -> Place {
        Place { places: Arc::clone(self), check }
    }

    /// What is free is free for whoever asks: those that wait have their share.
    fn ask<'places>(self: &'places Arc<Places>, check: &Arc<str>) -> Result<Place, Waiting<'places>> {
        let check = without_target(check);
        let mut crowd = lock(&self.crowd);
        let (is_free, clock) = (crowd.taken < self.count, crowd.clock);
        let of_check = crowd.checks.entry(Arc::clone(&check)).or_insert_with(|| OfCheck { due: clock, ..OfCheck::default() });
        if is_free && of_check.taken < self.share() {
            crowd.give(&check);
            return Ok(self.place(check));
        }
        let (tell, told) = oneshot::channel();
        crowd.came += 1;
        crowd.waiting += 1;
        let came = crowd.came;
        if let Some(of_check) = crowd.checks.get_mut(&check) {
            of_check.waiting.insert(came, tell);
        }
        Err(Waiting { places: self, check, came, told })
    }

    /// Takes a place for whoever is next.
    fn next(&self) -> Option<(Arc<str>, oneshot::Sender<Place>)> {
        let mut crowd = lock(&self.crowd);
        if crowd.waiting == 0 || crowd.taken >= self.count {
            return None;
        }
        let may_have = crowd.checks.iter().filter(|(_, of_check)| of_check.taken < self.share());
        let first = may_have.filter_map(|(check, of_check)| {
            let (came, _) = of_check.waiting.first_key_value()?;
            Some((of_check.due, *came, check))
        });
        let (_, came, check) = first.min_by_key(|(due, came, _)| (*due, *came))?;
        let check = Arc::clone(check);
        let tell = crowd.checks.get_mut(&check)?.waiting.remove(&came)?;
        crowd.waiting -= 1;
        crowd.give(&check);
        Some((check, tell))
    }
}

impl Crowd {
    fn give(&mut self, check: &Arc<str>) {
        let checks = u64::try_from(self.checks.len()).unwrap_or(u64::MAX).max(1);
        self.taken += 1;
        self.clock += ROUND / checks;
        if let Some(of_check) = self.checks.get_mut(check) {
            of_check.taken += 1;
            of_check.due = of_check.due.max(self.clock) + ROUND;
        }
    }

    fn forget_idle(&mut self, check: &Arc<str>) {
        if self.checks.get(check).is_some_and(|of_check| of_check.taken == 0 && of_check.waiting.is_empty()) {
            self.checks.remove(check);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        {
            let mut crowd = lock(&self.places.crowd);
            crowd.taken = crowd.taken.saturating_sub(1);
            if let Some(of_check) = crowd.checks.get_mut(&self.check) {
                of_check.taken = of_check.taken.saturating_sub(1);
            }
            crowd.forget_idle(&self.check);
        }
        while let Some((check, tell)) = self.places.next() {
            // Who does not wait any more gives it back at once.
            let _ = tell.send(self.places.place(check));
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut crowd = lock(&self.places.crowd);
        let left = crowd.checks.get_mut(&self.check).and_then(|of_check| of_check.waiting.remove(&self.came));
        if left.is_some() {
            crowd.waiting -= 1;
            crowd.forget_idle(&self.check);
        }
    }
}

/// A service is to blame for being late only where it had nearly all of the time that the call had.
pub(crate) fn is_starved(waited: Duration, whole: Duration) -> bool {
    waited > whole / FAIR_PART
}

fn without_target(check: &Arc<str>) -> Arc<str> {
    match check.split_once(BEFORE_TARGET) {
        Some((name, _)) => Arc::from(name),
        None => Arc::clone(check),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(count: usize) -> Arc<Places> {
        Arc::new(Places::new(count))
    }

    fn take(places: &Arc<Places>, check: &str) -> Place {
        places.ask(&check.into()).unwrap_or_else(|_| panic!("`{check}` has to wait"))
    }

    fn wait<'places>(places: &'places Arc<Places>, check: &str) -> Waiting<'places> {
        match places.ask(&check.into()) {
            Ok(_) => panic!("`{check}` does not wait"),
            Err(waiting) => waiting,
        }
    }

    fn served(waiting: &mut Waiting<'_>) -> Option<Place> {
        waiting.told.try_recv().ok()
    }

    #[test]
    fn a_check_with_many_targets_leaves_a_place_to_others() {
        let places = places(4);
        let held: Vec<Place> = (1..=3).map(|target| take(&places, &format!("tables@{target}"))).collect();
        let mut fourth = wait(&places, "tables@4");
        let other = take(&places, "size");
        assert_eq!(places.in_use(), 4);
        drop(other);
        assert!(served(&mut fourth).is_none(), "it has its share");
        drop(held);
        assert!(served(&mut fourth).is_some());
    }

    #[test]
    fn a_single_call_comes_before_what_a_check_has_waiting() {
        let places = places(1);
        let first = take(&places, "tables@1");
        let mut crowd: Vec<Waiting<'_>> = (2..50).map(|target| wait(&places, &format!("tables@{target}"))).collect();
        let mut single = wait(&places, "size");
        drop(first);
        let place = served(&mut single).expect("it is next");
        let mut again = wait(&places, "size");
        drop(place);
        let place = served(&mut crowd[0]).expect("then the first of the others");
        assert!(served(&mut again).is_none());
        drop(place);
        assert!(served(&mut again).is_some(), "and the rounds go on");
    }

    #[test]
    fn checks_with_one_call_each_are_served_in_the_order_in_which_they_came() {
        let places = places(2);
        let held = [take(&places, "a"), take(&places, "b")];
        let mut waiting: Vec<Waiting<'_>> = ["c", "d", "e"].map(|check| wait(&places, check)).into();
        let [first, second] = held;
        drop(first);
        assert!(served(&mut waiting[1]).is_none() && served(&mut waiting[2]).is_none());
        let third = served(&mut waiting[0]).expect("it came first");
        drop(second);
        let fourth = served(&mut waiting[1]).expect("it came second");
        drop((third, fourth));
        assert!(served(&mut waiting[2]).is_some());
    }

    #[test]
    fn newcomers_do_not_keep_a_check_waiting_for_ever() {
        let places = places(1);
        let mut place = take(&places, "tables@1");
        let mut second = wait(&places, "tables@2");
        let mut others = 0;
        while others < 10 {
            let name = format!("other-{others}");
            let mut other = wait(&places, &name);
            drop(place);
            match served(&mut second) {
                Some(_) => return,
                None => place = served(&mut other).expect("one of the two"),
            }
            others += 1;
        }
        panic!("{others} others came before it");
    }

    #[test]
    fn a_wait_that_is_given_up_leaves_nothing_behind() {
        let places = places(1);
        let first = take(&places, "a");
        drop(wait(&places, "b"));
        let told = wait(&places, "c");
        let mut last = wait(&places, "d");
        drop(first);
        // It was given the place and goes without having looked.
        drop(told);
        drop(served(&mut last).expect("it is free again"));
        drop(last);
        let crowd = lock(&places.crowd);
        assert_eq!((crowd.taken, crowd.checks.len(), crowd.waiting), (0, 0, 0));
    }

    #[test]
    fn who_waited_for_more_than_a_tenth_of_its_time_was_kept_from_the_service() {
        let ms = Duration::from_millis;
        assert!(!is_starved(Duration::ZERO, ms(100)) && !is_starved(ms(10), ms(100)));
        assert!(is_starved(ms(11), ms(100)) && is_starved(ms(100), ms(100)));
        let told = places(4).crowded("postgres", "main", ms(90), ms(100));
        assert!(told.starts_with("90 of 100 ms went by") && told.contains("4 (`connections_max`), 3 of them for one check"), "{told}");
        assert!(told.ends_with("`[sources.postgres.main]`"), "{told}");
    }
}
