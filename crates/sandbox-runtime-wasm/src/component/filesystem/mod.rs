//! `wasi:filesystem` over the sandbox's files. Paths, modes and rights are preview 1's: the same
//! functions serve both.

mod convert;
mod descriptor;
mod directory;
mod paths;
mod working_directory;

use std::sync::Arc;

use wasmtime::Result as HostResult;
use wasmtime::component::{Resource, ResourceTableError};

pub use directory::DirectoryEntries;

use super::bindings::wasi::filesystem::{preopens, types};
use super::error::StreamFailure;
use super::state::Host;
use crate::kernel::{Description, Errno};

/// An open file, directory or device of a component.
#[derive(Debug)]
pub struct Descriptor {
    pub(super) description: Arc<Description>,
    /// Whether it is the directory that the component was given.
    given: bool,
}

/// Why a call failed: an error that the component sees, or one that ends it.
#[derive(Debug)]
pub enum FsError {
    /// The component sees it.
    Code(types::ErrorCode),
    /// It ends the component, which has used what it does not have.
    Trap(wasmtime::Error),
}

/// What a call answers.
type FsResult<T> = Result<T, FsError>;

impl From<Errno> for FsError {
    fn from(errno: Errno) -> Self {
        Self::Code(convert::error_code(errno))
    }
}

impl From<crate::fs::Errno> for FsError {
    fn from(errno: crate::fs::Errno) -> Self {
        Errno::from(errno).into()
    }
}

impl From<ResourceTableError> for FsError {
    fn from(error: ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

impl types::Host for Host<'_> {
    fn convert_error_code(&mut self, error: FsError) -> HostResult<types::ErrorCode> {
        match error {
            FsError::Code(code) => Ok(code),
            FsError::Trap(error) => Err(error),
        }
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> HostResult<Option<types::ErrorCode>> {
        let failure = self.table.get(&error)?.downcast_ref::<StreamFailure>();
        Ok(failure.map(|failure| convert::error_code(failure.0)))
    }
}

impl preopens::Host for Host<'_> {
    fn get_directories(&mut self) -> HostResult<Vec<(Resource<Descriptor>, String)>> {
        let descriptors = self.process.descriptors.lock();
        let preopened: Vec<_> = descriptors
            .iter()
            .filter_map(|(_, descriptor)| {
                Some((descriptor.description.clone(), descriptor.preopen?))
            })
            .collect();
        drop(descriptors);
        let mut directories = Vec::with_capacity(preopened.len());
        for (description, name) in preopened {
            let descriptor = self.push(description, true).map_err(|error| match error {
                FsError::Trap(error) => error,
                FsError::Code(code) => wasmtime::Error::from(code),
            })?;
            directories.push((descriptor, name.to_owned()));
        }
        Ok(directories)
    }
}

impl Host<'_> {
    /// What `descriptor` is.
    fn description(&self, descriptor: &Resource<Descriptor>) -> FsResult<&Arc<Description>> {
        Ok(&self.table.get(descriptor)?.description)
    }

    /// A handle on `description`, which the component was `given` or has opened.
    fn push(
        &mut self,
        description: Arc<Description>,
        given: bool,
    ) -> FsResult<Resource<Descriptor>> {
        self.count_descriptor()?;
        match self.table.push(Descriptor { description, given }) {
            Ok(descriptor) => Ok(descriptor),
            Err(error) => {
                self.forget_descriptor();
                Err(error.into())
            }
        }
    }
}
