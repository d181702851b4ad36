//! The engine as what compiles programs.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use wasmtime::Module;
use wasmtime::component::Component;

use super::{Engine, Executable};
use crate::programs::{Backend, Compiled, Digest, Kind, Refused};
use crate::wasi::cwd::mark;

/// The modules whose functions are linked; which functions there are, linking says.
const PROVIDED: [&str; 2] = ["wasi_snapshot_preview1", "sandbox_v0"];

/// How programs are marked.
const MARKING: [&str; 2] = [
    include_str!("../wasi/cwd/mark.rs"),
    include_str!("../wasi/cwd/habit.rs"),
];

impl Backend for Engine {
    type Code = Arc<Executable>;

    fn engine(&self) -> Digest {
        let mut hasher = ShaHasher(Sha256::new());
        self.wasmtime
            .precompile_compatibility_hash()
            .hash(&mut hasher);
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        // What changes a program before it is compiled, also between versions.
        MARKING.hash(&mut hasher);
        // Code of before programs were marked with their working directory is another engine's.
        "marked".hash(&mut hasher);
        Digest::from_bytes(hasher.0.finalize().into())
    }

    fn provides(&self, module: &str, _name: &str) -> bool {
        PROVIDED.contains(&module)
    }

    fn compile(&self, kind: Kind, wasm: &[u8]) -> Result<Vec<u8>, Refused> {
        let compiled = match kind {
            // What a program starts with in its memory is known from its code alone.
            Kind::Module => {
                let marked = mark(wasm).map_err(|e| Refused::Malformed(e.to_string()))?;
                self.wasmtime.precompile_module(&marked)
            }
            Kind::Component => self.wasmtime.precompile_component(wasm),
        };
        compiled.map_err(|e| Refused::Malformed(format!("{e:#}")))
    }

    fn load(&self, kind: Kind, code: Compiled<'_>) -> Result<Self::Code, Refused> {
        let broken = |e: wasmtime::Error| Refused::Broken(format!("{e:#}"));
        let linked = match kind {
            Kind::Module => self.link(&self.module(code).map_err(broken)?),
            Kind::Component => self.link_component(&self.component(code).map_err(broken)?),
        };
        linked.map(Arc::new).map_err(Refused::NotLinked)
    }
}

#[expect(
    unsafe_code,
    reason = "a `Compiled` is code that this user's own processes have compiled, unchanged"
)]
impl Engine {
    fn module(&self, code: Compiled<'_>) -> wasmtime::Result<Module> {
        // SAFETY: as the reason above says; a file that is mapped is replaced, never written to.
        match code {
            Compiled::File(path) => unsafe { Module::deserialize_file(&self.wasmtime, path) },
            Compiled::Bytes(bytes) => unsafe { Module::deserialize(&self.wasmtime, bytes) },
        }
    }

    fn component(&self, code: Compiled<'_>) -> wasmtime::Result<Component> {
        // SAFETY: as for a module.
        match code {
            Compiled::File(path) => unsafe { Component::deserialize_file(&self.wasmtime, path) },
            Compiled::Bytes(bytes) => unsafe { Component::deserialize(&self.wasmtime, bytes) },
        }
    }
}

/// Digests whatever can be hashed: the standard library's hashers change with its version.
struct ShaHasher(Sha256);

impl Hasher for ShaHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest
            .iter()
            .take(8)
            .fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
    }
}
