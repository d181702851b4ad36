//! Runtimes: what they are, can do, and how they fare.

use sandbox_core::RuntimeName;
use serde::{Deserialize, Serialize};

use crate::text;

/// The runtimes of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RuntimeList {
    /// The runtimes, by name.
    pub runtimes: Vec<Runtime>,
}

/// A runtime of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Runtime {
    /// Its name.
    #[serde(with = "text")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "docker"))]
    pub name: RuntimeName,
    /// Whether it makes the sandboxes of requests and templates that name no runtime.
    pub default: bool,
    /// Whether its backend answers, as far as the server knows.
    pub available: bool,
    /// What it can do.
    pub capabilities: Capabilities,
    /// How its backend fares now.
    pub health: Health,
}

/// How a runtime's backend fares. What it is and why it fails are the operator's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It answers.
    Ok,
    /// It cannot be reached, or says that something is wrong.
    Failing,
    /// It did not answer in time.
    Unanswered,
}

/// Makes a shape of flags and limits that mirrors one of the core, where absent means "cannot".
macro_rules! mirror {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)+
        }

        impl From<sandbox_core::$name> for $name {
            fn from(core: sandbox_core::$name) -> Self {
                Self { $($field: core.$field.into(),)+ }
            }
        }

        impl From<$name> for sandbox_core::$name {
            fn from(wire: $name) -> Self {
                let mut core = Self::default();
                $(core.$field = wire.$field.into();)+
                core
            }
        }
    };
}

mirror!(
    /// Which limits a runtime enforces.
    LimitCapabilities {
        /// The CPU limit bites.
        cpu: bool,
        /// The memory limit bites.
        memory: bool,
        /// The disk limit bites.
        disk: bool,
        /// The limit of processes bites.
        pids: bool,
        /// The limit of open files bites.
        open_files: bool,
        /// The most thousandths of a CPU one sandbox can have; null: no limit known.
        max_milli_cpus: Option<u32>,
        /// The most bytes of memory one sandbox can have; null: no limit known.
        max_memory: Option<u64>,
        /// The most bytes of disk one sandbox can have; null: no limit known.
        max_disk: Option<u64>,
    }
);

mirror!(
    /// Which egress policies a runtime enforces.
    EgressCapabilities {
        /// Sandboxes can reach the network at all.
        allow_all: bool,
        /// Rules by address.
        cidrs: bool,
        /// Rules by TCP port.
        ports: bool,
        /// Rules by domain.
        domains: bool,
        /// A policy can be replaced while the sandbox runs.
        live_update: bool,
    }
);

mirror!(
    /// What a runtime can do. A request that asks for more is refused.
    Capabilities {
        /// Sandboxes can be suspended and woken.
        pause: bool,
        /// Commands on a terminal.
        pty: bool,
        /// Commands with open standard input.
        stdin: bool,
        /// A time limit kills a command and everything it started.
        timeout: bool,
        /// Signals.
        signals: bool,
        /// A list of every process there is.
        processes: bool,
        /// Processes can be taken up again by a later client.
        attach: bool,
        /// Commands and files of a user other than the sandbox's own.
        users: bool,
        /// Watching of files.
        watch: bool,
        /// Connections to ports.
        connect: bool,
        /// Snapshots, and sandboxes made from them.
        snapshot: bool,
        /// Programs are native binaries of a Linux image.
        native_binaries: bool,
        /// Sandboxes outlive the server process that made them.
        recover: bool,
        /// The names `runtime_class` may have.
        runtime_classes: Vec<String>,
        /// The limits enforced.
        limits: LimitCapabilities,
        /// The egress policies enforced.
        egress: EgressCapabilities,
    }
);
