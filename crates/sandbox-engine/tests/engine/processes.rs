//! Processes that outlive the request that started them.

use sandbox_core::lifecycle::State;
use sandbox_core::{Command, ErrorKind, Exit, ExitStatus, Signal};
use sandbox_engine::EngineConfig;
use sandbox_engine::process::{
    OutputItem, OutputReader, ProcessOptions, ProcessSelector, ProcessStatus,
};

use crate::support::{World, builder, ephemeral, persistent, request, secs};

fn no_options() -> ProcessOptions {
    ProcessOptions::default()
}

async fn to_the_end(mut reader: OutputReader) -> (String, Option<ExitStatus>) {
    let (mut text, mut exit) = (String::new(), None);
    while let Some(item) = reader.next().await {
        match item {
            OutputItem::Output(chunk) => text.push_str(std::str::from_utf8(&chunk.data).unwrap()),
            OutputItem::Exited { status, .. } => exit = Some(status),
            OutputItem::Gap { from, to } => text.push_str(&format!("<{from}..{to}>")),
        }
    }
    (text, exit)
}

#[tokio::test]
async fn every_reader_gets_all_output_and_the_exit_whenever_it_comes() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    let command = Command::shell("echo one; echo two; exit 3");
    let process = world
        .engine
        .start_process(&id, command, no_options())
        .await
        .unwrap();
    let (early, late) = (process.read(0), process.clone());
    let whole = ("one\ntwo\n".to_owned(), Some(ExitStatus::from_code(3)));
    assert_eq!(to_the_end(early).await, whole);
    assert_eq!(late.wait().await.unwrap(), ExitStatus::from_code(3));
    assert_eq!(to_the_end(late.read(0)).await, whole);
    assert!(matches!(late.status(), ProcessStatus::Ended { .. }));
}

#[tokio::test]
async fn a_client_that_goes_away_kills_nothing_and_goes_on_where_it_was() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    let command = Command::shell("read x; echo $x; read y; echo $y").piped_stdin();
    let options = ProcessOptions::default().tag("shell");
    let process = world
        .engine
        .start_process(&id, command, options)
        .await
        .unwrap();
    process.write_stdin("one\n".into()).await.unwrap();
    let mut reader = process.read(0);
    let Some(OutputItem::Output(chunk)) = reader.next().await else {
        panic!("no output");
    };
    assert_eq!(&chunk.data[..], b"one\n");
    drop((reader, process));
    let selector = ProcessSelector::Tag("shell".into());
    let again = world.engine.process(&id, &selector).unwrap();
    again.write_stdin("two\n".into()).await.unwrap();
    let (text, exit) = to_the_end(again.read(chunk.seq + 1)).await;
    assert_eq!(
        (text.as_str(), exit),
        ("two\n", Some(ExitStatus::from_code(0)))
    );
}

#[tokio::test]
async fn a_reader_is_told_when_older_output_is_no_longer_kept() {
    let world = World::new().await;
    world.engine.shutdown().await;
    let mut config = EngineConfig::default();
    config.process_output = 10_000;
    let engine = builder(&world.clock, &world.daemon, &world.store)
        .config(config)
        .build()
        .await
        .unwrap();
    let record = engine.create(request(ephemeral(60))).await.unwrap();
    let command = Command::shell("seq 1 100000");
    let process = engine
        .start_process(record.id(), command, no_options())
        .await
        .unwrap();
    assert!(process.wait().await.unwrap().success());
    let (text, exit) = to_the_end(process.read(0)).await;
    assert!(text.starts_with("<1.."), "{}", &text[..20]);
    assert!(text.ends_with("99999\n100000\n"));
    assert!(text.len() < 20_000);
    assert!(exit.unwrap().success());
}

#[tokio::test]
async fn a_process_waits_for_a_reader_that_wants_all_of_its_output() {
    let world = World::new().await;
    world.engine.shutdown().await;
    let mut config = EngineConfig::default();
    config.process_output = 10_000;
    let engine = builder(&world.clock, &world.daemon, &world.store)
        .config(config)
        .build()
        .await
        .unwrap();
    let record = engine.create(request(ephemeral(60))).await.unwrap();
    let command = Command::shell("seq 1 100000");
    let process = engine
        .start_process(record.id(), command, no_options().paced())
        .await
        .unwrap();
    let (text, exit) = to_the_end(process.read_paced(0)).await;
    let expected: String = (1..=100_000).map(|n| format!("{n}\n")).collect();
    assert!(
        text == expected,
        "{} bytes of {}",
        text.len(),
        expected.len()
    );
    assert!(exit.unwrap().success());
}

#[tokio::test]
async fn a_process_whose_reader_never_came_goes_on() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    let command = Command::shell("seq 1 500000");
    let process = world
        .engine
        .start_process(&id, command, no_options().paced())
        .await
        .unwrap();
    let again = ProcessSelector::Id(process.id().clone());
    drop(process);
    let process = world.engine.process(&id, &again).unwrap();
    assert!(process.wait().await.unwrap().success());
}

#[tokio::test]
async fn signals_reach_the_process_and_nothing_reaches_one_that_ended() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    let command = Command::shell("sleep 1000");
    let process = world
        .engine
        .start_process(&id, command, no_options())
        .await
        .unwrap();
    assert_eq!(process.status(), ProcessStatus::Running);
    process.signal(Signal::KILL).await.unwrap();
    let status = process.wait().await.unwrap();
    assert_eq!(status.exit, Exit::Signal(Signal::KILL));
    let error = process.signal(Signal::KILL).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("process"))
    );
}

#[tokio::test]
async fn a_process_is_found_again_after_a_restart_and_what_it_said_before_is_a_gap() {
    let world = World::new().await;
    let id = world.create(ephemeral(3600)).await;
    let command = Command::shell("echo before; read x; echo after $x").piped_stdin();
    let process = world
        .engine
        .start_process(&id, command, no_options())
        .await
        .unwrap();
    let mut reader = process.read(0);
    assert!(reader.next().await.is_some());
    let process_id = process.id().clone();
    drop((reader, process));
    let world = world.restart().await;
    let all = world.engine.processes(&id).unwrap();
    assert_eq!(all.len(), 1);
    let again = &all[0];
    assert_eq!(*again.id(), process_id);
    world.settle().await;
    again.write_stdin("all\n".into()).await.unwrap();
    let (text, exit) = to_the_end(again.read(0)).await;
    assert!(text.starts_with("<1.."), "{text}");
    assert!(text.ends_with("after all\n"), "{text}");
    assert!(exit.unwrap().success());
    // And once more, now that it has ended.
    let world = world.restart().await;
    let ended = world
        .engine
        .process(&id, &ProcessSelector::Id(process_id))
        .unwrap();
    assert!(ended.wait().await.unwrap().success());
    assert!(to_the_end(ended.read(0)).await.1.unwrap().success());
}

#[tokio::test]
async fn a_process_of_a_sandbox_found_paused_is_taken_up_when_it_runs_again() {
    let world = World::new().await;
    let id = world.create(ephemeral(3600)).await;
    let command = Command::shell("read x; echo got $x").piped_stdin();
    world
        .engine
        .start_process(&id, command, no_options())
        .await
        .unwrap();
    world.engine.pause(&id).await.unwrap();
    let world = world.restart().await;
    assert_eq!(world.state(&id).await, State::Paused);
    world.engine.resume(&id).await.unwrap();
    world.settle().await;
    let process = world.engine.processes(&id).unwrap().remove(0);
    process.write_stdin("it\n".into()).await.unwrap();
    assert!(to_the_end(process.read(0)).await.0.ends_with("got it\n"));
}

#[tokio::test]
async fn a_process_whose_sandbox_ends_is_lost_and_nobody_waits_for_ever() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    let command = Command::shell("sleep 1000");
    let process = world
        .engine
        .start_process(&id, command, no_options())
        .await
        .unwrap();
    let waiting = tokio::spawn({
        let process = process.clone();
        async move { process.wait().await }
    });
    world.engine.destroy(&id).await.unwrap();
    let status = waiting.await.unwrap().unwrap();
    assert!(!status.success());
    to_the_end(process.read(0)).await;
}

#[tokio::test]
async fn too_many_processes_are_refused_and_old_ones_are_forgotten() {
    let world = World::new().await;
    world.engine.shutdown().await;
    let mut config = EngineConfig::default();
    config.max_processes = 2;
    config.max_ended_processes = 1;
    let engine = builder(&world.clock, &world.daemon, &world.store)
        .config(config)
        .build()
        .await
        .unwrap();
    let record = engine.create(request(ephemeral(3600))).await.unwrap();
    let start = |line: &str| engine.start_process(record.id(), Command::shell(line), no_options());
    for _ in 0..5 {
        start("true").await.unwrap().wait().await.unwrap();
    }
    let lives = start("sleep 1000").await.unwrap();
    start("sleep 1000").await.unwrap();
    let error = start("true").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::LimitExceeded, Some("processes"))
    );
    assert_eq!(engine.processes(record.id()).unwrap().len(), 3);
    assert_eq!(lives.status(), ProcessStatus::Running);
}

#[tokio::test]
async fn a_process_that_nobody_reads_does_not_keep_its_sandbox_awake() {
    let world = World::new().await;
    let id = world.create(persistent(60)).await;
    let command = Command::shell("sleep 100000");
    let process = world
        .engine
        .start_process(&id, command, no_options())
        .await
        .unwrap();
    let reader = process.read(0);
    world.clock.advance(secs(60));
    world.settle().await;
    assert_eq!(world.state(&id).await, State::Running);
    drop(reader);
    world.clock.advance(secs(60));
    world.reaches(&id, State::Paused).await;
    assert_eq!(process.status(), ProcessStatus::Running);
}

#[tokio::test]
async fn a_bad_tag_and_a_missing_program_are_refused_by_name() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    let options = ProcessOptions::default().tag("x".repeat(129));
    let started = world
        .engine
        .start_process(&id, Command::shell("true"), options)
        .await;
    assert_eq!(started.unwrap_err().field(), Some("tag"));
    let missing = Command::argv(["/no/such"]);
    let started = world.engine.start_process(&id, missing, no_options()).await;
    assert_eq!(started.unwrap_err().field(), Some("command"));
    assert!(world.engine.processes(&id).unwrap().is_empty());
}
