//! The command line as a server is asked.

use sandbox_api_types::{CreateSandbox, ResourcesRequest, SandboxMode};
use sandbox_core::{Result, SandboxId, TemplateName};

use crate::args::{CreateArgs, MakeArgs};

/// The template of those who name nothing.
const DEFAULT_TEMPLATE: &str = "base";

/// The request for a sandbox as `args` describe it.
///
/// # Errors
/// `InvalidSpec` for an egress policy that makes no sense.
pub(super) fn make(args: &MakeArgs) -> Result<CreateSandbox> {
    let source = &args.source;
    let names_none = source.image.is_none() && source.snapshot.is_none();
    let template = match &source.template {
        None if names_none => Some(TemplateName::new(DEFAULT_TEMPLATE)?),
        named => named.clone(),
    };
    let resources = ResourcesRequest {
        milli_cpus: args.cpus,
        memory: args.memory,
        disk: args.disk,
        pids: args.pids,
        ..ResourcesRequest::default()
    };
    Ok(CreateSandbox {
        template,
        image: source.image.clone(),
        snapshot: source.snapshot.clone(),
        size: args.size.clone(),
        resources: (resources != ResourcesRequest::default()).then_some(resources),
        env: args.env.iter().cloned().collect(),
        egress: args.egress.policy()?,
        runtime: args.runtime.clone(),
        workdir: args.workdir.clone(),
        user: args.user.clone(),
        hostname: args.hostname.clone(),
        runtime_class: args.runtime_class.clone(),
        ..CreateSandbox::default()
    })
}

/// The request of `create`.
///
/// # Errors
/// As [`make`].
pub(crate) fn create(args: &CreateArgs) -> Result<CreateSandbox> {
    Ok(CreateSandbox {
        id: args.id.clone(),
        metadata: args.metadata.iter().cloned().collect(),
        mode: match args.persistent {
            true => SandboxMode::Persistent,
            false => SandboxMode::Ephemeral,
        },
        timeout: args.timeout.map(Into::into),
        idle_timeout: args.idle_timeout.map(Into::into),
        auto_wake: args.auto_wake,
        wait: args.wait,
        ..make(&args.make)?
    })
}

/// The request for a sandbox whose maker removes it; it lives as long as one may, so that its own
/// end never comes before the command's.
pub(super) fn for_one_command(args: &MakeArgs, id: &SandboxId) -> Result<CreateSandbox> {
    Ok(CreateSandbox {
        id: Some(id.clone()),
        timeout: Some(sandbox_core::lifecycle::MAX_TIME_TO_LIVE.into()),
        ..make(args)?
    })
}
