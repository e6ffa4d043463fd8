//! The contract's `state` on a run.

use sickbay_runtime::{HostResult, trap};

use crate::contract::state::Host;
use crate::denial::Capability;
use crate::lent::Lent;

impl Host for Lent {
    async fn get(&mut self, key: String) -> HostResult<Option<Vec<u8>>> {
        self.meter.call(Capability::State).map_err(trap)?;
        Ok(self.values.get(&key).map(<[u8]>::to_vec))
    }

    async fn put(&mut self, key: String, value: Vec<u8>) -> HostResult<Result<(), String>> {
        self.meter.call(Capability::State).map_err(trap)?;
        Ok(self.values.put(key, value))
    }

    async fn remove(&mut self, key: String) -> HostResult<()> {
        self.meter.call(Capability::State).map_err(trap)?;
        self.values.remove(&key);
        Ok(())
    }
}
