//! Bare wasmtime: instantiate and call, with the same allocator and interruption.

use std::time::Instant;

use wasmtime::{Config, Engine, InstancePre, Linker, Module, PoolingAllocationConfig, Store};

use crate::micros;

pub(crate) struct Floor {
    engine: Engine,
    program: InstancePre<()>,
}

impl Floor {
    pub(crate) fn new(wasm: &[u8]) -> Self {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_memories(16)
            .total_tables(16)
            .total_stacks(16)
            .total_core_instances(16)
            .linear_memory_keep_resident(1 << 20)
            .table_keep_resident(1 << 20);
        let mut config = Config::new();
        config.allocation_strategy(pool).epoch_interruption(true);
        let engine = Engine::new(&config).expect("sixteen memories");
        let mut linker = Linker::new(&engine);
        let write = |_: i32, _: i32, _: i32, _: i32| 0_i32;
        let linked = linker.func_wrap("wasi_snapshot_preview1", "fd_write", write);
        linked.expect("one import");
        let module = Module::new(&engine, wasm).expect("it is a module");
        let program = linker.instantiate_pre(&module).expect("it has its import");
        Self { engine, program }
    }

    /// Microseconds that each round took.
    pub(crate) async fn run(&self, rounds: usize) -> Vec<f64> {
        let mut times = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            let began = Instant::now();
            let mut store = Store::new(&self.engine, ());
            store.set_epoch_deadline(1);
            let instance = self.program.instantiate_async(&mut store).await;
            let instance = instance.expect("there is room");
            let start = instance.get_typed_func::<(), ()>(&mut store, "_start");
            let start = start.expect("it has an entry");
            start.call_async(&mut store, ()).await.expect("it ends");
            drop(store);
            times.push(micros(began));
        }
        times
    }
}
