//! From create to destroy.

use futures_util::StreamExt;
use sandbox_core::{Command, ErrorKind, Exit, RecoveredState, Result, SandboxExt, Signal, Source};

use crate::conformance::trial::{Trial, refused};

pub(in crate::conformance) async fn a_sandbox_knows_what_it_was_made_from(t: &Trial) -> Result<()> {
    let spec = t
        .spec()
        .env("KEY", "value")
        .metadata("owner", "somebody \u{1F980}");
    let spec = t.build(spec);
    let sandbox = t.runtime.create(&spec).await?;
    t.keep(&sandbox);
    assert_eq!(sandbox.id(), spec.id());
    assert_eq!(sandbox.spec(), &spec);
    Ok(())
}

pub(in crate::conformance) async fn a_sandbox_has_the_host_name_it_was_given(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.create(t.spec().hostname("name-of-mine")).await?;
    assert_eq!(
        t.out(
            &sandbox,
            "hostname 2> /dev/null || cat /proc/sys/kernel/hostname"
        )
        .await?,
        "name-of-mine\n"
    );
    Ok(())
}

pub(in crate::conformance) async fn a_backend_is_healthy(t: &Trial) -> Result<()> {
    let health = t.soon("health", t.runtime.health()).await?;
    assert!(!health.version.is_empty());
    Ok(())
}

pub(in crate::conformance) async fn a_source_can_be_prepared(t: &Trial) -> Result<()> {
    let preparing = t.runtime.prepare(&t.harness.source()).await?;
    let steps: Vec<_> = t.soon("the source is ready", preparing.collect()).await;
    for step in steps {
        step?;
    }
    t.sandbox().await?;
    Ok(())
}

pub(in crate::conformance) async fn an_image_that_does_not_exist_is_not_found(
    t: &Trial,
) -> Result<()> {
    let spec = t.spec().source(Source::Image(t.harness.missing_image()));
    let spec = t.build(spec);
    let made = t.runtime.create(&spec).await;
    refused(made, ErrorKind::NotFound, Some("image"));
    assert!(
        !t.existing().await?.contains(spec.id()),
        "something was left behind"
    );
    Ok(())
}

pub(in crate::conformance) async fn an_id_is_given_once(t: &Trial) -> Result<()> {
    let spec = t.build(t.spec());
    let first = t.runtime.create(&spec).await?;
    t.keep(&first);
    first.write_all(&t.path("mark"), "first".into()).await?;
    let second = t.runtime.create(&spec).await;
    refused(second, ErrorKind::Conflict, Some("id"));
    let mark = first.read_to_string(&t.path("mark")).await?;
    assert_eq!(mark, "first", "the first is not disturbed");
    Ok(())
}

pub(in crate::conformance) async fn what_is_not_supported_is_refused_before_anything_is_made(
    t: &Trial,
) -> Result<()> {
    let spec = t.build(t.spec().runtime_class("no-such-class"));
    let made = t.runtime.create(&spec).await;
    refused(made, ErrorKind::Unsupported, Some("runtime_class"));
    assert!(
        !t.existing().await?.contains(spec.id()),
        "something was left behind"
    );
    Ok(())
}

pub(in crate::conformance) async fn what_exists_is_found(t: &Trial) -> Result<()> {
    let spec = t.build(t.spec().metadata("k", "v"));
    let sandbox = t.runtime.create(&spec).await?;
    t.keep(&sandbox);
    let found = t.runtime.recover().await?;
    let found: Vec<_> = found
        .into_iter()
        .filter(|one| one.id == *spec.id())
        .collect();
    let [one] = &found[..] else {
        panic!("found {} times", found.len());
    };
    assert_eq!(one.state, RecoveredState::Running);
    assert_eq!(one.sandbox.spec(), &spec);
    let output = t.sh(&one.sandbox, "echo on").await?;
    assert_eq!(output.stdout, "on\n");
    Ok(())
}

pub(in crate::conformance) async fn another_program_finds_what_was_left(t: &Trial) -> Result<()> {
    let spec = t.build(t.spec().env("KEY", "value").metadata("owner", "somebody"));
    let sandbox = t.runtime.create(&spec).await?;
    t.keep(&sandbox);
    sandbox.write_all(&t.path("mark"), "left".into()).await?;
    let process = sandbox.spawn(Command::argv(["sleep", "600"])).await?;
    let reopened = t.harness.reopen().await;
    let reopened = reopened.expect("the runtime reports recover, but its harness cannot reopen it");
    let found = reopened.recover().await?;
    let one = found
        .iter()
        .find(|one| one.id == *spec.id())
        .expect("it is found");
    assert_eq!(one.state, RecoveredState::Running);
    assert_eq!(one.sandbox.spec(), &spec);
    let mark = one.sandbox.read_to_string(&t.path("mark")).await?;
    assert_eq!(mark, "left");
    assert_eq!(t.out(&one.sandbox, "echo $KEY").await?, "value\n");
    if t.can().processes {
        let listed = one.sandbox.processes().await?;
        assert!(
            listed.iter().any(|info| info.pid == process.pid()),
            "{listed:?}"
        );
    }
    one.sandbox.destroy().await?;
    refused(sandbox.stats().await, ErrorKind::NotFound, None);
    Ok(())
}

pub(in crate::conformance) async fn another_program_finds_what_was_paused(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    sandbox.pause().await?;
    let reopened = t.harness.reopen().await;
    let reopened = reopened.expect("the runtime reports recover, but its harness cannot reopen it");
    let found = reopened.recover().await?;
    let one = found
        .iter()
        .find(|one| one.id == *sandbox.id())
        .expect("it is found");
    assert_eq!(one.state, RecoveredState::Paused);
    one.sandbox.resume().await?;
    assert_eq!(t.out(&one.sandbox, "echo on").await?, "on\n");
    Ok(())
}

pub(in crate::conformance) async fn destroying_twice_is_fine(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    sandbox.destroy().await?;
    sandbox.destroy().await?;
    let (one, two) = tokio::join!(sandbox.destroy(), sandbox.destroy());
    one.and(two)
}

pub(in crate::conformance) async fn nothing_works_on_a_destroyed_sandbox(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let file = t.path("file");
    sandbox.write_all(&file, "x".into()).await?;
    sandbox.destroy().await?;
    let not_found = ErrorKind::NotFound;
    refused(sandbox.spawn(Command::shell("true")).await, not_found, None);
    refused(sandbox.stat(&file).await, not_found, None);
    refused(sandbox.write_all(&file, "y".into()).await, not_found, None);
    refused(sandbox.remove(&file, false).await, not_found, None);
    refused(sandbox.stats().await, not_found, None);
    if t.can().pause {
        refused(sandbox.pause().await, not_found, None);
        refused(sandbox.resume().await, not_found, None);
    }
    if t.can().signals {
        refused(sandbox.signal(2, Signal::TERM).await, not_found, None);
    }
    Ok(())
}

pub(in crate::conformance) async fn destroying_ends_what_runs(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let process = sandbox.spawn(Command::shell("echo up; sleep 600")).await?;
    let mut events = process.events().expect("the first call gets the stream");
    super::read_until(t, &mut events, "up").await?;
    t.soon("destroy", sandbox.destroy()).await?;
    // Whoever waits hears of the end: as a kill, as lost, or as an error, but soon.
    if let Ok(status) = t.soon("wait answers", process.wait()).await {
        assert!(
            matches!(status.exit, Exit::Signal(_) | Exit::Lost),
            "{status:?}"
        );
    }
    let ended = async { while events.next().await.is_some() {} };
    t.soon("the events end", ended).await;
    Ok(())
}

pub(in crate::conformance) async fn a_destroyed_sandbox_is_gone(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    assert!(t.existing().await?.contains(sandbox.id()));
    sandbox.destroy().await?;
    assert!(!t.existing().await?.contains(sandbox.id()));
    Ok(())
}

pub(in crate::conformance) async fn many_sandboxes_live_at_once(t: &Trial) -> Result<()> {
    let sandboxes = futures_util::future::try_join_all((0..8).map(|_| t.sandbox())).await?;
    let numbered = sandboxes.iter().enumerate();
    let marks = numbered.map(|(number, sandbox)| async move {
        let line = format!("echo {number} > /tmp/number; cat /tmp/number");
        let seen = t.out(sandbox, &line).await?;
        assert_eq!(seen, format!("{number}\n"));
        Ok::<_, sandbox_core::Error>(())
    });
    futures_util::future::try_join_all(marks).await?;
    Ok(())
}
