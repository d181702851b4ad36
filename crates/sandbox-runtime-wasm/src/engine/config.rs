//! How wasmtime is set up.

use sandbox_core::{Error, ErrorKind, Result};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy,
};

/// The largest memory of a process: all that 32 bits can address.
const MEMORY_BYTES: usize = 1 << 32;
/// The largest table of a module, in elements.
const TABLE_ELEMENTS: usize = 1 << 17;
/// What a guest's calls may take of the stack.
const WASM_STACK_BYTES: usize = 4 << 20;
/// The stack of a process, with what host functions take under the guest's calls.
const STACK_BYTES: usize = 5 << 20;
/// What is kept of a stack for the next process; more would be memory nobody is charged for.
const STACK_RESIDENT_BYTES: usize = 32 << 10;
/// What is kept of a memory and of a table for the next process.
const RESIDENT_BYTES: usize = 1 << 20;
/// An initialised memory up to this size becomes one copy-on-write image.
const DENSE_IMAGE_BYTES: u64 = 256 << 20;

/// The most modules of a component, its adapters included.
const INSTANCES: u32 = 32;

/// How an engine is made.
#[derive(Debug, Clone)]
pub(crate) struct EngineOptions {
    /// The most processes at once over all sandboxes. Address space is reserved for them; where
    /// the host does not give it, fewer.
    pub(crate) processes: u32,
}

impl Default for EngineOptions {
    /// 4,000 processes: more run into the kernel's usual limit of mappings (`vm.max_map_count`).
    fn default() -> Self {
        Self { processes: 4000 }
    }
}

/// An engine, and how many processes it has room for.
pub(super) fn engine(options: &EngineOptions) -> Result<(Engine, u32)> {
    let mut processes = options.processes.max(1);
    loop {
        match Engine::new(config().allocation_strategy(pool(processes))) {
            Ok(engine) => return Ok((engine, processes)),
            Err(e) if processes > 64 => {
                tracing::warn!(processes, error = %e, "no address space for so many processes");
                processes /= 4;
            }
            Err(e) => {
                let message = format!(
                    "the host does not give the address space for {processes} Wasm processes; \
                     see `ulimit -v` and `vm.overcommit_memory`"
                );
                let error = Error::new(ErrorKind::Unavailable, "wasm.start", message);
                return Err(error.with_source(e));
            }
        }
    }
}

/// An engine in which the same program does the same with the same input wherever it runs, and is
/// measured in fuel. Nothing is reserved for processes.
pub(super) fn deterministic_engine() -> Result<Engine> {
    let mut config = config();
    config
        .allocation_strategy(InstanceAllocationStrategy::OnDemand)
        .consume_fuel(true)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true);
    Engine::new(&config).map_err(|e| {
        let message = "cannot set up deterministic runs";
        Error::new(ErrorKind::Internal, "wasm.start", message).with_source(e)
    })
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(STACK_BYTES)
        .async_stack_zeroing(true)
        .memory_reservation(MEMORY_BYTES as u64)
        .memory_guaranteed_dense_image_size(DENSE_IMAGE_BYTES)
        .wasm_backtrace_max_frames(None)
        // Guest pointers of preview 1 have 32 bits.
        .wasm_memory64(false)
        .wasm_multi_memory(false);
    config
}

fn pool(processes: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    // A component is several instances, and its adapters have tables and memories of their own.
    let extra = processes.saturating_add(processes / 4);
    pool.total_core_instances(processes.saturating_mul(INSTANCES))
        .max_core_instances_per_component(INSTANCES)
        .total_component_instances(processes)
        .total_memories(extra)
        .total_tables(extra.saturating_mul(2))
        .total_stacks(extra)
        .max_memory_size(MEMORY_BYTES)
        .table_elements(TABLE_ELEMENTS)
        .max_tables_per_module(4)
        .linear_memory_keep_resident(RESIDENT_BYTES)
        .table_keep_resident(RESIDENT_BYTES)
        .async_stack_keep_resident(STACK_RESIDENT_BYTES)
        .max_unused_warm_slots(64)
        .pagemap_scan(Enabled::Auto);
    pool
}
