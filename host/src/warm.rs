//! Instances that are kept from one run of a check to the next (`isolation = "warm"`).
//!
//! How: a run takes its check's instance out and puts it back when it ended well, so nobody else has it meanwhile. What is kept is told
//! apart by what it was made for ([`Purpose`]): another version, configuration, grant or limit gets a fresh instance.
//!
//! Limits: [`WARM_MAX`] in the host; the one that was unused for longest goes. Each holds at most the `memory_bytes` of its check.
//!
//! Invariant: an instance serves one check and one version, never two runs at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sickbay_capabilities::{Grants, Lent};
use sickbay_runtime::{INSTANCES_MAX, Limits, WarmInstance};

use crate::alerting::DELIVERIES_MAX;
use crate::config::Isolation;
use crate::daemon::RUNS_MAX;
use crate::daemon::folder::LOADS_MAX;
use crate::live::LiveCheck;
use crate::plugins::Loaded;

/// Instances kept in the host.
pub const WARM_MAX: usize = 64;

// Runs, deliveries, kept instances and those that describe themselves have a place each.
const _: () = assert!(RUNS_MAX + DELIVERIES_MAX + WARM_MAX + LOADS_MAX <= INSTANCES_MAX as usize);

pub type WarmInstances = Kept<WarmInstance<Lent>>;

/// What an instance was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose {
    pub plugin: Arc<str>,
    /// SHA-256 of the plugin's file.
    version: String,
    kind: Arc<String>,
    config: Arc<str>,
    grants: Arc<Grants>,
    limits: Limits,
}

impl Purpose {
    pub fn of(check: &LiveCheck, loaded: &Loaded, kind: &Arc<String>) -> Purpose {
        Purpose {
            plugin: Arc::clone(&check.plugin),
            version: loaded.plugin.sha256.clone(),
            kind: Arc::clone(kind),
            config: Arc::clone(&check.spec.config_text),
            grants: Arc::clone(&check.spec.grants),
            limits: check.limits,
        }
    }

    /// Whether `check`, as it is configured now, would still use it.
    pub fn suits(&self, check: &LiveCheck) -> bool {
        matches!(check.spec.isolation, Isolation::Warm { .. })
            && self.plugin == check.plugin
            && self.config == check.spec.config_text
            && self.grants == check.spec.grants
            && self.limits == check.limits
    }

    /// Whether it is of the version that serves.
    pub fn is_of(&self, loaded: &Loaded) -> bool {
        self.version == loaded.plugin.sha256
    }
}

/// What is kept of each check; generic, so that the order can be tested without a guest.
pub struct Kept<T> {
    kept: Mutex<Shelf<T>>,
}

struct Shelf<T> {
    by_check: HashMap<Arc<str>, Item<T>>,
    /// Rises with each that is put back.
    clock: u64,
}

struct Item<T> {
    purpose: Purpose,
    instance: T,
    put_at: u64,
}

impl<T> Default for Kept<T> {
    fn default() -> Kept<T> {
        Kept { kept: Mutex::new(Shelf { by_check: HashMap::new(), clock: 0 }) }
    }
}

impl<T> Kept<T> {
    /// The instance of `check`, where it was made for just this; one that was made for something else is dropped.
    pub fn take(&self, check: &str, purpose: &Purpose) -> Option<T> {
        let item = self.shelf().by_check.remove(check);
        item.filter(|item| item.purpose == *purpose).map(|item| item.instance)
    }

    /// Keeps an instance until the check's next run.
    pub fn put(&self, check: &Arc<str>, purpose: Purpose, instance: T) {
        let mut shelf = self.shelf();
        shelf.clock += 1;
        let item = Item { purpose, instance, put_at: shelf.clock };
        let before = shelf.by_check.insert(Arc::clone(check), item);
        let oldest = (shelf.by_check.len() > WARM_MAX)
            .then(|| shelf.by_check.iter().min_by_key(|(_, item)| item.put_at).map(|(check, _)| Arc::clone(check)))
            .flatten();
        let pushed_out = oldest.and_then(|check| shelf.by_check.remove(&check));
        // Giving memory back takes a while: not under the lock.
        drop(shelf);
        drop((before, pushed_out));
    }

    /// Drops what `suits` does not want any more.
    pub fn keep_only(&self, mut suits: impl FnMut(&str, &Purpose) -> bool) {
        let mut shelf = self.shelf();
        let unwanted: Vec<Arc<str>> =
            shelf.by_check.iter().filter(|(check, item)| !suits(check, &item.purpose)).map(|(check, _)| Arc::clone(check)).collect();
        let dropped: Vec<Item<T>> = unwanted.iter().filter_map(|check| shelf.by_check.remove(check)).collect();
        drop(shelf);
        drop(dropped);
    }

    pub fn len(&self) -> usize {
        self.shelf().by_check.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purpose(version: &str) -> Purpose {
        Purpose {
            plugin: "counter".into(),
            version: version.to_owned(),
            kind: Arc::default(),
            config: "{}".into(),
            grants: Arc::default(),
            limits: Limits::default(),
        }
    }

    fn named(number: usize) -> Arc<str> {
        format!("check-{number}").into()
    }

    #[test]
    fn an_instance_is_given_to_its_own_check_and_once() {
        let kept = Kept::default();
        kept.put(&named(1), purpose("a"), 1);
        assert_eq!(kept.take("check-2", &purpose("a")), None);
        assert_eq!(kept.take("check-1", &purpose("a")), Some(1));
        assert_eq!(kept.take("check-1", &purpose("a")), None);
    }

    #[test]
    fn what_was_made_for_something_else_is_dropped() {
        let kept = Kept::default();
        let lowered = Limits { cpu_ms: 1, ..Limits::default() };
        for other in [purpose("b"), Purpose { config: "{\"a\":1}".into(), ..purpose("a") }, Purpose { limits: lowered, ..purpose("a") }] {
            kept.put(&named(1), purpose("a"), 1);
            assert_eq!(kept.take("check-1", &other), None, "{other:?}");
            assert!(kept.is_empty());
        }
    }

    #[test]
    fn the_one_that_was_unused_for_longest_goes() {
        let kept = Kept::default();
        for number in 0..WARM_MAX {
            kept.put(&named(number), purpose("a"), number);
        }
        let used = kept.take("check-0", &purpose("a")).unwrap();
        kept.put(&named(0), purpose("a"), used);
        kept.put(&named(WARM_MAX), purpose("a"), WARM_MAX);
        assert_eq!(kept.len(), WARM_MAX);
        assert_eq!(kept.take("check-1", &purpose("a")), None);
        assert_eq!(kept.take("check-0", &purpose("a")), Some(0));
    }

    #[test]
    fn what_nobody_wants_any_more_is_dropped() {
        let kept = Kept::default();
        for number in 0..3 {
            kept.put(&named(number), purpose("a"), number);
        }
        kept.keep_only(|check, _| check == "check-1");
        assert_eq!((kept.len(), kept.take("check-1", &purpose("a"))), (1, Some(1)));
    }
}
