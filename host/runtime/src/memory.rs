//! One bound over all linear memories and tables of a component; wasmtime's own limits count each by itself.

use wasmtime::ResourceLimiter;

/// What a table element costs the host.
const TABLE_ELEMENT_BYTES: u64 = 16;

#[derive(Debug)]
pub(crate) struct MemoryMeter {
    bytes_max: u64,
    bytes: u64,
    pub(crate) exceeded: bool,
}

impl MemoryMeter {
    pub(crate) fn new(bytes_max: u64) -> MemoryMeter {
        MemoryMeter { bytes_max, bytes: 0, exceeded: false }
    }

    /// For the next run of an instance that is kept: what it holds already counts.
    pub(crate) fn renewed(&self, bytes_max: u64) -> MemoryMeter {
        MemoryMeter { bytes_max, bytes: self.bytes, exceeded: false }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn grow(&mut self, bytes: u64) -> bool {
        match self.bytes.checked_add(bytes) {
            Some(sum) if sum <= self.bytes_max => {
                self.bytes = sum;
                true
            }
            _ => {
                self.exceeded = true;
                false
            }
        }
    }
}

impl ResourceLimiter for MemoryMeter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current) as u64))
    }

    /// The pool had no room for what the limit would have allowed.
    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.exceeded = true;
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current) as u64 * TABLE_ELEMENT_BYTES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kept_instance_holds_counts_in_its_next_run() {
        let mut meter = MemoryMeter::new(100);
        assert!(meter.grow(60));
        let mut next = meter.renewed(100);
        assert_eq!(next.bytes(), 60);
        assert!(next.grow(40) && !next.exceeded);
        assert!(!next.grow(1) && next.exceeded);
        let mut lowered = next.renewed(50);
        assert!(!lowered.exceeded, "a run that does not grow is not blamed");
        assert!(!lowered.grow(1));
    }
}
