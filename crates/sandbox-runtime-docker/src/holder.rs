//! The line to a pod's holder: one JSON object each way.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use bollard::Docker;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::query_parameters::AttachContainerOptionsBuilder;
use bytes::BytesMut;
use futures_util::{Stream, StreamExt};
use sandbox_core::egress::{EgressRules, Environment};
use sandbox_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::error::{docker, nonsense};
use crate::random;

/// How long a holder may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// The longest answer taken in bytes.
const MAX_ANSWER: usize = 4 << 20;

/// A policy as a holder takes it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Policy {
    pub(crate) rules: EgressRules,
    pub(crate) environment: Environment,
    pub(crate) dns_upstreams: Vec<IpAddr>,
}

/// What a holder says of itself when it listens.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Ready {
    /// Where the pod's resolver listens, or what says why there is none.
    resolver: Value,
}

impl Ready {
    /// Whether names can be looked up.
    pub(crate) fn resolves(&self) -> bool {
        let text = self.resolver.as_str();
        text.is_some_and(|text| text.parse::<SocketAddr>().is_ok())
    }
}

/// A holder's first line.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FirstLine {
    Ready(Ready),
    Error(Value),
}

#[derive(Debug, Deserialize)]
struct Answer {
    id: Option<u64>,
    ok: Option<Value>,
    error: Option<String>,
}

/// A line to a holder; nothing of it is lost that was said after it was opened.
pub(crate) struct Line {
    output: Pin<Box<dyn Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>,
    input: Pin<Box<dyn AsyncWrite + Send>>,
    seen: BytesMut,
    /// The last count of refusals that came between answers, not taken yet.
    denied: Option<u64>,
}

/// What a holder tells without being asked.
#[derive(Debug, Deserialize)]
struct Told {
    /// Packets and lookups that were refused since its start.
    denied: u64,
}

impl Line {
    /// Attaches to the container `holder`, started or not.
    pub(crate) async fn open(client: &Docker, holder: &str) -> Result<Self> {
        let options = AttachContainerOptionsBuilder::new()
            .stream(true)
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .build();
        let attached = client.attach_container(holder, Some(options)).await;
        let AttachContainerResults { output, input } = attached.map_err(docker("docker.holder"))?;
        Ok(Self {
            output,
            input,
            seen: BytesMut::new(),
            denied: None,
        })
    }

    /// The first line of a holder that has just been started: its network is closed.
    pub(crate) async fn ready(&mut self) -> Result<Ready> {
        let line = self.within(Self::next_line).await?;
        match serde_json::from_slice(&line) {
            Ok(FirstLine::Ready(ready)) => Ok(ready),
            Ok(FirstLine::Error(why)) => Err(Error::new(
                ErrorKind::Unsupported,
                "docker.holder",
                format!("the sandbox's network cannot be closed here: {why}"),
            )
            .with_field("egress")),
            Err(error) => {
                let said = String::from_utf8_lossy(&line).into_owned();
                Err(
                    nonsense("docker.holder", format!("it begins with {said:?}"))
                        .with_source(error),
                )
            }
        }
    }

    /// Puts `policy` in force, for established flows too.
    pub(crate) async fn set_policy(&mut self, policy: &Policy) -> Result<()> {
        self.ask("set_policy", policy).await.map(|_| ())
    }

    /// How many packets and lookups have been refused since the holder's start.
    pub(crate) async fn denied_so_far(&mut self) -> Result<u64> {
        let stats = self.ask("stats", &serde_json::Map::new()).await?;
        let denied = stats.get("denied").and_then(Value::as_u64);
        denied.ok_or_else(|| nonsense("docker.holder", "it does not count what it refuses"))
    }

    /// Waits for the holder to tell that more was refused; how much in all since its start.
    pub(crate) async fn next_denied(&mut self) -> Result<u64> {
        loop {
            if let Some(denied) = self.denied.take() {
                return Ok(denied);
            }
            let line = self.next_line().await?;
            self.note(&line);
        }
    }

    /// Keeps what a line tells that answers nothing.
    fn note(&mut self, line: &[u8]) {
        if let Ok(Told { denied }) = serde_json::from_slice(line) {
            self.denied = Some(denied);
        }
    }

    async fn ask(&mut self, what: &str, argument: &impl Serialize) -> Result<Value> {
        // Answers reach everybody who is attached; the id says whose it is. JSON numbers are
        // exact up to 53 bits.
        let [a, b, c, d, e, f, ..] = random::bytes()?;
        let id = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        let argument = serde_json::to_value(argument)
            .map_err(|e| nonsense("docker.holder", "the request has no JSON").with_source(e))?;
        let mut request = serde_json::Map::new();
        request.insert("id".to_owned(), id.into());
        request.insert(what.to_owned(), argument);
        // The newline before it ends what a client that died may have begun.
        let line = format!("\n{}\n", Value::Object(request));
        let sent = async {
            self.input.write_all(line.as_bytes()).await?;
            self.input.flush().await
        };
        sent.await.map_err(|e| gone().with_source(e))?;
        self.within(async |line: &mut Self| line.answer(id).await)
            .await
    }

    async fn answer(&mut self, id: u64) -> Result<Value> {
        loop {
            let line = self.next_line().await?;
            let answer = serde_json::from_slice::<Answer>(&line).ok();
            let Some(answer) = answer.filter(|answer| answer.id == Some(id)) else {
                self.note(&line);
                continue;
            };
            return match (answer.ok, answer.error) {
                (Some(value), _) => Ok(value),
                (None, error) => Err(nonsense(
                    "docker.holder",
                    error.unwrap_or_else(|| "it refused without a reason".to_owned()),
                )),
            };
        }
    }

    async fn within<T>(&mut self, work: impl AsyncFnOnce(&mut Self) -> Result<T>) -> Result<T> {
        match tokio::time::timeout(ANSWER_TIMEOUT, work(self)).await {
            Ok(done) => done,
            Err(_) => Err(Error::new(
                ErrorKind::Unavailable,
                "docker.holder",
                format!(
                    "the holder did not answer in {} s",
                    ANSWER_TIMEOUT.as_secs()
                ),
            )),
        }
    }

    async fn next_line(&mut self) -> Result<BytesMut> {
        loop {
            if let Some(end) = self.seen.iter().position(|byte| *byte == b'\n') {
                let mut line = self.seen.split_to(end + 1);
                line.truncate(end);
                return Ok(line);
            }
            if self.seen.len() > MAX_ANSWER {
                return Err(nonsense("docker.holder", "an answer has no end"));
            }
            match self.output.next().await {
                Some(Ok(LogOutput::StdErr { message })) => {
                    tracing::debug!(said = %String::from_utf8_lossy(&message), "holder");
                }
                Some(Ok(output)) => self.seen.extend_from_slice(&output.into_bytes()),
                Some(Err(error)) => return Err(docker("docker.holder")(error)),
                None => return Err(gone()),
            }
        }
    }
}

/// The holder has ended; what the sandbox's network allows can only shrink from here.
pub(crate) fn gone() -> Error {
    let message = "the holder of the sandbox's network is gone; the sandbox has no way out";
    Error::new(ErrorKind::Unavailable, "docker.holder", message)
}
