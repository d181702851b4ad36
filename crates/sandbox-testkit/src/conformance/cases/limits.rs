//! Limits that bite.

use std::time::{Duration, Instant};

use sandbox_core::{
    Command, ErrorKind, KillCause, Resources, Result, SandboxExt, WriteOptions, byte_stream,
};

use crate::conformance::trial::{Trial, refused};

pub(in crate::conformance) async fn a_hog_dies_and_its_sandbox_lives(t: &Trial) -> Result<()> {
    let spec = t.spec().resources(Resources {
        memory: 64 << 20,
        ..Resources::default()
    });
    let sandbox = t.create(spec).await?;
    // Twice as much every time, up to four times the limit.
    let line = "x=xxxxxxxx; while [ ${#x} -lt 268435456 ]; do x=$x$x; done; echo survived";
    let output = t.sh(&sandbox, line).await?;
    assert!(!output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty(), "{:?}", output.stdout);
    let cause = output.status.cause;
    assert!(
        cause.is_none_or(|cause| cause == KillCause::OutOfMemory),
        "{cause:?}"
    );
    assert_eq!(t.out(&sandbox, "echo alive").await?, "alive\n");
    Ok(())
}

pub(in crate::conformance) async fn no_more_processes_than_allowed(t: &Trial) -> Result<()> {
    let spec = t.spec().resources(Resources {
        pids: 24,
        ..Resources::default()
    });
    let sandbox = t.create(spec).await?;
    let started = t.path("started");
    let line =
        format!("i=0; while [ $i -lt 60 ]; do (echo x >> {started}; sleep 10) & i=$((i+1)); done");
    let bomb = sandbox.spawn(Command::shell(line)).await?;
    drop(bomb.events());
    t.until_longer(&sandbox, &started, 0).await?;
    t.until_still(&sandbox, &started).await?;
    let most = sandbox.stats().await?.pids;
    assert!(most <= 24, "{most} processes at once");
    let started = t.size(&sandbox, &started).await? / 2;
    assert!(started < 60, "all of them were started");
    t.until("the sandbox takes commands again", async || {
        match sandbox.exec(Command::shell("echo alive")).await {
            Ok(output) => Ok(output.stdout == "alive\n"),
            Err(error) if error.kind() == ErrorKind::LimitExceeded => Ok(false),
            Err(error) => Err(error),
        }
    })
    .await
}

pub(in crate::conformance) async fn cpu_time_is_shared_out(t: &Trial) -> Result<()> {
    let spec = t.spec().resources(Resources {
        milli_cpus: 250,
        ..Resources::default()
    });
    let sandbox = t.create(spec).await?;
    for _ in 0..2 {
        sandbox.spawn(Command::shell("while :; do :; done")).await?;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (start, before) = (Instant::now(), sandbox.stats().await?.cpu_time);
    tokio::time::sleep(Duration::from_secs(4)).await;
    let (end, after) = (Instant::now(), sandbox.stats().await?.cpu_time);
    let share = (after - before).as_secs_f64() / (end - start).as_secs_f64();
    assert!(share > 0.0, "two loops took no time");
    assert!(share < 0.25 * 1.6, "two loops took {share:.2} CPUs of 0.25");
    Ok(())
}

pub(in crate::conformance) async fn the_disk_is_full_when_it_is_full(t: &Trial) -> Result<()> {
    let spec = t.spec().resources(Resources {
        disk: Some(16 << 20),
        ..Resources::default()
    });
    let sandbox = t.create(spec).await?;
    let file = t.harness.disk().join("fill")?;
    let too_much = byte_stream(vec![b'x'; 40 << 20]);
    let written = sandbox
        .write(&file, too_much, WriteOptions::default())
        .await;
    refused(written, ErrorKind::LimitExceeded, None);
    assert!(
        !sandbox.exists(&file).await?,
        "a write that does not fit changes nothing"
    );
    let output = t
        .sh(&sandbox, &format!("head -c 41943040 /dev/zero > {file}"))
        .await?;
    assert!(!output.status.success(), "{output:?}");
    assert!(t.size(&sandbox, &file).await? < 40 << 20);
    sandbox.remove(&file, false).await?;
    sandbox.write_all(&file, "fits again".into()).await?;
    Ok(())
}

pub(in crate::conformance) async fn only_so_many_files_can_be_open(t: &Trial) -> Result<()> {
    let spec = t.spec().resources(Resources {
        open_files: 24,
        ..Resources::default()
    });
    let sandbox = t.create(spec).await?;
    assert_eq!(t.out(&sandbox, "ulimit -n").await?, "24\n");
    // `tee` holds every file open at once.
    let names: Vec<String> = (0..40)
        .map(|n| t.path(&format!("open-{n}")).to_string())
        .collect();
    let output = t
        .sh(
            &sandbox,
            &format!("echo x | tee {} > /dev/null", names.join(" ")),
        )
        .await?;
    assert!(!output.status.success(), "40 files were open at once");
    assert_eq!(t.out(&sandbox, "echo alive").await?, "alive\n");
    Ok(())
}

pub(in crate::conformance) async fn use_shows_in_the_stats(t: &Trial) -> Result<()> {
    let resources = Resources {
        memory: 128 << 20,
        ..Resources::default()
    };
    let sandbox = t.create(t.spec().resources(resources)).await?;
    let idle = sandbox.stats().await?;
    assert_eq!(idle.memory_limit, 128 << 20);
    assert!(idle.memory <= idle.memory_limit);
    let running = sandbox.spawn(Command::shell("sleep 600")).await?;
    t.out(&sandbox, "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done")
        .await?;
    t.until("CPU time is counted", async || {
        Ok(sandbox.stats().await?.cpu_time > idle.cpu_time)
    })
    .await?;
    let busy = sandbox.stats().await?;
    assert!(busy.pids > 0 && busy.memory > 0, "{busy:?}");
    drop(running);
    Ok(())
}
