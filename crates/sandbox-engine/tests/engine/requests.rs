//! What can be asked for, and what is refused before anything begins.

use std::sync::Arc;

use sandbox_core::egress::EgressRules;
use sandbox_core::{Capabilities, Command, ErrorKind, RuntimeName, SandboxExt, Template};
use sandbox_engine::process::ProcessSelector;
use sandbox_engine::{CreateRequest, Engine};
use sandbox_testkit::{Call, FakeDaemon, everything};

use crate::support::{World, ephemeral, request, source};

fn template(name: &str) -> Template {
    Template::new(name.parse().unwrap(), source())
}

async fn two_runtimes() -> (Engine, FakeDaemon, FakeDaemon) {
    let (one, two) = (FakeDaemon::new(), FakeDaemon::new());
    let mut in_two = template("in-two");
    in_two.runtime = Some(RuntimeName::new("two").unwrap());
    let engine = Engine::builder()
        .runtime("one", Arc::new(one.connect()))
        .runtime("two", Arc::new(two.connect()))
        .template(template("anywhere"))
        .template(in_two)
        .build()
        .await
        .unwrap();
    (engine, one, two)
}

#[tokio::test]
async fn the_runtime_is_the_requests_then_the_templates_then_the_default() {
    let (engine, one, two) = two_runtimes().await;
    let from = |name: &str| CreateRequest::from_template(name.parse().unwrap());
    engine.create(from("anywhere")).await.unwrap();
    assert_eq!((one.sandboxes().len(), two.sandboxes().len()), (1, 0));
    engine.create(from("in-two")).await.unwrap();
    assert_eq!((one.sandboxes().len(), two.sandboxes().len()), (1, 1));
    let chosen = from("in-two").runtime(RuntimeName::new("one").unwrap());
    engine.create(chosen).await.unwrap();
    assert_eq!((one.sandboxes().len(), two.sandboxes().len()), (2, 1));
    let unknown = from("in-two").runtime(RuntimeName::new("three").unwrap());
    let error = engine.create(unknown).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("runtime"))
    );
}

#[tokio::test]
async fn a_request_overrides_its_template_field_by_field() {
    let mut base = template("base");
    base.env.insert("A".into(), "template".into());
    base.env.insert("B".into(), "template".into());
    base.resources.pids = 77;
    let engine = Engine::builder()
        .runtime("fake", Arc::new(FakeDaemon::new().connect()))
        .template(base)
        .build()
        .await
        .unwrap();
    let mut request = CreateRequest::from_template("base".parse().unwrap())
        .env("B", "request")
        .egress(EgressRules::deny_all());
    request.resources.memory = Some(64 << 20);
    let record = engine.create(request).await.unwrap();
    assert_eq!(record.spec.env()["A"], "template");
    assert_eq!(record.spec.env()["B"], "request");
    assert_eq!(record.spec.resources().pids, 77);
    assert_eq!(record.spec.resources().memory, 64 << 20);
    assert_eq!(*record.egress, EgressRules::deny_all());
}

#[tokio::test]
async fn a_template_starts_its_command_and_a_command_that_cannot_start_fails_the_creation() {
    let world = World::new().await;
    let mut starts = request(ephemeral(60));
    starts.start = Some(Command::shell("echo started"));
    let record = world.engine.create(starts).await.unwrap();
    let selector = ProcessSelector::Tag("start".into());
    let process = world.engine.process(record.id(), &selector).unwrap();
    assert!(process.wait().await.unwrap().success());

    let mut fails = request(ephemeral(60));
    fails.start = Some(Command::argv(["/no/such/program"]));
    let error = world.engine.create(fails).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("command"))
    );
    world.settle().await;
    assert_eq!(world.daemon.sandboxes().len(), 1);
}

#[tokio::test]
async fn a_request_that_the_runtime_cannot_meet_is_refused_before_it_is_asked() {
    let mut can = everything();
    can.egress.domains = false;
    let daemon = FakeDaemon::with_capabilities(can);
    let engine = Engine::builder()
        .runtime("fake", Arc::new(daemon.connect()))
        .build()
        .await
        .unwrap();
    let rules = EgressRules::deny_all().allow_domain("example.com").unwrap();
    let error = engine
        .create(request(ephemeral(60)).egress(rules))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::Unsupported, Some("egress.allow_domains"))
    );
    assert_eq!(daemon.faults().count(Call::Create), 0);
    let page = engine.list(&Default::default()).await.unwrap();
    assert!(page.sandboxes.is_empty(), "nothing was begun");
}

#[tokio::test]
async fn pausing_where_the_runtime_cannot_is_unsupported_and_changes_nothing() {
    let mut can: Capabilities = everything();
    can.pause = false;
    let daemon = FakeDaemon::with_capabilities(can);
    let engine = Engine::builder()
        .runtime("fake", Arc::new(daemon.connect()))
        .build()
        .await
        .unwrap();
    let record = engine.create(request(ephemeral(60))).await.unwrap();
    let error = engine.pause(record.id()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let sandbox = engine.sandbox(record.id()).unwrap();
    sandbox.exec(Command::shell("true")).await.unwrap();
}

#[tokio::test]
async fn an_id_is_never_used_twice_not_even_after_its_sandbox_is_gone() {
    let world = World::new().await;
    let mut first = request(ephemeral(60));
    first.id = Some("mine".parse().unwrap());
    world.engine.create(first.clone()).await.unwrap();
    let error = world.engine.create(first.clone()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::Conflict, Some("id"))
    );
    world
        .engine
        .destroy(&"mine".parse().unwrap())
        .await
        .unwrap();
    let error = world.engine.create(first).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::Conflict, Some("id"))
    );
    assert!(world.daemon.sandboxes().is_empty());
}

#[tokio::test]
async fn a_request_without_template_and_source_names_the_field() {
    let world = World::new().await;
    let error = world
        .engine
        .create(CreateRequest::default())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::InvalidSpec, Some("template"))
    );
    let unknown = CreateRequest::from_template("nope".parse().unwrap());
    let error = world.engine.create(unknown).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("template"))
    );
}

#[tokio::test]
async fn two_runtimes_of_one_name_are_refused() {
    let daemon = FakeDaemon::new();
    let error = Engine::builder()
        .runtime("x", Arc::new(daemon.connect()))
        .runtime("x", Arc::new(daemon.connect()))
        .build()
        .await
        .unwrap_err();
    assert_eq!(error.field(), Some("runtime"));
}
