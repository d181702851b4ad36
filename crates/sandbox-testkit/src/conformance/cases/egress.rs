//! What a sandbox may reach, found out by reaching for it.

use std::time::Duration;

use futures_util::StreamExt;
use sandbox_core::egress::{EgressMode, EgressRules};
use sandbox_core::{OutputStream, ProcessEvent, Result, Sandbox, User};

use super::read_until;
use crate::conformance::trial::{Trial, socket};
use crate::conformance::{LAB_GREETING, LabHost, NetworkLab, Probe};

/// TCP to both ports, UDP and ICMP, at both addresses.
fn everything(host: LabHost) -> Vec<Probe> {
    [host.v4.into(), host.v6.into()]
        .into_iter()
        .flat_map(|address: std::net::IpAddr| {
            [
                Probe::Tcp(socket(address, host.tcp)),
                Probe::Tcp(socket(address, host.other_tcp)),
                Probe::Udp(socket(address, 53)),
                Probe::Icmp(address),
            ]
        })
        .collect()
}

async fn reaches(lab: &dyn NetworkLab, from: &dyn Sandbox, probes: &[Probe]) -> Result<()> {
    for probe in probes {
        assert!(
            lab.reaches(from, probe).await?,
            "{probe:?} does not get through"
        );
    }
    Ok(())
}

async fn misses(lab: &dyn NetworkLab, from: &dyn Sandbox, probes: &[Probe]) -> Result<()> {
    for probe in probes {
        assert!(!lab.reaches(from, probe).await?, "{probe:?} gets through");
    }
    Ok(())
}

fn names(lab: &dyn NetworkLab) -> [Probe; 2] {
    [
        Probe::Lookup(lab.near_name()),
        Probe::Lookup(lab.far_name()),
    ]
}

pub(in crate::conformance) async fn deny_all_reaches_nothing(t: &Trial) -> Result<()> {
    let lab = t.lab().await;
    let sandbox = t.create(t.spec().egress(EgressRules::deny_all())).await?;
    let from = sandbox.as_ref();
    misses(&*lab, from, &everything(lab.near())).await?;
    misses(&*lab, from, &names(&*lab)).await
}

pub(in crate::conformance) async fn nothing_is_reached_unless_a_policy_says_so(
    t: &Trial,
) -> Result<()> {
    let spec = t.build(t.spec());
    assert_eq!(
        spec.egress().mode(),
        EgressMode::DenyAll,
        "the default denies"
    );
    let sandbox = t.runtime.create(&spec).await?;
    t.keep(&sandbox);
    let lab = t.lab().await;
    let near = lab.near();
    let probes = [
        Probe::Tcp(socket(near.v4, near.tcp)),
        Probe::Icmp(near.v4.into()),
    ];
    misses(&*lab, sandbox.as_ref(), &probes).await
}

pub(in crate::conformance) async fn allow_all_reaches_every_host(t: &Trial) -> Result<()> {
    let lab = t.lab().await;
    let sandbox = t.create(t.spec().egress(EgressRules::allow_all())).await?;
    let from = sandbox.as_ref();
    reaches(&*lab, from, &everything(lab.near())).await?;
    reaches(&*lab, from, &everything(lab.far())).await?;
    reaches(&*lab, from, &names(&*lab)).await
}

pub(in crate::conformance) async fn the_host_and_metadata_are_never_reached(
    t: &Trial,
) -> Result<()> {
    let lab = t.lab().await;
    let forbidden: Vec<Probe> = lab.forbidden().into_iter().map(Probe::Tcp).collect();
    assert!(
        forbidden.len() >= 2,
        "the lab offers too little to be kept from"
    );
    let sandbox = t.create(t.spec().egress(EgressRules::allow_all())).await?;
    misses(&*lab, sandbox.as_ref(), &forbidden).await
}

pub(in crate::conformance) async fn an_allowed_range_does_not_open_the_host(
    t: &Trial,
) -> Result<()> {
    let lab = t.lab().await;
    let mut rules = EgressRules::deny_all();
    for address in lab.forbidden() {
        rules = rules.allow_cidr(&address.ip().to_string())?;
    }
    let rules = rules.allow_cidr("0.0.0.0/0")?.allow_cidr("::/0")?;
    let forbidden: Vec<Probe> = lab.forbidden().into_iter().map(Probe::Tcp).collect();
    let sandbox = t.create(t.spec().egress(rules)).await?;
    misses(&*lab, sandbox.as_ref(), &forbidden).await
}

pub(in crate::conformance) async fn a_denied_range_is_denied_in_allow_all(t: &Trial) -> Result<()> {
    let lab = t.lab().await;
    let far = lab.far();
    let rules = EgressRules::allow_all()
        .deny_cidr(&far.v4.to_string())?
        .deny_cidr(&far.v6.to_string())?;
    let sandbox = t.create(t.spec().egress(rules)).await?;
    misses(&*lab, sandbox.as_ref(), &everything(far)).await?;
    reaches(&*lab, sandbox.as_ref(), &everything(lab.near())).await
}

pub(in crate::conformance) async fn an_allowed_range_is_all_that_is_reached(
    t: &Trial,
) -> Result<()> {
    let lab = t.lab().await;
    let near = lab.near();
    let rules = EgressRules::deny_all()
        .allow_cidr(&format!("{}/16", near.v4))?
        .allow_cidr(&near.v6.to_string())?;
    let sandbox = t.create(t.spec().egress(rules)).await?;
    reaches(&*lab, sandbox.as_ref(), &everything(near)).await?;
    misses(&*lab, sandbox.as_ref(), &everything(lab.far())).await?;
    misses(&*lab, sandbox.as_ref(), &names(&*lab)).await
}

pub(in crate::conformance) async fn one_family_does_not_open_the_other(t: &Trial) -> Result<()> {
    let lab = t.lab().await;
    let near = lab.near();
    let rules = EgressRules::deny_all().allow_cidr(&near.v4.to_string())?;
    let sandbox = t.create(t.spec().egress(rules)).await?;
    let probes = [Probe::Tcp(socket(near.v4, near.tcp))];
    reaches(&*lab, sandbox.as_ref(), &probes).await?;
    let probes = [
        Probe::Tcp(socket(near.v6, near.tcp)),
        Probe::Icmp(near.v6.into()),
    ];
    misses(&*lab, sandbox.as_ref(), &probes).await
}

pub(in crate::conformance) async fn a_denied_range_wins_over_an_allowed_one(
    t: &Trial,
) -> Result<()> {
    let lab = t.lab().await;
    let near = lab.near();
    let rules = EgressRules::deny_all()
        .allow_cidr("0.0.0.0/0")?
        .allow_cidr("::/0")?
        .deny_cidr(&near.v4.to_string())?
        .deny_cidr(&near.v6.to_string())?;
    let sandbox = t.create(t.spec().egress(rules)).await?;
    misses(&*lab, sandbox.as_ref(), &everything(near)).await?;
    reaches(&*lab, sandbox.as_ref(), &everything(lab.far())).await
}

pub(in crate::conformance) async fn allowed_ports_narrow_allowed_ranges(t: &Trial) -> Result<()> {
    let lab = t.lab().await;
    let near = lab.near();
    let rules = EgressRules::deny_all()
        .allow_cidr(&near.v4.to_string())?
        .allow_cidr(&near.v6.to_string())?
        .allow_port(near.tcp)?;
    let sandbox = t.create(t.spec().egress(rules)).await?;
    let (open, closed): (Vec<Probe>, Vec<Probe>) = everything(near)
        .into_iter()
        .partition(|probe| matches!(probe, Probe::Tcp(to) if to.port() == near.tcp));
    reaches(&*lab, sandbox.as_ref(), &open).await?;
    misses(&*lab, sandbox.as_ref(), &closed).await?;
    let far = lab.far();
    let elsewhere = [
        Probe::Tcp(socket(far.v4, near.tcp)),
        Probe::Tcp(socket(far.v4, far.tcp)),
    ];
    misses(&*lab, sandbox.as_ref(), &elsewhere).await
}

pub(in crate::conformance) async fn an_allowed_name_opens_its_addresses(t: &Trial) -> Result<()> {
    let lab = t.lab().await;
    let (near, far) = (lab.near(), lab.far());
    let rules = EgressRules::deny_all().allow_domain(&lab.near_name())?;
    let sandbox = t.create(t.spec().egress(rules)).await?;
    let from = sandbox.as_ref();
    let to_near = [Probe::Tcp(socket(near.v4, near.tcp))];
    misses(&*lab, from, &to_near).await?;
    reaches(&*lab, from, &[Probe::Lookup(lab.near_name())]).await?;
    reaches(&*lab, from, &to_near).await?;
    misses(&*lab, from, &[Probe::Lookup(lab.far_name())]).await?;
    misses(&*lab, from, &[Probe::Tcp(socket(far.v4, far.tcp))]).await
}

pub(in crate::conformance) async fn a_wildcard_covers_what_is_below_it(t: &Trial) -> Result<()> {
    let lab = t.lab().await;
    let name = lab.near_name();
    let (_, parent) = name.split_once('.').expect("the lab's names have a parent");
    let rules = EgressRules::deny_all().allow_domain(&format!("*.{parent}"))?;
    let sandbox = t.create(t.spec().egress(rules)).await?;
    reaches(&*lab, sandbox.as_ref(), &[Probe::Lookup(name.clone())]).await?;
    let other = Probe::Lookup(lab.far_name());
    misses(&*lab, sandbox.as_ref(), &[other]).await
}

pub(in crate::conformance) async fn a_new_policy_cuts_what_it_no_longer_allows(
    t: &Trial,
) -> Result<()> {
    let lab = t.lab().await;
    let near = lab.near();
    let sandbox = t.create(t.spec().egress(EgressRules::allow_all())).await?;
    let flow = sandbox
        .spawn(lab.follow(socket(near.v4, near.ticks)))
        .await?;
    let mut events = flow.events().expect("the first call gets the stream");
    read_until(t, &mut events, "\n").await?;
    sandbox.set_egress(&EgressRules::deny_all()).await?;
    // What was on its way may still arrive, and then nothing for long.
    let silence = async {
        let pause = Duration::from_secs(2);
        while let Ok(Some(_)) = tokio::time::timeout(pause, events.next()).await {}
    };
    t.soon("the open connection is cut", silence).await;
    misses(&*lab, sandbox.as_ref(), &everything(near)).await
}

pub(in crate::conformance) async fn a_new_policy_opens_what_it_allows(t: &Trial) -> Result<()> {
    let lab = t.lab().await;
    let (near, far) = (lab.near(), lab.far());
    let sandbox = t.create(t.spec().egress(EgressRules::deny_all())).await?;
    let from = sandbox.as_ref();
    let to_near = [Probe::Tcp(socket(near.v4, near.tcp))];
    misses(&*lab, from, &to_near).await?;
    let rules = EgressRules::deny_all().allow_cidr(&near.v4.to_string())?;
    sandbox.set_egress(&rules).await?;
    reaches(&*lab, from, &to_near).await?;
    misses(&*lab, from, &[Probe::Tcp(socket(far.v4, far.tcp))]).await?;
    assert_eq!(t.out(&sandbox, "echo on").await?, "on\n");
    Ok(())
}

pub(in crate::conformance) async fn a_policy_holds_for_every_user(t: &Trial) -> Result<()> {
    let lab = t.lab().await;
    let near = lab.near();
    for (rules, expected) in [
        (EgressRules::allow_all(), LAB_GREETING),
        (EgressRules::deny_all(), ""),
    ] {
        let sandbox = t.create(t.spec().egress(rules)).await?;
        let command = lab.follow(socket(near.v4, near.tcp));
        let process = sandbox.spawn(command.user(User::new("nobody")?)).await?;
        let mut events = process.events().expect("the first call gets the stream");
        let mut printed = Vec::new();
        let listening = async {
            while let Some(event) = events.next().await {
                if let ProcessEvent::Output(OutputStream::Stdout, data) = event? {
                    printed.extend_from_slice(&data);
                }
            }
            Ok::<_, sandbox_core::Error>(())
        };
        // A connection that is dropped, not refused, hangs.
        if let Ok(ended) = tokio::time::timeout(Duration::from_secs(5), listening).await {
            ended?;
        }
        assert_eq!(String::from_utf8_lossy(&printed), expected);
    }
    Ok(())
}
