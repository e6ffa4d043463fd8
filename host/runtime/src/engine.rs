//! The one engine of a host, and the thread that makes time pass for guests.

use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How often a computing guest is asked whether it may go on.
pub(crate) const TICK: Duration = Duration::from_millis(10);
/// Component instances alive at once; permits of the host stay below it.
pub const INSTANCES_MAX: u32 = 1000;
/// Room of one linear memory in the pool; `limits.memory_bytes` may not pass it.
pub(crate) const MEMORY_BYTES_MAX: u64 = 1 << 30;
/// Pages of a used slot that are zeroed in place instead of given back to the system: instantiation finds them mapped.
const MEMORY_BYTES_RESIDENT: usize = 1 << 20;
const SLOTS_WARM_MAX: u32 = 64;
/// What one component may be made of; a Python guest has up to 38 core instances.
const CORE_INSTANCES_EACH_MAX: u32 = 100;
const MEMORIES_EACH_MAX: u32 = 4;
const TABLES_EACH_MAX: u32 = 16;

/// The configuration that the compile worker and the host share: an artifact of the one loads in the other. The host adds its pool,
/// which has no part in compilation and whose mappings would not fit into the worker's limits.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        .concurrency_support(false)
        .wasm_memory64(false)
        .wasm_gc(false)
        .gc_support(false)
        .memory_init_cow(true)
        .memory_guaranteed_dense_image_size(64 << 20)
        .max_wasm_stack(512 << 10)
        .async_stack_size(2 << 20);
    config
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    // The totals are what all places together can need: no component takes another's.
    pool.total_component_instances(INSTANCES_MAX)
        .total_core_instances(CORE_INSTANCES_EACH_MAX * INSTANCES_MAX)
        .total_memories(MEMORIES_EACH_MAX * INSTANCES_MAX)
        .total_tables(TABLES_EACH_MAX * INSTANCES_MAX)
        .total_stacks(INSTANCES_MAX)
        .max_memory_size(MEMORY_BYTES_MAX as usize)
        .table_elements(60_000)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(1 << 20)
        .max_core_instances_per_component(CORE_INSTANCES_EACH_MAX)
        .max_memories_per_component(MEMORIES_EACH_MAX)
        .max_tables_per_component(TABLES_EACH_MAX)
        .max_unused_warm_slots(SLOTS_WARM_MAX)
        .linear_memory_keep_resident(MEMORY_BYTES_RESIDENT)
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(64 << 10)
        .pagemap_scan(Enabled::No);
    pool
}

/// The engine and its ticker.
pub(crate) fn start() -> wasmtime::Result<Engine> {
    let engine = Engine::new(config().allocation_strategy(InstanceAllocationStrategy::Pooling(pool())))?;
    tick(&engine)?;
    Ok(engine)
}

/// An engine of the compile worker that runs one start and nothing else. It has images of memories, as the host's has: without them each data
/// segment becomes code, and the thousands of a Go component need more memory to compile than the worker has.
pub(crate) fn for_one_start() -> wasmtime::Result<Engine> {
    let engine = Engine::new(&config())?;
    tick(&engine)?;
    Ok(engine)
}

/// Makes time pass for guests. The thread ends when the engine does.
fn tick(engine: &Engine) -> std::io::Result<()> {
    let weak = engine.weak();
    std::thread::Builder::new().name("epoch".to_owned()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use wasmtime::component::{Component, Linker};
    use wasmtime::{PoolConcurrencyLimitError, Store};

    use super::*;

    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    /// A table of one function.
    const TABLE: &[u8] = b"\x04\x04\x01\x70\0\x01";
    /// A function that does nothing and is run at the start, so that a stack is needed, with a table and an empty memory.
    const START: &[u8] = b"\x01\x04\x01\x60\0\0\x03\x02\x01\0\x04\x04\x01\x70\0\x01\x05\x03\x01\0\0\x08\x01\0\x0a\x04\x01\x02\0\x0b";

    /// A section of a binary: its number, the length of its body, its body.
    fn section(number: u8, body: &[u8]) -> Vec<u8> {
        let length = [(body.len() & 0x7f) as u8 | 0x80, (body.len() >> 7) as u8];
        [&[number][..], &length, body].concat()
    }

    /// A component that has as much of everything as one may have.
    fn largest_component() -> Vec<u8> {
        let modules = [START, TABLE, b""].map(|sections| section(1, &[MODULE, sections].concat()));
        let of_each = [MEMORIES_EACH_MAX, TABLES_EACH_MAX - MEMORIES_EACH_MAX, CORE_INSTANCES_EACH_MAX - TABLES_EACH_MAX];
        let mut instances = vec![CORE_INSTANCES_EACH_MAX as u8];
        for (module, count) in (0..).zip(of_each) {
            instances.extend([0, module, 0].repeat(count as usize));
        }
        [COMPONENT, &modules.concat(), &section(2, &instances)].concat()
    }

    #[tokio::test]
    async fn every_place_of_the_pool_has_room_for_the_largest_component() {
        let engine = start().unwrap();
        let component = Component::new(&engine, largest_component()).unwrap();
        let largest = Linker::<()>::new(&engine).instantiate_pre(&component).unwrap();
        let mut stores = Vec::new();
        for number in 0..INSTANCES_MAX {
            let mut store = Store::new(&engine, ());
            store.set_epoch_deadline(1 << 32);
            let instance = largest.instantiate_async(&mut store).await;
            assert!(instance.is_ok(), "instance {number}: {:?}", instance.err());
            stores.push(store);
        }
        let mut one_more = Store::new(&engine, ());
        one_more.set_epoch_deadline(1 << 32);
        let refused = largest.instantiate_async(&mut one_more).await.err().unwrap();
        assert!(refused.is::<PoolConcurrencyLimitError>(), "{refused:?}");
    }
}
