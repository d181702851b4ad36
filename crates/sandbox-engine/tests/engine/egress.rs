//! Replacing and explaining what a sandbox may connect to.

use sandbox_core::ErrorKind;
use sandbox_core::egress::{Destination, EgressRules, Environment};
use sandbox_core::lifecycle::State;
use sandbox_testkit::{Call, Fault, When};

use crate::support::{World, builder, ephemeral, request};

fn rules() -> EgressRules {
    EgressRules::deny_all()
        .allow_cidr("203.0.113.0/24")
        .unwrap()
}

#[tokio::test]
async fn new_rules_are_in_force_and_on_record_when_the_call_returns() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    let record = world.engine.set_egress(&id, rules()).await.unwrap();
    assert_eq!(*record.egress, rules());
    assert_eq!(world.daemon.sandboxes()[&id].egress, rules());
    let allowed = Destination::tcp(([203, 0, 113, 7], 443));
    let explained = world.engine.explain_egress(&id, &allowed).await.unwrap();
    assert!(explained.decision.is_allowed(), "{explained}");
    let denied = Destination::tcp(([198, 51, 100, 7], 443));
    let explained = world.engine.explain_egress(&id, &denied).await.unwrap();
    assert!(!explained.decision.is_allowed(), "{explained}");
}

#[tokio::test]
async fn rules_that_could_not_be_put_in_force_are_not_on_record() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    let fault = Fault::fail(Call::SetEgress, When::Before, ErrorKind::Unavailable);
    world.daemon.faults().inject(fault);
    let error = world.engine.set_egress(&id, rules()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let record = world.engine.get(&id).await.unwrap();
    assert_eq!(*record.egress, EgressRules::deny_all());
}

#[tokio::test]
async fn a_paused_sandbox_takes_new_rules_and_stays_paused() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    world.engine.pause(&id).await.unwrap();
    world.engine.set_egress(&id, rules()).await.unwrap();
    assert_eq!(world.daemon.sandboxes()[&id].egress, rules());
    assert_eq!(world.state(&id).await, State::Paused);
}

#[tokio::test]
async fn destroy_does_not_wait_for_rules_that_take_long() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    world
        .daemon
        .faults()
        .inject(Fault::hang(Call::SetEgress, When::Before));
    let engine = world.engine.clone();
    let setting = tokio::spawn({
        let id = id.clone();
        async move { engine.set_egress(&id, rules()).await }
    });
    world.daemon.faults().wait_for_hanging(1).await;
    world.engine.destroy(&id).await.unwrap();
    assert_eq!(
        setting.await.unwrap().unwrap_err().kind(),
        ErrorKind::Conflict
    );
    assert!(world.daemon.sandboxes().is_empty());
}

#[tokio::test]
async fn rules_asked_for_while_it_is_being_made_are_in_force_afterwards() {
    let world = World::new().await;
    world
        .daemon
        .faults()
        .inject(Fault::hang(Call::Create, When::After));
    let record = world
        .engine
        .create_detached(request(ephemeral(60)))
        .await
        .unwrap();
    world.daemon.faults().wait_for_hanging(1).await;
    let id = record.id().clone();
    let engine = world.engine.clone();
    let setting = tokio::spawn(async move { engine.set_egress(&id, rules()).await });
    world.settle().await;
    world.daemon.faults().release();
    setting.await.unwrap().unwrap();
    assert_eq!(world.daemon.sandboxes()[record.id()].egress, rules());
}

#[tokio::test]
async fn rules_for_what_is_gone_are_not_found() {
    let world = World::new().await;
    let id = world.create(ephemeral(60)).await;
    world.engine.destroy(&id).await.unwrap();
    let error = world.engine.set_egress(&id, rules()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn what_surrounds_a_sandbox_is_explained_whatever_its_rules_say() {
    let world = World::new().await;
    let environment = Environment {
        host: vec!["203.0.113.1/32".parse().unwrap()],
        neighbours: vec!["172.17.0.0/16".parse().unwrap()],
        ..Environment::namespace()
    };
    let engine = builder(&world.clock, &world.daemon, &world.store)
        .environment("fake", environment)
        .build()
        .await
        .unwrap();
    let open = request(ephemeral(60)).egress(EgressRules::allow_all());
    let record = engine.create(open).await.unwrap();
    for (address, allowed, why) in [
        ([203, 0, 113, 1], false, "the host"),
        ([172, 17, 0, 9], false, "neighbouring"),
        ([169, 254, 169, 254], false, "link-local"),
        ([127, 0, 0, 1], true, "the sandbox itself"),
        ([203, 0, 113, 2], true, "allow_all"),
    ] {
        let to = Destination::tcp((address, 80));
        let explained = engine.explain_egress(record.id(), &to).await.unwrap();
        assert_eq!(explained.decision.is_allowed(), allowed, "{explained}");
        assert!(explained.reason.contains(why), "{explained}");
    }
}

#[tokio::test]
async fn an_environment_of_no_runtime_is_refused() {
    let world = World::new().await;
    let built = builder(&world.clock, &world.daemon, &world.store)
        .environment("other", Environment::default())
        .build()
        .await;
    assert_eq!(built.unwrap_err().field(), Some("runtime"));
}
