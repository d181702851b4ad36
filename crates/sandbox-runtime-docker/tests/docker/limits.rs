//! Limits at their ends.

use sandbox_core::{Command, Resources, Runtime, SandboxExt};
use sandbox_runtime_docker::AgentMode;

use crate::lab::{Lab, spec};

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn the_smallest_limits_a_spec_may_have_still_run_a_command() {
    for agent in [AgentMode::Required, AgentMode::Never] {
        let lab = Lab::new(agent).await;
        let smallest = Resources {
            milli_cpus: 100,
            memory: 16 << 20,
            disk: None,
            pids: 12,
            open_files: 32,
        };
        let made = spec().resources(smallest).build().unwrap();
        let sandbox = lab.runtime.create(&made).await.unwrap();
        let output = sandbox.exec(Command::shell("ulimit -n")).await.unwrap();
        assert_eq!(output.stdout_lossy(), "32\n", "{output:?}");
        lab.close().await;
    }
}
