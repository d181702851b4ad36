//! Commands on a terminal.

use futures_util::StreamExt;
use sandbox_core::{Command, ErrorKind, Exit, OutputStream, ProcessEvent, PtySize, Result, Signal};

use super::read_until;
use crate::conformance::trial::{Trial, refused};

fn on_terminal(line: &str) -> Command {
    Command::shell(line).pty(PtySize { cols: 91, rows: 33 })
}

pub(in crate::conformance) async fn a_terminal_has_the_size_it_was_given(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let output = t.exec(&sandbox, on_terminal("stty size")).await?;
    assert_eq!(output.stdout_lossy().trim(), "33 91");
    Ok(())
}

pub(in crate::conformance) async fn a_terminal_can_be_resized(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let line = "echo ready; read x; stty size; echo end";
    let process = sandbox.spawn(on_terminal(line)).await?;
    let mut events = process.events().expect("the first call gets the stream");
    read_until(t, &mut events, "ready").await?;
    process
        .resize(PtySize {
            cols: 132,
            rows: 50,
        })
        .await?;
    process.write_stdin("\r".into()).await?;
    let shown = read_until(t, &mut events, "end").await?;
    assert!(shown.contains("50 132"), "{shown:?}");
    Ok(())
}

pub(in crate::conformance) async fn a_command_without_a_terminal_cannot_be_resized(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let process = sandbox.spawn(Command::shell("sleep 1")).await?;
    let resized = process.resize(PtySize::default()).await;
    refused(resized, ErrorKind::Conflict, None);
    t.soon("sleep ends", process.wait()).await?;
    Ok(())
}

pub(in crate::conformance) async fn the_interrupt_key_interrupts(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let process = sandbox.spawn(on_terminal("echo ready; sleep 600")).await?;
    let mut events = process.events().expect("the first call gets the stream");
    read_until(t, &mut events, "ready").await?;
    process.write_stdin(vec![3].into()).await?;
    let status = t.soon("^C ends it", process.wait()).await?;
    let interrupted = [Exit::Signal(Signal::INT), Exit::Code(130)];
    assert!(interrupted.contains(&status.exit), "{status:?}");
    Ok(())
}

pub(in crate::conformance) async fn the_end_of_file_key_ends_the_input(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let process = sandbox
        .spawn(on_terminal("echo ready; cat; echo ended"))
        .await?;
    let mut events = process.events().expect("the first call gets the stream");
    read_until(t, &mut events, "ready").await?;
    refused(process.close_stdin().await, ErrorKind::Conflict, None);
    process.write_stdin(vec![4].into()).await?;
    read_until(t, &mut events, "ended").await?;
    Ok(())
}

pub(in crate::conformance) async fn typed_lines_are_echoed_and_reach_the_program(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let line = "echo ready; read word; echo \"got <$word>\"";
    let process = sandbox.spawn(on_terminal(line)).await?;
    let mut events = process.events().expect("the first call gets the stream");
    read_until(t, &mut events, "ready").await?;
    process.write_stdin("hello\r".into()).await?;
    let shown = read_until(t, &mut events, "got <hello>").await?;
    let echoed = shown.find("hello").expect("the echo");
    assert!(
        shown.find("got").is_some_and(|got| echoed < got),
        "{shown:?}"
    );
    Ok(())
}

pub(in crate::conformance) async fn a_terminal_shows_one_stream(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let process = sandbox.spawn(on_terminal("echo out; echo err >&2")).await?;
    let events = process.events().expect("the first call gets the stream");
    let events: Vec<_> = t.soon("the end of the events", events.collect()).await;
    let mut shown = Vec::new();
    for event in events {
        match event? {
            ProcessEvent::Output(stream, data) => {
                assert_eq!(stream, OutputStream::Pty);
                shown.extend_from_slice(&data);
            }
            ProcessEvent::Exited(status) => assert!(status.success(), "{status:?}"),
        }
    }
    assert_eq!(String::from_utf8_lossy(&shown), "out\r\nerr\r\n");
    Ok(())
}

pub(in crate::conformance) async fn programs_know_whether_they_have_a_terminal(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let line = "if test -t 0 && test -t 1; then echo terminal; else echo none; fi";
    let output = t.exec(&sandbox, on_terminal(line)).await?;
    assert_eq!(output.stdout_lossy().trim(), "terminal");
    assert_eq!(t.out(&sandbox, line).await?, "none\n");
    Ok(())
}
