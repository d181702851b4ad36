//! Commands that run to their end.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use sandbox_core::{
    Command, ErrorKind, Exit, OutputStream, ProcessEvent, Result, SandboxExt, Signal, WriteOptions,
    byte_stream,
};

use crate::conformance::harness::path;
use crate::conformance::trial::{Trial, refused};

pub(in crate::conformance) async fn exit_codes_are_kept(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    for code in [0, 1, 42, 255] {
        let output = t.sh(&sandbox, &format!("exit {code}")).await?;
        assert_eq!(output.status.exit, Exit::Code(code));
        assert_eq!(output.status.cause, None);
    }
    Ok(())
}

pub(in crate::conformance) async fn a_signal_ends_a_command_as_that_signal(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    for (name, signal) in [("TERM", Signal::TERM), ("KILL", Signal::KILL)] {
        let output = t
            .sh(&sandbox, &format!("kill -{name} $$; sleep 60"))
            .await?;
        assert_eq!(output.status.exit, Exit::Signal(signal));
        assert_eq!(output.status.cause, None);
    }
    Ok(())
}

pub(in crate::conformance) async fn an_unknown_command_in_a_shell_ends_with_127(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let output = t.sh(&sandbox, "no-such-program-anywhere").await?;
    assert_eq!(output.status.exit, Exit::Code(127));
    assert!(!output.stderr.is_empty());
    Ok(())
}

pub(in crate::conformance) async fn a_missing_program_is_not_found(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    for program in ["no-such-program-anywhere", "/no/such/program"] {
        let spawned = sandbox.spawn(Command::argv([program])).await;
        refused(spawned, ErrorKind::NotFound, Some("command"));
    }
    Ok(())
}

pub(in crate::conformance) async fn a_file_that_may_not_be_executed_is_denied(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let script = t.path("not-executable");
    sandbox
        .write_all(&script, "#!/bin/sh\nexit 0\n".into())
        .await?;
    let spawned = sandbox.spawn(Command::argv([script.as_str()])).await;
    refused(spawned, ErrorKind::PermissionDenied, Some("command"));
    Ok(())
}

pub(in crate::conformance) async fn a_script_that_may_be_executed_runs(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let script = t.path("script with a blank");
    let body = byte_stream("#!/bin/sh\necho \"ran with $1\"\nexit 3\n");
    let options = WriteOptions {
        mode: Some(0o755),
        ..WriteOptions::default()
    };
    sandbox.write(&script, body, options).await?;
    let output = t
        .exec(&sandbox, Command::argv([script.as_str(), "it"]))
        .await?;
    assert_eq!(output.stdout, "ran with it\n");
    assert_eq!(output.status.exit, Exit::Code(3));
    Ok(())
}

pub(in crate::conformance) async fn an_empty_command_is_refused(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let none: [&str; 0] = [];
    for command in [
        Command::argv(none),
        Command::argv([""]),
        Command::shell(" "),
    ] {
        let spawned = sandbox.spawn(command).await;
        refused(spawned, ErrorKind::InvalidSpec, Some("command"));
    }
    Ok(())
}

pub(in crate::conformance) async fn standard_output_and_error_are_kept_apart(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let output = t.sh(&sandbox, "echo out; echo err >&2; echo more").await?;
    assert_eq!(output.stdout, "out\nmore\n");
    assert_eq!(output.stderr, "err\n");
    Ok(())
}

pub(in crate::conformance) async fn the_exit_comes_once_and_after_all_output(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let process = sandbox.spawn(Command::shell("seq 1 5000; exit 9")).await?;
    let events = process.events().expect("the first call gets the stream");
    assert!(process.events().is_none(), "a second stream");
    let events: Vec<_> = t.soon("the end of the events", events.collect()).await;
    let mut events: Vec<ProcessEvent> = events.into_iter().collect::<Result<_>>()?;
    match events.pop() {
        Some(ProcessEvent::Exited(status)) => assert_eq!(status.exit, Exit::Code(9)),
        other => panic!("the last event is {other:?}"),
    }
    let mut printed = Vec::new();
    for event in events {
        match event {
            ProcessEvent::Output(OutputStream::Stdout, data) => {
                assert!(!data.is_empty(), "an empty chunk");
                printed.extend_from_slice(&data);
            }
            other => panic!("{other:?} before the end"),
        }
    }
    assert_eq!(printed, numbers(5000).as_bytes());
    Ok(())
}

/// What `seq 1 LAST` prints.
fn numbers(last: u32) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for number in 1..=last {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{number}");
    }
    text
}

pub(in crate::conformance) async fn ten_megabytes_of_output_arrive_whole(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let output = t.sh(&sandbox, "seq 1 1500000").await?;
    let expected = numbers(1_500_000);
    assert!(expected.len() > 10 << 20);
    assert_eq!(output.stdout.len(), expected.len());
    assert!(
        output.stdout == expected,
        "the output was changed on its way"
    );
    Ok(())
}

pub(in crate::conformance) async fn output_that_nobody_reads_blocks_nothing(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let done = t.path("done");
    let line = format!("seq 1 500000; echo done > {done}");
    // One whose handle is dropped at once, and one whose stream is.
    drop(sandbox.spawn(Command::shell(&line)).await?);
    t.until_longer(&sandbox, &done, 0).await?;
    sandbox.remove(&done, false).await?;
    let process = sandbox.spawn(Command::shell(&line)).await?;
    drop(process.events());
    let status = t.soon("the command ends", process.wait()).await?;
    assert!(status.success(), "{status:?}");
    Ok(())
}

pub(in crate::conformance) async fn a_process_goes_on_without_its_handle(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let later = t.path("later");
    let line = format!("sleep 1; echo later > {later}");
    drop(sandbox.spawn(Command::shell(line)).await?);
    t.until_longer(&sandbox, &later, 0).await
}

pub(in crate::conformance) async fn any_number_of_callers_can_wait(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let process = sandbox.spawn(Command::shell("sleep 1; exit 4")).await?;
    let waiting = join_all((0..20).map(|_| process.wait()));
    for status in t.soon("all have waited", waiting).await {
        assert_eq!(status?.exit, Exit::Code(4));
    }
    let again = t.soon("one more waits", process.wait()).await?;
    assert_eq!(again.exit, Exit::Code(4));
    Ok(())
}

pub(in crate::conformance) async fn variables_are_passed_and_overridden(t: &Trial) -> Result<()> {
    let spec = t.spec().env("FROM_SPEC", "spec").env("BOTH", "spec");
    let sandbox = t.create(spec).await?;
    let command = Command::shell("echo \"$FROM_SPEC $BOTH $FROM_COMMAND\"")
        .env("BOTH", "command")
        .env("FROM_COMMAND", "command");
    let output = t.exec(&sandbox, command).await?;
    assert_eq!(output.stdout, "spec command command\n");
    let next = t.out(&sandbox, "echo \"$BOTH<$FROM_COMMAND>\"").await?;
    assert_eq!(next, "spec<>\n", "a command's variables stay with it");
    Ok(())
}

pub(in crate::conformance) async fn odd_values_of_variables_are_kept(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    for value in [
        "",
        " a  b ",
        "line\nline\n.",
        "$HOME `id` \"'\\",
        "ünï→🦀",
        "-n",
        "a=b",
    ] {
        let command = Command::shell("printf '<%s>' \"$ODD\"").env("ODD", value);
        let output = t.exec(&sandbox, command).await?;
        assert_eq!(output.stdout_lossy(), format!("<{value}>"));
    }
    Ok(())
}

pub(in crate::conformance) async fn commands_start_in_their_directory(t: &Trial) -> Result<()> {
    let sandbox = t.create(t.spec().workdir(path("/etc"))).await?;
    assert_eq!(t.out(&sandbox, "pwd").await?, "/etc\n");
    let scratch = t.harness.scratch();
    let command = Command::argv(["pwd"]).cwd(scratch.clone());
    let output = t.exec(&sandbox, command).await?;
    assert_eq!(output.stdout_lossy().trim_end(), scratch.as_str());
    Ok(())
}

pub(in crate::conformance) async fn a_missing_directory_names_the_field(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let missing = Command::shell("true").cwd(path("/no/such/directory"));
    let spawned = sandbox.spawn(missing).await;
    refused(spawned, ErrorKind::NotFound, Some("cwd"));
    let file = Command::shell("true").cwd(path("/etc/passwd"));
    let spawned = sandbox.spawn(file).await;
    refused(spawned, ErrorKind::NotFound, Some("cwd"));
    Ok(())
}

pub(in crate::conformance) async fn arguments_are_kept_as_they_are(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let arguments = [
        "a b",
        "",
        "line\nline",
        "'single' \"double\"",
        "$HOME",
        "*",
        "; exit 1",
        "\\n",
        "ünï",
    ];
    let command = Command::argv(["printf", "<%s>"].iter().chain(&arguments).copied());
    let output = t.exec(&sandbox, command).await?;
    let expected: String = arguments.iter().map(|a| format!("<{a}>")).collect();
    assert_eq!(output.stdout_lossy(), expected);
    Ok(())
}

pub(in crate::conformance) async fn a_long_argument_is_kept(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let long = "0123456789".repeat(10_000);
    let output = t
        .exec(&sandbox, Command::argv(["printf", "%s", &long]))
        .await?;
    assert_eq!(output.stdout_lossy(), long);
    Ok(())
}

pub(in crate::conformance) async fn bytes_that_are_no_text_pass_unchanged(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let output = t
        .sh(&sandbox, "printf '\\377\\000\\376'; printf '\\300\\n' >&2")
        .await?;
    assert_eq!(&output.stdout[..], b"\xff\0\xfe");
    assert_eq!(&output.stderr[..], b"\xc0\n");
    Ok(())
}

pub(in crate::conformance) async fn children_left_behind_do_not_hold_the_answer(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    // Longer than anybody waits here.
    let seconds = t.patience().as_secs() * 10;
    let line = format!("sleep {seconds} & echo at once");
    let output = t.out(&sandbox, &line).await?;
    assert_eq!(output, "at once\n");
    Ok(())
}

pub(in crate::conformance) async fn a_time_limit_kills_the_command(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let command = Command::shell("echo started; sleep 600").timeout(Duration::from_secs(2));
    let output = t.exec(&sandbox, command).await?;
    assert!(output.status.timed_out(), "{:?}", output.status);
    assert!(
        matches!(output.status.exit, Exit::Signal(_)),
        "{:?}",
        output.status
    );
    assert_eq!(output.stdout, "started\n", "what it printed before is kept");
    assert_eq!(t.out(&sandbox, "echo on").await?, "on\n");
    Ok(())
}

pub(in crate::conformance) async fn a_time_limit_kills_everything_the_command_started(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let (child, session) = (t.path("child"), t.path("session"));
    let beat = crate::conformance::trial::beat;
    let script = t.path("beat.sh");
    sandbox.write_all(&script, beat(&session).into()).await?;
    let line = format!("({}) & setsid sh {script} & sleep 600", beat(&child));
    let command = Command::shell(line).timeout(Duration::from_secs(3));
    let output = t.exec(&sandbox, command).await?;
    assert!(output.status.timed_out(), "{:?}", output.status);
    for beats in [&child, &session] {
        assert!(t.size(&sandbox, beats).await? > 0, "{beats} never beat");
        t.until_still(&sandbox, beats).await?;
    }
    Ok(())
}

pub(in crate::conformance) async fn a_command_within_its_time_is_not_disturbed(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let command = Command::shell("sleep 0.2; exit 6").timeout(t.patience() * 2);
    let output = t.exec(&sandbox, command).await?;
    assert_eq!(output.status.exit, Exit::Code(6));
    assert!(!output.status.timed_out());
    Ok(())
}

pub(in crate::conformance) async fn fifty_commands_at_once_keep_their_outputs_apart(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let commands = (0..50).map(|number| {
        let sandbox = &sandbox;
        async move {
            let line = format!("for i in 1 2 3 4 5; do echo out-{number}; done; echo err-{number} >&2; exit {number}");
            let output = t.sh(sandbox, &line).await?;
            assert_eq!(output.stdout_lossy(), format!("out-{number}\n").repeat(5));
            assert_eq!(output.stderr_lossy(), format!("err-{number}\n"));
            assert_eq!(output.status.exit, Exit::Code(number));
            Ok(number)
        }
    });
    let ran: Result<BTreeSet<u8>> = join_all(commands).await.into_iter().collect();
    assert_eq!(ran?.len(), 50);
    Ok(())
}
