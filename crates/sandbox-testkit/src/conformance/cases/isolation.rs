//! Two sandboxes that know nothing of each other.

use sandbox_core::egress::EgressRules;
use sandbox_core::{Command, ErrorKind, Result, SandboxExt, Signal};

use crate::conformance::Probe;
use crate::conformance::trial::{Trial, refused, socket};

pub(in crate::conformance) async fn files_are_not_shared(t: &Trial) -> Result<()> {
    let (one, two) = (t.sandbox().await?, t.sandbox().await?);
    let file = t.path("mine");
    one.write_all(&file, "one".into()).await?;
    t.out(&one, "echo changed >> /etc/passwd").await?;
    assert!(!two.exists(&file).await?);
    let passwd = t.out(&two, "cat /etc/passwd").await?;
    assert!(!passwd.contains("changed"), "the image is shared");
    two.write_all(&file, "two".into()).await?;
    assert_eq!(one.read_to_string(&file).await?, "one");
    let third = t.sandbox().await?;
    assert!(!third.exists(&file).await?, "a new sandbox starts clean");
    Ok(())
}

pub(in crate::conformance) async fn processes_are_not_shared(t: &Trial) -> Result<()> {
    let (one, two) = (t.sandbox().await?, t.sandbox().await?);
    let process = one.spawn(Command::argv(["sleep", "599.5"])).await?;
    let listed = two.processes().await?;
    let seen = listed
        .iter()
        .any(|info| info.argv.iter().any(|a| a == "599.5"));
    assert!(!seen, "{listed:?}");
    for pid in (2..200).chain([process.pid()]) {
        // Most do not exist; none may be the other sandbox's.
        match two.signal(pid, Signal::KILL).await {
            Ok(()) => {}
            Err(error) => assert!(
                matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::PermissionDenied
                ),
                "{error}"
            ),
        }
    }
    let listed = one.processes().await?;
    assert!(
        listed.iter().any(|info| info.pid == process.pid()),
        "it was killed"
    );
    Ok(())
}

pub(in crate::conformance) async fn destroying_one_leaves_the_other(t: &Trial) -> Result<()> {
    let (one, two) = (t.sandbox().await?, t.sandbox().await?);
    let process = two.spawn(Command::shell("sleep 2; exit 7")).await?;
    one.destroy().await?;
    let status = t.soon("the other goes on", process.wait()).await?;
    assert_eq!(status.shell_code(), 7);
    assert_eq!(t.out(&two, "echo on").await?, "on\n");
    Ok(())
}

pub(in crate::conformance) async fn variables_are_not_shared(t: &Trial) -> Result<()> {
    let one = t.create(t.spec().env("SECRET", "one")).await?;
    let two = t.sandbox().await?;
    assert_eq!(t.out(&one, "echo $SECRET").await?, "one\n");
    assert!(!t.out(&two, "env").await?.contains("SECRET"));
    Ok(())
}

pub(in crate::conformance) async fn sandboxes_do_not_reach_each_other(t: &Trial) -> Result<()> {
    let lab = t.lab().await;
    let one = t.create(t.spec().egress(EgressRules::allow_all())).await?;
    let two = t.create(t.spec().egress(EgressRules::allow_all())).await?;
    one.spawn(lab.greeter(7171)).await?;
    let addresses = lab.addresses(one.as_ref()).await?;
    for address in addresses {
        let probe = Probe::Tcp(socket(address, 7171));
        assert!(!lab.reaches(two.as_ref(), &probe).await?, "{probe:?}");
        let probe = Probe::Icmp(address);
        assert!(!lab.reaches(two.as_ref(), &probe).await?, "{probe:?}");
    }
    let loopback = Probe::Tcp(socket([127, 0, 0, 1], 7171));
    assert!(
        !lab.reaches(two.as_ref(), &loopback).await?,
        "loopback is shared"
    );
    t.until("the listener is reached from its own sandbox", async || {
        lab.reaches(one.as_ref(), &loopback).await
    })
    .await
}

pub(in crate::conformance) async fn a_dead_sandboxs_processes_cannot_be_signalled(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let process = sandbox.spawn(Command::shell("sleep 600")).await?;
    sandbox.destroy().await?;
    let signalled = sandbox.signal(process.pid(), Signal::KILL).await;
    refused(signalled, ErrorKind::NotFound, None);
    Ok(())
}
