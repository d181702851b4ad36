//! The holder: the small program that owns a sandbox's network namespace.
//!
//! It starts before the sandbox, loads *deny everything but loopback*, says that it is ready, and
//! then takes policies over its standard input. A sandbox that joins the namespace has no
//! moment without a policy.
//!
//! # What it needs
//!
//! A network namespace of its own and CAP_NET_ADMIN in it; CAP_NET_BIND_SERVICE, or
//! `net.ipv4.ip_unprivileged_port_start=0` in the namespace, for its resolver on 127.0.0.1:53.
//! No shell, no files but `/proc` and `/dev/urandom`; 63 threads at most. Its standard input must
//! stay open when a client leaves. What joins the namespace finds the resolver when its
//! `resolv.conf` names 127.0.0.1. The sandbox must not have CAP_NET_ADMIN.
//! One that has CAP_NET_RAW is held by the egress hook of each interface ([`Ready`]'s `link` says
//! whether the kernel has it), but its seccomp profile must refuse AF_XDP sockets, which
//! nf_tables does not see.
//!
//! # Learned addresses
//!
//! What a name of `allow_domains` resolved to is open for one hour after the last answer that
//! named it, whatever its record's time to live and whether it is used or not. Then it is closed,
//! with the connections to it, until the name is looked up again.
//!
//! # When it ends
//!
//! The rules belong to the namespace, which lives as long as anything is in it. A sandbox whose
//! holder died keeps the last policy, cannot look up names any more (the resolver is gone, and
//! with it new addresses for `allow_domains`), and cannot be given another policy. The holder ends
//! by itself when its standard input does.
//!
//! # Protocol
//!
//! One JSON object a line, at most [`MAX_LINE`] bytes, answered in order. The first line out
//! is `{"ready":…}`, or `{"error":…}` and a non-zero exit code. A line that makes no sense
//! is answered with an error whose id is null, and the next line starts afresh.
//!
//! ```text
//! > {"id":1,"set_policy":{"rules":{"mode":"deny_all","allow_domains":["*.example.com"]},
//!    "environment":{"own":["172.17.0.5"],"gateway":["172.17.0.1"]},"dns_upstreams":["9.9.9.9"]}}
//! < {"id":1,"ok":{"link":true,"devices":["eth0"]}}
//! > {"id":2,"stats":{}}
//! < {"id":2,"ok":{"packets":{"output_default":{"packets":3,"bytes":180},…},"denied":3,…}}
//! > {"id":3,"learned":{}}
//! < {"id":3,"ok":{"addresses":[{"address":"203.0.113.7","name":"a.example.com","seconds":3589}]}}
//! > {"id":4,"denials":{}}
//! < {"id":4,"ok":{"refused":[{"lookup":"evil.test","reason":"…"},
//!    {"address":"10.0.0.1","protocol":"tcp","port":22,"reason":"…"}],"dropped":0}}
//! > {"id":5,"explain":{"address":"203.0.113.7","protocol":"tcp","port":443}}
//! < {"id":5,"ok":{"destination":"203.0.113.7 tcp/443","verdict":"allow",…}}
//! < {"id":null,"error":"…"}
//! < {"denied":4}
//! ```
//!
//! The last is an answer to nothing: how many packets and lookups have been refused since the start,
//! told when it has grown, once a second at most. While nothing is refused, nothing runs. What only
//! the interface's chain refuses (frames of a packet socket) is counted, and told with the next.

mod alarm;
mod control;
mod denials;
mod denied;
mod devices;
mod dns;
mod nft;
mod policy;
mod request;
mod ruleset;
mod sets;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

pub use control::MAX_LINE;

/// What the first line says when the namespace is closed and the holder listens.
#[derive(Debug, serde::Serialize)]
pub struct Ready {
    /// The protocol's version.
    pub version: u32,
    /// Whether interfaces have an egress hook in this kernel. Without it, a sandbox with
    /// CAP_NET_RAW can send past the policy: refuse such a sandbox.
    pub link: bool,
    /// Whether refused connections fail at once instead of timing out.
    pub reject: bool,
    /// Whether refused packets are told of as they happen. Lookups are in any case.
    pub denials: bool,
    /// The interfaces that are filtered.
    pub devices: Vec<String>,
    /// Where the resolver listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolver: Option<String>,
    /// Why it does not; name lookups then fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolver_error: Option<String>,
}

/// Runs the holder on standard input and output until the input ends. Fails, without having said
/// that it is ready, when the namespace cannot be closed.
pub fn run() -> ExitCode {
    let mut output = io::stdout();
    let policy = match policy::Policy::close() {
        Ok(policy) => Arc::new(policy),
        Err(error) => {
            let message = format!("the namespace could not be closed: {error}");
            // Nobody to tell means nobody who would go on: the exit code says the same.
            let _ = control::say(&mut output, &serde_json::json!({"error": message}));
            return ExitCode::FAILURE;
        }
    };
    let resolver = dns::start(&policy);
    // Without it nothing is less closed; the counts are there for whoever asks.
    let told = alarm::start(&policy);
    let ready = Ready {
        version: 1,
        link: policy.features().link,
        reject: policy.features().reject,
        denials: told.is_ok() && policy.features().alarm,
        devices: policy.devices(),
        resolver_error: resolver.as_ref().err().map(ToString::to_string),
        resolver: resolver.ok(),
    };
    let served = control::say(&mut output, &serde_json::json!({"ready": ready}))
        .and_then(|()| control::serve(io::stdin().lock(), &mut output, &policy));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
