//! Commands and files without an agent.

use bytes::Bytes;
use sandbox_core::{Command, ErrorKind, Exit, SandboxExt, SandboxPath, User};
use sandbox_runtime_docker::AgentMode;

use crate::lab::Lab;

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn commands_and_files_work_by_docker_exec_alone() {
    let lab = Lab::new(AgentMode::Never).await;
    let sandbox = lab.sandbox().await;
    let output = sandbox
        .exec(Command::shell("echo out; echo err >&2; exit 3"))
        .await
        .unwrap();
    assert_eq!(output.stdout_lossy(), "out\n");
    assert_eq!(output.stderr_lossy(), "err\n");
    assert_eq!(output.status.exit, Exit::Code(3));
    let path = SandboxPath::new("/srv/a b/ü\n.txt").unwrap();
    let data = Bytes::from(vec![7u8; 3 << 20]);
    let info = sandbox.write_all(&path, data.clone()).await.unwrap();
    assert_eq!((info.size, info.mode, info.uid), (3 << 20, 0o644, 0));
    assert_eq!(sandbox.read_to_bytes(&path).await.unwrap(), data);
    let listed = sandbox
        .list(
            &SandboxPath::new("/srv").unwrap(),
            sandbox_core::ListOptions {
                depth: 3,
                limit: 10,
            },
        )
        .await
        .unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[1].path, path);
    let echoed = sandbox
        .exec_with_input(Command::argv(["cat"]), Bytes::from_static(b"in\0put"))
        .await
        .unwrap();
    assert_eq!(&echoed.stdout[..], b"in\0put");
    let who = sandbox
        .exec(Command::argv(["id", "-u"]).user(User::new("user").unwrap()))
        .await
        .unwrap();
    assert_eq!(who.stdout_lossy(), "1000\n");
    for (command, field) in [
        (Command::argv(["nosuch"]), "command"),
        (Command::argv(["/nosuch/x"]), "command"),
        (
            Command::shell("true").cwd(SandboxPath::new("/nosuch").unwrap()),
            "cwd",
        ),
        (
            Command::shell("true").user(User::new("nosuch").unwrap()),
            "user",
        ),
    ] {
        let error = sandbox.spawn(command).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::NotFound, Some(field)),
            "{error:?}"
        );
    }
    sandbox.destroy().await.unwrap();
    lab.close().await;
}
