//! Named cases.

use crate::Timestamp;
use crate::egress::{
    Destination, DomainName, EgressPolicy, EgressRules, Environment, LearnedAddresses, Protection,
    Protocol, Rule, ScopedPolicy,
};

fn to(text: &str, protocol: Protocol) -> Destination {
    Destination::address(text.parse().unwrap(), protocol)
}

fn tcp(text: &str) -> Destination {
    to(text, Protocol::Tcp(443))
}

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

#[test]
fn the_default_denies_everything() {
    let rules = EgressRules::default();
    for destination in [
        tcp("8.8.8.8"),
        tcp("127.0.0.1"),
        Destination::lookup("a.b").unwrap(),
    ] {
        assert!(!rules.decide(&destination).is_allowed(), "{destination}");
    }
}

#[test]
fn loopback_is_the_hosts_until_the_environment_says_otherwise() {
    let mut policy = ScopedPolicy::new(EgressRules::allow_all(), Environment::default());
    for text in ["127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::"] {
        assert!(!policy.decide(&tcp(text)).is_allowed(), "{text}");
    }
    policy.environment = Environment::namespace();
    assert!(policy.decide(&tcp("127.9.9.9")).is_allowed());
    assert!(policy.decide(&tcp("::1")).is_allowed());
    assert!(
        !policy.decide(&tcp("2002:7f00:1::")).is_allowed(),
        "a relay's loopback"
    );
}

#[test]
fn the_host_gateway_and_neighbours_are_denied_in_allow_all() {
    let net = |text: &str| vec![text.parse().unwrap()];
    let environment = Environment {
        own: vec!["172.17.0.5".parse().unwrap()],
        host: net("192.0.2.1/32"),
        gateway: net("172.17.0.1/32"),
        neighbours: net("172.17.0.0/16"),
        ..Environment::namespace()
    };
    let policy = ScopedPolicy::new(EgressRules::allow_all(), environment);
    let why = |text| match policy.decide(&tcp(text)).rule {
        Rule::Protected { why, .. } => Some(why),
        _ => None,
    };
    assert_eq!(why("192.0.2.1"), Some(Protection::Host));
    assert_eq!(why("172.17.0.1"), Some(Protection::Gateway));
    assert_eq!(why("172.17.0.9"), Some(Protection::Neighbour));
    assert_eq!(policy.decide(&tcp("172.17.0.5")).rule, Rule::OwnLoopback);
    assert_eq!(policy.decide(&tcp("203.0.113.1")).rule, Rule::AllowAll);
}

#[test]
fn spellings_that_translators_turn_into_ipv4_are_reserved() {
    let policy = ScopedPolicy::new(EgressRules::allow_all(), Environment::namespace());
    for text in [
        "::ffff:0:a9fe:a9fe",
        "::ffff:0:203.0.113.7",
        "::203.0.113.7",
    ] {
        let rule = policy.decide(&tcp(text)).rule;
        let reserved = matches!(
            rule,
            Rule::Protected {
                why: Protection::Reserved,
                ..
            }
        );
        assert!(reserved, "{text}: {rule:?}");
    }
}

#[test]
fn opening_lifts_the_protection_and_leaves_the_rules() {
    let environment = Environment {
        open: vec!["169.254.169.254/32".parse().unwrap()],
        ..Environment::namespace()
    };
    let decide = |rules| {
        ScopedPolicy::new(rules, environment.clone())
            .decide(&tcp("169.254.169.254"))
            .rule
    };
    assert_eq!(decide(EgressRules::allow_all()), Rule::AllowAll);
    assert_eq!(decide(EgressRules::deny_all()), Rule::DenyAll);
    let denying = EgressRules::allow_all()
        .deny_cidr("169.254.0.0/16")
        .unwrap();
    assert_eq!(decide(denying), Rule::DenyCidr { index: 0 });
}

#[test]
fn ports_narrow_to_tcp_and_leave_nothing_else() {
    let rules = EgressRules::deny_all()
        .allow_cidr("203.0.113.0/24")
        .unwrap()
        .allow_port(443)
        .unwrap();
    let decide = |protocol| rules.decide(&to("203.0.113.7", protocol)).rule;
    assert_eq!(decide(Protocol::Tcp(443)), Rule::AllowCidr { index: 0 });
    for protocol in [
        Protocol::Tcp(80),
        Protocol::Udp(443),
        Protocol::Icmp,
        Protocol::Other(47),
    ] {
        assert_eq!(decide(protocol), Rule::PortNotAllowed { index: 0 });
    }
}

#[test]
fn without_ports_every_protocol_goes_where_the_address_is_allowed() {
    let rules = EgressRules::deny_all().allow_cidr("203.0.113.7").unwrap();
    for protocol in [Protocol::Udp(53), Protocol::Icmp, Protocol::Other(47)] {
        assert!(rules.decide(&to("203.0.113.7", protocol)).is_allowed());
        assert!(!rules.decide(&to("203.0.113.8", protocol)).is_allowed());
    }
}

#[test]
fn an_ipv6_range_does_not_open_the_ipv4_addresses_spelled_inside_it() {
    let rules = EgressRules::deny_all().allow_cidr("::/0").unwrap();
    assert!(rules.decide(&tcp("2606:4700::1111")).is_allowed());
    for text in ["64:ff9b::8.8.8.8", "2002:808:808::1", "::ffff:8.8.8.8"] {
        assert!(!rules.decide(&tcp(text)).is_allowed(), "{text}");
    }
    let denying = EgressRules::allow_all().deny_cidr("::/0").unwrap();
    assert!(!denying.decide(&tcp("2002:808:808::1")).is_allowed());
}

#[test]
fn a_mapped_range_is_the_ipv4_range() {
    let rules = EgressRules::allow_all()
        .deny_cidr("::ffff:8.8.8.0/120")
        .unwrap();
    assert_eq!(rules.deny_cidrs()[0].to_string(), "8.8.8.0/24");
    assert!(!rules.decide(&tcp("8.8.8.8")).is_allowed());
}

fn domain_policy() -> ScopedPolicy {
    let rules = EgressRules::deny_all()
        .allow_domain("*.example.com")
        .unwrap();
    ScopedPolicy::new(rules, Environment::namespace())
}

#[test]
fn a_wildcard_covers_what_is_below_and_not_the_name_itself() {
    let policy = domain_policy();
    let allowed = |text| {
        policy
            .decide(&Destination::lookup(text).unwrap())
            .is_allowed()
    };
    assert!(allowed("a.example.com"));
    assert!(allowed("A.B.Example.COM."));
    assert!(!allowed("example.com"));
    assert!(!allowed("badexample.com"));
    assert!(!allowed("a.example.com.evil.net"));
}

#[test]
fn a_learned_address_is_allowed_until_it_expires() {
    let mut policy = domain_policy();
    let (environment, end) = (policy.environment.clone(), Timestamp::from_millis(1_000));
    let address = "203.0.113.7".parse().unwrap();
    policy
        .learned
        .learn(&environment, &name("a.example.com"), address, end)
        .unwrap();
    assert_eq!(
        policy.decide(&tcp("203.0.113.7")).rule,
        Rule::AllowDomain { index: 0 }
    );
    policy.learned.expire(Timestamp::from_millis(999));
    assert!(policy.decide(&tcp("203.0.113.7")).is_allowed());
    policy.learned.expire(end);
    assert!(!policy.decide(&tcp("203.0.113.7")).is_allowed());
}

#[test]
fn a_name_that_points_at_what_is_protected_or_private_opens_nothing() {
    let environment = Environment {
        gateway: vec!["198.51.100.1/32".parse().unwrap()],
        ..Environment::namespace()
    };
    let mut learned = LearnedAddresses::default();
    for text in [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "198.51.100.1",
        "127.0.0.1",
        "10.0.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "64:ff9b::10.0.0.1",
        "fd12::1",
        "fe80::1",
        "0.0.0.0",
        "255.255.255.255",
    ] {
        let answer = learned.learn(
            &environment,
            &name("evil.example.com"),
            text.parse().unwrap(),
            Timestamp::MAX,
        );
        assert!(answer.is_err(), "{text}");
    }
    assert_eq!(learned, LearnedAddresses::default());
}

#[test]
fn a_denied_range_stays_denied_when_a_name_points_there() {
    let mut policy = domain_policy();
    policy.rules = policy.rules.deny_cidr("203.0.113.0/24").unwrap();
    let (environment, address) = (policy.environment.clone(), "203.0.113.7".parse().unwrap());
    policy
        .learned
        .learn(
            &environment,
            &name("a.example.com"),
            address,
            Timestamp::MAX,
        )
        .unwrap();
    assert_eq!(
        policy.decide(&tcp("203.0.113.7")).rule,
        Rule::DenyCidr { index: 0 }
    );
}

#[test]
fn addresses_of_a_name_that_is_allowed_no_longer_are_forgotten() {
    let mut policy = domain_policy();
    let (environment, address) = (policy.environment.clone(), "203.0.113.7".parse().unwrap());
    policy
        .learned
        .learn(
            &environment,
            &name("a.example.com"),
            address,
            Timestamp::MAX,
        )
        .unwrap();
    let other = EgressRules::deny_all().allow_domain("other.net").unwrap();
    policy.rules = other.clone();
    assert!(!policy.decide(&tcp("203.0.113.7")).is_allowed());
    policy.learned.retain_allowed(&other, &environment);
    assert_eq!(policy.learned, LearnedAddresses::default());
}

#[test]
fn learned_addresses_are_bounded() {
    let mut learned = LearnedAddresses::default();
    let mut last = Ok(());
    for bits in 0..=u32::try_from(LearnedAddresses::MAX).unwrap() {
        let address = std::net::Ipv4Addr::from_bits(0x0800_0000 + bits);
        last = learned.learn(
            &Environment::namespace(),
            &name("a.b"),
            address.into(),
            Timestamp::MAX,
        );
    }
    assert_eq!(last.unwrap_err().kind(), crate::ErrorKind::LimitExceeded);
    assert_eq!(learned.iter().count(), LearnedAddresses::MAX);
}

#[test]
fn explanations_name_the_entry() {
    let rules = EgressRules::allow_all()
        .deny_cidr("198.51.100.0/24")
        .unwrap();
    let explanation = rules.explain(&tcp("198.51.100.9"));
    assert_eq!(
        explanation.to_string(),
        "198.51.100.9 tcp/443 is denied: deny_cidrs has 198.51.100.0/24"
    );
    assert_eq!(
        serde_json::to_value(&explanation).unwrap(),
        serde_json::json!({
            "destination": "198.51.100.9 tcp/443",
            "verdict": "deny",
            "rule": {"kind": "deny_cidr", "index": 0},
            "field": "egress.deny_cidrs[0]",
            "reason": "deny_cidrs has 198.51.100.0/24",
        })
    );
}
