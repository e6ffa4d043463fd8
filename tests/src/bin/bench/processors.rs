//! How many processors a measure has: the same on every machine, so that its figures can be held beside each other.

use std::fmt;

use anyhow::Context;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// What this bench has its goals for.
const PROCESSORS: usize = 2;

/// While this is there, the calling thread and every process that it starts run on the first [`PROCESSORS`] that it may use.
pub(crate) struct Pinned {
    before: CpuSet,
    count: u32,
}

impl Pinned {
    pub(crate) fn start() -> anyhow::Result<Pinned> {
        let before = sched_getaffinity(None).context("the processors of this thread are not known")?;
        let mut few = CpuSet::new();
        for processor in (0..CpuSet::MAX_CPU).filter(|processor| before.is_set(*processor)).take(PROCESSORS) {
            few.set(processor);
        }
        sched_setaffinity(None, &few).context("this thread cannot be kept on its processors")?;
        Ok(Pinned { before, count: few.count() })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // They were allowed before.
        let _ = sched_setaffinity(None, &self.before);
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "on {} processor{}", self.count, if self.count == 1 { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processors_of_before_are_there_again() {
        let count = || sched_getaffinity(None).map(|processors| processors.count());
        let before = count().unwrap();
        let pinned = Pinned::start().unwrap();
        assert_eq!(count().unwrap(), before.min(2));
        assert!(pinned.to_string().starts_with("on "), "{pinned}");
        drop(pinned);
        assert_eq!(count().unwrap(), before);
    }
}
