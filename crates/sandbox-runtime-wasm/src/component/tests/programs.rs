//! What a program of the standard library does.

use bytes::Bytes;
use sandbox_core::ExitStatus;

use super::{Sandbox, command, finish};

#[tokio::test]
async fn it_prints_and_ends() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.says(&["hello"]).await, "hello");
    sandbox.assert_clean();
}

#[tokio::test]
async fn it_gets_its_arguments_environment_and_directory() {
    let sandbox = Sandbox::new();
    let said = sandbox.says(&["show", "", "a b", "\u{e9}"]).await;
    assert_eq!(
        said,
        "[\"\", \"a b\", \"\u{e9}\"] Ok(\"b=c\") Ok(\"/work\")\n"
    );
}

#[tokio::test]
async fn its_code_is_the_process_s() {
    let sandbox = Sandbox::new();
    for code in [0, 1, 7, 255] {
        let finished = sandbox.run(&["exit", &code.to_string()]).await;
        // WASI 0.2 as it is stable knows success and failure; later versions know codes.
        let seen = finished.status;
        let known = [
            ExitStatus::from_code(code),
            ExitStatus::from_code(u8::from(code != 0)),
        ];
        assert!(known.contains(&seen), "{code}: {seen:?}");
    }
    let failed = sandbox.run(&["fail"]).await;
    assert_eq!(failed.status, ExitStatus::from_code(1));
    assert!(failed.stderr.contains("as it was told to"), "{failed:?}");
    let panicked = sandbox.run(&["panic"]).await;
    assert_eq!(panicked.status.shell_code(), 134, "{panicked:?}");
    assert!(
        panicked.stderr.contains("as it was told to"),
        "{panicked:?}"
    );
}

#[tokio::test]
async fn it_reads_its_input_to_the_end() {
    let sandbox = Sandbox::new();
    let mut number = command(&["number"]);
    number.piped_stdin = true;
    let process = sandbox.machine.spawn_command(number).await.unwrap();
    let input = "one\ntwo\nthree";
    let feed = async {
        for piece in input.as_bytes().chunks(5) {
            process
                .write_stdin(Bytes::copy_from_slice(piece))
                .await
                .unwrap();
            tokio::task::yield_now().await;
        }
        process.close_stdin();
    };
    let (finished, ()) = tokio::join!(finish(&process), feed);
    assert_eq!(finished.stdout, "1 one\n2 two\n3 three\n");
    assert_eq!(finished.stderr, "3 lines\n");
    assert_eq!(
        sandbox.says(&["number"]).await,
        "",
        "nothing comes from nowhere"
    );
}

#[tokio::test]
async fn everything_it_prints_arrives() {
    let sandbox = Sandbox::new();
    let said = sandbox.says(&["many", "1000000"]).await;
    assert!(said.bytes().all(|byte| byte == b'x'));
    assert_eq!(said.len(), 1_000_000);
    sandbox.assert_clean();
}

#[tokio::test]
async fn files_are_the_sandbox_s() {
    let sandbox = Sandbox::new();
    let said = sandbox.says(&["files"]).await;
    let lines = [
        "hello there",
        "hello!",
        "6 true",
        "6 without a name",
        "true",
        "Err(NotFound)",
        "Err(IsADirectory)",
        "Err(AlreadyExists)",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), lines);
    let files = sandbox.machine.files.lock();
    assert_eq!(files.metadata("/tmp/big", false).unwrap().size, 3_000_000);
    let owner = files.metadata("/tmp/big", false).unwrap();
    assert_eq!((owner.uid, owner.gid, owner.mode), (1000, 1000, 0o644));
    assert!(files.metadata("/work/f", false).is_err());
}

#[tokio::test]
async fn directories_are_the_sandbox_s() {
    let sandbox = Sandbox::new();
    let said = sandbox.says(&["directories"]).await;
    let lines = [
        "[(\"b\", true), (\"three\", false), (\"two\", false)]",
        "Err(Some(55))",
        "Ok(\"1\")",
        "false",
        "300",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), lines);
}

#[tokio::test]
async fn devices_are_there() {
    let sandbox = Sandbox::new();
    let said = sandbox.says(&["devices"]).await;
    // The guest's C library makes EIO of whatever a stream failed with.
    let lines = ["[0, 0, 0, 0] 0", "Err(Some(29))", "through a path"];
    assert_eq!(said.lines().collect::<Vec<_>>(), lines);
}

#[tokio::test]
async fn clocks_run_and_randomness_differs() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.says(&["clocks"]).await, "true true true\n");
}
