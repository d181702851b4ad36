//! Sandboxes as the API shows them.

mod create;
mod list;
mod resources;
mod status;

use std::collections::BTreeMap;

use sandbox_core::egress::EgressRules;
use sandbox_core::lifecycle::{Failure, Lifecycle, Mode};
use sandbox_core::{
    Error, ErrorKind, Result, RuntimeName, SandboxId, SandboxPath, SandboxSpec, SnapshotId,
    TemplateName, Timestamp, User,
};
use serde::{Deserialize, Serialize};

pub use self::create::{CreateSandbox, OnTimeout, SandboxMode, TimeoutRequest};
pub use self::list::{ListSandboxes, SandboxList};
pub use self::resources::{Resources, ResourcesRequest};
pub use self::status::SandboxStatus;
use crate::duration::seconds;
use crate::prepare::{join_source, split_source};
use crate::{EgressPolicy, Time, text};

/// A sandbox. Its environment variables are not shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sandbox {
    /// Its id.
    #[serde(with = "text")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "sbx_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub id: SandboxId,
    /// Where it is in its life.
    pub status: SandboxStatus,
    /// Whether it ends by itself.
    pub mode: SandboxMode,
    /// The template it was made from.
    #[serde(default, with = "text::option")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub template: Option<TemplateName>,
    /// The image it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The snapshot it was made from.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub snapshot: Option<SnapshotId>,
    /// The runtime that has it.
    #[serde(with = "text")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub runtime: RuntimeName,
    /// The name of its size; null where its limits are those of no size.
    #[serde(default)]
    pub size: Option<String>,
    /// Its limits.
    pub resources: Resources,
    /// The caller's own notes.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// What it may connect to.
    pub egress: EgressPolicy,
    /// Whether use of it while it is suspended wakes it instead of being refused.
    pub auto_wake: bool,
    /// What happens at the end of its time to live; only for an ephemeral sandbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_timeout: Option<OnTimeout>,
    /// When it was asked for.
    pub created_at: Time,
    /// When its time to live ends; null for a persistent sandbox, and before it first runs.
    #[serde(default)]
    pub expires_at: Option<Time>,
    /// When it was last used.
    pub last_activity_at: Time,
    /// How long without activity until it is suspended; null for an ephemeral sandbox.
    #[serde(default)]
    pub idle_timeout_seconds: Option<u64>,
    /// The time to live that it was made with; null for a persistent sandbox.
    #[serde(default)]
    pub timeout_seconds: Option<u64>,
    /// Where commands start; null: the image's own directory.
    #[serde(default, with = "text::option")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub workdir: Option<SandboxPath>,
    /// Who runs commands; null: the image's own user.
    #[serde(default, with = "text::option")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub user: Option<User>,
    /// The host name inside; null: one made from the id.
    #[serde(default)]
    pub hostname: Option<String>,
    /// The low-level runtime; null: the runtime's default.
    #[serde(default)]
    pub runtime_class: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<SandboxFailure>,
    /// How long it has run so far, in seconds, rounded up.
    pub usage_seconds: u64,
    /// Whether its runtime answers. While it does not, the status is the last one known.
    pub available: bool,
}

/// The environment variables of every command of a sandbox. Only who may run commands in it, and so
/// could print them, is shown them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Environment {
    /// The variables, the template's included.
    pub env: BTreeMap<String, String>,
}

/// Names alone: values may be secrets.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.env.keys()).finish()
    }
}

/// What a [`Sandbox`] is made of.
#[derive(Debug, Clone, Copy)]
pub struct SandboxView<'a> {
    /// What it was made from.
    pub spec: &'a SandboxSpec,
    /// What it may connect to now.
    pub egress: &'a EgressRules,
    /// Its life.
    pub lifecycle: &'a Lifecycle,
    /// The runtime that has it.
    pub runtime: &'a RuntimeName,
    /// The name of its size.
    pub size: Option<&'a str>,
    /// Whether its runtime answers.
    pub available: bool,
    /// The time.
    pub now: Timestamp,
}

impl From<SandboxView<'_>> for Sandbox {
    fn from(view: SandboxView<'_>) -> Self {
        let SandboxView {
            spec, lifecycle, ..
        } = view;
        let (image, snapshot) = split_source(spec.source().clone());
        let ephemeral = match lifecycle.policy().mode() {
            Mode::Ephemeral(ephemeral) => Some(ephemeral),
            Mode::Persistent(_) => None,
        };
        Self {
            id: spec.id().clone(),
            status: lifecycle.state().into(),
            mode: lifecycle.policy().mode().into(),
            template: spec.template().cloned(),
            image,
            snapshot,
            runtime: view.runtime.clone(),
            size: view.size.map(str::to_owned),
            resources: spec.resources().into(),
            metadata: spec.metadata().clone(),
            egress: view.egress.into(),
            auto_wake: lifecycle.policy().auto_wake(),
            on_timeout: ephemeral.map(|ephemeral| ephemeral.on_timeout.into()),
            created_at: lifecycle.created_at().into(),
            expires_at: lifecycle.expires_at().map(Time),
            last_activity_at: lifecycle.last_activity().into(),
            idle_timeout_seconds: lifecycle.idle_timeout().map(seconds),
            timeout_seconds: ephemeral.map(|ephemeral| seconds(ephemeral.time_to_live)),
            workdir: spec.workdir().cloned(),
            user: spec.user().cloned(),
            hostname: spec.hostname().map(str::to_owned),
            runtime_class: spec.runtime_class().map(str::to_owned),
            failure: lifecycle.failure().map(SandboxFailure::from),
            usage_seconds: lifecycle.usage_seconds(view.now),
            available: view.available,
        }
    }
}

impl Sandbox {
    /// The spec it was made from, as far as it is shown: its environment variables are not, and the
    /// times of its lifecycle are in whole seconds.
    ///
    /// # Errors
    /// `Internal` when it has not exactly one of image and snapshot, or a value that no sandbox can
    /// have.
    pub fn to_spec(&self) -> Result<SandboxSpec> {
        self.to_spec_with(BTreeMap::new())
    }

    /// As [`to_spec`](Self::to_spec), with these environment variables.
    ///
    /// # Errors
    /// As there.
    pub fn to_spec_with(&self, env: BTreeMap<String, String>) -> Result<SandboxSpec> {
        let broken = |e: Error| {
            let message = "the description of a sandbox makes no sense";
            Error::new(ErrorKind::Internal, "sandbox.decode", message).with_source(e)
        };
        let source = join_source("sandbox.decode", self.image.clone(), self.snapshot.clone());
        let source = source.map_err(broken)?.ok_or_else(|| {
            let message = "a sandbox has neither an image nor a snapshot";
            Error::new(ErrorKind::Internal, "sandbox.decode", message)
        })?;
        let egress = self.egress.clone().into_core().map_err(broken)?;
        let mut spec = SandboxSpec::builder(self.id.clone(), source)
            .resources((&self.resources).into())
            .envs(env)
            .metadatas(self.metadata.clone())
            .egress(egress)
            .lifecycle(self.policy().map_err(broken)?);
        if let Some(template) = &self.template {
            spec = spec.template(template.clone());
        }
        if let Some(workdir) = &self.workdir {
            spec = spec.workdir(workdir.clone());
        }
        if let Some(user) = &self.user {
            spec = spec.user(user.clone());
        }
        if let Some(hostname) = &self.hostname {
            spec = spec.hostname(hostname.clone());
        }
        if let Some(class) = &self.runtime_class {
            spec = spec.runtime_class(class.clone());
        }
        spec.build().map_err(broken)
    }
}

/// Why a sandbox failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SandboxFailure {
    /// What to branch on: `exited`, `out_of_memory`, `broken`, `missing`, or for one that could not
    /// be made the code of the error.
    pub code: String,
    /// What to say to a person.
    pub message: String,
    /// The code that its first process returned, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}

/// What an internal error may say: its message can name things that are none of a tenant's business.
const INTERNAL: &str = "it could not be created: internal error";

impl From<&Failure> for SandboxFailure {
    fn from(failure: &Failure) -> Self {
        let mut message = failure.to_string();
        let (code, exit_code) = match failure {
            Failure::CreateFailed { error } => {
                if error.kind == ErrorKind::Internal {
                    message = INTERNAL.to_owned();
                }
                (error.kind.as_str(), None)
            }
            Failure::Exited { code } => ("exited", *code),
            Failure::OutOfMemory => ("out_of_memory", None),
            Failure::Broken => ("broken", None),
            Failure::Missing => ("missing", None),
        };
        Self {
            code: code.to_owned(),
            message,
            exit_code,
        }
    }
}
