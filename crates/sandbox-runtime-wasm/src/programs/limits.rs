//! What a module of a tenant may be.

/// Limits on modules that are compiled. A compilation cannot be cancelled and its time grows with
/// what a module has, so everything is counted before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModuleLimits {
    /// Bytes of the file.
    pub bytes: u64,
    /// Functions in all.
    pub functions: u32,
    /// Bytes of the code of one function. The time of its compilation grows faster than this.
    pub function_bytes: u32,
    /// Local variables of one function.
    pub locals: u32,
    /// Tables.
    pub tables: u32,
    /// Linear memories.
    pub memories: u32,
    /// Everything else that is counted: imports, exports, types, globals, segments, each.
    pub items: u32,
    /// How many modules of a tenant may wait to be compiled at a time.
    pub waiting: usize,
}

impl Default for ModuleLimits {
    /// 64 MiB; 200,000 functions of at most 2 MiB with at most 50,000 locals; 10 tables, one
    /// memory; 200,000 of everything else; 64 waiting.
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            functions: 200_000,
            function_bytes: 2 << 20,
            locals: 50_000,
            tables: 10,
            memories: 1,
            items: 200_000,
            waiting: 64,
        }
    }
}
