//! Templates.

use sandbox_core::{RuntimeName, SandboxPath, SnapshotId, TemplateName, User};
use serde::{Deserialize, Serialize};

use crate::prepare::split_source;
use crate::{CommandLine, EgressPolicy, Resources, text};

/// The templates of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TemplateList {
    /// The templates, by name.
    pub templates: Vec<Template>,
}

/// A named starting point. Its environment variables are not shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Template {
    /// Its name.
    #[serde(with = "text")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub name: TemplateName,
    /// The runtime that makes its sandboxes; null: the default one.
    #[serde(default, with = "text::option")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub runtime: Option<RuntimeName>,
    /// The image that its sandboxes are made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The snapshot that its sandboxes are made from.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub snapshot: Option<SnapshotId>,
    /// Default limits.
    pub resources: Resources,
    /// Where commands start.
    #[serde(default, with = "text::option")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub workdir: Option<SandboxPath>,
    /// Who runs commands.
    #[serde(default, with = "text::option")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub user: Option<User>,
    /// The egress policy of sandboxes that ask for none.
    pub egress: EgressPolicy,
    /// What is started when a sandbox has been made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<CommandLine>,
}

impl From<&sandbox_core::Template> for Template {
    fn from(template: &sandbox_core::Template) -> Self {
        let (image, snapshot) = split_source(template.source.clone());
        let start = template.start.as_ref();
        Self {
            name: template.name.clone(),
            runtime: template.runtime.clone(),
            image,
            snapshot,
            resources: (&template.resources).into(),
            workdir: template.workdir.clone(),
            user: template.user.clone(),
            egress: (&template.egress).into(),
            start: start.map(|command| command.program.clone().into()),
        }
    }
}
