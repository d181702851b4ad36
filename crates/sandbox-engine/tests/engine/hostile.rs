//! Runtimes that misbehave, callers that race, and a store that is full.

use sandbox_core::Command;
use sandbox_engine::process::{OutputItem, ProcessOptions};
use sandbox_testkit::{Call, Fault, When};

use crate::support::{World, ephemeral};

#[tokio::test]
async fn a_process_is_taken_up_once_however_often_the_runtime_comes_back() {
    let world = World::new().await;
    let id = world.create(ephemeral(3600)).await;
    let command = Command::shell("read x; echo got $x").piped_stdin();
    let started = world
        .engine
        .start_process(&id, command, ProcessOptions::default());
    started.await.unwrap();
    let faults = world.daemon.faults().clone();
    faults.inject(Fault::hang(Call::Attach, When::Before).always());
    let world = world.restart().await;
    faults.wait_for_hanging(1).await;
    world.daemon.come_back();
    world.settle().await;
    faults.clear();
    faults.release();
    world.settle().await;
    assert_eq!(faults.count(Call::Attach), 1);
    let process = world.engine.processes(&id).unwrap().remove(0);
    process.write_stdin("it\n".into()).await.unwrap();
    let mut reader = process.read(0);
    let mut said = String::new();
    while let Some(item) = reader.next().await {
        if let OutputItem::Output(chunk) = item {
            said.push_str(std::str::from_utf8(&chunk.data).unwrap());
        }
    }
    assert_eq!(said, "got it\n");
}
