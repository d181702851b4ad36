//! A policy, a denial, and why: what a sandbox may connect to.
//!
//! `cargo run --example egress` needs no daemon: the decision is a pure function, and every runtime
//! enforces exactly it.

#![expect(clippy::print_stdout, reason = "it talks to a person")]

use sandbox::egress::{Destination, EgressPolicy, EgressRules, Environment, ScopedPolicy};

fn main() -> sandbox::Result<()> {
    let rules = EgressRules::deny_all()
        .allow_cidr("203.0.113.0/24")?
        .allow_port(443)?
        .deny_cidr("203.0.113.66")?
        .allow_domain("*.example.com")?;
    // What the operator's machine adds: addresses that are denied in every mode.
    let policy = ScopedPolicy::new(rules, Environment::namespace());

    let questions = [
        (
            "https to an allowed network",
            Destination::tcp(([203, 0, 113, 7], 443)),
        ),
        (
            "another port there",
            Destination::tcp(([203, 0, 113, 7], 22)),
        ),
        (
            "a denied address in it",
            Destination::tcp(([203, 0, 113, 66], 443)),
        ),
        ("anywhere else", Destination::udp(([198, 51, 100, 1], 53))),
        (
            "the metadata service",
            Destination::tcp(([169, 254, 169, 254], 80)),
        ),
        ("a lookup", Destination::lookup("api.example.com")?),
        ("another lookup", Destination::lookup("example.org")?),
    ];
    for (what, destination) in questions {
        println!("{what}: {}", policy.explain(&destination));
    }

    // What cannot be meant is refused, naming the field.
    let refused = EgressRules::allow_all()
        .allow_cidr("203.0.113.0/33")
        .unwrap_err();
    println!("refused: {refused}");
    Ok(())
}
