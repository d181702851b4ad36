//! Standard input.

use bytes::Bytes;
use sandbox_core::{Command, ErrorKind, Result, SandboxExt};

use crate::conformance::trial::{Trial, refused};

/// Bytes that look different everywhere.
fn pattern(len: usize) -> Bytes {
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    (0..len).map(|_| next()).collect()
}

pub(in crate::conformance) async fn ten_megabytes_of_input_arrive_whole(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let input = pattern(10 << 20);
    let echo = sandbox.exec_with_input(Command::argv(["cat"]), input.clone());
    let output = t.soon("cat ends", echo).await?;
    assert!(output.status.success());
    assert_eq!(output.stdout.len(), input.len());
    assert!(
        output.stdout == input,
        "the bytes were changed on their way"
    );
    Ok(())
}

pub(in crate::conformance) async fn a_command_sees_the_end_of_its_input(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let process = sandbox
        .spawn(Command::argv(["wc", "-c"]).piped_stdin())
        .await?;
    process.write_stdin("12345".into()).await?;
    process.write_stdin("678".into()).await?;
    process.close_stdin().await?;
    process.close_stdin().await?;
    let late = process.write_stdin("late".into()).await;
    refused(late, ErrorKind::Conflict, None);
    let status = t.soon("wc ends", process.wait()).await?;
    assert!(status.success(), "{status:?}");
    Ok(())
}

pub(in crate::conformance) async fn a_command_without_input_reads_nothing(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    assert_eq!(t.out(&sandbox, "cat; echo end").await?, "end\n");
    let process = sandbox.spawn(Command::shell("sleep 1")).await?;
    refused(
        process.write_stdin("x".into()).await,
        ErrorKind::Conflict,
        None,
    );
    refused(process.close_stdin().await, ErrorKind::Conflict, None);
    t.soon("sleep ends", process.wait()).await?;
    Ok(())
}

pub(in crate::conformance) async fn input_that_is_not_read_hurts_nobody(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let ignore = sandbox.exec_with_input(Command::shell("exit 5"), pattern(1 << 20));
    let output = t.soon("the command ends", ignore).await?;
    assert_eq!(output.status.shell_code(), 5);
    Ok(())
}

pub(in crate::conformance) async fn input_and_output_take_turns(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let line = "while read line; do echo \"<$line>\"; done; echo end";
    let process = sandbox.spawn(Command::shell(line).piped_stdin()).await?;
    let mut events = process.events().expect("the first call gets the stream");
    for word in ["one", "two words", "three"] {
        process.write_stdin(format!("{word}\n").into()).await?;
        let answer = super::read_until(t, &mut events, ">\n").await?;
        assert_eq!(answer, format!("<{word}>\n"));
    }
    process.close_stdin().await?;
    assert_eq!(super::read_until(t, &mut events, "end\n").await?, "end\n");
    Ok(())
}
