//! What the tests against a daemon share: an image made on the spot, runtimes that clean up.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};

use bollard::Docker;
use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt;
use sandbox_runtime_docker::{DockerConfig, DockerRuntime};
use tokio::sync::OnceCell;

use sandbox_testkit::netlab::Addresses;

pub(crate) mod tar;

/// The image of the tests: busybox, a root and a `nobody`, made once per daemon.
pub(crate) const IMAGE: &str = "sandbox-test/busybox:3";

/// Where the static busybox of the machine is.
const BUSYBOX: &str = "/bin/busybox";

static IMPORTED: OnceCell<()> = OnceCell::const_new();
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A client of the daemon the tests use.
pub(crate) fn client() -> Docker {
    Docker::connect_with_host(&DockerConfig::default().resolved_host()).unwrap()
}

/// A namespace no other test uses.
pub(crate) fn namespace() -> String {
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("t{}_{count}", std::process::id())
}

/// Imports `tar` to a daemon as the image `name` with `changes` (Dockerfile instructions), unless it
/// is there.
pub(crate) async fn import_to(client: &Docker, name: &str, tar: Vec<u8>, changes: &[&str]) {
    if client.inspect_image(name).await.is_ok() {
        return;
    }
    let (repo, tag) = name.rsplit_once(':').unwrap();
    let options = CreateImageOptionsBuilder::new()
        .from_src("-")
        .repo(repo)
        .tag(tag)
        .changes(changes.iter().map(|change| (*change).to_owned()).collect())
        .build();
    let body = bollard::body_full(tar.into());
    let mut steps = Box::pin(client.create_image(Some(options), Some(body), None));
    while let Some(step) = steps.next().await {
        step.unwrap();
    }
}

/// Makes sure that [`IMAGE`] is there.
pub(crate) async fn image() {
    IMPORTED
        .get_or_init(|| async {
            image_to(&client()).await;
        })
        .await;
}

/// Makes sure that [`IMAGE`] is on another daemon.
pub(crate) async fn image_to(client: &Docker) {
    let busybox = std::fs::read(BUSYBOX).expect("the tests need busybox-static");
    import_to(client, IMAGE, tar::busybox_root(&busybox), &["WORKDIR /"]).await;
}

/// Runs `work` to its end, wherever this is called: also while a test's own runtime is unwinding.
pub(crate) fn wait_for<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let worker = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(work)
    });
    worker.join().expect("it says itself what went wrong")
}

/// A bridge with IPv6 for the sandboxes of this process; `Network::remove` takes it down.
pub(crate) struct Network {
    pub(crate) name: String,
    pub(crate) bridge: String,
}

impl Network {
    pub(crate) async fn new(lab: Addresses) -> Self {
        let name = format!("sandbox-test-{}", namespace());
        let config = IpamConfig {
            subnet: Some(lab.sandboxes()),
            ..IpamConfig::default()
        };
        let bridge = lab.bridge();
        let option = ("com.docker.network.bridge.name".to_owned(), bridge.clone());
        let request = NetworkCreateRequest {
            name: name.clone(),
            options: Some([option].into()),
            driver: Some("bridge".into()),
            enable_ipv6: Some(true),
            ipam: Some(Ipam {
                config: Some(vec![config]),
                ..Ipam::default()
            }),
            ..NetworkCreateRequest::default()
        };
        client().create_network(request).await.unwrap();
        Self { name, bridge }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let name = self.name.clone();
        // Its sandboxes were dropped before; whatever is left shows in the daemon's list.
        wait_for(async move {
            let _ = client().remove_network(&name).await;
        });
    }
}

/// Removes everything that runtimes of `config` made.
pub(crate) fn purge(config: DockerConfig) {
    let purged = wait_for(async move { DockerRuntime::open(config).await?.purge().await });
    if let Err(error) = purged {
        eprintln!("something stays behind: {error}");
    }
}
