//! Asking for a sandbox.

use std::collections::BTreeMap;
use std::time::Duration;

use sandbox_core::lifecycle::{
    DEFAULT_IDLE_TIMEOUT, DEFAULT_TIME_TO_LIVE, Ephemeral, LifecyclePolicy, MAX_TIME_TO_LIVE, Mode,
    Persistent,
};
use sandbox_core::{
    Command, Error, Result, RuntimeName, SandboxId, SandboxPath, SandboxSpec, SnapshotId, Source,
    TemplateName, User,
};
use serde::{Deserialize, Serialize};

use super::{ResourcesRequest, Sandbox};
use crate::prepare::{join_source, split_source};
use crate::text::{self, is_false, on};
use crate::{CommandLine, DurationText, EgressPolicy};

/// Whether a sandbox ends by itself.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SandboxMode {
    /// It is destroyed after its `timeout`.
    #[default]
    Ephemeral,
    /// It lives until it is destroyed, and is suspended after its `idle_timeout`.
    Persistent,
}

impl From<&Mode> for SandboxMode {
    fn from(mode: &Mode) -> Self {
        match mode {
            Mode::Ephemeral(_) => Self::Ephemeral,
            Mode::Persistent(_) => Self::Persistent,
        }
    }
}

/// What happens at the end of a time to live.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// The sandbox is destroyed.
    #[default]
    Kill,
    /// The sandbox is suspended.
    Pause,
}

impl From<sandbox_core::lifecycle::OnTimeout> for OnTimeout {
    fn from(what: sandbox_core::lifecycle::OnTimeout) -> Self {
        match what {
            sandbox_core::lifecycle::OnTimeout::Kill => Self::Kill,
            sandbox_core::lifecycle::OnTimeout::Pause => Self::Pause,
        }
    }
}

impl From<OnTimeout> for sandbox_core::lifecycle::OnTimeout {
    fn from(what: OnTimeout) -> Self {
        match what {
            OnTimeout::Kill => Self::Kill,
            OnTimeout::Pause => Self::Pause,
        }
    }
}

/// A sandbox to be made, from exactly one of `template`, `image` and `snapshot`.
///
/// Both `timeout` and `idle_timeout` are taken in either mode; the mode's own counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateSandbox {
    /// The template.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "python"))]
    pub template: Option<TemplateName>,
    /// An image, by the name its runtime knows it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// A snapshot of the caller's.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub snapshot: Option<SnapshotId>,
    /// Whether it ends by itself. Default: `ephemeral`.
    #[serde(default)]
    pub mode: SandboxMode,
    /// How long an ephemeral sandbox lives: `5m` where none is given, at most `24h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
    /// How long without activity until a persistent sandbox is suspended: `10m` where none is
    /// given, at most `24h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<DurationText>,
    /// What happens at the end of the time to live. Default: `kill`.
    #[serde(default)]
    pub on_timeout: OnTimeout,
    /// Whether use of it while it is suspended wakes it instead of being refused.
    #[serde(default, skip_serializing_if = "is_false")]
    pub auto_wake: bool,
    /// The name of an amount of CPU and memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "shared-cpu-2x"))]
    pub size: Option<String>,
    /// Limits over the size's and the template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourcesRequest>,
    /// Environment variables over the template's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The caller's own notes: at most 64 entries and 16 KiB.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// What it may connect to; without it the template's policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<EgressPolicy>,
    /// Its id: 1 to 64 of `a-z`, `0-9`, `_` and `-`; without one, one that cannot be guessed.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub id: Option<SandboxId>,
    /// The runtime; without one the template's, and without that the default.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub runtime: Option<RuntimeName>,
    /// Where commands start.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub workdir: Option<SandboxPath>,
    /// Who runs commands.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub user: Option<User>,
    /// The host name inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The low-level runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_class: Option<String>,
    /// A command that is started when it has been made, instead of the template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<CommandLine>,
    /// Whether the answer waits until it runs. Default: true.
    #[serde(default = "on")]
    pub wait: bool,
}

impl Default for CreateSandbox {
    fn default() -> Self {
        Self {
            template: None,
            image: None,
            snapshot: None,
            mode: SandboxMode::default(),
            timeout: None,
            idle_timeout: None,
            on_timeout: OnTimeout::default(),
            auto_wake: false,
            size: None,
            resources: None,
            env: BTreeMap::new(),
            metadata: BTreeMap::new(),
            egress: None,
            id: None,
            runtime: None,
            workdir: None,
            user: None,
            hostname: None,
            runtime_class: None,
            start: None,
            wait: true,
        }
    }
}

impl CreateSandbox {
    /// A request for a sandbox from `template`.
    pub fn from_template(template: TemplateName) -> Self {
        Self {
            template: Some(template),
            ..Self::default()
        }
    }

    /// A request for a sandbox from `source`.
    pub fn from_source(source: Source) -> Self {
        let (image, snapshot) = split_source(source);
        Self {
            image,
            snapshot,
            ..Self::default()
        }
    }

    /// A request for the sandbox that `spec` describes, on `runtime`. The template that the spec
    /// was resolved from is left out: everything it gave is in the spec.
    pub fn from_spec(spec: &SandboxSpec, runtime: Option<RuntimeName>) -> Self {
        let mut request = Self {
            id: Some(spec.id().clone()),
            runtime,
            resources: Some(spec.resources().into()),
            env: spec.env().clone(),
            metadata: spec.metadata().clone(),
            egress: Some(spec.egress().into()),
            workdir: spec.workdir().cloned(),
            user: spec.user().cloned(),
            hostname: spec.hostname().map(str::to_owned),
            runtime_class: spec.runtime_class().map(str::to_owned),
            ..Self::from_source(spec.source().clone())
        };
        request.set_lifecycle(spec.lifecycle());
        request
    }

    /// Asks for the life that `policy` describes, with the server's own maximum of extensions.
    pub fn set_lifecycle(&mut self, policy: &LifecyclePolicy) {
        self.auto_wake = policy.auto_wake();
        self.mode = policy.mode().into();
        match policy.mode() {
            Mode::Ephemeral(ephemeral) => {
                self.timeout = Some(ephemeral.time_to_live.into());
                self.on_timeout = ephemeral.on_timeout.into();
            }
            Mode::Persistent(persistent) => {
                self.idle_timeout = Some(persistent.idle_timeout.into());
            }
        }
    }

    /// The source, where it is not a template's.
    ///
    /// # Errors
    /// `InvalidSpec` with field `template` unless exactly one of `template`, `image` and
    /// `snapshot` is there.
    pub fn source(&self) -> Result<Option<Source>> {
        let source = join_source("sandbox.parse", self.image.clone(), self.snapshot.clone())?;
        match (&self.template, &source) {
            (None, None) => {
                let message = "is needed, or else one of image and snapshot";
                Err(Error::invalid("sandbox.parse", "template", message))
            }
            (Some(_), Some(_)) => {
                let message = "has no place beside image and snapshot";
                Err(Error::invalid("sandbox.parse", "template", message))
            }
            (Some(_), None) | (None, Some(_)) => Ok(source),
        }
    }

    /// When it is suspended and destroyed.
    ///
    /// # Errors
    /// `InvalidSpec` with field `timeout` or `idle_timeout` for one that is zero or over 24 hours,
    /// whichever of them counts.
    pub fn lifecycle(&self) -> Result<LifecyclePolicy> {
        let timeout = check("timeout", self.timeout, DEFAULT_TIME_TO_LIVE)?;
        let idle_timeout = check("idle_timeout", self.idle_timeout, DEFAULT_IDLE_TIMEOUT)?;
        let mode = match self.mode {
            SandboxMode::Ephemeral => Mode::Ephemeral(Ephemeral {
                on_timeout: self.on_timeout.into(),
                ..Ephemeral::new(timeout)
            }),
            SandboxMode::Persistent => Mode::Persistent(Persistent::new(idle_timeout)),
        };
        Ok(LifecyclePolicy::new(mode)?.with_auto_wake(self.auto_wake))
    }

    /// The command that is started when it has been made, checked.
    ///
    /// # Errors
    /// `InvalidSpec` with field `start`.
    pub fn start_command(&self) -> Result<Option<Command>> {
        let Some(line) = &self.start else {
            return Ok(None);
        };
        let command = line.clone().into_core();
        command
            .validate()
            .map_err(|error| Error::invalid("sandbox.parse", "start", error.message()))?;
        Ok(Some(command))
    }
}

fn check(field: &'static str, asked: Option<DurationText>, default: Duration) -> Result<Duration> {
    let duration = asked.map_or(default, Duration::from);
    if duration < Duration::from_millis(1) {
        return Err(Error::invalid(
            "sandbox.parse",
            field,
            "must be at least 1ms",
        ));
    }
    if duration > MAX_TIME_TO_LIVE {
        return Err(Error::invalid(
            "sandbox.parse",
            field,
            "must be at most 24h",
        ));
    }
    Ok(duration)
}

impl Sandbox {
    /// The policy that its answer shows.
    pub(super) fn policy(&self) -> Result<LifecyclePolicy> {
        let text = |seconds: Option<u64>| seconds.map(|s| Duration::from_secs(s).into());
        let request = CreateSandbox {
            mode: self.mode,
            timeout: text(self.timeout_seconds),
            idle_timeout: text(self.idle_timeout_seconds),
            on_timeout: self.on_timeout.unwrap_or_default(),
            auto_wake: self.auto_wake,
            ..CreateSandbox::default()
        };
        request.lifecycle()
    }
}

/// How long a sandbox shall live from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TimeoutRequest {
    /// This long; beyond `24h` it is `24h`.
    pub timeout: DurationText,
}

impl TimeoutRequest {
    /// How long, cut to what is allowed.
    ///
    /// # Errors
    /// `InvalidSpec` with field `timeout` under a millisecond.
    pub fn time_to_live(&self) -> Result<Duration> {
        let asked = self.timeout.0.min(MAX_TIME_TO_LIVE);
        check("timeout", Some(asked.into()), MAX_TIME_TO_LIVE)
    }
}
