//! Templates: named starting points for sandboxes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::egress::EgressRules;
use crate::{
    Command, Resources, Result, RuntimeName, SandboxId, SandboxPath, SandboxSpec,
    SandboxSpecBuilder, Source, TemplateName, User,
};

/// A named starting point: which runtime, from what, with which defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Its name.
    pub name: TemplateName,
    /// The runtime that makes its sandboxes; without one, the engine's default.
    #[serde(default)]
    pub runtime: Option<RuntimeName>,
    /// The file system.
    pub source: Source,
    /// Default limits.
    #[serde(default)]
    pub resources: Resources,
    /// Default environment variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Where commands start.
    #[serde(default)]
    pub workdir: Option<SandboxPath>,
    /// Who runs commands.
    #[serde(default)]
    pub user: Option<User>,
    /// The egress policy of sandboxes that ask for none. A template that names none allows all.
    #[serde(default = "EgressRules::allow_all")]
    pub egress: EgressRules,
    /// A command that is started when a sandbox has been made.
    #[serde(default)]
    pub start: Option<Command>,
}

impl Template {
    /// A template with default limits that allows all egress.
    pub fn new(name: TemplateName, source: Source) -> Self {
        Self {
            name,
            runtime: None,
            source,
            resources: Resources::default(),
            env: BTreeMap::new(),
            workdir: None,
            user: None,
            egress: EgressRules::allow_all(),
            start: None,
        }
    }

    /// A spec of the sandbox `id` with this template's defaults, to be changed and built.
    pub fn to_spec(&self, id: SandboxId) -> SandboxSpecBuilder {
        let mut spec = SandboxSpec::builder(id, self.source.clone())
            .template(self.name.clone())
            .resources(self.resources.clone())
            .envs(self.env.clone())
            .egress(self.egress.clone());
        if let Some(workdir) = &self.workdir {
            spec = spec.workdir(workdir.clone());
        }
        if let Some(user) = &self.user {
            spec = spec.user(user.clone());
        }
        spec
    }

    /// Checks it as a spec would be checked.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`](crate::ErrorKind::InvalidSpec) naming the field.
    pub fn validate(&self) -> Result<()> {
        if let Some(start) = &self.start {
            start.validate()?;
        }
        self.to_spec(SandboxId::from_random([0; 16]))
            .build()
            .map(|_| ())
    }
}
