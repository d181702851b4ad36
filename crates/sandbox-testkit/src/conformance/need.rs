//! What a case needs of a runtime, and what a runtime without it must refuse.

use sandbox_core::egress::EgressRules;
use sandbox_core::{
    Capabilities, Command, ErrorKind, PtySize, Resources, Result, SandboxSpecBuilder, Signal, User,
    WatchOptions,
};

use super::trial::{Trial, refused};

macro_rules! needs {
    ($($variant:ident: $doc:literal => $reported:expr;)*) => {
        /// Something a case cannot do without.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Need {
            $(#[doc = $doc] $variant,)*
        }

        impl Need {
            /// Whether a runtime with these capabilities has it.
            pub fn is_reported(self, can: &Capabilities) -> bool {
                let reported: fn(&Capabilities) -> bool = match self {
                    $(Self::$variant => $reported,)*
                };
                reported(can)
            }

            /// Its name here.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)*
                }
            }

            /// The need called `name`.
            pub fn named(name: &str) -> Option<Self> {
                [$(Self::$variant),*].into_iter().find(|need| need.name() == name)
            }
        }
    };
}

needs! {
    Pause: "Pause and resume." => |can| can.pause;
    Pty: "Terminals." => |can| can.pty;
    Stdin: "Standard input." => |can| can.stdin;
    Timeout: "Time limits of commands." => |can| can.timeout;
    Signals: "Signals." => |can| can.signals;
    Processes: "A list of processes." => |can| can.processes;
    Attach: "Taking processes up again." => |can| can.attach;
    Users: "Users." => |can| can.users;
    Watch: "Watching files." => |can| can.watch;
    Connect: "Connections to ports." => |can| can.connect;
    Snapshot: "Snapshots." => |can| can.snapshot;
    Recover: "Sandboxes that outlive their program." => |can| can.recover;
    Cpu: "CPU limits." => |can| can.limits.cpu;
    Memory: "Memory limits." => |can| can.limits.memory;
    Disk: "Disk limits." => |can| can.limits.disk;
    Pids: "Process limits." => |can| can.limits.pids;
    OpenFiles: "Limits of open files." => |can| can.limits.open_files;
    AllowAll: "Access to the network." => |can| can.egress.allow_all;
    Cidrs: "Egress rules by address." => |can| can.egress.cidrs;
    Ports: "Egress rules by port." => |can| can.egress.ports;
    Domains: "Egress rules by domain." => |can| can.egress.domains;
    LiveUpdate: "Egress policies that change." => |can| can.egress.live_update;
}

impl Need {
    /// Asserts that the runtime refuses what it does not report, naming the field.
    pub(super) async fn assert_refused(self, t: &Trial) -> Result<()> {
        let unsupported = ErrorKind::Unsupported;
        match self {
            Self::Pause => {
                let sandbox = t.sandbox().await?;
                refused(sandbox.pause().await, unsupported, Some("pause"));
                refused(sandbox.resume().await, unsupported, Some("resume"));
            }
            Self::Pty => {
                let command = Command::shell("true").pty(PtySize::default());
                self.refuses_command(t, command, "pty").await?;
            }
            Self::Stdin => {
                let command = Command::shell("true").piped_stdin();
                self.refuses_command(t, command, "stdin").await?;
            }
            Self::Timeout => {
                let command = Command::shell("true").timeout(t.patience());
                self.refuses_command(t, command, "timeout").await?;
            }
            Self::Users => {
                let command = Command::shell("true").user(User::new("nobody")?);
                self.refuses_command(t, command, "user").await?;
                let spec = t.spec().user(User::new("nobody")?);
                self.refuses_spec(t, spec, "user").await?;
            }
            Self::Signals => {
                let sandbox = t.sandbox().await?;
                let signalled = sandbox.signal(2, Signal::CONT).await;
                refused(signalled, unsupported, Some("signal"));
            }
            Self::Processes => {
                let listed = t.sandbox().await?.processes().await;
                refused(listed, unsupported, Some("processes"));
            }
            Self::Attach => {
                let attached = t.sandbox().await?.attach(2).await;
                refused(attached, unsupported, Some("pid"));
            }
            Self::Watch => {
                let sandbox = t.sandbox().await?;
                let dir = t.harness.scratch();
                let watched = sandbox.watch(&dir, WatchOptions::default()).await;
                refused(watched.map(drop), unsupported, Some("path"));
            }
            Self::Connect => {
                let connected = t.sandbox().await?.connect(7070).await;
                refused(connected, unsupported, Some("port"));
            }
            Self::Snapshot => {
                let taken = t.sandbox().await?.snapshot().await;
                refused(taken, unsupported, Some("snapshot"));
            }
            Self::Recover => self.forgets(t).await?,
            Self::Cpu | Self::Memory | Self::Pids | Self::OpenFiles => {
                let field = match self {
                    Self::Cpu => "resources.milli_cpus",
                    Self::Memory => "resources.memory",
                    Self::Pids => "resources.pids",
                    _ => "resources.open_files",
                };
                self.refuses_spec(t, t.spec(), field).await?;
            }
            Self::Disk => {
                let spec = t.spec().resources(Resources {
                    disk: Some(64 << 20),
                    ..Resources::default()
                });
                self.refuses_spec(t, spec, "resources.disk").await?;
            }
            Self::AllowAll => {
                let spec = t.spec().egress(EgressRules::allow_all());
                self.refuses_spec(t, spec, "egress.mode").await?;
            }
            Self::Cidrs => {
                let rules = EgressRules::deny_all().allow_cidr("203.0.113.0/24")?;
                let spec = t.spec().egress(rules);
                self.refuses_spec(t, spec, "egress.allow_cidrs").await?;
            }
            Self::Ports => {
                let rules = EgressRules::deny_all().allow_cidr("203.0.113.0/24")?;
                let spec = t.spec().egress(rules.allow_port(443)?);
                // Ports narrow addresses: without those, they are what is refused.
                let field = match t.can().egress.cidrs {
                    true => "egress.allow_ports",
                    false => "egress.allow_cidrs",
                };
                self.refuses_spec(t, spec, field).await?;
            }
            Self::Domains => {
                let rules = EgressRules::deny_all().allow_domain("example.com")?;
                let spec = t.spec().egress(rules);
                self.refuses_spec(t, spec, "egress.allow_domains").await?;
            }
            Self::LiveUpdate => {
                let sandbox = t.sandbox().await?;
                let replaced = sandbox.set_egress(&EgressRules::deny_all()).await;
                refused(replaced, unsupported, Some("egress"));
            }
        }
        Ok(())
    }

    async fn refuses_command(self, t: &Trial, command: Command, field: &str) -> Result<()> {
        let sandbox = t.sandbox().await?;
        let spawned = sandbox.spawn(command).await;
        refused(spawned, ErrorKind::Unsupported, Some(field));
        Ok(())
    }

    async fn refuses_spec(self, t: &Trial, spec: SandboxSpecBuilder, field: &str) -> Result<()> {
        let spec = t.build(spec);
        let made = t.runtime.create(&spec).await;
        if let Ok(sandbox) = &made {
            t.keep(sandbox);
        }
        refused(made, ErrorKind::Unsupported, Some(field));
        assert!(
            !t.existing().await?.contains(spec.id()),
            "something was left behind"
        );
        Ok(())
    }

    /// A runtime that does not find its sandboxes again does not pretend to.
    async fn forgets(self, t: &Trial) -> Result<()> {
        let sandbox = t.sandbox().await?;
        let Some(reopened) = t.harness.reopen().await else {
            return Ok(());
        };
        assert!(!reopened.capabilities().recover);
        let found = reopened.recover().await?;
        assert!(found.iter().all(|one| one.id != *sandbox.id()));
        Ok(())
    }
}
