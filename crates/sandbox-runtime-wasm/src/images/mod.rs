//! Images: what sandboxes are made from.
//!
//! `base` is part of this program: a small Linux tree with a shell and tools. The others are
//! languages, which are [pulled](pull) once from the package registries where they are published,
//! as their [`Manifest`]s pin them, into an [`ImageStore`].

#[cfg(feature = "pull")]
mod adapt;
mod base;
mod catalogue;
#[cfg(feature = "pull")]
mod download;
mod guests;
mod image;
mod manifest;
#[cfg(feature = "pull")]
mod package;
mod places;
mod prepare;
#[cfg(feature = "pull")]
mod pull;
#[cfg(feature = "pull")]
mod registries;
mod store;
mod tree;

#[cfg(all(test, feature = "pull"))]
mod adapt_tests;
#[cfg(all(test, feature = "pull"))]
mod mirror;
#[cfg(all(test, feature = "pull"))]
mod tests;

pub(crate) use catalogue::{Images, ImagesOptions};
pub use manifest::{
    Adapt, FileEntry, Manifest, OwnFile, Package, Packed, ProgramEntry, RegistryKind, Source, Step,
    StepKind, Stub,
};
#[cfg(feature = "pull")]
pub use pull::pull;
#[cfg(feature = "pull")]
pub use registries::Registries;
pub use store::ImageStore;
