//! Making a source ready before it is needed.

use sandbox_core::{Error, Result, RuntimeName, SnapshotId, Source, TemplateName};
use serde::{Deserialize, Serialize};

use crate::sse::sse_events;
use crate::{ErrorBody, text};

/// What to make ready: exactly one of `template`, `image` and `snapshot`.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Prepare {
    /// A template's source.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub template: Option<TemplateName>,
    /// An image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// A snapshot.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub snapshot: Option<SnapshotId>,
    /// The runtime that shall have it; without one the template's, and without that the default.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub runtime: Option<RuntimeName>,
}

impl Prepare {
    /// The request for `source` on `runtime`.
    pub fn from_core(source: Source, runtime: Option<RuntimeName>) -> Self {
        let (image, snapshot) = split_source(source);
        Self {
            template: None,
            image,
            snapshot,
            runtime,
        }
    }

    /// The source, where it is not a template's.
    ///
    /// # Errors
    /// `InvalidSpec` with field `template` unless exactly one of `template`, `image` and
    /// `snapshot` is there.
    pub fn source(&self) -> Result<Option<Source>> {
        let source = join_source("prepare.parse", self.image.clone(), self.snapshot.clone())?;
        if self.template.is_some() == source.is_some() {
            let message = "must be there, or else one of image and snapshot";
            return Err(Error::invalid("prepare.parse", "template", message));
        }
        Ok(source)
    }
}

/// A source as the two fields that stand for it.
pub(crate) fn split_source(source: Source) -> (Option<String>, Option<SnapshotId>) {
    match source {
        Source::Image(image) => (Some(image), None),
        Source::Snapshot(snapshot) => (None, Some(snapshot)),
    }
}

/// The source that two fields stand for.
///
/// # Errors
/// `InvalidSpec` with field `snapshot` when both are there.
pub(crate) fn join_source(
    operation: &'static str,
    image: Option<String>,
    snapshot: Option<SnapshotId>,
) -> Result<Option<Source>> {
    match (image, snapshot) {
        (None, None) => Ok(None),
        (Some(image), None) => Ok(Some(Source::Image(image))),
        (None, Some(snapshot)) => Ok(Some(Source::Snapshot(snapshot))),
        (Some(_), Some(_)) => {
            let message = "has no place beside image";
            Err(Error::invalid(operation, "snapshot", message))
        }
    }
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrepareEvent {
    /// So far.
    Progress(Progress),
    /// It is ready.
    Done(PrepareDone),
    /// It failed.
    Error(ErrorBody),
}

sse_events!(PrepareEvent {
    Progress = "progress",
    Done = "done",
    Error = "error",
});

/// How far making a source ready has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Progress {
    /// What is being done, for a person.
    pub message: String,
    /// Bytes done.
    pub current: u64,
    /// Bytes in all, once known.
    pub total: Option<u64>,
}

impl From<sandbox_core::Progress> for Progress {
    fn from(progress: sandbox_core::Progress) -> Self {
        Self {
            message: progress.message,
            current: progress.current,
            total: progress.total,
        }
    }
}

impl From<Progress> for sandbox_core::Progress {
    fn from(progress: Progress) -> Self {
        Self {
            message: progress.message,
            current: progress.current,
            total: progress.total,
        }
    }
}

/// A source is ready.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PrepareDone {}
