//! What a request may say, and which field is named when it may not.

use serde_json::json;

use crate::ErrorKind;
use crate::egress::{EgressMode, EgressRules, Environment, RawEgressRules};

fn refused_field(body: serde_json::Value) -> String {
    let raw: RawEgressRules = serde_json::from_value(body.clone()).unwrap();
    let error = raw.parse().expect_err(&body.to_string());
    assert_eq!(error.kind(), ErrorKind::InvalidSpec);
    error.field().unwrap().to_owned()
}

#[test]
fn errors_name_the_field_and_the_index() {
    let cases = [
        (json!({"mode": "allow"}), "egress.mode"),
        (json!({"mode": "ALLOW_ALL"}), "egress.mode"),
        (
            json!({"mode": "allow_all", "allow_cidrs": ["8.8.8.8"]}),
            "egress.allow_cidrs",
        ),
        (
            json!({"mode": "allow_all", "allow_domains": ["a.b"]}),
            "egress.allow_domains",
        ),
        (
            json!({"mode": "allow_all", "allow_ports": [1]}),
            "egress.allow_ports",
        ),
        (
            json!({"mode": "deny_all", "allow_ports": [443]}),
            "egress.allow_ports",
        ),
        (
            json!({"mode": "deny_all", "deny_cidrs": ["1.2.3.4", "::/0", "1.2.3.4/33"]}),
            "egress.deny_cidrs[2]",
        ),
        (
            json!({"mode": "deny_all", "allow_cidrs": [""]}),
            "egress.allow_cidrs[0]",
        ),
        (
            json!({"mode": "deny_all", "allow_cidrs": ["1.2.3.4"], "allow_ports": [80, 0]}),
            "egress.allow_ports[1]",
        ),
        (
            json!({"mode": "deny_all", "allow_cidrs": ["1.2.3.4"], "allow_ports": [70000]}),
            "egress.allow_ports[0]",
        ),
    ];
    for (body, field) in cases {
        assert_eq!(refused_field(body), field);
    }
}

#[test]
fn names_that_are_none_are_refused() {
    for name in [
        "",
        ".",
        "*",
        "*.",
        "a.*.com",
        "*a.com",
        "**.com",
        "a..b",
        "-a.com",
        "a-.com",
        "a b.com",
        "bücher.de",
        "1.2.3.4",
        "*.2.3.4",
        "a.0x7f",
        "http://a.com",
        "a.com:443",
        &"a".repeat(64),
        &"a.".repeat(130),
    ] {
        let body = json!({"mode": "deny_all", "allow_domains": ["ok.example", name]});
        assert_eq!(refused_field(body), "egress.allow_domains[1]", "{name:?}");
    }
}

#[test]
fn lists_are_bounded() {
    let cidrs = vec!["8.8.8.8"; EgressRules::MAX_CIDRS + 1];
    let domains = vec!["a.b"; EgressRules::MAX_DOMAINS + 1];
    let ports = vec![1; EgressRules::MAX_PORTS + 1];
    for (body, field) in [
        (
            json!({"mode": "deny_all", "allow_cidrs": cidrs}),
            "egress.allow_cidrs",
        ),
        (
            json!({"mode": "deny_all", "deny_cidrs": cidrs}),
            "egress.deny_cidrs",
        ),
        (
            json!({"mode": "deny_all", "allow_domains": domains}),
            "egress.allow_domains",
        ),
        (
            json!({"mode": "deny_all", "allow_cidrs": ["8.8.8.8"], "allow_ports": ports}),
            "egress.allow_ports",
        ),
    ] {
        assert_eq!(refused_field(body), field);
    }
}

#[test]
fn everything_is_normalised() {
    let rules: EgressRules = serde_json::from_value(json!({
        "mode": "deny_all",
        "allow_cidrs": ["10.1.2.3/8", "1.2.3.4", "2001:db8::1", "2001:DB8:0:0::/32"],
        "deny_cidrs": ["::ffff:1.2.3.4"],
        "allow_ports": [443],
        "allow_domains": ["Example.COM.", "*.Example.com"],
    }))
    .unwrap();
    assert_eq!(
        serde_json::to_value(&rules).unwrap(),
        json!({
            "mode": "deny_all",
            "allow_cidrs": ["10.0.0.0/8", "1.2.3.4/32", "2001:db8::1/128", "2001:db8::/32"],
            "deny_cidrs": ["1.2.3.4/32"],
            "allow_ports": [443],
            "allow_domains": ["example.com", "*.example.com"],
        })
    );
}

#[test]
fn allow_all_takes_denies() {
    let rules: EgressRules =
        serde_json::from_value(json!({"mode": "allow_all", "deny_cidrs": ["1.2.3.0/24"]})).unwrap();
    assert_eq!(rules.mode(), EgressMode::AllowAll);
}

#[test]
fn unknown_fields_and_a_missing_mode_are_refused() {
    for body in [json!({"mode": "deny_all", "allow_cidr": []}), json!({})] {
        assert!(
            serde_json::from_value::<EgressRules>(body.clone()).is_err(),
            "{body}"
        );
    }
}

#[test]
fn an_environment_takes_bare_addresses_and_no_unknown_fields() {
    let environment: Environment =
        serde_json::from_value(json!({"gateway": ["172.17.0.1"], "own_loopback": true})).unwrap();
    assert_eq!(environment.gateway[0].to_string(), "172.17.0.1/32");
    assert!(serde_json::from_value::<Environment>(json!({"gatewy": []})).is_err());
}
