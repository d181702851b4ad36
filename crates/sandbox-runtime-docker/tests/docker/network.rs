//! The pod's network: policies from the first moment, closed when the holder is gone.

use std::net::IpAddr;
use std::time::Duration;

use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::query_parameters::{InspectContainerOptions, KillContainerOptions};
use futures_util::StreamExt;
use sandbox_core::egress::EgressRules;
use sandbox_core::{
    Command, ErrorKind, RecoveredState, Runtime, RuntimeEvent, Sandbox, SandboxExt,
};
use sandbox_runtime_docker::{AgentMode, DockerConfig};

use crate::lab::{Lab, spec};
use crate::support::{Network, client};
use sandbox_testkit::netlab::{GREETING, NetLab, TCP};

fn in_lab(net: &NetLab, network: &Network) -> impl FnOnce(&mut DockerConfig) {
    let (resolver, name) = (net.addresses.resolver().into(), network.name.clone());
    move |config| {
        config.dns = vec![resolver];
        config.network = name;
    }
}

async fn reaches(sandbox: &dyn Sandbox, address: IpAddr, port: u16) -> bool {
    let (address, port) = (address.to_string(), port.to_string());
    let command = Command::argv(["nc", "-w", "2", &address, &port]);
    sandbox.exec(command).await.unwrap().stdout == GREETING
}

/// What a shell in a container says, whatever the runtime thinks of the container.
async fn said_inside(container: &str, line: &str) -> String {
    let client = client();
    let options = CreateExecOptions {
        attach_stdout: Some(true),
        cmd: Some(vec!["sh", "-c", line]),
        ..CreateExecOptions::default()
    };
    let exec = client.create_exec(container, options).await.unwrap().id;
    let started = client.start_exec(&exec, None::<StartExecOptions>).await;
    let StartExecResults::Attached { mut output, .. } = started.unwrap() else {
        panic!("it was asked to attach");
    };
    let mut said = Vec::new();
    while let Some(chunk) = output.next().await {
        said.extend_from_slice(&chunk.unwrap().into_bytes());
    }
    String::from_utf8(said).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker daemon"]
async fn policies_hold_for_addresses_names_and_the_machine_itself() {
    let net = NetLab::new();
    let network = Network::new(net.addresses).await;
    net.plug_into(&network.bridge);
    let lab = Lab::with(in_lab(&net, &network)).await;
    let open = spec().egress(EgressRules::allow_all()).build().unwrap();
    let open = lab.runtime.create(&open).await.unwrap();
    let at = net.addresses;
    for address in [
        IpAddr::from(at.near()),
        at.far().into(),
        at.near_v6().into(),
    ] {
        assert!(reaches(&*open, address, TCP).await, "{address}");
    }
    for forbidden in net.forbidden() {
        assert!(
            !reaches(&*open, forbidden.ip(), forbidden.port()).await,
            "{forbidden}"
        );
    }
    let looked_up = open
        .exec(Command::argv(["nslookup", "near.lab.test"]))
        .await
        .unwrap();
    assert!(
        looked_up.stdout_lossy().contains(&at.near().to_string()),
        "{looked_up:?}"
    );
    let closed = lab.sandbox().await;
    closed.set_egress(&EgressRules::deny_all()).await.unwrap();
    assert!(!reaches(&*closed, at.near().into(), TCP).await);
    let named = EgressRules::deny_all()
        .allow_domain("far.lab.test")
        .unwrap();
    closed.set_egress(&named).await.unwrap();
    assert!(!reaches(&*closed, at.far().into(), TCP).await);
    let far = closed
        .exec(Command::shell(format!("nc -w 2 far.lab.test {TCP}")))
        .await
        .unwrap();
    assert_eq!(far.stdout_lossy(), GREETING, "{far:?}");
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker daemon"]
async fn neighbours_and_gateways_are_out_of_reach_in_every_mode() {
    let net = NetLab::new();
    let network = Network::new(net.addresses).await;
    net.plug_into(&network.bridge);
    let lab = Lab::with(in_lab(&net, &network)).await;
    let open = |spec: sandbox_core::SandboxSpecBuilder| {
        spec.egress(EgressRules::allow_all()).build().unwrap()
    };
    let one = lab.runtime.create(&open(spec())).await.unwrap();
    let two = lab.runtime.create(&open(spec())).await.unwrap();
    let server = two
        .spawn(Command::shell("while :; do echo lab | nc -l -p 7001; done"))
        .await
        .unwrap();
    let holder = format!("sandbox-{}-{}.holder", lab.config.namespace, two.id());
    let inspected = client()
        .inspect_container(&holder, None::<InspectContainerOptions>)
        .await
        .unwrap();
    let ends = inspected.network_settings.unwrap().networks.unwrap();
    let end = ends.into_values().next().unwrap();
    let address: IpAddr = end.ip_address.unwrap().parse().unwrap();
    let gateway: IpAddr = end.gateway.unwrap().parse().unwrap();
    assert!(!reaches(&*one, address, 7001).await);
    assert!(!reaches(&*one, gateway, net.host_port).await);
    drop(server);
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker daemon"]
async fn a_holder_that_dies_leaves_its_sandbox_without_a_way_out() {
    for agent in [AgentMode::Auto, AgentMode::Never] {
        let net = NetLab::new();
        let network = Network::new(net.addresses).await;
        net.plug_into(&network.bridge);
        let in_lab = in_lab(&net, &network);
        let lab = Lab::with(|config| {
            in_lab(config);
            config.agent = agent;
        })
        .await;
        let only_far = EgressRules::deny_all()
            .allow_cidr(&format!("{}/32", net.addresses.far()))
            .unwrap();
        let mut events = lab.runtime.events();
        let made = spec().egress(only_far).build().unwrap();
        let sandbox = lab.runtime.create(&made).await.unwrap();
        assert!(reaches(&*sandbox, net.addresses.far().into(), TCP).await);
        let holder = format!("sandbox-{}-{}.holder", lab.config.namespace, sandbox.id());
        client()
            .kill_container(&holder, None::<KillContainerOptions>)
            .await
            .unwrap();
        let exited = tokio::time::timeout(Duration::from_secs(20), events.next()).await;
        let id = sandbox.id().clone();
        assert_eq!(exited.unwrap(), Some(RuntimeEvent::Exited(id)));
        let open = sandbox.set_egress(&EgressRules::allow_all()).await;
        let exec = sandbox.exec(Command::shell("true")).await;
        for error in [open.unwrap_err(), exec.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
        }
        // What still runs inside reaches nobody.
        let name = format!("sandbox-{}-{}", lab.config.namespace, sandbox.id());
        assert_eq!(said_inside(&name, "echo lab").await, GREETING);
        for address in [net.addresses.near(), net.addresses.far()] {
            let said = said_inside(&name, &format!("nc -w 2 {address} {TCP}")).await;
            assert_eq!(said, "", "{address}");
        }
        let found = lab.runtime.recover().await.unwrap();
        assert_eq!(found[0].state, RecoveredState::Broken);
        sandbox.destroy().await.unwrap();
        lab.close().await;
    }
}

/// Waits for refusals in `sandbox` to be reported, `count` in all.
async fn expect_denied(
    events: &mut sandbox_core::BoxStream<RuntimeEvent>,
    sandbox: &dyn Sandbox,
    count: u64,
) {
    let mut reported = 0;
    let heard = async {
        while reported < count {
            match events.next().await {
                Some(RuntimeEvent::EgressDenied { id, count }) if id == *sandbox.id() => {
                    reported += count;
                }
                Some(RuntimeEvent::EgressDenied { .. }) => panic!("another was refused nothing"),
                Some(_) => {}
                None => panic!("the events ended"),
            }
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(30), heard).await;
    assert!(
        in_time.is_ok() && reported == count,
        "{reported} of {count}"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker daemon"]
async fn what_a_policy_refuses_is_reported_by_every_runtime_that_uses_the_sandbox() {
    let lab = Lab::new(AgentMode::Auto).await;
    let mut events = lab.runtime.events();
    let closed = spec().egress(EgressRules::deny_all()).build().unwrap();
    let quiet = lab.runtime.create(&closed).await.unwrap();
    let sandbox = lab.sandbox().await;
    sandbox.set_egress(&EgressRules::deny_all()).await.unwrap();
    let refused: IpAddr = "198.51.100.1".parse().unwrap();
    for _ in 0..3 {
        assert!(!reaches(&*sandbox, refused, 80).await);
    }
    expect_denied(&mut events, &*sandbox, 3).await;
    // One that finds it later reports what comes later.
    let other = sandbox_runtime_docker::DockerRuntime::connect(lab.config.clone());
    let other = other.await.unwrap();
    let mut others = other.events();
    let found = other.recover().await.unwrap();
    let mut found = found.into_iter().map(|one| one.sandbox);
    let again = found.find(|one| one.id() == sandbox.id()).unwrap();
    // It looks at where the count stands, which takes no time that can be waited for.
    let mut heard = 0;
    for _ in 0..60 {
        assert!(!reaches(&*again, refused, 80).await);
        heard += 1;
        let event = tokio::time::timeout(Duration::from_millis(500), others.next()).await;
        if let Ok(Some(RuntimeEvent::EgressDenied { id, count })) = event {
            assert_eq!(id, *sandbox.id());
            assert!((1..=heard).contains(&count), "{count} of {heard}");
            expect_denied(&mut events, &*sandbox, heard).await;
            sandbox.destroy().await.unwrap();
            quiet.destroy().await.unwrap();
            lab.close().await;
            return;
        }
    }
    panic!("the runtime that came later reports nothing");
}
