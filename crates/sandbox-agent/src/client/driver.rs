//! Opening links, reading from them, and opening the next one.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use sandbox_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::state::{LAZY, Phase, Reason, Shared};
use super::{ClientOptions, Connector, Link};
use crate::protocol::{
    Assembler, Decoder, Encoder, Header, Hello, Kind, MAX_REPLY, Packet, VERSION, Welcome,
};

/// How often a hello is repeated: an agent that is only just starting may not have seen it.
const REPEAT: Duration = Duration::from_secs(1);
/// The pauses between attempts to open a link.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A link that lives shorter than this is followed by a pause: an agent that breaks each one at
/// once is not to keep its daemon busy.
const STEADY: Duration = Duration::from_secs(1);
/// The longest pause after such a link.
const SHORT_LIVED_PAUSE: Duration = Duration::from_millis(100);
/// The most bytes read at a time.
const BUFFER: usize = 128 * 1024;

/// Opens the first link and starts the tasks that serve it.
pub(super) async fn start(
    connector: Arc<dyn Connector>,
    options: ClientOptions,
) -> Result<Arc<Shared>> {
    let shared = Arc::new(Shared::new(options));
    let mut driver = Driver {
        shared: Arc::clone(&shared),
        connector,
        client: random(),
        instance: None,
        broken: Arc::new(Notify::new()),
    };
    let incoming = driver.establish().await?;
    tokio::spawn(write(Arc::clone(&shared), Arc::clone(&driver.broken)));
    tokio::spawn(acknowledge(Arc::clone(&shared)));
    tokio::spawn(driver.run(incoming));
    Ok(shared)
}

/// A number that nobody else has. Not a secret: an agent's input is out of its guest's reach.
fn random() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

/// Waits until the client is closed.
async fn closed(shared: &Shared) {
    let mut phase = shared.phase.subscribe();
    let _ = phase
        .wait_for(|phase| matches!(phase, Phase::Closed(_)))
        .await;
}

/// Writes whatever could not be written at once.
async fn write(shared: Arc<Shared>, broken: Arc<Notify>) {
    let work = async {
        loop {
            shared.wake_writer.notified().await;
            let written = std::future::poll_fn(|context| shared.poll_write_all(context)).await;
            if written.is_err() {
                broken.notify_one();
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = closed(&shared) => {}
    }
}

/// Sends what is in no hurry.
async fn acknowledge(shared: Arc<Shared>) {
    let work = async {
        loop {
            shared.wake_lazy.notified().await;
            sleep(LAZY).await;
            if shared.state().has_lazy() {
                shared.wake_writer.notify_one();
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = closed(&shared) => {}
    }
}

/// The reading side of a link.
struct Incoming {
    reader: Box<dyn AsyncRead + Send + Unpin>,
    decoder: Decoder,
    lease: u64,
    buffer: Vec<u8>,
    /// Packets that are for this lease; `None` stands for damage.
    packets: Vec<Option<Packet>>,
}

impl Incoming {
    /// Reads more; false at the end.
    async fn read(&mut self) -> bool {
        let got = match self.reader.read(&mut self.buffer).await {
            Ok(got @ 1..) => got,
            Ok(_) | Err(_) => return false,
        };
        let (lease, packets) = (self.lease, &mut self.packets);
        self.decoder
            .feed(&self.buffer[..got], |packet| match packet {
                Ok(packet) if packet.header.lease == lease => packets.push(Some(packet)),
                // For a client that was here before.
                Ok(_) => {}
                Err(_) => packets.push(None),
            });
        true
    }
}

struct Driver {
    shared: Arc<Shared>,
    connector: Arc<dyn Connector>,
    client: u64,
    instance: Option<u64>,
    broken: Arc<Notify>,
}

/// Why a link is of no more use.
enum Ended {
    /// Another one may do.
    Broken(Reason),
    /// The client is to be closed.
    Final(Error),
}

fn unavailable(message: &str) -> Error {
    Error::new(ErrorKind::Unavailable, "agent.connect", message)
}

impl Driver {
    async fn run(mut self, mut incoming: Incoming) {
        let mut pause = FIRST_PAUSE;
        loop {
            let opened = Instant::now();
            let shared = Arc::clone(&self.shared);
            let ended = tokio::select! {
                ended = self.serve(incoming) => ended,
                () = closed(&shared) => return,
            };
            match ended {
                Ended::Final(error) => return self.shared.close(&error),
                Ended::Broken(reason) => self.shared.link_down(&reason),
            }
            let (wait, next) = match opened.elapsed() < STEADY {
                true => (pause, (pause * 2).min(SHORT_LIVED_PAUSE)),
                false => (Duration::ZERO, FIRST_PAUSE),
            };
            pause = next;
            let reopen = async {
                sleep(wait).await;
                self.reopen().await
            };
            let reopened = tokio::select! {
                reopened = reopen => reopened,
                () = closed(&shared) => return,
            };
            match reopened {
                Ok(next) => incoming = next,
                Err(error) => return self.shared.close(&error),
            }
        }
    }

    /// Takes packets until the link ends.
    async fn serve(&mut self, mut incoming: Incoming) -> Ended {
        loop {
            for packet in std::mem::take(&mut incoming.packets) {
                if let Err(ended) = self.take(packet) {
                    return ended;
                }
            }
            tokio::select! {
                more = incoming.read() => if !more {
                    return broken("the link to the sandbox's agent broke");
                },
                () = self.broken.notified() => {
                    return broken("the link to the sandbox's agent broke");
                }
            }
        }
    }

    fn take(&self, packet: Option<Packet>) -> std::result::Result<(), Ended> {
        let Some(packet) = packet else {
            return Err(broken("the link to the sandbox's agent carried garbage"));
        };
        match packet.header.kind {
            Kind::LeaseLost => Err(Ended::Final(lease_lost())),
            Kind::Garbled => Err(broken("the sandbox's agent received garbage")),
            _ => self.shared.take(packet).map_err(|what| {
                let message = format!("the agent broke the protocol: it {what}");
                Ended::Final(Error::new(ErrorKind::Internal, "agent.read", message))
            }),
        }
    }

    /// Opens a link again and again, with growing pauses.
    async fn reopen(&mut self) -> Result<Incoming> {
        let deadline = Instant::now() + self.shared.options.reconnect_for;
        let mut pause = FIRST_PAUSE;
        loop {
            match self.establish().await {
                Ok(incoming) => return Ok(incoming),
                Err(error) if is_final(&error) || Instant::now() + pause >= deadline => {
                    return Err(error);
                }
                Err(_) => sleep(pause).await,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Opens a link, takes the lease, and goes on where the last link ended.
    async fn establish(&mut self) -> Result<Incoming> {
        let limit = self.shared.options.hello_timeout;
        let silent = || unavailable("the sandbox's agent does not answer");
        let opened = timeout(limit, self.connector.open()).await;
        let Link { reader, mut writer } = opened.map_err(|_| silent())??;
        let mut incoming = Incoming {
            reader,
            decoder: Decoder::default(),
            lease: random(),
            buffer: vec![0; BUFFER],
            packets: Vec::new(),
        };
        let hello = self.hello(incoming.lease);
        let greeted = timeout(limit, greet(&mut incoming, &mut writer, &hello)).await;
        let welcome = greeted.map_err(|_| silent())??;
        if welcome.version != VERSION {
            let message = format!(
                "the agent speaks version {} of the protocol, not {VERSION}",
                welcome.version
            );
            return Err(Error::unsupported("agent.connect", "agent", message));
        }
        let restarted = self.instance.replace(welcome.instance) != Some(welcome.instance);
        let known = if restarted {
            &[]
        } else {
            welcome.channels.as_slice()
        };
        let lost = Reason::of(&unavailable(
            "the sandbox's agent does not know of it any more",
        ));
        self.shared.state().resume(known, &lost);
        // Both sides of the old link may have noticed that it broke.
        let _ = self.broken.notified().now_or_never();
        self.shared.link_up(incoming.lease, writer);
        Ok(incoming)
    }

    fn hello(&self, lease: u64) -> Vec<u8> {
        let hello = Hello {
            version: VERSION,
            client: self.client,
            channels: self.shared.state().positions(),
        };
        let header = Header {
            lease,
            channel: 0,
            offset: 0,
            kind: Kind::Hello,
            tag: 0,
        };
        // Plain numbers: they always serialise.
        let body = serde_json::to_vec(&hello).unwrap_or_default();
        // A zero first: the last client may have died in the middle of a packet.
        let mut bytes = vec![0];
        Encoder::default().message(header, &body, &mut bytes);
        bytes
    }
}

fn broken(message: &str) -> Ended {
    Ended::Broken(Reason::of(&unavailable(message)))
}

fn lease_lost() -> Error {
    // Not retryable: coming back would take the sandbox away from its new owner.
    Error::new(
        ErrorKind::Conflict,
        "agent.connect",
        "another client has taken the sandbox over",
    )
}

fn is_final(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Unsupported => true,
        ErrorKind::InvalidSpec
        | ErrorKind::PermissionDenied
        | ErrorKind::LimitExceeded
        | ErrorKind::Timeout
        | ErrorKind::Unavailable
        | ErrorKind::Internal => false,
        _ => false,
    }
}

/// Says hello until the agent answers.
async fn greet(
    incoming: &mut Incoming,
    writer: &mut (dyn AsyncWrite + Send + Unpin),
    hello: &[u8],
) -> Result<Welcome> {
    let failed =
        |error: std::io::Error| unavailable("the link cannot be written to").with_source(error);
    let mut assembler = Assembler::new(MAX_REPLY);
    loop {
        writer.write_all(hello).await.map_err(failed)?;
        writer.flush().await.map_err(failed)?;
        match timeout(REPEAT, welcome(incoming, &mut assembler)).await {
            Ok(answer) => return answer,
            Err(_) => continue,
        }
    }
}

async fn welcome(incoming: &mut Incoming, assembler: &mut Assembler) -> Result<Welcome> {
    let senseless = || {
        Error::new(
            ErrorKind::Internal,
            "agent.connect",
            "the welcome makes no sense",
        )
    };
    loop {
        let mut packets = std::mem::take(&mut incoming.packets).into_iter();
        while let Some(packet) = packets.next() {
            // Damage at the start is the rest of a packet for somebody else.
            let Some(packet) = packet else { continue };
            match packet.header.kind {
                Kind::LeaseLost => return Err(lease_lost()),
                Kind::Welcome => {
                    let message = assembler.take(packet).map_err(|_| senseless())?;
                    let Some(message) = message else { continue };
                    let welcome = serde_json::from_slice(&message);
                    let welcome = welcome.map_err(|error| senseless().with_source(error))?;
                    incoming.packets = packets.collect();
                    return Ok(welcome);
                }
                _ => {}
            }
        }
        if !incoming.read().await {
            return Err(unavailable("the link to the sandbox's agent was closed"));
        }
    }
}
