//! What a sandbox may connect to, on the command line.

use std::fs;

use clap::{Args, Subcommand};
use sandbox_api_types::{EgressMode, EgressPolicy};
use sandbox_core::{Error, Result, SandboxId};

/// Egress rules.
#[derive(Debug, Default, Args)]
pub(crate) struct EgressArgs {
    /// `allow_all`, `deny_all`, rules as JSON, or `@FILE` with such.
    #[arg(long = "egress", value_name = "RULES")]
    rules: Option<String>,
    /// Allow connections to these addresses and nothing else; can be repeated.
    #[arg(long = "allow-cidr", value_name = "CIDR")]
    allow_cidrs: Vec<String>,
    /// Deny these addresses whatever is allowed; can be repeated.
    #[arg(long = "deny-cidr", value_name = "CIDR")]
    deny_cidrs: Vec<String>,
    /// Narrow the allowed addresses to these TCP ports; can be repeated.
    #[arg(long = "allow-port", value_name = "PORT")]
    allow_ports: Vec<u16>,
    /// Allow this name (`example.com`, `*.example.com`) and nothing else; can be repeated.
    #[arg(long = "allow-domain", value_name = "NAME")]
    allow_domains: Vec<String>,
}

impl EgressArgs {
    /// The policy these flags mean; `None` when there are none, so that the template decides.
    ///
    /// # Errors
    /// `InvalidSpec` with the path of the field, such as `egress.allow_cidrs[0]`; a file that
    /// cannot be read.
    pub(crate) fn policy(&self) -> Result<Option<EgressPolicy>> {
        let allows = !self.allow_cidrs.is_empty()
            || !self.allow_ports.is_empty()
            || !self.allow_domains.is_empty();
        let denies = !self.deny_cidrs.is_empty();
        let mut policy = match &self.rules {
            Some(text) => read(text, denies)?,
            None if !allows && !denies => return Ok(None),
            // Whoever names what is allowed means that nothing else is.
            None if allows => of(EgressMode::DenyAll),
            None => of(EgressMode::AllowAllBut),
        };
        policy.allow_cidrs.extend(self.allow_cidrs.iter().cloned());
        policy.deny_cidrs.extend(self.deny_cidrs.iter().cloned());
        let ports = self.allow_ports.iter().copied();
        policy.allow_ports.extend(ports.map(i64::from));
        policy
            .allow_domains
            .extend(self.allow_domains.iter().cloned());
        policy.clone().into_core()?;
        Ok(Some(policy))
    }
}

fn of(mode: EgressMode) -> EgressPolicy {
    EgressPolicy {
        mode,
        allow_cidrs: Vec::new(),
        deny_cidrs: Vec::new(),
        allow_ports: Vec::new(),
        allow_domains: Vec::new(),
    }
}

fn invalid(message: String) -> Error {
    Error::invalid("cli.egress", "egress", message)
}

fn read(text: &str, denies: bool) -> Result<EgressPolicy> {
    if let Some(path) = text.strip_prefix('@') {
        let text = fs::read_to_string(path).map_err(|e| {
            let message = format!("{path} cannot be read");
            invalid(message).with_source(e)
        })?;
        return parse(&text);
    }
    match text {
        "allow_all" | "allow-all" if denies => Ok(of(EgressMode::AllowAllBut)),
        "allow_all" | "allow-all" => Ok(of(EgressMode::AllowAll)),
        "deny_all" | "deny-all" => Ok(of(EgressMode::DenyAll)),
        _ if text.trim_start().starts_with('{') => parse(text),
        _ => {
            let message = format!("{text:?} is not allow_all, deny_all, JSON, or @FILE");
            Err(invalid(message))
        }
    }
}

fn parse(text: &str) -> Result<EgressPolicy> {
    serde_json::from_str(text).map_err(|e| {
        let message = "is not a policy as JSON, such as {\"mode\":\"deny_all\"}";
        invalid(message.to_owned()).with_source(e)
    })
}

/// What to do about what a sandbox may connect to.
#[derive(Debug, Subcommand)]
pub(crate) enum EgressCommand {
    /// Show the rules of a sandbox.
    Show {
        /// The sandbox.
        #[arg(value_parser = super::pairs::named::<SandboxId>)]
        id: SandboxId,
    },
    /// Replace the rules of a sandbox, for what is connected already too.
    Set {
        /// The sandbox.
        #[arg(value_parser = super::pairs::named::<SandboxId>)]
        id: SandboxId,
        #[command(flatten)]
        egress: EgressArgs,
    },
    /// Say whether a sandbox may reach a destination, and which rule decides.
    Explain {
        /// The sandbox.
        #[arg(value_parser = super::pairs::named::<SandboxId>)]
        id: SandboxId,
        /// An address with a port (`203.0.113.7:443`, `[2001:db8::1]:443`), or a name to look up.
        destination: String,
    },
}

#[cfg(test)]
mod tests {
    use sandbox_core::egress::EgressRules;

    use super::*;

    fn rules(args: EgressArgs) -> EgressRules {
        args.policy().unwrap().unwrap().into_core().unwrap()
    }

    #[test]
    fn nothing_said_leaves_it_to_the_template() {
        assert_eq!(EgressArgs::default().policy().unwrap(), None);
    }

    #[test]
    fn an_allow_list_alone_denies_the_rest_and_a_deny_list_alone_allows_it() {
        let allowed = rules(EgressArgs {
            allow_domains: vec!["*.example.com".into()],
            ..EgressArgs::default()
        });
        let expected = EgressRules::deny_all().allow_domain("*.example.com");
        assert_eq!(allowed, expected.unwrap());
        let expected = EgressRules::allow_all()
            .deny_cidr("203.0.113.0/24")
            .unwrap();
        for said in [None, Some("allow_all".to_owned())] {
            let denied = rules(EgressArgs {
                rules: said,
                deny_cidrs: vec!["203.0.113.0/24".into()],
                ..EgressArgs::default()
            });
            assert_eq!(denied, expected);
        }
    }

    #[test]
    fn flags_add_to_a_document() {
        let both = rules(EgressArgs {
            rules: Some(r#"{"mode":"deny_all","allow_cidrs":["192.0.2.1"]}"#.into()),
            allow_cidrs: vec!["192.0.2.2".into()],
            allow_ports: vec![443],
            ..EgressArgs::default()
        });
        assert_eq!(both.allow_cidrs().len(), 2);
        assert_eq!(both.allow_ports(), [443]);
    }

    #[test]
    fn what_makes_no_sense_names_the_field() {
        for bad in ["open", "{", "{}", "{\"mode\":\"maybe\"}", "@/nonexistent"] {
            let args = EgressArgs {
                rules: Some(bad.into()),
                ..EgressArgs::default()
            };
            assert_eq!(args.policy().unwrap_err().field(), Some("egress"), "{bad}");
        }
        let args = EgressArgs {
            allow_cidrs: vec!["192.0.2.0/24".into(), "x".into()],
            ..EgressArgs::default()
        };
        let error = args.policy().unwrap_err();
        assert_eq!(error.field(), Some("egress.allow_cidrs[1]"));
    }
}
