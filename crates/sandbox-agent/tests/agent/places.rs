//! Images without anything, users without rights, file systems without room.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command as Program;
use std::time::Duration;

use sandbox_core::{
    Command, ErrorKind, ListOptions, MakeDirOptions, SandboxPath, WriteOptions, byte_stream,
};

use crate::harness::{Agent, TempDir, collect, plain, program, sh};

/// A root directory that holds the program, the libraries this build of it needs, and nothing else.
fn bare_root() -> TempDir {
    let root = TempDir::new();
    let put = |from: &Path, to: &str| {
        let to = root.path().join(to.trim_start_matches('/'));
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from, to).unwrap();
    };
    put(Path::new(program()), "agent");
    let libraries = Program::new("ldd").arg(program()).output().unwrap();
    for word in String::from_utf8(libraries.stdout)
        .unwrap()
        .split_whitespace()
    {
        if word.starts_with('/') {
            put(Path::new(word), word);
        }
    }
    std::fs::create_dir(root.path().join("proc")).unwrap();
    root
}

fn chroot(root: &TempDir) -> Program {
    let mut command = Program::new("chroot");
    command.arg(root.path()).args(["/agent", "agent"]);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/bin");
    command
}

#[tokio::test]
#[ignore = "needs root: changes the root directory"]
async fn an_image_without_anything_is_enough() {
    let root = bare_root();
    let agent = Agent::start(&mut chroot(&root));
    let client = agent.client().await;
    for timeout in [None, Some(Duration::from_secs(10))] {
        let mut command = Command::argv(["/agent", "--version"]);
        command.timeout = timeout;
        let output = collect(&client.spawn(command).await.unwrap()).await;
        assert!(output.out.starts_with(b"sandbox-agent "), "{output:?}");
        let mut command = Command::shell("true");
        command.timeout = timeout;
        let error = client.spawn(command).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::NotFound, Some("command"))
        );
    }
    let path: SandboxPath = "/srv/f".parse().unwrap();
    let info = client
        .write(&path, byte_stream("x"), WriteOptions::default())
        .await
        .unwrap();
    assert_eq!((info.uid, info.owner), (0, None), "nobody has a name here");
    let mut command = Command::argv(["/agent", "--version"]);
    command.user = Some("root".parse().unwrap());
    let error = client.spawn(command.clone()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("user"))
    );
    command.user = Some("4711".parse().unwrap());
    let output = collect(&client.spawn(command).await.unwrap()).await;
    assert!(output.status.unwrap().success(), "a number needs no name");
    assert!(
        client.processes().await.unwrap().is_empty(),
        "there is no /proc"
    );
    client.stats().await.unwrap();
    client.remove(&"/srv".parse().unwrap(), true).await.unwrap();
}

#[tokio::test]
#[ignore = "needs root: becomes another user"]
async fn an_agent_without_rights_says_what_it_may_not_do() {
    let dir = TempDir::new();
    // The build's own directory may be closed to others.
    let copy = dir.path().join("agent");
    std::fs::copy(program(), &copy).unwrap();
    let open = || std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(dir.path(), open()).unwrap();
    let agent = Agent::start(Program::new(&copy).arg("agent").uid(65534).gid(65534));
    let client = agent.client().await;
    // Without rights it is done just after the start and not just before.
    let output = sh(&client, "id -u; sleep 0.3; cat /proc/$$/oom_score_adj").await;
    assert_eq!(output.out, b"65534\n1000\n");
    for timeout in [None, Some(Duration::from_secs(10))] {
        let mut command = Command::shell("id -u").user("65534:65534".parse().unwrap());
        command.timeout = timeout;
        let output = collect(&client.spawn(command.clone()).await.unwrap()).await;
        assert_eq!(output.out, b"65534\n", "its own user");
        let command = command.user("0".parse().unwrap());
        let error = client.spawn(command).await.unwrap_err();
        let found = (error.kind(), error.field());
        assert_eq!(
            found,
            (ErrorKind::PermissionDenied, Some("user")),
            "{error}"
        );
    }
    let refused = client
        .write(
            &"/etc/agent-test".parse().unwrap(),
            byte_stream("x"),
            WriteOptions::default(),
        )
        .await;
    let error = refused.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::PermissionDenied, Some("path"))
    );
    client
        .write(&dir.at("mine"), byte_stream("x"), WriteOptions::default())
        .await
        .unwrap();
    let options = WriteOptions {
        user: Some("0".parse().unwrap()),
        ..WriteOptions::default()
    };
    let error = client
        .write(&dir.at("roots"), byte_stream("x"), options)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::PermissionDenied, Some("user"))
    );
    assert!(!dir.path().join("roots").exists());
}

#[tokio::test]
#[ignore = "needs root: mounts"]
async fn a_read_only_root_is_a_clear_error() {
    let root = bare_root();
    let script = "mount --bind $0 $0 && mount -o remount,bind,ro $0 && exec chroot $0 /agent agent";
    let mut command = Program::new("unshare");
    command
        .args(["--mount", "sh", "-c", script])
        .arg(root.path());
    let agent = Agent::start(&mut command);
    let client = agent.client().await;
    let output = collect(
        &client
            .spawn(Command::argv(["/agent", "--version"]))
            .await
            .unwrap(),
    )
    .await;
    assert!(output.status.unwrap().success());
    let at = |name: &str| name.parse::<SandboxPath>().unwrap();
    let errors = [
        client
            .write(&at("/x/f"), byte_stream("x"), WriteOptions::default())
            .await
            .err(),
        client
            .make_dir(&at("/d"), MakeDirOptions::default())
            .await
            .err(),
        client.rename(&at("/agent"), &at("/b")).await.err(),
        client.remove(&at("/agent"), false).await.err(),
        client.remove(&at("/proc"), true).await.err(),
    ];
    for error in errors {
        let error = error.expect("refused");
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        assert!(error.message().contains("read-only"), "{error}");
    }
    assert!(
        !client
            .list(&at("/"), ListOptions::default())
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
#[ignore = "needs root: becomes other users"]
async fn a_command_runs_as_the_user_it_asks_for() {
    let agent = Agent::start(plain().env("HOME", "/agents/own"));
    let client = agent.client().await;
    let line = "echo $(id -u) $(id -g) $(id -G) $HOME $USER; grep CapEff /proc/self/status";
    let run = async |user: Option<&str>, timeout| {
        let mut command = Command::shell(line);
        command.user = user.map(|user| user.parse().unwrap());
        command.timeout = timeout;
        let output = collect(&client.spawn(command).await.unwrap()).await;
        String::from_utf8(output.out).unwrap()
    };
    for timeout in [None, Some(Duration::from_secs(10))] {
        let own = run(None, timeout).await;
        assert!(own.starts_with("0 0 "), "{own}");
        assert!(own.contains("/agents/own"), "{own}");
        let daemon = run(Some("daemon"), timeout).await;
        assert!(daemon.starts_with("1 1 1 /usr/sbin daemon\n"), "{daemon}");
        assert!(daemon.ends_with("CapEff:\t0000000000000000\n"), "{daemon}");
        let number = run(Some("4711"), timeout).await;
        assert!(number.starts_with("4711 0 0 /\n"), "{number}");
        let group = run(Some("daemon:4712"), timeout).await;
        assert!(
            group.starts_with("1 4712 4712 /usr/sbin daemon\n"),
            "{group}"
        );
    }
}

#[tokio::test]
#[ignore = "needs root: mounts"]
async fn a_full_disk_is_a_limit_and_leaves_the_old_file() {
    let dir = TempDir::new();
    let script = "mount -t tmpfs -o size=1m none $0 && echo old > $0/f && exec $1 agent";
    let mut command = Program::new("unshare");
    command
        .args(["--mount", "sh", "-c", script])
        .arg(dir.path())
        .arg(program());
    let agent = Agent::start(&mut command);
    let client = agent.client().await;
    let body = byte_stream(vec![1; 4 << 20]);
    let error = client
        .write(&dir.at("f"), body, WriteOptions::default())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::LimitExceeded, Some("path"))
    );
    let line = format!("cat {0}/f; ls -A {0} | wc -l", dir.path().display());
    assert_eq!(sh(&client, &line).await.out, b"old\n1\n");
}
