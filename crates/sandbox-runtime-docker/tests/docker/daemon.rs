//! A daemon of the test's own: reached over TCP, and killed while sandboxes run.

use std::path::{Path, PathBuf};
use std::process::{Child, Command as Program, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListVolumesOptions, RemoveContainerOptionsBuilder,
    RemoveImageOptions, RemoveVolumeOptions,
};
use futures_util::StreamExt;
use sandbox_core::egress::EgressRules;
use sandbox_core::{
    Command, ErrorKind, ProcessEvent, RecoveredState, Runtime, RuntimeEvent, SandboxExt,
};
use sandbox_runtime_docker::{AgentMode, DockerConfig, DockerRuntime};
use tokio::net::{TcpListener, UnixStream};

use crate::lab::{eventually, spec};
use crate::support::image_to;

/// A `dockerd` with everything under one directory, in a network namespace of its own: it would
/// take the machine's own bridge and rules for leftovers. It is reached over TCP, through a relay.
pub(crate) struct Daemon {
    directory: PathBuf,
    port: u16,
    /// Keeps the network namespace while no daemon runs.
    keeper: Child,
    /// Runs the containers; it is a service of its own, as on machines that run systemd.
    containerd: Child,
    process: Child,
}

impl Daemon {
    pub(crate) async fn start(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("sbxd-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(relay(listener, directory.join("sock")));
        let keeper = Program::new("unshare")
            .args(["--net", "sh", "-c", "ip link set lo up && exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the tests need unshare");
        let own = std::fs::read_link("/proc/self/ns/net").unwrap();
        let namespace = format!("/proc/{}/ns/net", keeper.id());
        eventually("there is a network namespace", async || {
            std::fs::read_link(&namespace).is_ok_and(|theirs| theirs != own)
        })
        .await;
        let containerd = launch_containerd(&directory);
        eventually("containerd listens", async || {
            UnixStream::connect(directory.join("containerd/sock"))
                .await
                .is_ok()
        })
        .await;
        let process = launch(&directory, &keeper);
        let daemon = Self {
            directory,
            port,
            keeper,
            containerd,
            process,
        };
        daemon.answers().await;
        image_to(&daemon.client()).await;
        daemon
    }

    fn host(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.port)
    }

    pub(crate) fn client(&self) -> Docker {
        Docker::connect_with_host(&self.host()).unwrap()
    }

    async fn answers(&self) {
        eventually("the daemon answers", async || {
            self.client().ping().await.is_ok()
        })
        .await;
    }

    pub(crate) fn config(&self, agent: AgentMode) -> DockerConfig {
        let mut config = DockerConfig::default();
        config.host = Some(self.host());
        config.agent = agent;
        config.namespace = "own".into();
        config
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    async fn restart(&mut self) {
        self.process = launch(&self.directory, &self.keeper);
        self.answers().await;
    }
}

/// Takes everything down, whatever state it is in.
impl Drop for Daemon {
    fn drop(&mut self) {
        for process in [&mut self.process, &mut self.containerd] {
            let _ = process.kill();
            let _ = process.wait();
        }
        let directory = self.directory.to_str().unwrap();
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            let pid = process.file_name().into_string().unwrap_or_default();
            // Daemons and shims alike name the directory, which is this test's alone.
            if String::from_utf8_lossy(&line).contains(directory) && pid.parse::<u32>().is_ok() {
                let _ = Program::new("kill").args(["-KILL", &pid]).status();
            }
        }
        std::thread::sleep(Duration::from_millis(300));
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        let mounted = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        let mut below: Vec<_> = mounted.filter(|path| path.starts_with(directory)).collect();
        below.sort_unstable();
        for path in below.iter().rev() {
            let _ = Program::new("umount").args(["-l", path]).status();
        }
        let _ = std::fs::remove_dir_all(&self.directory);
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// Carries connections to the daemon's socket, each way closed on its own.
async fn relay(listener: TcpListener, socket: PathBuf) {
    while let Ok((mut tcp, _)) = listener.accept().await {
        let socket = socket.clone();
        tokio::spawn(async move {
            if let Ok(mut unix) = UnixStream::connect(&socket).await {
                // Either side may go at any time; that is what the test is about.
                let _ = tokio::io::copy_bidirectional(&mut tcp, &mut unix).await;
            }
        });
    }
}

fn log(directory: &Path) -> std::fs::File {
    let path = directory.join("log");
    std::fs::File::options()
        .create(true)
        .append(true)
        .open(path)
        .unwrap()
}

fn launch_containerd(directory: &Path) -> Child {
    let home = directory.join("containerd");
    std::fs::create_dir_all(&home).unwrap();
    let config = home.join("config.toml");
    let text = "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n";
    std::fs::write(&config, text).unwrap();
    Program::new("containerd")
        .arg("--config")
        .arg(config)
        .arg("--root")
        .arg(home.join("root"))
        .arg("--state")
        .arg(home.join("state"))
        .arg("--address")
        .arg(home.join("sock"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log(directory))
        .spawn()
        .expect("the tests need containerd")
}

fn launch(directory: &Path, keeper: &Child) -> Child {
    Program::new("nsenter")
        .args([
            "-t",
            &keeper.id().to_string(),
            "-n",
            "dockerd",
            "--live-restore",
        ])
        .arg("--data-root")
        .arg(directory.join("data"))
        .arg("--exec-root")
        .arg(directory.join("run"))
        .arg("--pidfile")
        .arg(directory.join("pid"))
        .arg("--containerd")
        .arg(directory.join("containerd/sock"))
        .arg("--host")
        .arg(format!("unix://{}/sock", directory.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log(directory))
        .spawn()
        .expect("the tests need dockerd")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root and dockerd"]
async fn a_daemon_over_tcp_that_is_killed_and_comes_back_keeps_its_sandboxes() {
    let mut daemon = Daemon::start("live").await;
    for agent in [AgentMode::Never, AgentMode::Required] {
        let runtime = Arc::new(DockerRuntime::open(daemon.config(agent)).await.unwrap());
        let mut events = runtime.events();
        let made = spec().egress(EgressRules::deny_all()).build().unwrap();
        let sandbox = runtime.create(&made).await.unwrap();
        let before = sandbox.exec(Command::shell("echo over tcp")).await.unwrap();
        assert_eq!(before.stdout_lossy(), "over tcp\n");
        let through_agent = agent == AgentMode::Required;
        let process = if through_agent {
            let line = "i=0; while [ $i -lt 100 ]; do echo $i; i=$((i+1)); sleep 0.1; done";
            Some(sandbox.spawn(Command::shell(line)).await.unwrap())
        } else {
            None
        };
        daemon.kill();
        let away = sandbox.stats().await.unwrap_err();
        assert_eq!(away.kind(), ErrorKind::Unavailable, "{away:?}");
        assert_eq!(
            runtime.recover().await.unwrap_err().kind(),
            ErrorKind::Unavailable
        );
        assert_eq!(events.next().await, Some(RuntimeEvent::BackendLost));
        daemon.restart().await;
        let back = tokio::time::timeout(Duration::from_secs(20), events.next()).await;
        assert_eq!(back.unwrap(), Some(RuntimeEvent::BackendBack));
        let found = runtime.recover().await.unwrap();
        assert_eq!(found[0].state, RecoveredState::Running);
        eventually("the sandbox answers again", async || {
            sandbox.exec(Command::shell("true")).await.is_ok()
        })
        .await;
        if let Some(process) = process {
            // Not a line is lost or repeated, although the daemon was killed in between.
            let mut events = process.events().unwrap();
            let mut output = Vec::new();
            while let Some(event) = events.next().await {
                match event.unwrap() {
                    ProcessEvent::Output(_, data) => output.extend_from_slice(&data),
                    ProcessEvent::Exited(status) => {
                        assert!(status.success());
                        break;
                    }
                }
            }
            let expected: String = (0..100).map(|i| format!("{i}\n")).collect();
            assert_eq!(String::from_utf8(output).unwrap(), expected);
        }
        sandbox.set_egress(&EgressRules::allow_all()).await.unwrap();
        runtime.purge().await.unwrap();
    }
    drop(daemon);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root and dockerd"]
async fn an_agent_taken_off_the_daemon_is_brought_again() {
    let daemon = Daemon::start("taken").await;
    let client = daemon.client();
    let runtime = DockerRuntime::open(daemon.config(AgentMode::Required)).await;
    let runtime = runtime.unwrap();
    for with_image in [false, true] {
        let before = volumes(&client).await;
        assert_eq!(before.len(), 1, "{before:?}");
        let (name, token) = before[0].rsplit_once('-').unwrap();
        assert_eq!(token.len(), 12, "{before:?}");
        let force = RemoveContainerOptionsBuilder::new().force(true).build();
        client.remove_container(name, Some(force)).await.unwrap();
        let gone = client.remove_volume(&before[0], None::<RemoveVolumeOptions>);
        gone.await.unwrap();
        if with_image {
            let image = name.replace("sandbox-agent-", "sandbox-holder:");
            let removed = client.remove_image(&image, None::<RemoveImageOptions>, None);
            removed.await.unwrap();
        }
        // At once: one delivery serves all of them.
        let specs = [spec().build().unwrap(), spec().build().unwrap()];
        let (one, two) = tokio::join!(runtime.create(&specs[0]), runtime.create(&specs[1]));
        for sandbox in [one.unwrap(), two.unwrap()] {
            let output = sandbox.exec(Command::shell("echo on")).await.unwrap();
            assert_eq!(output.stdout_lossy(), "on\n");
            sandbox.destroy().await.unwrap();
        }
        assert_ne!(volumes(&client).await, before);
        let all = ListContainersOptionsBuilder::new().all(true).build();
        let left = client.list_containers(Some(all)).await.unwrap();
        assert_eq!(left.len(), 1, "{left:?}");
    }
    assert_eq!(volumes(&client).await.len(), 1);
    drop(daemon);
}

pub(crate) async fn volumes(client: &Docker) -> Vec<String> {
    let listed = client.list_volumes(None::<ListVolumesOptions>).await;
    let volumes = listed.unwrap().volumes.unwrap_or_default();
    volumes.into_iter().map(|volume| volume.name).collect()
}
