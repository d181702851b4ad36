//! `nslookup`: the addresses of a name, by the sandbox's resolver or by a server.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use sandbox_applet::{Args, Context, Failure, Long, Out, Outcome, Short, Value, text};
use sandbox_guest::socket::{Kind, Socket, resolve};
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, TYPE};

use crate::host::{self, Family};

/// How often a server is asked, and how long each answer is waited for.
const ATTEMPTS: u16 = 3;
const PATIENCE: Duration = Duration::from_secs(3);
const DNS: u16 = 53;

/// `nslookup [-type=a|aaaa] [-port=PORT] NAME [SERVER]`
pub fn run(mut args: Args) -> Outcome {
    let (mut family, mut port) = (Family::Any, DNS);
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            // `-type=aaaa` reads as `-t` with the rest of the word.
            Short('t' | 'q') | Long("type" | "query" | "querytype") => {
                family = kind(value_of(&args.string()?))?;
            }
            Short('p') | Long("port") => port = host::port(value_of(&args.string()?))?,
            Value(value) => operands.push(text(&value)?.to_owned()),
            other => return Err(other.unexpected().into()),
        }
    }
    let (name, server) = match operands.as_slice() {
        [name] => (name, None),
        [name, server] => (name, Some(server)),
        _ => return Err(Failure::new("expected a name, and perhaps a server")),
    };
    let mut out = Out::new();
    let found = match server {
        None => by_resolver(name, family)?,
        Some(server) => {
            let server = host::addresses(server, port, Family::Any)?[0];
            out.line(format!("Server:\t\t{}", server.ip()))?;
            out.line(format!("Address:\t{server}\n"))?;
            by_server(name, family, &server)?
        }
    };
    for address in &found {
        out.line(format!("Name:\t{name}\nAddress: {address}"))?;
    }
    out.finish()?;
    if found.is_empty() {
        return Err(Failure::new(format!("{name}: no address")));
    }
    Ok(0)
}

/// What is after the `=` of an option of several letters.
fn value_of(text: &str) -> &str {
    text.split_once('=').map_or(text, |(_, value)| value)
}

fn kind(text: &str) -> Result<Family, Failure> {
    match text.to_ascii_lowercase().as_str() {
        "a" => Ok(Family::V4),
        "aaaa" => Ok(Family::V6),
        "any" => Ok(Family::Any),
        _ => Err(Failure::new(format!(
            "{text}: only a, aaaa and any are known"
        ))),
    }
}

fn by_resolver(name: &str, family: Family) -> Result<Vec<IpAddr>, Failure> {
    let found = resolve(name, 0).map_err(|error| host::unresolved(name, &error))?;
    let addresses = found.iter().map(SocketAddr::ip);
    Ok(addresses.filter(|address| family.has(*address)).collect())
}

fn by_server(name: &str, family: Family, server: &SocketAddr) -> Result<Vec<IpAddr>, Failure> {
    let socket = Socket::open(server, Kind::Datagram).context(server)?;
    socket.connect_to(server).context(server)?;
    socket.set_receive_timeout(Some(PATIENCE)).context(server)?;
    let mut found = Vec::new();
    for (number, kind) in [(1, TYPE::A), (2, TYPE::AAAA)] {
        let wanted = match kind {
            TYPE::A => Family::V4,
            _ => Family::V6,
        };
        if family == Family::Any || family == wanted {
            found.extend(ask(&socket, name, kind, number).context(server)??);
        }
    }
    Ok(found)
}

/// The addresses in the server's answer, or why it has none.
fn ask(
    socket: &Socket,
    name: &str,
    kind: TYPE,
    number: u16,
) -> io::Result<Result<Vec<IpAddr>, Failure>> {
    let wrong = || Failure::new(format!("{name}: not a name"));
    let Ok(query) = query(name, kind, number) else {
        return Ok(Err(wrong()));
    };
    let peer = socket.peer_addr()?;
    let mut bytes = vec![0; 4096];
    for _ in 0..ATTEMPTS {
        socket.send_to(&query, &peer)?;
        loop {
            let count = match socket.receive_from(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                received => received?.0,
            };
            if let Some(answer) = read(&bytes[..count], name, number) {
                return Ok(answer);
            }
        }
    }
    Ok(Err(Failure::new("the server does not answer")))
}

fn query(name: &str, kind: TYPE, number: u16) -> simple_dns::Result<Vec<u8>> {
    let mut packet = Packet::new_query(number);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(name.strip_suffix('.').unwrap_or(name))?;
    let question = Question::new(name, kind.into(), CLASS::IN.into(), false);
    packet.questions.push(question);
    packet.build_bytes_vec()
}

/// The addresses in a message; none for what is no answer to question `number`.
fn read(message: &[u8], name: &str, number: u16) -> Option<Result<Vec<IpAddr>, Failure>> {
    let packet = Packet::parse(message).ok()?;
    if packet.id() != number || !packet.has_flags(PacketFlag::RESPONSE) {
        return None;
    }
    let refused = match packet.rcode() {
        RCODE::NoError => None,
        RCODE::NameError => Some("no such name"),
        RCODE::Refused => Some("the server refuses"),
        _ => Some("the server fails"),
    };
    if let Some(why) = refused {
        return Some(Err(Failure::new(format!("{name}: {why}"))));
    }
    let addresses = packet
        .answers
        .iter()
        .filter_map(|record| match &record.rdata {
            RData::A(a) => Some(IpAddr::V4(Ipv4Addr::from(a.address))),
            RData::AAAA(aaaa) => Some(IpAddr::V6(Ipv6Addr::from(aaaa.address))),
            _ => None,
        });
    Some(Ok(addresses.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_to_the_question_counts() {
        let query = query("a.test.", TYPE::A, 7).unwrap();
        assert!(
            read(&query, "a.test", 7).is_none(),
            "a question is no answer"
        );
        let mut answer = query.clone();
        answer[2] |= 0x80;
        assert!(read(&answer, "a.test", 7).unwrap().unwrap().is_empty());
        assert!(read(&answer, "a.test", 8).is_none());
        answer[3] |= 3;
        let refused = read(&answer, "a.test", 7).unwrap().unwrap_err();
        assert!(refused.message().contains("no such name"));
        assert!(read(&answer[..10], "a.test", 7).is_none());
    }

    #[test]
    fn names_that_are_none_are_refused() {
        let label = "a".repeat(64);
        assert!(query(&label, TYPE::A, 1).is_err());
    }

    #[test]
    fn options_of_several_letters_have_values() {
        assert_eq!(kind(value_of("ype=AAAA")).ok(), Some(Family::V6));
        assert!(kind("mx").is_err());
    }
}
