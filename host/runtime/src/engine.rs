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

/// The engine and its ticker. The thread ends when the engine does.
pub(crate) fn start() -> wasmtime::Result<Engine> {
    let engine = Engine::new(config().allocation_strategy(InstanceAllocationStrategy::Pooling(pool())))?;
    let weak = engine.weak();
    std::thread::Builder::new().name("epoch".to_owned()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    })?;
    Ok(engine)
}
