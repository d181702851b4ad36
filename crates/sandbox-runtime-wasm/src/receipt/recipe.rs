//! What a deterministic run is made from.

use std::time::Duration;

use bytes::Bytes;
use sandbox_core::{Command, Error, Resources, Result, SandboxPath};

/// Fuel of a run whose recipe names none: about ten seconds of computing.
pub const DEFAULT_FUEL: u64 = 10_000_000_000;

/// The most bytes that a run may write to standard output and error together.
pub const MAX_OUTPUT_BYTES: usize = 64 << 20;

/// Everything that a deterministic run can depend on.
#[derive(Debug, Clone)]
#[must_use]
pub struct Recipe {
    pub(super) image: String,
    pub(super) command: Command,
    pub(super) files: Vec<(SandboxPath, Bytes, u32)>,
    pub(super) stdin: Bytes,
    pub(super) seed: [u8; 32],
    pub(super) fuel: u64,
    pub(super) resources: Resources,
    pub(super) timeout: Duration,
}

impl Recipe {
    /// Runs `command` over the files of `image`: no input, a seed of zeros, [`DEFAULT_FUEL`], the
    /// default [`Resources`].
    pub fn new(image: impl Into<String>, command: Command) -> Self {
        Self {
            image: image.into(),
            command,
            files: Vec::new(),
            stdin: Bytes::new(),
            seed: [0; 32],
            fuel: DEFAULT_FUEL,
            resources: Resources::default(),
            timeout: Duration::from_secs(300),
        }
    }

    /// Puts a file there first, with these permission bits; directories on the way are made.
    pub fn file(mut self, path: SandboxPath, content: impl Into<Bytes>, mode: u32) -> Self {
        self.files.push((path, content.into(), mode));
        self
    }

    /// Gives the command this as its standard input.
    pub fn stdin(mut self, input: impl Into<Bytes>) -> Self {
        self.stdin = input.into();
        self
    }

    /// What random bytes follow from.
    pub fn seed(mut self, seed: [u8; 32]) -> Self {
        self.seed = seed;
        self
    }

    /// The most fuel that all its processes together may use; a unit is about one instruction of
    /// WebAssembly.
    pub fn fuel(mut self, units: u64) -> Self {
        self.fuel = units;
        self
    }

    /// The limits. Those on CPU time mean nothing here.
    pub fn resources(mut self, resources: Resources) -> Self {
        self.resources = resources;
        self
    }

    /// Gives up after this long by the host's clock; there is no receipt then. Default: 5 minutes.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// # Errors
    /// `InvalidSpec` naming the field.
    pub(super) fn validate(&self) -> Result<()> {
        self.command.validate()?;
        self.resources.validate()?;
        let refuse = |field: &str, why: &str| Err(Error::invalid("receipt.run", field, why));
        if self.fuel == 0 {
            return refuse("fuel", "is 0; it must be at least 1");
        }
        if self.timeout.is_zero() {
            return refuse("timeout", "is 0; it must be longer");
        }
        if self.command.pty.is_some() {
            return refuse("pty", "there is no terminal in a deterministic run");
        }
        if self.command.user.is_some() {
            return refuse("user", "a deterministic run is root's");
        }
        if self.files.iter().any(|(_, _, mode)| *mode > 0o7777) {
            return refuse("mode", "has more than twelve bits");
        }
        Ok(())
    }
}
