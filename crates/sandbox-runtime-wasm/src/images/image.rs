//! What sandboxes are made from.

use std::sync::Arc;

use sandbox_core::{Result, SandboxPath};

use crate::fs::{Snapshot, Usage};
use crate::programs::ProgramSet;

/// An image: a tree, the programs that stubs in it stand for, and what commands start with. Making
/// a sandbox from it takes the same time whatever its size.
#[derive(Debug)]
pub(crate) struct Image {
    /// Its files.
    pub(crate) files: Snapshot,
    /// What they take.
    pub(crate) usage: Usage,
    /// Its programs.
    pub(crate) programs: ProgramSet,
    /// Environment variables of every command.
    pub(crate) env: Arc<[(String, String)]>,
    /// Where commands start.
    pub(crate) workdir: SandboxPath,
}

/// Where commands start.
const WORKDIR: &str = "/root";

impl Image {
    /// An image with `env` over what every image has.
    ///
    /// # Errors
    /// `Internal`: what it checks is a constant.
    pub(super) fn new(
        files: Snapshot,
        programs: ProgramSet,
        env: &[(String, String)],
    ) -> Result<Self> {
        let mut all = vec![("LANG".to_owned(), "C.UTF-8".to_owned())];
        all.extend_from_slice(env);
        Ok(Self {
            usage: files.usage(),
            files,
            programs,
            env: all.into(),
            workdir: SandboxPath::new(WORKDIR)?,
        })
    }
}
