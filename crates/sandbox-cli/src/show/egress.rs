//! Egress policies.

use sandbox_api_types::{EgressMode, EgressPolicy, Explanation};

use crate::output::Plain;

/// A policy, a line a part.
pub(crate) fn policy(policy: &EgressPolicy) -> Vec<String> {
    let mode = match policy.mode {
        EgressMode::AllowAll => "allow everything",
        EgressMode::DenyAll => "deny everything",
        EgressMode::AllowAllBut => "allow everything else",
    };
    let ports: Vec<String> = policy.allow_ports.iter().map(i64::to_string).collect();
    let parts = [
        ("deny", &policy.deny_cidrs),
        ("allow", &policy.allow_cidrs),
        ("  on TCP ports", &ports),
        ("allow names", &policy.allow_domains),
    ];
    let lists = parts.into_iter().filter(|(_, list)| !list.is_empty());
    let mut lines: Vec<String> = lists
        .map(|(what, list)| format!("{what} {}", Plain(&list.join(", "))))
        .collect();
    let else_ = match lines.is_empty() || policy.mode == EgressMode::AllowAllBut {
        true => mode.to_owned(),
        false => format!("{mode} else"),
    };
    lines.push(else_);
    lines
}

/// Why a destination is allowed or denied.
pub(crate) fn explanation(explanation: &Explanation) -> Vec<String> {
    let verdict = match explanation.allowed {
        true => "allowed",
        false => "denied",
    };
    vec![format!(
        "{} is {verdict}: {}",
        Plain(&explanation.destination),
        Plain(&explanation.reason)
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_reads_from_the_first_rule_to_the_last() {
        let text = r#"{"mode":"deny_all","allow_cidrs":["192.0.2.0/24"],"allow_ports":[443],
            "deny_cidrs":["192.0.2.9"],"allow_domains":["*.example.com"]}"#;
        let lines = policy(&serde_json::from_str(text).unwrap());
        assert_eq!(
            lines,
            [
                "deny 192.0.2.9",
                "allow 192.0.2.0/24",
                "  on TCP ports 443",
                "allow names *.example.com",
                "deny everything else"
            ]
        );
        let all = policy(&serde_json::from_str(r#"{"mode":"allow_all"}"#).unwrap());
        assert_eq!(all, ["allow everything"]);
    }
}
