//! Limits.

use sandbox_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// The limits of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Resources {
    /// CPU time a second in thousandths of a CPU: 1000 is one.
    pub milli_cpus: u32,
    /// Memory in bytes.
    pub memory: u64,
    /// Disk in bytes beyond the image; null: whatever the runtime's own limit is.
    #[serde(default)]
    pub disk: Option<u64>,
    /// Processes and threads at once.
    pub pids: u32,
    /// Open files a process.
    pub open_files: u32,
}

impl From<&sandbox_core::Resources> for Resources {
    fn from(core: &sandbox_core::Resources) -> Self {
        Self {
            milli_cpus: core.milli_cpus,
            memory: core.memory,
            disk: core.disk,
            pids: core.pids,
            open_files: core.open_files,
        }
    }
}

impl From<&Resources> for sandbox_core::Resources {
    fn from(wire: &Resources) -> Self {
        Self {
            milli_cpus: wire.milli_cpus,
            memory: wire.memory,
            disk: wire.disk,
            pids: wire.pids,
            open_files: wire.open_files,
        }
    }
}

/// Limits that shall differ from the size's or the template's.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ResourcesRequest {
    /// CPUs: 0.5 is half of one. Not together with `milli_cpus`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f64>,
    /// CPU time a second in thousandths of a CPU, 10 to 1,024,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milli_cpus: Option<u32>,
    /// Memory in bytes, swap included: at least 16 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Disk in bytes beyond the image, at least 1 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<u64>,
    /// Processes and threads at once, 8 to 4,194,304.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pids: Option<u32>,
    /// Open files a process, 16 to 1,048,576.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u32>,
}

impl ResourcesRequest {
    /// Thousandths of a CPU, however they were asked for.
    ///
    /// # Errors
    /// `InvalidSpec` with field `resources.cpus` when `milli_cpus` is there too, or it is no number
    /// from 0.01 to 1024.
    pub fn milli_cpus(&self) -> Result<Option<u32>> {
        let refuse = |message| Err(Error::invalid("resources.parse", "resources.cpus", message));
        match (self.cpus, self.milli_cpus) {
            (None, milli) => Ok(milli),
            (Some(_), Some(_)) => refuse("has no place beside milli_cpus"),
            (Some(cpus), None) if (0.01..=1024.0).contains(&cpus) => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "the range is checked"
                )]
                let milli = (cpus * 1000.0).round() as u32;
                Ok(Some(milli))
            }
            (Some(_), None) => refuse("must be from 0.01 to 1024"),
        }
    }
}

impl From<&sandbox_core::Resources> for ResourcesRequest {
    fn from(core: &sandbox_core::Resources) -> Self {
        Self {
            cpus: None,
            milli_cpus: Some(core.milli_cpus),
            memory: Some(core.memory),
            disk: core.disk,
            pids: Some(core.pids),
            open_files: Some(core.open_files),
        }
    }
}
