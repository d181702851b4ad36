//! What callers ask for.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use sandbox_core::egress::EgressRules;
use sandbox_core::lifecycle::{LifecyclePolicy, State};
use sandbox_core::{
    Command, Error, Resources, Result, RuntimeName, SandboxId, SandboxPath, SandboxSpecBuilder,
    Source, TemplateName, User,
};

use crate::{OwnerId, SandboxRecord};

/// A sandbox to be made: from a template or a source, with what shall differ from its defaults.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct CreateRequest {
    /// Whose it will be.
    pub owner: OwnerId,
    /// Its id; without one, one that cannot be guessed. One of a sandbox that lives, or was
    /// destroyed and is kept still, is refused, whosever that is.
    pub id: Option<SandboxId>,
    /// The template.
    pub template: Option<TemplateName>,
    /// The file system, instead of the template's.
    pub source: Option<Source>,
    /// The runtime; without one the template's, and without that the engine's default.
    pub runtime: Option<RuntimeName>,
    /// Limits over the defaults.
    pub resources: ResourceOverrides,
    /// Environment variables over the template's.
    pub env: BTreeMap<String, String>,
    /// The caller's own notes.
    pub metadata: BTreeMap<String, String>,
    /// Where commands start.
    pub workdir: Option<SandboxPath>,
    /// Who runs commands.
    pub user: Option<User>,
    /// The host name inside.
    pub hostname: Option<String>,
    /// The low-level runtime.
    pub runtime_class: Option<String>,
    /// What it may connect to; without it the template's, and without that nothing.
    pub egress: Option<EgressRules>,
    /// When it is suspended and destroyed.
    pub lifecycle: Option<LifecyclePolicy>,
    /// A command that is started when it has been made, instead of the template's: the last part
    /// of the creation, once, also when the engine dies in between. Its process has the tag
    /// `start`.
    pub start: Option<Command>,
}

/// Limits that shall differ from the default; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResourceOverrides {
    /// [`Resources::milli_cpus`].
    pub milli_cpus: Option<u32>,
    /// [`Resources::memory`] in bytes.
    pub memory: Option<u64>,
    /// [`Resources::disk`] in bytes.
    pub disk: Option<u64>,
    /// [`Resources::pids`].
    pub pids: Option<u32>,
    /// [`Resources::open_files`].
    pub open_files: Option<u32>,
}

impl ResourceOverrides {
    /// `defaults` with what differs.
    pub fn over(self, defaults: &Resources) -> Resources {
        Resources {
            milli_cpus: self.milli_cpus.unwrap_or(defaults.milli_cpus),
            memory: self.memory.unwrap_or(defaults.memory),
            disk: self.disk.or(defaults.disk),
            pids: self.pids.unwrap_or(defaults.pids),
            open_files: self.open_files.unwrap_or(defaults.open_files),
        }
    }
}

impl From<Resources> for ResourceOverrides {
    fn from(all: Resources) -> Self {
        Self {
            milli_cpus: Some(all.milli_cpus),
            memory: Some(all.memory),
            disk: all.disk,
            pids: Some(all.pids),
            open_files: Some(all.open_files),
        }
    }
}

impl CreateRequest {
    /// A request of the default owner for a sandbox from `template`.
    pub fn from_template(template: TemplateName) -> Self {
        Self {
            template: Some(template),
            ..Self::default()
        }
    }

    /// A request of the default owner for a sandbox from `source`.
    pub fn from_source(source: Source) -> Self {
        Self {
            source: Some(source),
            ..Self::default()
        }
    }

    /// Says whose it will be.
    #[must_use]
    pub fn owner(mut self, owner: OwnerId) -> Self {
        self.owner = owner;
        self
    }

    /// Chooses the runtime.
    #[must_use]
    pub fn runtime(mut self, runtime: RuntimeName) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Says when it is suspended and destroyed.
    #[must_use]
    pub fn lifecycle(mut self, policy: LifecyclePolicy) -> Self {
        self.lifecycle = Some(policy);
        self
    }

    /// Says what it may connect to.
    #[must_use]
    pub fn egress(mut self, rules: EgressRules) -> Self {
        self.egress = Some(rules);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Sets an entry of the metadata.
    #[must_use]
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// Puts what this asks for over `spec`.
    pub(crate) fn apply(
        &self,
        mut spec: SandboxSpecBuilder,
        defaults: &Resources,
    ) -> SandboxSpecBuilder {
        spec = spec
            .resources(self.resources.over(defaults))
            .envs(self.env.clone())
            .metadatas(self.metadata.clone());
        if let Some(source) = &self.source {
            spec = spec.source(source.clone());
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
        if let Some(egress) = &self.egress {
            spec = spec.egress(egress.clone());
        }
        if let Some(lifecycle) = &self.lifecycle {
            spec = spec.lifecycle(lifecycle.clone());
        }
        spec
    }
}

/// How many sandboxes a page has where nobody says.
pub const DEFAULT_PAGE: usize = 100;
/// The most sandboxes of a page.
pub const MAX_PAGE: usize = 1000;

/// Which sandboxes to list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListFilter {
    /// Of this owner; without one, of all.
    pub owner: Option<OwnerId>,
    /// In one of these states. Without them, in every state but destroyed.
    pub states: Option<Vec<State>>,
    /// With all of these entries in their metadata.
    pub metadata: BTreeMap<String, String>,
    /// The most to answer, 1 to [`MAX_PAGE`].
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<Cursor>,
}

impl Default for ListFilter {
    /// Everything that is not destroyed, in pages of [`DEFAULT_PAGE`].
    fn default() -> Self {
        Self {
            owner: None,
            states: None,
            metadata: BTreeMap::new(),
            limit: DEFAULT_PAGE,
            cursor: None,
        }
    }
}

impl ListFilter {
    /// Everything of `owner` that is not destroyed.
    pub fn of(owner: OwnerId) -> Self {
        Self {
            owner: Some(owner),
            ..Self::default()
        }
    }

    pub(crate) fn matches(&self, record: &SandboxRecord) -> bool {
        let state = match &self.states {
            Some(states) => states.contains(&record.state()),
            None => record.state() != State::Destroyed,
        };
        let metadata = record.spec.metadata();
        state
            && self
                .metadata
                .iter()
                .all(|(name, value)| metadata.get(name) == Some(value))
    }

    pub(crate) fn wants_destroyed(&self) -> bool {
        let states = self.states.as_ref();
        states.is_some_and(|states| states.contains(&State::Destroyed))
    }
}

/// A place in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor(pub(crate) u64);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        u64::from_str_radix(text, 16).map(Self).map_err(|e| {
            Error::invalid("list.parse", "cursor", "is not one that a list answered").with_source(e)
        })
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Sandboxes, newest first.
    pub sandboxes: Vec<std::sync::Arc<SandboxRecord>>,
    /// Where the next page begins; `None`: this was the last.
    pub next: Option<Cursor>,
}
