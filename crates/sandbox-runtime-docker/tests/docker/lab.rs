//! Runtimes for the tests, which clean up after themselves.

use std::collections::HashMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bollard::query_parameters::ListContainersOptionsBuilder;
use sandbox_core::{Guarded, Runtime, Sandbox, SandboxId, SandboxSpec, SandboxSpecBuilder, Source};
use sandbox_runtime_docker::{AgentMode, DockerConfig, DockerRuntime};

use crate::support::{IMAGE, client, image, import_to, namespace, purge};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Imports `tar` as the image `name` with `changes` (Dockerfile instructions), unless it is there.
pub(crate) async fn import(name: &str, tar: Vec<u8>, changes: &[&str]) {
    import_to(&client(), name, tar, changes).await;
}

/// A runtime in a namespace of its own, which removes everything of it in the end.
pub(crate) struct Lab {
    pub(crate) docker: Arc<DockerRuntime>,
    pub(crate) runtime: Guarded,
    pub(crate) config: DockerConfig,
}

impl Lab {
    pub(crate) async fn new(agent: AgentMode) -> Self {
        Self::with(|config| config.agent = agent).await
    }

    pub(crate) async fn with(edit: impl FnOnce(&mut DockerConfig)) -> Self {
        image().await;
        let mut config = DockerConfig::default();
        config.namespace = namespace();
        edit(&mut config);
        let docker = Arc::new(DockerRuntime::open(config.clone()).await.unwrap());
        Self {
            runtime: Guarded::new(docker.clone()),
            docker,
            config,
        }
    }

    pub(crate) async fn sandbox(&self) -> Arc<dyn Sandbox> {
        self.runtime.create(&spec().build().unwrap()).await.unwrap()
    }

    /// Every container of the namespace, in any state: name and state.
    pub(crate) async fn containers(&self) -> Vec<String> {
        let label = format!("dev.sandbox.namespace={}", self.config.namespace);
        let filters = HashMap::from([("label", vec![label.as_str()])]);
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&filters)
            .build();
        let found = client().list_containers(Some(options)).await.unwrap();
        found
            .into_iter()
            .flat_map(|container| container.names.unwrap_or_default())
            .collect()
    }

    pub(crate) async fn close(self) {
        self.docker.purge().await.unwrap();
        assert_eq!(self.containers().await, [""; 0]);
    }
}

/// A test that fails leaves nothing behind either.
impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            purge(self.config.clone());
        }
    }
}

/// A spec of the test image with an id of its own.
pub(crate) fn spec() -> SandboxSpecBuilder {
    let mut random = [0; 16];
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    random[..4].copy_from_slice(&std::process::id().to_be_bytes());
    random[4..8].copy_from_slice(&count.to_be_bytes());
    SandboxSpec::builder(SandboxId::from_random(random), Source::Image(IMAGE.into()))
}

/// Waits until `done` says so, for at most 20 seconds.
pub(crate) async fn eventually(what: &str, mut done: impl AsyncFnMut() -> bool) {
    for _ in 0..400 {
        if done().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("it did not happen in time: {what}");
}

/// A tar with one executable at its top.
pub(crate) fn single(name: &str, program: &[u8]) -> Vec<u8> {
    let directory =
        std::env::temp_dir().join(format!("sandbox-test-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join(name);
    std::fs::File::create(&path)
        .unwrap()
        .write_all(program)
        .unwrap();
    let script = format!("chmod 755 {name} && exec tar -cf - {name}");
    let tar = Command::new("sh")
        .args(["-c", &script])
        .current_dir(&directory)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(tar.status.success());
    tar.stdout
}
