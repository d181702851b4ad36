//! What of a spec the server has no place for, kept beside the caller's metadata.

use std::collections::BTreeMap;

use sandbox_api_types::{CreateSandbox, Sandbox};
use sandbox_core::lifecycle::{LifecyclePolicy, MAX_TIME_TO_LIVE, Persistent};
use sandbox_core::{
    Error, ErrorKind, MAX_METADATA_BYTES, MAX_METADATA_ENTRIES, Result, SandboxSpec, TemplateName,
};
use serde::{Deserialize, Serialize};

/// The entry of a sandbox's metadata by which a [`RemoteRuntime`](crate::RemoteRuntime) knows its
/// own.
pub const REMOTE_METADATA: &str = "sandbox.remote";

/// What of a spec the server is not told as it is: the template, which it need not have, and the
/// life, which the caller's own engine drives.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    template: Option<TemplateName>,
    lifecycle: LifecyclePolicy,
}

/// The request for `spec`: the longest life there is, and the note in its metadata.
///
/// # Errors
/// `LimitExceeded` with field `metadata` when there is no room for the note; `InvalidSpec` with
/// field `metadata` for a spec that has an entry of its name.
pub(super) fn request(spec: &SandboxSpec, mut base: CreateSandbox) -> Result<CreateSandbox> {
    let note = Note {
        template: spec.template().cloned(),
        lifecycle: spec.lifecycle().clone(),
    };
    let note = serde_json::to_string(&note).map_err(|e| {
        let message = "what belongs to the sandbox cannot be written down";
        Error::new(ErrorKind::Internal, "remote.create", message).with_source(e)
    })?;
    base.metadata = with_note(spec.metadata(), note)?;
    let longest = LifecyclePolicy::new(Persistent::new(MAX_TIME_TO_LIVE))?;
    base.set_lifecycle(&longest);
    base.wait = true;
    Ok(base)
}

fn with_note(
    metadata: &BTreeMap<String, String>,
    note: String,
) -> Result<BTreeMap<String, String>> {
    if metadata.contains_key(REMOTE_METADATA) {
        let message =
            format!("has an entry {REMOTE_METADATA:?}, which is the remote runtime's own");
        return Err(Error::invalid("remote.create", "metadata", message));
    }
    let mut all = metadata.clone();
    all.insert(REMOTE_METADATA.to_owned(), note);
    let bytes: usize = all.iter().map(|(key, value)| key.len() + value.len()).sum();
    if all.len() > MAX_METADATA_ENTRIES || bytes > MAX_METADATA_BYTES {
        let message = format!(
            "leaves no room for an entry of the remote runtime; the limits, that included, are \
             {MAX_METADATA_ENTRIES} entries and {MAX_METADATA_BYTES} bytes"
        );
        let error = Error::new(ErrorKind::LimitExceeded, "remote.create", message);
        return Err(error.with_field("metadata"));
    }
    Ok(all)
}

/// The note of a sandbox; none for one that no remote runtime made. Metadata never changes, so an
/// entry that is no note was made by somebody who chose its name, and says nothing about ours.
fn note(sandbox: &Sandbox) -> Option<Note> {
    let entry = sandbox.metadata.get(REMOTE_METADATA)?;
    serde_json::from_str(entry).ok()
}

/// Whether a [`RemoteRuntime`](crate::RemoteRuntime) made it.
pub(super) fn is_ours(sandbox: &Sandbox) -> bool {
    note(sandbox).is_some()
}

/// The spec that a sandbox of ours was made from, with the environment variables that are not
/// shown with it.
///
/// # Errors
/// `Internal` when what the server says makes no sense.
pub(super) fn spec(mut sandbox: Sandbox, env: BTreeMap<String, String>) -> Result<SandboxSpec> {
    let note = note(&sandbox).ok_or_else(|| {
        let message = "a sandbox is not the remote runtime's";
        Error::new(ErrorKind::Internal, "remote.recover", message)
    })?;
    sandbox.metadata.remove(REMOTE_METADATA);
    sandbox.template = note.template;
    let spec = sandbox.to_spec_with(env)?.to_builder();
    spec.lifecycle(note.lifecycle).build()
}

#[cfg(test)]
mod tests {
    use sandbox_core::lifecycle::Ephemeral;
    use sandbox_core::{SandboxId, Source};

    use super::*;

    fn made(spec: &SandboxSpec) -> Result<CreateSandbox> {
        request(spec, CreateSandbox::from_spec(spec, None))
    }

    fn builder() -> sandbox_core::SandboxSpecBuilder {
        SandboxSpec::builder(SandboxId::from_random([1; 16]), Source::Image("x".into()))
    }

    #[test]
    fn the_server_is_asked_for_the_longest_life() {
        let short = LifecyclePolicy::new(Ephemeral::new(std::time::Duration::from_secs(1)));
        let spec = builder().lifecycle(short.unwrap()).build().unwrap();
        let request = made(&spec).unwrap();
        let longest = LifecyclePolicy::new(Persistent::new(MAX_TIME_TO_LIVE)).unwrap();
        assert_eq!(request.lifecycle().unwrap(), longest);
        assert!(!request.auto_wake, "what is paused stays paused");
    }

    #[test]
    fn metadata_without_room_for_the_note_is_refused() {
        let field = |spec: &SandboxSpec| made(spec).unwrap_err().field().map(str::to_owned);
        let entries = (0..MAX_METADATA_ENTRIES).map(|n| (n.to_string(), String::new()));
        let full = builder().metadatas(entries).build().unwrap();
        assert_eq!(field(&full).as_deref(), Some("metadata"));
        let long = "x".repeat(MAX_METADATA_BYTES - 1);
        let full = builder().metadata("a", long).build().unwrap();
        assert_eq!(field(&full).as_deref(), Some("metadata"));
        let taken = builder().metadata(REMOTE_METADATA, "x").build().unwrap();
        assert_eq!(field(&taken).as_deref(), Some("metadata"));
    }
}
