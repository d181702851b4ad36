//! What a sandbox may connect to, on the command line.

use std::fs;

use clap::{Args, Subcommand};
use sandbox_core::egress::EgressRules;
use sandbox_core::{Error, Result, SandboxId};
use serde_json::{Value, json};

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
    /// The rules these flags mean; `None` when there are none, so that the template decides.
    ///
    /// # Errors
    /// `InvalidSpec` with the path of the field, such as `egress.allow_cidrs[0]`; a file that
    /// cannot be read.
    pub(crate) fn rules(&self) -> Result<Option<EgressRules>> {
        let allows = !self.allow_cidrs.is_empty()
            || !self.allow_ports.is_empty()
            || !self.allow_domains.is_empty();
        if self.rules.is_none() && !allows && self.deny_cidrs.is_empty() {
            return Ok(None);
        }
        let mut document = match &self.rules {
            Some(text) => read(text)?,
            // Whoever names what is allowed means that nothing else is.
            None if allows => json!({"mode": "deny_all"}),
            None => json!({"mode": "allow_all"}),
        };
        let map = document
            .as_object_mut()
            .ok_or_else(|| invalid("must be a JSON object".to_owned()))?;
        extend(map, "allow_cidrs", &self.allow_cidrs);
        extend(map, "deny_cidrs", &self.deny_cidrs);
        extend(map, "allow_ports", &self.allow_ports);
        extend(map, "allow_domains", &self.allow_domains);
        let rules = serde_json::from_value(document);
        rules.map(Some).map_err(|e| invalid(e.to_string()))
    }
}

fn extend<T: Clone + Into<Value>>(map: &mut serde_json::Map<String, Value>, key: &str, more: &[T]) {
    if more.is_empty() {
        return;
    }
    let list = map.entry(key).or_insert_with(|| json!([]));
    if let Value::Array(list) = list {
        list.extend(more.iter().cloned().map(Into::into));
    }
}

fn invalid(message: String) -> Error {
    Error::invalid("cli.egress", "egress", message)
}

fn read(text: &str) -> Result<Value> {
    if let Some(path) = text.strip_prefix('@') {
        let text = fs::read_to_string(path).map_err(|e| {
            let message = format!("{path} cannot be read");
            invalid(message).with_source(e)
        })?;
        return parse(&text);
    }
    match text {
        "allow_all" | "allow-all" => Ok(json!({"mode": "allow_all"})),
        "deny_all" | "deny-all" => Ok(json!({"mode": "deny_all"})),
        _ if text.trim_start().starts_with('{') => parse(text),
        _ => {
            let message = format!("{text:?} is not allow_all, deny_all, JSON, or @FILE");
            Err(invalid(message))
        }
    }
}

fn parse(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|e| invalid("is not JSON".to_owned()).with_source(e))
}

/// What to do about what a sandbox may connect to.
#[derive(Debug, Subcommand)]
pub(crate) enum EgressCommand {
    /// Show the rules of a sandbox.
    Show {
        /// The sandbox.
        id: SandboxId,
    },
    /// Replace the rules of a sandbox, for what is connected already too.
    Set {
        /// The sandbox.
        id: SandboxId,
        #[command(flatten)]
        egress: EgressArgs,
    },
    /// Say whether a sandbox may reach a destination, and which rule decides.
    Explain {
        /// The sandbox.
        id: SandboxId,
        /// An address with a port (`203.0.113.7:443`, `[2001:db8::1]:443`), or a name to look up.
        destination: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(args: EgressArgs) -> EgressRules {
        args.rules().unwrap().unwrap()
    }

    #[test]
    fn nothing_said_leaves_it_to_the_template() {
        assert_eq!(EgressArgs::default().rules().unwrap(), None);
    }

    #[test]
    fn an_allow_list_alone_denies_the_rest_and_a_deny_list_alone_allows_it() {
        let allowed = rules(EgressArgs {
            allow_domains: vec!["*.example.com".into()],
            ..EgressArgs::default()
        });
        let expected = EgressRules::deny_all().allow_domain("*.example.com");
        assert_eq!(allowed, expected.unwrap());
        let denied = rules(EgressArgs {
            deny_cidrs: vec!["203.0.113.0/24".into()],
            ..EgressArgs::default()
        });
        let expected = EgressRules::allow_all().deny_cidr("203.0.113.0/24");
        assert_eq!(denied, expected.unwrap());
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
        for bad in ["open", "{", "[]", "{\"mode\":\"maybe\"}", "@/nonexistent"] {
            let args = EgressArgs {
                rules: Some(bad.into()),
                ..EgressArgs::default()
            };
            assert_eq!(args.rules().unwrap_err().field(), Some("egress"), "{bad}");
        }
    }
}
