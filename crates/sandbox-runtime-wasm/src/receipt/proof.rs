//! What is left of a deterministic run.

use std::collections::BTreeSet;

use sandbox_core::Resources;
use serde::{Deserialize, Serialize};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The command returned this code.
    Exited(u8),
    /// A signal ended the command: its number.
    Signaled(i32),
    /// The command was killed at the memory limit.
    OutOfMemory,
    /// All fuel was used up before the command ended.
    OutOfFuel,
    /// The command and everything it started waited for what nobody would do.
    Stuck,
}

/// What a deterministic run was given and what it did. Digests are SHA-256 in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Receipt {
    /// The version of this form: 1.
    pub version: u32,
    /// What compiled and ran the programs: version, settings and kind of machine.
    pub engine: String,
    /// The seed of random bytes.
    pub seed: String,
    /// The command's arguments.
    pub argv: Vec<String>,
    /// The command's environment, `NAME=value` each, sorted.
    pub env: Vec<String>,
    /// Where it started.
    pub cwd: String,
    /// Of the standard input.
    pub stdin: String,
    /// Of the files before, as [`Snapshot::digest`](crate::fs::Snapshot::digest) takes it.
    pub tree: String,
    /// The limits.
    pub resources: Resources,
    /// The most fuel there was.
    pub fuel_limit: u64,
    /// Of every module that was started.
    pub programs: BTreeSet<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Of the standard output.
    pub stdout: String,
    /// Of the standard error.
    pub stderr: String,
    /// Of the files afterwards.
    pub tree_after: String,
    /// Fuel that all processes together used; of one that was killed, whole slices.
    pub fuel_used: u64,
}

impl Receipt {
    /// The first field in which the two are not the same.
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        let fields = [
            ("version", self.version == other.version),
            ("engine", self.engine == other.engine),
            ("seed", self.seed == other.seed),
            ("argv", self.argv == other.argv),
            ("env", self.env == other.env),
            ("cwd", self.cwd == other.cwd),
            ("stdin", self.stdin == other.stdin),
            ("tree", self.tree == other.tree),
            ("resources", self.resources == other.resources),
            ("fuel_limit", self.fuel_limit == other.fuel_limit),
            ("programs", self.programs == other.programs),
            ("outcome", self.outcome == other.outcome),
            ("stdout", self.stdout == other.stdout),
            ("stderr", self.stderr == other.stderr),
            ("tree_after", self.tree_after == other.tree_after),
            ("fuel_used", self.fuel_used == other.fuel_used),
        ];
        let differs = fields.into_iter().find(|(_, same)| !same);
        differs.map(|(field, _)| field)
    }
}
