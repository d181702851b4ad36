//! A guest that wants out.

use sandbox_core::{Command, Resources, Runtime, SandboxExt, Source};
use sandbox_runtime_docker::AgentMode;

use crate::lab::{Lab, import, single, spec};
use crate::support::tar;

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn root_inside_cannot_do_what_reaches_outside() {
    for agent in [AgentMode::Auto, AgentMode::Never] {
        let lab = Lab::new(agent).await;
        let sandbox = lab.sandbox().await;
        for attempt in [
            "mount -t tmpfs x /tmp",
            "mount -t proc x /tmp",
            "mknod /tmp/sda b 8 0",
            "ping -c 1 -W 1 198.51.100.1",
            "ip link add x type dummy",
            "ip addr add 10.9.9.9/8 dev lo",
            "ip route add 198.51.100.0/24 dev lo",
            "hostname other",
            "chroot / unshare -n true",
            "unshare -m true",
            "dmesg -c",
            "date -s 2000-01-01; test $(date +%Y) = 2000",
            "echo 1 > /proc/sys/kernel/sysrq",
            "echo b > /proc/sysrq-trigger",
            "test -e /var/run/docker.sock",
            "test -e /dev/sda || test -e /dev/vda || test -e /dev/kvm",
            "ulimit -c 1 && test $(ulimit -c) != 0",
        ] {
            let output = sandbox.exec(Command::shell(attempt)).await.unwrap();
            assert!(!output.status.success(), "{attempt}: {output:?}");
        }
        let status = sandbox
            .exec(Command::shell(
                "grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/self/status",
            ))
            .await
            .unwrap();
        let status = status.stdout_lossy();
        // CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, NET_BIND_SERVICE.
        assert!(status.contains("CapBnd:\t00000000000004fb"), "{status}");
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
        assert!(status.contains("Seccomp:\t2"), "{status}");
        lab.close().await;
    }
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn a_fork_bomb_stays_inside_and_the_sandbox_can_be_destroyed() {
    let lab = Lab::new(AgentMode::Auto).await;
    let limits = Resources {
        pids: 32,
        ..Resources::default()
    };
    let sandbox = lab
        .runtime
        .create(&spec().resources(limits).build().unwrap())
        .await
        .unwrap();
    let bomb = Command::shell("while :; do sleep 1000 & done");
    let process = sandbox.spawn(bomb).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let pids = sandbox.stats().await.unwrap().pids;
    assert!((16..=48).contains(&pids), "{pids}");
    drop(process);
    sandbox.destroy().await.unwrap();
    lab.close().await;
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn an_image_of_another_user_runs_as_that_user() {
    for agent in [AgentMode::Auto, AgentMode::Never] {
        let lab = Lab::new(agent).await;
        let image = "sandbox-test/user:1";
        let busybox = std::fs::read("/bin/busybox").unwrap();
        let changes = ["USER user", "WORKDIR /home/user", "ENV FROM_IMAGE=yes"];
        import(image, tar::busybox_root(&busybox), &changes).await;
        let made = spec().source(Source::Image(image.into())).build().unwrap();
        let sandbox = lab.runtime.create(&made).await.unwrap();
        let output = sandbox
            .exec(Command::shell(
                "id -u; pwd; echo $FROM_IMAGE; touch /etc/x 2>&1 | wc -l",
            ))
            .await
            .unwrap();
        assert_eq!(output.stdout_lossy(), "1000\n/home/user\nyes\n1\n");
        lab.close().await;
    }
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn the_agent_can_be_read_and_not_harmed() {
    let lab = Lab::new(AgentMode::Required).await;
    let sandbox = lab.sandbox().await;
    let read = Command::shell("head -c 4 /.sandbox/sandbox-agent");
    assert_eq!(&sandbox.exec(read).await.unwrap().stdout[..], b"\x7fELF");
    for attempt in [
        "echo x >> /.sandbox/sandbox-agent",
        "rm -f /.sandbox/sandbox-agent",
        "touch /.sandbox/x",
        "mount -o remount,rw /.sandbox",
        "umount /.sandbox",
        "mv /.sandbox /elsewhere",
        "cat /proc/1/mem",
        "echo x > /proc/1/mem",
        "ls /proc/1/fd/ >/dev/null && echo x > /proc/1/fd/1",
        "echo 0 > /proc/1/oom_score_adj; echo -1000 > /proc/self/oom_score_adj",
    ] {
        let output = sandbox.exec(Command::shell(attempt)).await.unwrap();
        assert!(!output.status.success(), "{attempt}: {output:?}");
    }
    let kill = Command::shell("kill -KILL 1; kill -STOP 1; kill -TERM 1; kill -KILL -1; echo on");
    // It kills everything but itself and the agent, also what was about to say that it runs.
    let output = sandbox.exec(kill).await.unwrap();
    assert_eq!(output.stdout_lossy(), "on\n");
    let output = sandbox.exec(Command::shell("echo alive")).await.unwrap();
    assert_eq!(output.stdout_lossy(), "alive\n");
    lab.close().await;
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn an_image_of_a_single_program_runs_it() {
    let lab = Lab::new(AgentMode::Required).await;
    let image = "sandbox-test/shell-less:1";
    let busybox = std::fs::read("/bin/busybox").unwrap();
    import(image, single("busybox", &busybox), &[]).await;
    let made = spec().source(Source::Image(image.into())).build().unwrap();
    let sandbox = lab.runtime.create(&made).await.unwrap();
    let output = sandbox
        .exec(Command::argv(["/busybox", "echo", "bare"]))
        .await
        .unwrap();
    assert_eq!(output.stdout_lossy(), "bare\n");
    let error = sandbox.spawn(Command::shell("true")).await.unwrap_err();
    assert_eq!(error.field(), Some("command"));
    let path = sandbox_core::SandboxPath::new("/made").unwrap();
    sandbox
        .write_all(&path, bytes::Bytes::from_static(b"x"))
        .await
        .unwrap();
    assert_eq!(sandbox.read_to_string(&path).await.unwrap(), "x");
    lab.close().await;
}
