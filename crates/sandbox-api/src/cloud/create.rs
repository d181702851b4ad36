//! From the body of a create to what the engine is asked.

use sandbox_api_types::{CreateSandbox, ResourcesRequest};
use sandbox_core::{Error, Result};
use sandbox_engine::templates::Sizes;
use sandbox_engine::{CreateRequest, OwnerId, ResourceOverrides};

/// What the engine is asked for, on behalf of `owner`.
///
/// An egress policy that is not there stays away: the engine puts the template's in its place, and
/// for a sandbox without a template one that allows nothing.
///
/// # Errors
/// `InvalidSpec` naming the field.
pub(super) fn request(
    body: CreateSandbox,
    owner: &OwnerId,
    sizes: &Sizes,
) -> Result<CreateRequest> {
    let mut request = CreateRequest::default();
    request.source = body.source()?;
    request.lifecycle = Some(body.lifecycle()?);
    request.start = body.start_command()?;
    request.resources = resources(body.size.as_deref(), body.resources.as_ref(), sizes)?;
    request.egress = body.egress.map(TryInto::try_into).transpose()?;
    request.owner = owner.clone();
    request.id = body.id;
    request.template = body.template;
    request.runtime = body.runtime;
    request.env = body.env;
    request.metadata = body.metadata;
    request.workdir = body.workdir;
    request.user = body.user;
    request.hostname = body.hostname;
    request.runtime_class = body.runtime_class;
    Ok(request)
}

/// The limits of a size, and over them those that are asked for one by one.
fn resources(
    size: Option<&str>,
    asked: Option<&ResourcesRequest>,
    sizes: &Sizes,
) -> Result<ResourceOverrides> {
    let mut resources = ResourceOverrides::default();
    if let Some(name) = size {
        let size = sizes.get(name)?;
        resources.milli_cpus = Some(size.milli_cpus);
        resources.memory = Some(size.memory);
    }
    let Some(asked) = asked else {
        return Ok(resources);
    };
    Ok(ResourceOverrides {
        milli_cpus: asked.milli_cpus()?.or(resources.milli_cpus),
        memory: asked.memory.or(resources.memory),
        disk: asked.disk,
        pids: asked.pids,
        open_files: asked.open_files,
    })
}

/// Names the field of an error as the body has it: `image` where the engine says `source.image`.
pub(super) fn renamed(error: Error) -> Error {
    let field = error
        .field()
        .and_then(|field| field.strip_prefix("source."));
    match field.map(str::to_owned) {
        Some(field) => error.with_field(field),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> Result<CreateRequest> {
        let body = serde_json::from_str(json).unwrap();
        request(body, &OwnerId::default(), &Sizes::default())
    }

    #[test]
    fn limits_asked_for_one_by_one_go_over_those_of_the_size() {
        let asked = parsed(
            r#"{"image": "x", "size": "shared-cpu-2x", "resources": {"memory": 67108864, "pids": 9}}"#,
        );
        let resources = asked.unwrap().resources;
        assert_eq!(resources.milli_cpus, Some(2000));
        assert_eq!(resources.memory, Some(64 << 20));
        assert_eq!((resources.pids, resources.disk), (Some(9), None));
    }

    #[test]
    fn without_a_size_the_templates_limits_stay() {
        let asked = parsed(r#"{"template": "python"}"#).unwrap();
        assert_eq!(asked.resources, ResourceOverrides::default());
        assert_eq!(asked.egress, None);
    }

    #[test]
    fn fields_of_the_source_have_the_names_of_the_body() {
        let named = |field: &str| renamed(Error::invalid("x", field, "y"));
        assert_eq!(named("source.snapshot").field(), Some("snapshot"));
        assert_eq!(named("resources.memory").field(), Some("resources.memory"));
    }
}
