//! What a runtime can do, and the one place where a request is held against it.

use serde::{Deserialize, Serialize};

use crate::egress::{EgressMode, EgressRules};
use crate::{Command, Error, Resources, Result, SandboxSpec, Source};

/// Which limits of [`Resources`] a runtime enforces.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LimitCapabilities {
    /// [`Resources::milli_cpus`] bites.
    pub cpu: bool,
    /// [`Resources::memory`] bites.
    pub memory: bool,
    /// [`Resources::disk`] bites.
    pub disk: bool,
    /// [`Resources::pids`] bites.
    pub pids: bool,
    /// [`Resources::open_files`] bites.
    pub open_files: bool,
    /// The most thousandths of a CPU one sandbox can have; `None`: no limit known.
    pub max_milli_cpus: Option<u32>,
    /// The most bytes of memory one sandbox can have; `None`: no limit known.
    pub max_memory: Option<u64>,
    /// The most bytes of disk one sandbox can have; `None`: no limit known.
    pub max_disk: Option<u64>,
}

/// Which egress policies a runtime enforces.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EgressCapabilities {
    /// Sandboxes can reach the network at all ([`EgressMode::AllowAll`]).
    pub allow_all: bool,
    /// Rules by address.
    pub cidrs: bool,
    /// Rules by TCP port.
    pub ports: bool,
    /// Rules by domain.
    pub domains: bool,
    /// A policy can be replaced while the sandbox runs, and cuts what it no longer allows.
    pub live_update: bool,
}

/// What a runtime can do. Callers branch on this, never on a runtime's name.
///
/// The default can do nothing: a new capability is off until a runtime says otherwise.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Capabilities {
    /// [`Sandbox::pause`](crate::Sandbox::pause) freezes, and resume continues.
    pub pause: bool,
    /// Commands on a terminal.
    pub pty: bool,
    /// Commands with open standard input.
    pub stdin: bool,
    /// [`Command::timeout`] kills a command and everything it started.
    pub timeout: bool,
    /// [`Process::signal`](crate::Process::signal) and [`Sandbox::signal`](crate::Sandbox::signal).
    pub signals: bool,
    /// [`Sandbox::processes`](crate::Sandbox::processes).
    pub processes: bool,
    /// [`Sandbox::attach`](crate::Sandbox::attach) after the client that started a process is gone.
    pub attach: bool,
    /// Commands and files of a user other than the sandbox's own.
    pub users: bool,
    /// [`Sandbox::watch`](crate::Sandbox::watch).
    pub watch: bool,
    /// [`Sandbox::connect`](crate::Sandbox::connect).
    pub connect: bool,
    /// [`Sandbox::snapshot`](crate::Sandbox::snapshot), and specs made from a snapshot.
    pub snapshot: bool,
    /// Programs are native binaries of a Linux image.
    pub native_binaries: bool,
    /// Sandboxes outlive the process that made them: [`Runtime::recover`](crate::Runtime::recover)
    /// finds them again.
    pub recover: bool,
    /// The names [`SandboxSpec::runtime_class`] may have.
    pub runtime_classes: Vec<String>,
    /// The limits enforced.
    pub limits: LimitCapabilities,
    /// The egress policies enforced.
    pub egress: EgressCapabilities,
}

impl Capabilities {
    /// Refuses a spec that asks for more than this.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) naming the field; a size over
    /// the runtime's maximum is [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded).
    pub fn check_spec(&self, spec: &SandboxSpec) -> Result<()> {
        if matches!(spec.source(), Source::Snapshot(_)) {
            need(self.snapshot, "source.snapshot", "snapshots")?;
        }
        if let Some(class) = spec.runtime_class()
            && !self.runtime_classes.iter().any(|known| known == class)
        {
            let known = self.runtime_classes.join(", ");
            let message = format!("{class:?} is not a runtime class here; known are: {known}");
            return Err(Error::unsupported(
                "capabilities.check",
                "runtime_class",
                message,
            ));
        }
        if spec.user().is_some() {
            need(self.users, "user", "users")?;
        }
        self.limits.check(spec.resources())?;
        self.egress.check(spec.egress())
    }

    /// Refuses a command that asks for more than this.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) naming the field.
    pub fn check_command(&self, command: &Command) -> Result<()> {
        if command.pty.is_some() {
            need(self.pty, "pty", "terminals")?;
        }
        if command.stdin == crate::Stdin::Piped {
            need(self.stdin, "stdin", "standard input")?;
        }
        if command.timeout.is_some() {
            need(self.timeout, "timeout", "timeouts of commands")?;
        }
        if command.user.is_some() {
            need(self.users, "user", "users")?;
        }
        Ok(())
    }
}

impl LimitCapabilities {
    fn check(&self, asked: &Resources) -> Result<()> {
        need(self.cpu, "resources.milli_cpus", "CPU limits")?;
        need(self.memory, "resources.memory", "memory limits")?;
        need(self.pids, "resources.pids", "process limits")?;
        need(
            self.open_files,
            "resources.open_files",
            "limits of open files",
        )?;
        at_most(
            "resources.milli_cpus",
            asked.milli_cpus.into(),
            self.max_milli_cpus.map(u64::from),
        )?;
        at_most("resources.memory", asked.memory, self.max_memory)?;
        let Some(disk) = asked.disk else {
            return Ok(());
        };
        need(self.disk, "resources.disk", "disk limits")?;
        at_most("resources.disk", disk, self.max_disk)
    }
}

impl EgressCapabilities {
    /// Refuses rules that this cannot enforce: a policy is never weakened.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) naming the field.
    pub fn check(&self, rules: &EgressRules) -> Result<()> {
        if rules.mode() == EgressMode::AllowAll {
            need(self.allow_all, "egress.mode", "network access")?;
        }
        if !rules.deny_cidrs().is_empty() {
            need(self.cidrs, "egress.deny_cidrs", "egress rules by address")?;
        }
        if !rules.allow_cidrs().is_empty() {
            need(self.cidrs, "egress.allow_cidrs", "egress rules by address")?;
        }
        if !rules.allow_ports().is_empty() {
            need(self.ports, "egress.allow_ports", "egress rules by port")?;
        }
        if !rules.allow_domains().is_empty() {
            need(
                self.domains,
                "egress.allow_domains",
                "egress rules by domain",
            )?;
        }
        Ok(())
    }
}

/// Refuses `field` unless the runtime `can` do what it asks for.
pub(crate) fn need(can: bool, field: &'static str, what: &str) -> Result<()> {
    if can {
        return Ok(());
    }
    let message = format!("this runtime does not have {what}");
    Err(Error::unsupported("capabilities.check", field, message))
}

fn at_most(field: &'static str, asked: u64, max: Option<u64>) -> Result<()> {
    match max {
        Some(max) if asked > max => Err(Error::new(
            crate::ErrorKind::LimitExceeded,
            "capabilities.check",
            format!("is {asked}; this runtime has at most {max}"),
        )
        .with_field(field)),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, PtySize, SandboxId, SandboxSpecBuilder, SnapshotId, User};

    fn spec() -> SandboxSpecBuilder {
        let image = Source::Image("busybox".into());
        SandboxSpec::builder(SandboxId::from_random([3; 16]), image)
    }

    /// Enforces the four limits that always have a value, and nothing else.
    fn limits_only() -> Capabilities {
        Capabilities {
            limits: LimitCapabilities {
                cpu: true,
                memory: true,
                pids: true,
                open_files: true,
                ..LimitCapabilities::default()
            },
            ..Capabilities::default()
        }
    }

    fn refused(capabilities: &Capabilities, spec: SandboxSpecBuilder) -> (ErrorKind, String) {
        let error = capabilities.check_spec(&spec.build().unwrap()).unwrap_err();
        (error.kind(), error.field().unwrap().to_owned())
    }

    #[test]
    fn a_spec_that_asks_for_more_is_refused_by_field() {
        let capabilities = limits_only();
        capabilities.check_spec(&spec().build().unwrap()).unwrap();
        let disk = Resources {
            disk: Some(1 << 30),
            ..Resources::default()
        };
        let deny = EgressRules::deny_all();
        let by_address = deny.clone().allow_cidr("203.0.113.0/24").unwrap();
        let cases = [
            (
                "source.snapshot",
                spec().source(Source::Snapshot(SnapshotId::from_random([0; 16]))),
            ),
            ("runtime_class", spec().runtime_class("kata")),
            ("user", spec().user(User::new("nobody").unwrap())),
            ("resources.disk", spec().resources(disk)),
            ("egress.mode", spec().egress(EgressRules::allow_all())),
            ("egress.allow_cidrs", spec().egress(by_address)),
            (
                "egress.deny_cidrs",
                spec().egress(deny.clone().deny_cidr("10.0.0.0/8").unwrap()),
            ),
            (
                "egress.allow_domains",
                spec().egress(deny.allow_domain("example.com").unwrap()),
            ),
        ];
        for (field, spec) in cases {
            assert_eq!(
                refused(&capabilities, spec),
                (ErrorKind::Unsupported, field.to_owned())
            );
        }
    }

    #[test]
    fn a_limit_that_does_not_bite_is_refused_and_never_ignored() {
        let refused = refused(&Capabilities::default(), spec());
        assert_eq!(
            refused,
            (ErrorKind::Unsupported, "resources.milli_cpus".into())
        );
    }

    #[test]
    fn a_size_over_the_runtimes_maximum_names_the_limit() {
        let mut capabilities = limits_only();
        capabilities.limits.max_memory = Some(256 << 20);
        let error = capabilities
            .check_spec(&spec().build().unwrap())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
        assert_eq!(error.field(), Some("resources.memory"));
        assert!(
            error.message().contains(&(256 << 20).to_string()),
            "{error}"
        );
    }

    #[test]
    fn a_command_that_asks_for_more_is_refused_by_field() {
        let command = || Command::shell("true");
        let cases = [
            ("pty", command().pty(PtySize::default())),
            ("stdin", command().piped_stdin()),
            (
                "timeout",
                command().timeout(std::time::Duration::from_secs(1)),
            ),
            ("user", command().user(User::new("0").unwrap())),
        ];
        Capabilities::default().check_command(&command()).unwrap();
        for (field, command) in cases {
            let error = Capabilities::default().check_command(&command).unwrap_err();
            assert_eq!(
                (error.kind(), error.field()),
                (ErrorKind::Unsupported, Some(field))
            );
        }
    }
}
