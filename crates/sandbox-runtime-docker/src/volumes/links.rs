//! Where the paths of a container that does not run lead.

use std::collections::HashMap;

use bollard::query_parameters::ContainerArchiveInfoOptionsBuilder;
use sandbox_core::{Error, Result, SandboxSpec};

use super::{is_ours, joined, names, refused};
use crate::daemon::Daemon;
use crate::error::{docker, has_status};

/// Follows paths through the links of a container that does not run.
pub(super) struct Links<'a> {
    daemon: &'a Daemon,
    spec: &'a SandboxSpec,
    container: &'a str,
    /// Where the links go that were asked about; none for what is no link.
    known: HashMap<String, Option<String>>,
}

impl<'a> Links<'a> {
    pub(super) fn new(daemon: &'a Daemon, spec: &'a SandboxSpec, container: &'a str) -> Self {
        Self {
            daemon,
            spec,
            container,
            known: HashMap::new(),
        }
    }

    /// Where `path` leads, or the first place on the way that is ours.
    pub(super) async fn follow(&mut self, path: &str) -> Result<String> {
        let mut place = String::new();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            place = format!("{place}/{name}");
            if let Some(target) = self.target(&place).await? {
                let names = names(&target);
                // A link to the root itself has no names.
                if names.is_none() && target != "/" {
                    let message = format!("the image's volume at {path:?} leads too far");
                    return Err(refused(self.spec, message));
                }
                place = joined(&names.unwrap_or_default());
            }
            if is_ours(&place) {
                return Ok(place);
            }
        }
        Ok(place)
    }

    /// Where the link at `place` leads in the end; `None` where there is no link.
    pub(super) async fn target(&mut self, place: &str) -> Result<Option<String>> {
        if let Some(known) = self.known.get(place) {
            return Ok(known.clone());
        }
        let options = ContainerArchiveInfoOptionsBuilder::new()
            .path(place)
            .build();
        let found = self
            .daemon
            .docker
            .get_container_archive_info(self.container, Some(options))
            .await;
        let target = match found {
            Ok(found) => Some(found.link_target).filter(|target| !target.is_empty()),
            // The daemon makes what is missing, and makes no links.
            Err(error) if has_status(&error, 404) => None,
            Err(error) => return Err(self.not_followed(error)),
        };
        self.known.insert(place.to_owned(), target.clone());
        Ok(target)
    }

    /// The daemon mounts everything before it looks, and cannot where a path leads into what cannot
    /// be written.
    fn not_followed(&self, error: bollard::errors::Error) -> Error {
        let cannot = has_status(&error, 500);
        let error = docker("docker.create")(error);
        if !cannot {
            return error;
        }
        let message = "the volumes that the image asks for cannot be mounted".to_owned();
        refused(self.spec, message).with_source(error)
    }
}
