//! Checks that a sandbox really works: each does what it reports on.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use sandbox_core::egress::{EgressMode, EgressRules};
use sandbox_core::{Command, Error, Result, Sandbox, SandboxExt, WriteOptions, byte_stream};
use serde::{Serialize, Serializer};

use crate::tools::program::{quote, run};
use crate::tools::scratch::Scratch;

/// What a probe that cannot resolve its target's name ends with.
const CANNOT_RESOLVE: u8 = 61;
/// What a probe that cannot connect ends with.
const CANNOT_CONNECT: u8 = 62;

/// Where the network check connects to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    host: String,
    port: u16,
}

impl Target {
    /// A host by name or address, and a TCP port.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`](sandbox_core::ErrorKind::InvalidSpec) with field `target` unless the host is 1 to 253 letters, digits,
    /// `.`, `-` and `:` that start with a letter or a digit, and the port is not 0.
    pub fn new(host: impl Into<String>, port: u16) -> Result<Self> {
        let host = host.into();
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
        let fits = (1..=253).contains(&host.len())
            && host.starts_with(|c: char| c.is_ascii_alphanumeric())
            && host.chars().all(allowed)
            && port != 0;
        if fits {
            return Ok(Self { host, port });
        }
        let message = "must be a host name or address and a port from 1 to 65535";
        Err(Error::invalid("diagnostics.target", "target", message))
    }
}

/// How to check.
#[derive(Debug, Clone)]
pub struct DiagnoseOptions {
    /// Where to connect to; without one, the network is not checked.
    pub target: Option<Target>,
    /// The egress policy now in force; without one, that of the sandbox's spec.
    pub egress: Option<EgressRules>,
    /// How long one check may take. Default: 10 seconds.
    pub timeout: Duration,
}

impl Default for DiagnoseOptions {
    fn default() -> Self {
        Self {
            target: None,
            egress: None,
            timeout: Duration::from_secs(10),
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// It works.
    Ok,
    /// It does not, and why.
    Failed(String),
    /// It was not tried, and why.
    Skipped(String),
}

impl fmt::Display for Check {
    /// `ok`, `failed: why` or `skipped: why`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Failed(why) => write!(f, "failed: {why}"),
            Self::Skipped(why) => write!(f, "skipped: {why}"),
        }
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Every check by name: `filesystem`, `runtime` and `network`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Report {
    checks: BTreeMap<&'static str, Check>,
}

impl Report {
    /// The checks.
    pub fn checks(&self) -> &BTreeMap<&'static str, Check> {
        &self.checks
    }

    /// Whether none failed.
    pub fn is_healthy(&self) -> bool {
        !self
            .checks
            .values()
            .any(|check| matches!(check, Check::Failed(_)))
    }
}

/// Checks a sandbox. What is wrong is in the report: this does not fail.
pub async fn diagnose(sandbox: &dyn Sandbox, options: &DiagnoseOptions) -> Report {
    let filesystem = check_filesystem(sandbox).await;
    let runtime = check_runtime(sandbox, options.timeout).await;
    let network = check_network(sandbox, options).await;
    let checks = [
        ("filesystem", filesystem),
        ("runtime", runtime),
        ("network", network.unwrap_or_else(failed)),
    ];
    Report {
        checks: checks.into_iter().collect(),
    }
}

fn failed(error: Error) -> Check {
    Check::Failed(quote(&error.to_string()))
}

/// Writes a file and reads it back.
async fn check_filesystem(sandbox: &dyn Sandbox) -> Check {
    let scratch = match Scratch::new(sandbox, None).await {
        Ok(scratch) => scratch,
        Err(error) => return failed(error),
    };
    // The name is random, so its content is too.
    let written = Bytes::from(scratch.path().as_str().to_owned());
    let round_trip = async {
        let file = scratch.join("probe")?;
        let body = byte_stream(written.clone());
        sandbox.write(&file, body, WriteOptions::default()).await?;
        sandbox.read_to_bytes(&file).await
    };
    let read = round_trip.await;
    scratch.remove(sandbox).await;
    match read {
        Ok(read) if read == written => Check::Ok,
        Ok(_) => Check::Failed("a file that was written reads differently".to_owned()),
        Err(error) => failed(error),
    }
}

/// Runs a command and reads what it prints.
async fn check_runtime(sandbox: &dyn Sandbox, timeout: Duration) -> Check {
    let command = Command::argv(["echo", "sandbox"]).timeout(timeout);
    match sandbox.exec(command).await {
        Ok(output) if output.status.success() && &output.stdout[..] == b"sandbox\n" => Check::Ok,
        Ok(output) if output.status.timed_out() => {
            Check::Failed("a command did not end".to_owned())
        }
        Ok(output) => {
            let code = output.status.shell_code();
            Check::Failed(format!("a command ended with {code} and unexpected output"))
        }
        Err(error) => failed(error),
    }
}

/// Resolves a name and connects, where the policy says that this should work.
async fn check_network(sandbox: &dyn Sandbox, options: &DiagnoseOptions) -> Result<Check> {
    let Some(target) = &options.target else {
        return Ok(Check::Skipped("no target is configured".to_owned()));
    };
    let egress = options.egress.as_ref().unwrap_or(sandbox.spec().egress());
    if egress.mode() == EgressMode::DenyAll {
        let why = "the egress policy denies what it does not allow".to_owned();
        return Ok(Check::Skipped(why));
    }
    for argv in probes(target) {
        let command = Command::argv(argv).timeout(options.timeout);
        let Some(output) = run(sandbox, command).await? else {
            continue;
        };
        let Target { host, port } = target;
        return Ok(if output.status.success() {
            Check::Ok
        } else if output.status.timed_out() {
            Check::Failed(format!("{host}:{port} did not answer in time"))
        } else {
            let said = quote(&output.stderr_lossy());
            let code = u8::try_from(output.status.shell_code()).unwrap_or(u8::MAX);
            Check::Failed(match code {
                CANNOT_RESOLVE => format!("cannot resolve {host}: {said}"),
                CANNOT_CONNECT => format!("cannot connect to {host}:{port}: {said}"),
                _ => format!("the probe of {host}:{port} ended with {code}: {said}"),
            })
        });
    }
    let why = "the sandbox has no program that can connect (python3, node, bash)";
    Ok(Check::Skipped(why.to_owned()))
}

const PYTHON: &str = r"
import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
try:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
except OSError as error:
    sys.exit(print(error, file=sys.stderr) or 61)
for family, kind, protocol, _, address in found:
    try:
        with socket.socket(family, kind, protocol) as probe:
            probe.settimeout(5)
            probe.connect(address)
        sys.exit(0)
    except OSError as failure:
        error = failure
sys.exit(print(error, file=sys.stderr) or 62)
";

const NODE: &str = r"
const [host, port] = process.argv.slice(1);
const end = (code) => (error) => { console.error(error.message); process.exit(code); };
require('dns').promises.lookup(host).then(
  () => require('net').connect({ host, port: Number(port) })
    .on('error', end(62)).on('connect', () => process.exit(0)),
  end(61));
";

const BASH: &str = r#"
if command -v getent >/dev/null; then
  getent ahosts "$1" >/dev/null || { echo "no such name" >&2; exit 61; }
fi
exec 3<>"/dev/tcp/$1/$2" || exit 62
"#;

/// Programs that resolve and connect, one of which a sandbox is likely to have.
fn probes(target: &Target) -> [Vec<String>; 3] {
    let port = target.port.to_string();
    let argv = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    [
        argv(&["python3", "-c", PYTHON, &target.host, &port]),
        argv(&["node", "-e", NODE, &target.host, &port]),
        argv(&["bash", "-c", BASH, "probe", &target.host, &port]),
    ]
}
