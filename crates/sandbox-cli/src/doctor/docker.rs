//! The Docker daemon.

use sandbox_core::{Capabilities, Runtime};
use sandbox_runtime_docker::{DockerConfig, DockerRuntime};

use super::check::Check;

/// Looks at the daemon that `config` names.
pub(super) async fn checks(config: DockerConfig) -> Vec<Check> {
    let runtime = match DockerRuntime::open(config).await {
        Ok(runtime) => runtime,
        Err(error) => {
            let fix = "without it no sandbox can be made here; with SANDBOX_URL set, `sandbox` \
                       uses a server instead";
            return vec![Check::failed("docker", &error, fix)];
        }
    };
    let mut checks = Vec::new();
    match runtime.health().await {
        Ok(health) => {
            checks.push(Check::ok("docker", health.version));
            let notes = health.notes.into_iter();
            checks.extend(
                notes.map(|note| Check::warning("docker", note, "see docs/self-hosting.md")),
            );
        }
        Err(error) => checks.push(Check::failed("docker", &error, "look at the daemon's log")),
    }
    checks.extend(capabilities(runtime.capabilities(), &runtime.storage()));
    checks
}

/// What the daemon can do, as far as it matters to users.
fn capabilities(can: &Capabilities, storage: &str) -> Vec<Check> {
    let limits = can.limits.cpu && can.limits.memory && can.limits.pids;
    let mut checks = vec![
        Check::works(
            "agent",
            can.timeout && can.pty,
            [
                "commands and files go through the resident agent",
                "the daemon cannot run the agent: no terminals, time limits or ports",
            ],
            "use a daemon on this machine's architecture, and agent = \"auto\"",
        ),
        Check::works(
            "egress",
            can.egress.cidrs && can.egress.domains,
            [
                "every egress policy can be enforced (nf_tables)",
                "no egress policy but deny_all can be enforced: sandboxes have no network",
            ],
            "load the kernel module nf_tables on the daemon's machine, and restart the daemon",
        ),
        Check::works(
            "limits",
            limits,
            [
                "CPU, memory and process limits bite",
                "not every limit of CPU, memory and processes bites; what does not is refused",
            ],
            "enable the cgroup controllers cpu, memory and pids, with swap accounting \
             (swapaccount=1 on the kernel's command line with cgroup v1)",
        ),
        Check::works(
            "disk limits",
            can.limits.disk,
            [
                &format!("disk limits bite ({storage})"),
                &format!(
                    "no disk limits ({storage}): sandboxes that ask for one are refused, and \
                          others can fill the daemon's disk"
                ),
            ],
            "keep the daemon's data on XFS mounted with pquota (overlay2), or on btrfs",
        ),
    ];
    let classes = can.runtime_classes.join(", ");
    checks.push(Check::ok("runtime classes", classes));
    checks
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    #[test]
    fn what_is_missing_is_said_with_what_to_do() {
        let checks = capabilities(&Capabilities::default(), "overlay2 on extfs");
        for check in checks
            .iter()
            .filter(|check| check.name != "runtime classes")
        {
            assert_eq!(check.status, Status::Warning, "{check:?}");
            assert!(check.fix.is_some());
        }
    }

    #[tokio::test]
    async fn no_daemon_is_a_failure_that_says_what_to_do() {
        let mut config = DockerConfig::default();
        config.host = Some("unix:///nonexistent/docker.sock".into());
        let checks = checks(config).await;
        assert_eq!(checks.len(), 1);
        assert_eq!(checks[0].status, Status::Failed);
        assert!(checks[0].found.contains("DOCKER_HOST"), "{checks:?}");
    }
}
