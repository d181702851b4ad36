//! `ping`: echo requests and who answers them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use sandbox_applet::{Args, Context, Failure, Out, Outcome, Short, Value, text};
use sandbox_guest::poll;
use sandbox_guest::socket::{Kind, Socket};

use crate::host::{self, Family};

/// Bytes before the payload: type, code, checksum, identifier, number.
const HEADER: usize = 8;
const MAX_PAYLOAD: usize = 65_499;

struct Options {
    family: Family,
    /// 0: for ever.
    count: u16,
    interval: Duration,
    patience: Duration,
    payload: usize,
    quiet: bool,
}

/// `ping [-46q] [-c COUNT] [-i SECONDS] [-s BYTES] [-W SECONDS] HOST`
pub fn run(mut args: Args) -> Outcome {
    let mut options = Options {
        family: if args.name() == "ping6" {
            Family::V6
        } else {
            Family::Any
        },
        count: 0,
        interval: Duration::from_secs(1),
        patience: Duration::from_secs(10),
        payload: 56,
        quiet: false,
    };
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('4') => options.family = Family::V4,
            Short('6') => options.family = Family::V6,
            Short('q') => options.quiet = true,
            Short('n') => {}
            Short('c') => options.count = number(&args.string()?, u16::MAX.into())? as u16,
            Short('i') => options.interval = host::seconds(&args.string()?)?,
            Short('s') => options.payload = number(&args.string()?, MAX_PAYLOAD)?,
            Short('W' | 'w') => options.patience = host::seconds(&args.string()?)?,
            Value(value) => operands.push(text(&value)?.to_owned()),
            other => return Err(other.unexpected().into()),
        }
    }
    let [host] = operands.as_slice() else {
        return Err(Failure::new("expected one host"));
    };
    let address = host::addresses(host, 0, options.family)?[0];
    ping(&options, host, &address)
}

fn number(text: &str, most: usize) -> Result<usize, Failure> {
    let number = text.parse().ok().filter(|&number| number <= most);
    number.ok_or_else(|| Failure::new(format!("{text}: not a number from 0 to {most}")))
}

fn ping(options: &Options, host: &str, address: &SocketAddr) -> Outcome {
    let ip = address.ip();
    let socket = Socket::open(address, Kind::Echo).context(ip)?;
    socket.connect_to(address).context(ip)?;
    let mut out = Out::new();
    out.line(format!(
        "PING {host} ({ip}): {} data bytes",
        options.payload
    ))?;
    out.finish()?;
    let (mut sent, mut received) = (0_u16, 0_u32);
    loop {
        sent = sent.wrapping_add(1);
        let started = Instant::now();
        let request = request(ip, sent, options.payload);
        socket.send_to(&request, address).context(ip)?;
        if let Some(bytes) = wait(&socket, ip, sent, options.patience).context(ip)? {
            received += 1;
            if !options.quiet {
                let time = started.elapsed().as_secs_f64() * 1000.0;
                out.line(format!(
                    "{bytes} bytes from {ip}: seq={sent} time={time:.3} ms"
                ))?;
                out.finish()?;
            }
        }
        if sent == options.count {
            break;
        }
        poll::sleep(options.interval.saturating_sub(started.elapsed())).context(ip)?;
    }
    let lost = 100 * (u32::from(sent) - received) / u32::from(sent).max(1);
    out.line(format!("\n--- {host} ping statistics ---"))?;
    out.line(format!(
        "{sent} packets transmitted, {received} packets received, {lost}% packet loss"
    ))?;
    out.finish()?;
    Ok(u8::from(received == 0))
}

/// The length of the reply to request `number`; none when it does not come in time.
fn wait(socket: &Socket, ip: IpAddr, number: u16, patience: Duration) -> io::Result<Option<usize>> {
    let deadline = Instant::now() + patience;
    let mut bytes = vec![0; 64 << 10];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        socket.set_receive_timeout(Some(left))?;
        let count = match socket.receive_from(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            received => received?.0,
        };
        if is_reply(ip, number, &bytes[..count]) {
            return Ok(Some(count));
        }
    }
}

/// The kernel fills in the identifier, and the checksum where it is not ours.
fn request(ip: IpAddr, number: u16, payload: usize) -> Vec<u8> {
    let kind = if ip.is_ipv4() { 8 } else { 128 };
    let mut message = vec![0; HEADER + payload];
    message[0] = kind;
    message[6..8].copy_from_slice(&number.to_be_bytes());
    message
}

fn is_reply(ip: IpAddr, number: u16, message: &[u8]) -> bool {
    let kind = if ip.is_ipv4() { 0 } else { 129 };
    message.len() >= HEADER && message[0] == kind && message[6..8] == number.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn a_reply_is_told_from_everything_else() {
        for (ip, kind) in [
            (Ipv4Addr::LOCALHOST.into(), 0),
            (Ipv6Addr::LOCALHOST.into(), 129),
        ] {
            let mut message = request(ip, 7, 3);
            assert_eq!(message.len(), 11);
            assert!(!is_reply(ip, 7, &message));
            message[0] = kind;
            assert!(is_reply(ip, 7, &message));
            assert!(!is_reply(ip, 8, &message));
            assert!(!is_reply(ip, 7, &message[..7]));
        }
    }
}
