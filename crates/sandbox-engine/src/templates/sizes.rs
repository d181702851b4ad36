//! Sizes: names for an amount of CPU and memory.

use std::collections::BTreeMap;

use sandbox_core::{Error, Resources, Result};

use super::nearest::not_known;

/// The size of a sandbox that asks for none.
pub const DEFAULT_SIZE: &str = "shared-cpu-1x";

/// An amount of CPU and memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Thousandths of a CPU.
    pub milli_cpus: u32,
    /// Bytes of memory.
    pub memory: u64,
}

impl Size {
    /// `resources` with this size's CPU and memory.
    pub fn apply(self, resources: Resources) -> Resources {
        Resources {
            milli_cpus: self.milli_cpus,
            memory: self.memory,
            ..resources
        }
    }
}

/// The sizes an operator offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sizes(BTreeMap<String, Size>);

impl Default for Sizes {
    /// `shared-cpu-1x`, `2x`, `4x`, `8x`: as many CPUs with 512 MiB each; `performance-1x`, `2x`,
    /// `4x`, `8x`: as many CPUs with 2 GiB each.
    fn default() -> Self {
        let mut sizes = BTreeMap::new();
        for (family, memory) in [("shared-cpu", 512 << 20), ("performance", 2 << 30)] {
            for count in [1_u32, 2, 4, 8] {
                let size = Size {
                    milli_cpus: count * 1000,
                    memory: u64::from(count) * memory,
                };
                sizes.insert(format!("{family}-{count}x"), size);
            }
        }
        Self(sizes)
    }
}

impl Sizes {
    /// The size called `name`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`](sandbox_core::ErrorKind::InvalidSpec) with field `size`, naming
    /// what comes near.
    pub fn get(&self, name: &str) -> Result<Size> {
        self.0.get(name).copied().ok_or_else(|| {
            let message = not_known("a size", name, self.0.keys());
            Error::invalid("sizes.get", "size", message)
        })
    }

    /// Every size by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Size)> {
        self.0.iter().map(|(name, size)| (name.as_str(), *size))
    }

    /// The name of the smallest size with at least this CPU and memory.
    pub fn fitting(&self, resources: &Resources) -> Option<&str> {
        let fits = |size: &Size| {
            size.milli_cpus >= resources.milli_cpus && size.memory >= resources.memory
        };
        self.0
            .iter()
            .filter(|(_, size)| fits(size))
            .min_by_key(|(_, size)| (size.memory, size.milli_cpus))
            .map(|(name, _)| name.as_str())
    }

    pub(super) fn set(&mut self, name: String, size: Size) {
        self.0.insert(name, size);
    }
}
