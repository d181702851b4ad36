//! `nc`: bytes from and to a socket.

mod options;
mod relay;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sandbox_applet::{Args, Context, Failure, Outcome, reason, warn};
use sandbox_guest::Command;
use sandbox_guest::socket::{Kind, Socket};
use sandbox_guest::{errno, fd};

use crate::host::{self, Family};
use options::{Options, Work};

/// `nc [-46uvzk] [-w SECONDS] [-s ADDRESS] [-p PORT] [-l] [HOST] [PORT…] [-e PROGRAM …]`
pub fn run(args: Args) -> Outcome {
    let options = Options::read(args)?;
    match &options.work {
        Work::Listen(port) => listen(&options, *port),
        Work::Connect(host, ports) => connect(&options, host, ports),
    }
}

fn connect(options: &Options, host: &str, ports: &[u16]) -> Outcome {
    let mut code = 0;
    for &port in ports {
        match dial(options, host, port) {
            Ok(_) if options.scan => {
                if options.verbose {
                    warn("nc", format_args!("{host} {port} open"));
                }
            }
            Ok(socket) => return serve(options, socket),
            // Without a program or data to wait for, every port is tried.
            Err(failure) if options.scan => {
                code = 1;
                if options.verbose {
                    warn("nc", failure.message());
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(code)
}

/// Connects to the first address that answers.
fn dial(options: &Options, host: &str, port: u16) -> Result<Socket, Failure> {
    let mut last = None;
    for address in host::addresses(host, port, options.family)? {
        match dial_address(options, &address) {
            Ok(socket) => return Ok(socket),
            Err(error) => {
                last = Some(Failure::new(format!("{address}: {}", reason(&error))));
            }
        }
    }
    Err(last.unwrap_or_else(|| Failure::new(format!("{host}: no address"))))
}

fn dial_address(options: &Options, address: &SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::open(address, options.kind())?;
    if options.source.is_some() || options.source_port != 0 {
        let any = unspecified(address.is_ipv6());
        let from = SocketAddr::new(options.source.unwrap_or(any), options.source_port);
        socket.bind(&from)?;
    }
    socket.set_send_timeout(options.patience)?;
    socket.connect_to(address)?;
    socket.set_send_timeout(None)?;
    Ok(socket)
}

fn listen(options: &Options, port: u16) -> Outcome {
    let any = unspecified(options.family == Family::V6);
    let address = SocketAddr::new(options.source.unwrap_or(any), port);
    if options.datagrams {
        return receive(options, &address);
    }
    let listener = Socket::listen(&address, 16).context(address)?;
    if options.verbose {
        let address = listener.local_addr().context("listening")?;
        warn("nc", format_args!("listening on {address}"));
    }
    listener
        .set_receive_timeout(options.patience)
        .context("listening")?;
    loop {
        let socket = errno::retry(|| listener.accept()).context("accepting")?;
        if options.verbose {
            let peer = socket.peer_addr().context("accepting")?;
            warn("nc", format_args!("connection from {peer}"));
        }
        let code = serve(options, socket)?;
        if !options.keep {
            return Ok(code);
        }
    }
}

/// Waits for the first datagram, and talks to whoever sent it.
fn receive(options: &Options, address: &SocketAddr) -> Outcome {
    let socket = Socket::open(address, Kind::Datagram).context(address)?;
    socket.bind(address).context(address)?;
    let mut bytes = vec![0; 64 << 10];
    let (count, from) = errno::retry(|| socket.receive_from(&mut bytes)).context("receiving")?;
    socket.connect_to(&from).context(from)?;
    fd::write_all(1, &bytes[..count]).context("write error")?;
    serve(options, socket)
}

fn serve(options: &Options, socket: Socket) -> Outcome {
    let Some((program, args)) = options.program.split_first() else {
        relay::run(options, &socket).context("connection")?;
        return Ok(0);
    };
    // The program's standard input and output are the connection. Those of this process would be
    // lost for the next one.
    let input = fd::dup(0, 3).context("descriptors")?;
    let output = fd::dup(1, 3).context("descriptors")?;
    fd::dup2(socket.number(), 0).context("descriptors")?;
    fd::dup2(socket.number(), 1).context("descriptors")?;
    let started = Command::new(program).args(args).spawn();
    drop(socket);
    fd::dup2(input, 0).context("descriptors")?;
    fd::dup2(output, 1).context("descriptors")?;
    fd::close(input).context("descriptors")?;
    fd::close(output).context("descriptors")?;
    let mut child = started.context(program.to_string_lossy())?;
    let status = errno::retry(|| child.wait()).context(program.to_string_lossy())?;
    Ok(u8::try_from(status.shell_code()).unwrap_or(1))
}

fn unspecified(v6: bool) -> IpAddr {
    if v6 {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    }
}
