//! Files in and out.

use std::fs;

use crate::args;
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_goes_in_is_listed_and_comes_out() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    let here = tempfile::tempdir().unwrap();
    let tree = here.path().join("tree");
    fs::create_dir_all(tree.join("sub dir")).unwrap();
    fs::write(tree.join("a"), "aaa").unwrap();
    fs::write(tree.join("sub dir/%41?b#c"), vec![7; 200_000]).unwrap();
    let shown = tree.to_str().unwrap();

    let report = server
        .run(args!["--json", "cp", shown, format!("{id}:/tmp/")])
        .await
        .json();
    assert_eq!(
        (&report["files"], &report["bytes"]),
        (&2.into(), &200_003.into())
    );

    let table = server
        .run(args!["ls", format!("{id}:/tmp/tree")])
        .await
        .done();
    assert!(
        table.contains(" a\n") && table.contains(" sub dir/\n"),
        "{table}"
    );
    let list = server
        .run(args!["--json", "ls", format!("{id}:/tmp/tree")])
        .await
        .json();
    assert_eq!(list["files"][0]["path"], "/tmp/tree/a");

    let back = here.path().join("back");
    let to = back.to_str().unwrap();
    let said = server.run(args!["cp", format!("{id}:/tmp/tree"), to]).await;
    assert_eq!(said.done(), "");
    assert_eq!(fs::read(back.join("a")).unwrap(), b"aaa");
    assert_eq!(
        fs::read(back.join("sub dir/%41?b#c")).unwrap().len(),
        200_000
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input_becomes_a_file_and_a_file_standard_output() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    let data: Vec<u8> = (0..300_000_u32).map(|n| (n % 253) as u8).collect();
    let said = server
        .run_with(args!["cp", "-", format!("{id}:/tmp/f")], &data)
        .await;
    said.done();
    let mut program = server.program(args!["cp", format!("{id}:/tmp/f"), "-"]);
    assert_eq!(program.output().await.unwrap().stdout, data);
    let said = server
        .run_with(args!["cp", "-", format!("{id}:/tmp")], b"x")
        .await;
    assert!(said.failed(1).contains("is a directory"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_out_is_named_and_ends_with_1() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    let line = "mkdir /tmp/t && echo x >/tmp/t/f && ln -s f /tmp/t/link";
    server
        .run(args!["exec", &id, "--", "sh", "-c", line])
        .await
        .done();
    let here = tempfile::tempdir().unwrap();
    let to = here.path().join("t");
    let args = args!["cp", format!("{id}:/tmp/t"), to.to_str().unwrap()];
    let line = server.run(args).await.failed(1);
    assert!(
        line.contains("/tmp/t/link") && line.contains("-L"),
        "{line}"
    );
    assert!(to.join("f").exists() && !to.join("link").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_one_line_on_either_side() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    let missing = server
        .run(args!["cp", "/nonexistent", format!("{id}:/tmp/")])
        .await;
    assert!(missing.failed(1).contains("/nonexistent"));
    let here = tempfile::tempdir().unwrap();
    let to = here.path().join("f");
    let args = args!["cp", format!("{id}:/nonexistent"), to.to_str().unwrap()];
    let line = server.run(args).await.failed(1);
    assert!(line.starts_with("sandbox: path: "), "{line}");
    assert!(!to.exists());
    let line = server
        .run(args!["ls", format!("{id}:/nonexistent")])
        .await
        .failed(1);
    assert!(line.starts_with("sandbox: path: "), "{line}");
}
