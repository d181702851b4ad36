//! From what was asked for to what will be made.

use std::sync::Arc;

use sandbox_core::{
    Command, Error, ErrorKind, Resources, Result, RuntimeName, SandboxId, SandboxSpec, Template,
};

use crate::core::Core;
use crate::request::CreateRequest;
use crate::slot::Slot;

/// A request with every template and default put in, held against what the runtime can do.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) spec: SandboxSpec,
    pub(crate) slot: Arc<Slot>,
    pub(crate) start: Option<Command>,
}

impl Resolved {
    pub(crate) fn new(core: &Core, request: &CreateRequest) -> Result<Self> {
        let id = match &request.id {
            Some(id) => id.clone(),
            None => SandboxId::from_random(crate::random::bytes()?),
        };
        let template = match &request.template {
            Some(name) => Some(core.templates.get(name.as_str())?),
            None => None,
        };
        let slot = choose_runtime(core, request, template)?;
        let template = template.map(|template| core.templates.on(template, &slot.name));
        let spec = spec(id, request, template)?;
        let capabilities = slot.runtime.capabilities();
        capabilities.check_spec(&spec)?;
        let start = request
            .start
            .clone()
            .or_else(|| template.and_then(|template| template.start.clone()));
        if let Some(command) = &start {
            command.validate()?;
            capabilities.check_command(command)?;
        }
        Ok(Self { spec, slot, start })
    }
}

fn choose_runtime(
    core: &Core,
    request: &CreateRequest,
    template: Option<&Template>,
) -> Result<Arc<Slot>> {
    let name: Option<&RuntimeName> = request
        .runtime
        .as_ref()
        .or_else(|| template.and_then(|template| template.runtime.as_ref()))
        .or(core.default_runtime.as_ref());
    let missing = |message: String| {
        Error::new(ErrorKind::NotFound, "engine.create", message).with_field("runtime")
    };
    let Some(name) = name else {
        return Err(missing("the engine has no runtime".to_owned()));
    };
    let slot = core.slots.get(name).cloned();
    slot.ok_or_else(|| missing(format!("there is no runtime {name}")))
}

fn spec(
    id: SandboxId,
    request: &CreateRequest,
    template: Option<&Template>,
) -> Result<SandboxSpec> {
    let (builder, defaults) = match (template, &request.source) {
        (Some(template), _) => (template.to_spec(id), template.resources.clone()),
        (None, Some(source)) => (
            SandboxSpec::builder(id, source.clone()),
            Resources::default(),
        ),
        (None, None) => {
            let message = "name a template or a source";
            return Err(Error::invalid("engine.create", "template", message));
        }
    };
    request.apply(builder, &defaults).build()
}
