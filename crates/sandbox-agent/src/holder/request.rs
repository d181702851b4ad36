//! Requests, and what they are answered with.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use sandbox_core::egress::{Destination, EgressRules, Environment, Protocol};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::policy::Policy;

/// The most upstream resolvers a policy may name.
const MAX_UPSTREAMS: usize = 8;
/// The most ranges of each kind an environment may have.
const MAX_RANGES: usize = 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetPolicy {
    rules: EgressRules,
    #[serde(default)]
    environment: Environment,
    #[serde(default)]
    dns_upstreams: Vec<Upstream>,
}

/// `9.9.9.9` or `9.9.9.9:53`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Upstream {
    Socket(SocketAddr),
    Address(IpAddr),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Explain {
    address: Option<IpAddr>,
    #[serde(default)]
    protocol: Option<String>,
    #[serde(default)]
    port: u16,
    lookup: Option<String>,
}

/// The answer to one line.
pub(super) fn answer(line: &[u8], policy: &Policy) -> Value {
    let mut request: Map<String, Value> = match serde_json::from_slice(line) {
        Ok(request) => request,
        Err(error) => return json!({"id": null, "error": error.to_string()}),
    };
    let id = request.remove("id").and_then(|id| id.as_u64());
    let done = match id {
        Some(_) => carry_out(request, policy),
        None => Err("a request has an id, a number".to_owned()),
    };
    match done {
        Ok(value) => json!({"id": id, "ok": value}),
        Err(message) => json!({"id": id, "error": message}),
    }
}

fn carry_out(request: Map<String, Value>, policy: &Policy) -> Result<Value, String> {
    let mut operations = request.into_iter();
    let (Some((operation, body)), None) = (operations.next(), operations.next()) else {
        return Err("a request is its id and one operation".to_owned());
    };
    match operation.as_str() {
        "set_policy" => set_policy(read(body)?, policy),
        "stats" => read(body).and_then(|Nothing {}| stats(policy)),
        "learned" => read(body).map(|Nothing {}| learned(policy)),
        "denials" => read(body).and_then(|Nothing {}| denials(policy)),
        "explain" => {
            let explanation = policy.explain(&destination(read(body)?)?);
            serde_json::to_value(explanation).map_err(|error| error.to_string())
        }
        _ => Err(format!(
            "{operation:?} is none of set_policy, stats, learned, denials, explain"
        )),
    }
}

fn read<T: DeserializeOwned>(body: Value) -> Result<T, String> {
    serde_json::from_value(body).map_err(|error| error.to_string())
}

fn set_policy(set: SetPolicy, policy: &Policy) -> Result<Value, String> {
    let environment = &set.environment;
    let ranges = [
        ("own", environment.own.len()),
        ("host", environment.host.len()),
        ("gateway", environment.gateway.len()),
        ("neighbours", environment.neighbours.len()),
        ("open", environment.open.len()),
    ];
    if let Some((field, _)) = ranges.iter().find(|(_, length)| *length > MAX_RANGES) {
        return Err(format!(
            "environment.{field} has more than {MAX_RANGES} entries"
        ));
    }
    if set.dns_upstreams.len() > MAX_UPSTREAMS {
        return Err(format!(
            "dns_upstreams has more than {MAX_UPSTREAMS} entries"
        ));
    }
    let upstreams = set.dns_upstreams.iter().map(|upstream| match upstream {
        Upstream::Socket(socket) => *socket,
        Upstream::Address(address) => SocketAddr::new(*address, 53),
    });
    policy
        .set(set.rules, set.environment, upstreams.collect())
        .map_err(|error| format!("the policy was not loaded, the old one is in force: {error}"))?;
    Ok(json!({"link": policy.features().link, "devices": policy.devices()}))
}

fn stats(policy: &Policy) -> Result<Value, String> {
    let (counters, denied) = policy.counters().map_err(|error| error.to_string())?;
    let seen: BTreeMap<_, _> = counters
        .iter()
        .filter(|(_, count)| count.packets > 0)
        .collect();
    Ok(json!({"packets": seen, "denied": denied}))
}

fn learned(policy: &Policy) -> Value {
    let addresses: Vec<Value> = policy
        .learned()
        .into_iter()
        .map(|(address, name, seconds)| {
            json!({"address": address, "name": name, "seconds": seconds})
        })
        .collect();
    json!({"addresses": addresses})
}

/// Each with the rule that refuses it now, which may be another than did.
fn denials(policy: &Policy) -> Result<Value, String> {
    let denials = policy.take_denials().map_err(|error| error.to_string())?;
    let refused: Vec<Value> = denials
        .iter()
        .map(|destination| match destination {
            Destination::Address { address, protocol } => {
                let (protocol, port) = match protocol {
                    Protocol::Tcp(port) => ("tcp".to_owned(), Some(*port)),
                    Protocol::Udp(port) => ("udp".to_owned(), Some(*port)),
                    Protocol::Icmp => ("icmp".to_owned(), None),
                    Protocol::Other(number) => (number.to_string(), None),
                };
                let why = policy.explain(destination).reason;
                json!({"address": address, "protocol": protocol, "port": port, "reason": why})
            }
            Destination::Lookup(name) => {
                let why = policy.explain(destination).reason;
                json!({"lookup": name.as_str(), "reason": why})
            }
        })
        .collect();
    Ok(json!({"refused": refused, "dropped": denials.dropped()}))
}

fn destination(explain: Explain) -> Result<Destination, String> {
    let protocol = match explain.protocol.as_deref() {
        Some("udp") => Protocol::Udp(explain.port),
        Some("icmp") => Protocol::Icmp,
        None | Some("tcp") => Protocol::Tcp(explain.port),
        Some(other) => return Err(format!("protocol {other:?} is none of tcp, udp, icmp")),
    };
    match (explain.address, explain.lookup) {
        (Some(address), None) => Ok(Destination::address(address, protocol)),
        (None, Some(name)) => Destination::lookup(&name).map_err(|error| error.to_string()),
        _ => Err("explain takes an address or a lookup".to_owned()),
    }
}
