//! What a sandbox may use.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The limits of a sandbox. A runtime that cannot enforce one refuses it; none is ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// CPU time a second in thousandths of a CPU: 1000 is one. From 10 to 1,024,000.
    pub milli_cpus: u32,
    /// Memory in bytes, swap included: at least 16 MiB, at most 64 TiB.
    pub memory: u64,
    /// Disk in bytes beyond the image, at least 1 MiB. `None`: whatever the runtime's own limit is.
    pub disk: Option<u64>,
    /// Processes and threads at once, from 8 to 4,194,304.
    pub pids: u32,
    /// Open files a process, from 16 to 1,048,576.
    pub open_files: u32,
}

impl Default for Resources {
    /// One CPU, 512 MiB, 512 processes, 4,096 open files, the runtime's disk.
    fn default() -> Self {
        Self {
            milli_cpus: 1000,
            memory: 512 << 20,
            disk: None,
            pids: 512,
            open_files: 4096,
        }
    }
}

impl Resources {
    /// Checks every limit against its range.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`](crate::ErrorKind::InvalidSpec) naming the field
    /// (`resources.memory`) and its range.
    pub fn validate(&self) -> Result<()> {
        in_range(
            "resources.milli_cpus",
            self.milli_cpus.into(),
            10,
            1_024_000,
        )?;
        in_range("resources.memory", self.memory, 16 << 20, 64 << 40)?;
        if let Some(disk) = self.disk {
            in_range("resources.disk", disk, 1 << 20, 1 << 50)?;
        }
        in_range("resources.pids", self.pids.into(), 8, 4_194_304)?;
        in_range(
            "resources.open_files",
            self.open_files.into(),
            16,
            1_048_576,
        )
    }
}

fn in_range(field: &'static str, value: u64, min: u64, max: u64) -> Result<()> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    let message = format!("is {value}; it must be from {min} to {max}");
    Err(Error::invalid("spec.validate", field, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_out_of_range_name_the_field_and_the_range() {
        type Edit = fn(&mut Resources);
        let cases: [(&str, Edit); 6] = [
            ("resources.milli_cpus", |r| r.milli_cpus = 9),
            ("resources.memory", |r| r.memory = (16 << 20) - 1),
            ("resources.memory", |r| r.memory = u64::MAX),
            ("resources.disk", |r| r.disk = Some(0)),
            ("resources.pids", |r| r.pids = 7),
            ("resources.open_files", |r| r.open_files = 0),
        ];
        for (field, edit) in cases {
            let mut resources = Resources::default();
            resources.validate().unwrap();
            edit(&mut resources);
            let error = resources.validate().unwrap_err();
            assert_eq!(error.field(), Some(field));
            assert!(error.message().contains("must be from"), "{error}");
        }
    }
}
