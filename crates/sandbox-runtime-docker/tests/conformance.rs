//! The suite every runtime runs, against a Docker daemon: through the agent, and without it.

mod harness;
mod support;

use sandbox_runtime_docker::AgentMode;

use harness::DockerHarness;

mod agent {
    sandbox_testkit::conformance!(
        crate::DockerHarness::new(crate::AgentMode::Required),
        ignore = "needs a Docker daemon"
    );
}

mod fallback {
    sandbox_testkit::conformance!(
        crate::DockerHarness::new(crate::AgentMode::Never),
        ignore = "needs a Docker daemon"
    );
}
