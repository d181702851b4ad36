//! The command line as the engine is asked.

use sandbox_api_types::EgressPolicy;
use sandbox_core::lifecycle::{Ephemeral, LifecyclePolicy, MAX_TIME_TO_LIVE};
use sandbox_core::{Resources, Result, SandboxId, Source, TemplateName};
use sandbox_engine::templates::Templates;
use sandbox_engine::{CreateRequest, ResourceOverrides};

use crate::args::MakeArgs;

/// The template of those who name nothing.
const DEFAULT_TEMPLATE: &str = "base";

/// The request for a sandbox that `args` describe, which its maker removes.
pub(super) fn create(
    args: &MakeArgs,
    id: Option<SandboxId>,
    templates: &Templates,
) -> Result<CreateRequest> {
    let source = &args.source;
    let mut request = match (&source.template, &source.image, &source.snapshot) {
        (_, Some(image), _) => CreateRequest::from_source(Source::Image(image.clone())),
        (_, _, Some(id)) => CreateRequest::from_source(Source::Snapshot(id.clone())),
        (Some(template), None, None) => CreateRequest::from_template(template.clone()),
        (None, None, None) => CreateRequest::from_template(TemplateName::new(DEFAULT_TEMPLATE)?),
    };
    request.id = id;
    request.runtime.clone_from(&args.runtime);
    request.resources = resources(args, templates)?;
    request.env.extend(args.env.iter().cloned());
    request.workdir.clone_from(&args.workdir);
    request.user.clone_from(&args.user);
    request.hostname.clone_from(&args.hostname);
    request.runtime_class.clone_from(&args.runtime_class);
    let policy = args.egress.policy()?;
    request.egress = policy.map(EgressPolicy::into_core).transpose()?;
    let policy = LifecyclePolicy::new(Ephemeral::new(MAX_TIME_TO_LIVE))?;
    Ok(request.lifecycle(policy))
}

/// The size, and what is said beside it.
fn resources(args: &MakeArgs, templates: &Templates) -> Result<ResourceOverrides> {
    let mut overrides = ResourceOverrides::default();
    if let Some(size) = &args.size {
        let size = templates.sizes().get(size)?.apply(Resources::default());
        overrides.milli_cpus = Some(size.milli_cpus);
        overrides.memory = Some(size.memory);
    }
    overrides.milli_cpus = args.cpus.or(overrides.milli_cpus);
    overrides.memory = args.memory.or(overrides.memory);
    overrides.disk = args.disk;
    overrides.pids = args.pids;
    Ok(overrides)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_overridden_by_what_is_said_beside_it() {
        let templates = Templates::builtin().unwrap();
        let args = MakeArgs {
            size: Some("performance-2x".into()),
            memory: Some(64 << 20),
            ..MakeArgs::default()
        };
        let request = create(&args, None, &templates).unwrap();
        assert_eq!(request.resources.milli_cpus, Some(2000));
        assert_eq!(request.resources.memory, Some(64 << 20));
        assert_eq!(request.template.unwrap().as_str(), DEFAULT_TEMPLATE);
        let unknown = MakeArgs {
            size: Some("huge".into()),
            ..MakeArgs::default()
        };
        let error = create(&unknown, None, &templates).unwrap_err();
        assert_eq!(error.field(), Some("size"));
    }
}
