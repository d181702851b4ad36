//! Programs that reach out: `nc`, `ping`, `nslookup`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::DuplexStream;

use super::files::split;
use crate::fake::kernel::{CHUNK, Fd, Socket, Task, run_program};

/// How long a refused lookup or an unanswered packet is waited for.
const PATIENCE: Duration = Duration::from_millis(50);

/// `nc [-w SECONDS] [-u] HOST PORT`, and `nc -l -p PORT [-s ADDRESS] [-e PROGRAM…]`.
pub(super) async fn nc(task: Task, argv: &[String]) -> u8 {
    let mut listen = false;
    let mut udp = false;
    let mut port = None;
    let mut address = None;
    let mut program = Vec::new();
    let mut operands = Vec::new();
    let mut rest = argv.iter().skip(1);
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "-l" => listen = true,
            "-u" => udp = true,
            "-w" => drop(rest.next()),
            "-p" => port = rest.next().and_then(|text| text.parse().ok()),
            "-s" => address = rest.next().and_then(|text| text.parse::<IpAddr>().ok()),
            "-e" => program = rest.by_ref().cloned().collect(),
            other => operands.push(other),
        }
    }
    if listen {
        let loopback = address.is_some_and(|address| address.is_loopback());
        return serve(task, port.unwrap_or(0), loopback, program).await;
    }
    let [host, port] = operands[..] else {
        task.complain("nc: give a host and a port").await;
        return 1;
    };
    let Some(to) = address_of(&task, host).zip(port.parse().ok()) else {
        task.complain(&format!("nc: bad address '{host}'")).await;
        return 1;
    };
    let to = SocketAddr::from(to);
    if udp {
        return match task.kernel.ask_udp(to) {
            Ok(()) => u8::from(task.print("answer\n").await.is_err()),
            Err(error) => fail(&task, "nc", error).await,
        };
    }
    match task.kernel.open_tcp(to) {
        Ok(stream) => talk(&task, stream).await,
        Err(error) => fail(&task, "nc", error).await,
    }
}

async fn fail(task: &Task, name: &str, error: impl std::fmt::Display) -> u8 {
    tokio::time::sleep(PATIENCE).await;
    task.complain(&format!("{name}: {error}")).await;
    1
}

fn address_of(task: &Task, host: &str) -> Option<IpAddr> {
    match host.parse() {
        Ok(address) => Some(address),
        Err(_) => task.kernel.lookup(host).ok()?.first().copied(),
    }
}

/// Passes bytes both ways until the other side has nothing more to say.
async fn talk(task: &Task, stream: DuplexStream) -> u8 {
    let socket = Socket::new(stream);
    let connection = Fd::Socket(Arc::clone(&socket));
    let send = async {
        loop {
            let chunk = task
                .fd(0)
                .read(&task.kernel, CHUNK)
                .await
                .unwrap_or_default();
            let end = chunk.is_empty();
            if end || connection.write(&task.kernel, chunk).await.is_err() {
                socket.shutdown().await;
                return;
            }
        }
    };
    let receive = async {
        loop {
            let chunk = connection.read(&task.kernel, CHUNK).await;
            let chunk = chunk.unwrap_or_default();
            if chunk.is_empty() || task.print(chunk).await.is_err() {
                return;
            }
        }
    };
    tokio::pin!(receive);
    // What is there to be sent goes out before the other side's end ends this one.
    tokio::select! {
        biased;
        () = send => receive.await,
        () = &mut receive => {}
    }
    0
}

/// Serves one connection, with a program or with this program's own input and output.
async fn serve(mut task: Task, port: u16, loopback: bool, program: Vec<String>) -> u8 {
    let mut incoming = match task.kernel.listen(port, loopback) {
        Ok(incoming) => incoming,
        Err(error) => return fail(&task, "nc: bind", error).await,
    };
    let Some(stream) = incoming.recv().await else {
        return 1;
    };
    drop(incoming);
    let Some(name) = program.first() else {
        return talk(&task, stream).await;
    };
    let Ok(found) = task.find_program(name) else {
        task.complain(&format!("nc: can't execute '{name}'")).await;
        return 127;
    };
    let socket = Socket::new(stream);
    for fd in 0..2 {
        task.fds.insert(fd, Fd::Socket(Arc::clone(&socket)));
    }
    let code = run_program(found, task, program).await;
    socket.shutdown().await;
    code
}

pub(super) async fn ping(task: &Task, arguments: &[String]) -> u8 {
    let Some(to) = arguments.last().and_then(|host| address_of(task, host)) else {
        task.complain("ping: bad address").await;
        return 1;
    };
    match task.kernel.ping(to) {
        Ok(()) => u8::from(task.print(format!("{to} is alive\n")).await.is_err()),
        Err(error) => fail(task, "ping", error).await,
    }
}

/// `nslookup NAME [SERVER]`: with a server, a datagram to it; without, the sandbox's own resolver.
pub(super) async fn nslookup(task: &Task, arguments: &[String]) -> u8 {
    let (_, operands) = split(arguments);
    if let [_, server, ..] = operands[..] {
        let Ok(server) = server.parse::<IpAddr>() else {
            return fail(task, "nslookup", "bad server").await;
        };
        return match task.kernel.ask_udp(SocketAddr::new(server, 53)) {
            Ok(()) => u8::from(task.print("Address: 192.0.2.1\n").await.is_err()),
            Err(error) => fail(task, "nslookup", error).await,
        };
    }
    let name = operands.first().copied().unwrap_or_default();
    match task.kernel.lookup(name) {
        Ok(addresses) => {
            let lines = addresses.iter().map(|a| format!("Address: {a}\n"));
            let text: String = lines.collect();
            u8::from(task.print(format!("Name: {name}\n{text}")).await.is_err())
        }
        Err(error) => fail(task, "nslookup", error).await,
    }
}
