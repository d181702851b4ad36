//! Processes: lists, signals, taking them up again.

use sandbox_core::{Command, ErrorKind, Exit, Result, Signal};

use crate::conformance::trial::{Trial, beat, refused};

pub(in crate::conformance) async fn a_spawned_process_is_listed_while_it_lives(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let process = sandbox.spawn(Command::argv(["sleep", "4.5"])).await?;
    let listed = sandbox.processes().await?;
    let info = listed.iter().find(|info| info.pid == process.pid());
    let info = info.expect("the process is listed");
    assert!(info.spawned);
    let last = info.argv.last().map(String::as_str);
    assert_eq!(last, Some("4.5"), "{:?}", info.argv);
    assert!(listed.is_sorted_by_key(|info| info.pid), "by id");
    t.soon("sleep ends", process.wait()).await?;
    let listed = sandbox.processes().await?;
    assert!(listed.iter().all(|info| info.pid != process.pid()));
    Ok(())
}

pub(in crate::conformance) async fn children_are_listed_and_are_not_spawned(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let process = sandbox
        .spawn(Command::shell("sleep 61.5 & sleep 600"))
        .await?;
    t.until("the child is listed", async || {
        let listed = sandbox.processes().await?;
        let child = listed
            .iter()
            .find(|info| info.argv.iter().any(|a| a == "61.5"));
        Ok(child.is_some_and(|child| !child.spawned && child.pid != process.pid()))
    })
    .await
}

pub(in crate::conformance) async fn a_signal_reaches_the_process(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    for signal in [Signal::TERM, Signal::INT, Signal::KILL, Signal::USR1] {
        let process = sandbox.spawn(Command::argv(["sleep", "600"])).await?;
        process.signal(signal).await?;
        let status = t.soon("the process ends", process.wait()).await?;
        assert_eq!(status.exit, Exit::Signal(signal));
        refused(process.signal(signal).await, ErrorKind::NotFound, None);
    }
    Ok(())
}

pub(in crate::conformance) async fn a_signal_reaches_the_whole_group(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let beats = t.path("beats");
    let line = format!("({}) & sleep 600", beat(&beats));
    let process = sandbox.spawn(Command::shell(line)).await?;
    t.until_longer(&sandbox, &beats, 2).await?;
    process.signal(Signal::KILL).await?;
    t.soon("the process ends", process.wait()).await?;
    t.until_still(&sandbox, &beats).await
}

pub(in crate::conformance) async fn any_process_can_be_signalled_by_its_id(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let line = "sleep 61.25 & wait $!; echo child ended with $?";
    let process = sandbox.spawn(Command::shell(line)).await?;
    let mut events = process.events().expect("the first call gets the stream");
    let mut child = None;
    t.until("the child is listed", async || {
        let listed = sandbox.processes().await?;
        let found = listed
            .iter()
            .find(|info| info.argv.iter().any(|a| a == "61.25"));
        child = found.map(|info| info.pid);
        Ok(child.is_some())
    })
    .await?;
    let child = child.expect("it was just found");
    sandbox.signal(child, Signal::TERM).await?;
    // The shell itself may have something to say about it first.
    super::read_until(t, &mut events, "child ended with 143\n").await?;
    Ok(())
}

pub(in crate::conformance) async fn an_unknown_process_cannot_be_signalled(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let signalled = sandbox.signal(4_000_000, Signal::CONT).await;
    refused(signalled, ErrorKind::NotFound, Some("pid"));
    for group in [0, u32::MAX] {
        let signalled = sandbox.signal(group, Signal::CONT).await;
        refused(signalled, ErrorKind::InvalidSpec, Some("pid"));
    }
    Ok(())
}

pub(in crate::conformance) async fn a_stopped_process_stands_still_until_it_continues(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let beats = t.path("beats");
    let process = sandbox.spawn(Command::shell(beat(&beats))).await?;
    t.until_longer(&sandbox, &beats, 2).await?;
    process.signal(Signal::STOP).await?;
    t.until_still(&sandbox, &beats).await?;
    let size = t.size(&sandbox, &beats).await?;
    process.signal(Signal::CONT).await?;
    t.until_longer(&sandbox, &beats, size).await
}

pub(in crate::conformance) async fn a_process_can_be_taken_up_again(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let process = sandbox
        .spawn(Command::shell("echo first; sleep 3; echo second; exit 5"))
        .await?;
    let pid = process.pid();
    let mut events = process.events().expect("the first call gets the stream");
    super::read_until(t, &mut events, "first\n").await?;
    drop((process, events));
    let again = sandbox.attach(pid).await?;
    assert_eq!(again.pid(), pid);
    let mut events = again.events().expect("a new handle has a stream");
    assert_eq!(
        super::read_until(t, &mut events, "second\n").await?,
        "second\n"
    );
    let status = t.soon("the process ends", again.wait()).await?;
    assert_eq!(status.exit, Exit::Code(5));
    Ok(())
}

pub(in crate::conformance) async fn an_unknown_process_cannot_be_taken_up(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let attached = sandbox.attach(4_000_000).await;
    refused(attached, ErrorKind::NotFound, Some("pid"));
    Ok(())
}
