//! How many lookups may be under way: of one plugin, so that one whose names hang leaves room for the others, and of all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::failure::Failure;

/// A lookup holds two sockets while it waits.
const LOOKUPS_MAX: usize = 1024;
pub(super) const LOOKUPS_PER_PLUGIN_MAX: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Places {
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// Without those that have none under way.
    by_plugin: HashMap<Arc<str>, usize>,
}

/// Given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place<'places> {
    places: &'places Places,
    plugin: Arc<str>,
}

impl Places {
    /// Does not wait: that no place is free is the host's trouble, and must not look like a service that does not answer.
    pub(super) fn take(&self, plugin: &Arc<str>) -> Result<Place<'_>, Failure> {
        let mut taken = self.taken();
        if taken.all >= LOOKUPS_MAX {
            return Err(full(&format!("the host has {LOOKUPS_MAX} name lookups under way")));
        }
        let of_plugin = taken.by_plugin.get(plugin).copied().unwrap_or(0);
        if of_plugin >= LOOKUPS_PER_PLUGIN_MAX {
            return Err(full(&format!("the plugin `{plugin}` has {LOOKUPS_PER_PLUGIN_MAX} name lookups under way")));
        }
        taken.all += 1;
        taken.by_plugin.insert(Arc::clone(plugin), of_plugin + 1);
        Ok(Place { places: self, plugin: Arc::clone(plugin) })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        match taken.by_plugin.get_mut(&self.plugin) {
            Some(of_plugin) if *of_plugin > 1 => *of_plugin -= 1,
            _ => {
                taken.by_plugin.remove(&self.plugin);
            }
        }
    }
}

fn full(what: &str) -> Failure {
    Failure::Host(format!("{what}, no more are begun; hint: does the host's DNS server answer?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill<'places>(places: &'places Places, plugin: &str) -> Vec<Place<'places>> {
        let plugin: Arc<str> = plugin.into();
        std::iter::from_fn(|| places.take(&plugin).ok()).collect()
    }

    #[test]
    fn a_plugin_that_took_its_places_leaves_those_of_the_others() {
        let places = Places::default();
        let hanging = fill(&places, "hanging");
        assert_eq!(hanging.len(), LOOKUPS_PER_PLUGIN_MAX);
        match places.take(&"hanging".into()) {
            Err(Failure::Host(message)) => assert!(message.contains("the plugin `hanging` has 128 name lookups"), "{message}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(fill(&places, "other").len(), LOOKUPS_PER_PLUGIN_MAX);
    }

    #[test]
    fn the_host_has_an_end_too() {
        let places = Places::default();
        let taken: Vec<_> = (0..LOOKUPS_MAX / LOOKUPS_PER_PLUGIN_MAX).flat_map(|number| fill(&places, &number.to_string())).collect();
        assert_eq!(taken.len(), LOOKUPS_MAX);
        assert!(matches!(places.take(&"other".into()), Err(Failure::Host(message)) if message.contains("the host has 1024")));
    }

    #[test]
    fn a_place_is_free_again_when_its_lookup_is_over() {
        let places = Places::default();
        let mut hanging = fill(&places, "hanging");
        hanging.pop();
        assert_eq!(fill(&places, "hanging").len(), 1);
        drop(hanging);
        let taken = places.taken();
        assert_eq!((taken.all, taken.by_plugin.len()), (0, 0), "nothing is kept of a plugin that looks nothing up");
    }
}
