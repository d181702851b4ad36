//! What holds for every policy and destination.

use proptest::prelude::*;

use crate::egress::strategies::{address, net, policy, protocol, rules};
use crate::egress::{
    Destination, EgressMode, EgressPolicy, EgressRules, FilterClass, Packet, PacketFilter, Rule,
    Verdict,
};

fn class_of(rule: Rule) -> FilterClass {
    match rule {
        Rule::OwnLoopback => FilterClass::OwnLoopback,
        Rule::Protected { .. } => FilterClass::Protected,
        Rule::DenyCidr { .. } => FilterClass::DenyCidrs,
        Rule::AllowAll => FilterClass::AllowAll,
        Rule::AllowCidr { .. } => FilterClass::AllowCidrs,
        Rule::AllowDomain { .. } => FilterClass::AllowDomains,
        Rule::PortNotAllowed { .. } | Rule::DenyAll => FilterClass::Default,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn packet_filter_equals_decide(policy in policy(), to in address(), protocol in protocol()) {
        let decision = policy.decide(&Destination::address(to, protocol));
        let filter = PacketFilter::compile(&policy.rules, &policy.environment);
        let answer = filter.evaluate(&Packet::from_socket(to, protocol), &policy.learned);
        prop_assert_eq!(answer, (decision.verdict, class_of(decision.rule)));
    }

    #[test]
    fn adding_a_deny_never_allows_more(
        policy in policy(), deny in net(), to in address(), protocol in protocol(),
    ) {
        let destination = Destination::address(to, protocol);
        let mut stricter = policy.clone();
        stricter.rules = policy.rules.clone().deny_cidr(&deny.to_string()).unwrap();
        let (before, after) = (policy.decide(&destination), stricter.decide(&destination));
        prop_assert!(before.is_allowed() || !after.is_allowed());
    }

    #[test]
    fn a_denied_range_is_never_reached(policy in policy(), to in address(), protocol in protocol()) {
        let denied = policy.rules.deny_cidrs().iter().any(|net| net.contains(&to.to_canonical()));
        let decision = policy.decide(&Destination::address(to, protocol));
        prop_assert!(!denied || !decision.is_allowed() || decision.rule == Rule::OwnLoopback);
    }

    #[test]
    fn metadata_stays_closed_unless_opened(policy in policy(), protocol in protocol()) {
        let mut policy = policy;
        policy.environment.open.clear();
        policy.environment.own.clear();
        for text in ["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254",
                     "2002:a9fe:a9fe::1", "fd00:ec2::254", "fe80::1", "172.17.0.1"] {
            let to = Destination::address(text.parse().unwrap(), protocol);
            prop_assert_eq!(policy.decide(&to).verdict, Verdict::Deny);
        }
    }

    #[test]
    fn every_spelling_of_an_ipv4_address_is_as_denied_as_the_address(
        policy in policy(), to in any::<std::net::Ipv4Addr>(), protocol in protocol(),
    ) {
        let mut policy = policy;
        policy.environment.own.clear();
        let plain = policy.decide(&Destination::address(to.into(), protocol));
        prop_assume!(plain.rule != Rule::OwnLoopback);
        prop_assert_eq!(policy.decide(&Destination::address(to.to_ipv6_mapped().into(), protocol)), plain);
        for shape in [0x64_ff9b << 96 | u128::from(to.to_bits()),
                      0x2002 << 112 | u128::from(to.to_bits()) << 80] {
            let spelled = std::net::Ipv6Addr::from_bits(shape);
            let spelled = policy.decide(&Destination::address(spelled.into(), protocol));
            // A name may resolve to the IPv6 spelling itself, which no list mentions.
            let by_name = matches!(spelled.rule, Rule::AllowDomain { .. })
                && matches!(plain.rule, Rule::DenyAll | Rule::PortNotAllowed { .. });
            prop_assert!(plain.is_allowed() || !spelled.is_allowed() || by_name);
        }
    }

    #[test]
    fn explain_agrees_with_decide(policy in policy(), to in address(), protocol in protocol()) {
        let destination = Destination::address(to, protocol);
        let explanation = policy.explain(&destination);
        let decision = policy.decide(&destination);
        prop_assert_eq!(explanation.decision, decision);
        let word = if decision.is_allowed() { "is allowed: " } else { "is denied: " };
        prop_assert!(explanation.to_string().contains(word));
        let by_place = matches!(decision.rule, Rule::OwnLoopback | Rule::Protected { .. });
        prop_assert_eq!(explanation.field.is_none(), by_place);
    }

    #[test]
    fn rules_survive_serialisation(raw in rules()) {
        let rules = raw.parse().unwrap();
        let json = serde_json::to_string(&rules).unwrap();
        prop_assert_eq!(serde_json::from_str::<EgressRules>(&json).unwrap(), rules);
    }

    #[test]
    fn lookups_need_allow_all_or_a_domain(raw in rules(), name in "[a-z]{1,3}\\.(example\\.com|net)") {
        let rules = raw.parse().unwrap();
        let decision = rules.decide(&Destination::lookup(&name).unwrap());
        let listed = rules.allow_domains().iter().any(|pattern| {
            pattern.to_string() == name
                || pattern.to_string().strip_prefix('*').is_some_and(|tail| name.ends_with(tail))
        });
        prop_assert_eq!(decision.is_allowed(), rules.mode() == EgressMode::AllowAll || listed);
    }
}
