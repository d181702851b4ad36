//! What `nc` is asked for, in the ways that BusyBox and OpenBSD write it.

use std::ffi::OsString;
use std::net::IpAddr;
use std::time::Duration;

use sandbox_applet::{Args, Failure, Short, Value, text};
use sandbox_guest::socket::Kind;

use crate::host::{self, Family};

/// The options.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) family: Family,
    pub(super) datagrams: bool,
    pub(super) verbose: bool,
    /// Connect and close at once.
    pub(super) scan: bool,
    /// Listen again after each connection.
    pub(super) keep: bool,
    /// How long connecting, and silence, may last.
    pub(super) patience: Option<Duration>,
    pub(super) source: Option<IpAddr>,
    pub(super) source_port: u16,
    /// Gets the connection instead of this process.
    pub(super) program: Vec<OsString>,
    pub(super) work: Work,
}

/// What to do.
#[derive(Debug)]
pub(super) enum Work {
    /// Listen on this port, 0 for any.
    Listen(u16),
    /// Connect to these ports of the host.
    Connect(String, Vec<u16>),
}

impl Default for Work {
    fn default() -> Self {
        Self::Listen(0)
    }
}

impl Options {
    /// Reads the command line.
    pub(super) fn read(mut args: Args) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut listens = false;
        let mut operands = Vec::new();
        while let Some(arg) = args.next()? {
            match arg {
                Short('4') => options.family = Family::V4,
                Short('6') => options.family = Family::V6,
                Short('u') => options.datagrams = true,
                Short('v') => options.verbose = true,
                Short('z') => options.scan = true,
                Short('k') => options.keep = true,
                Short('l') => listens = true,
                // No lookups of addresses, and an end that is passed on: as it is anyway.
                Short('n' | 'N' | 'q') => {}
                Short('w') => options.patience = Some(host::seconds(&args.string()?)?),
                Short('p') => options.source_port = host::port(&args.string()?)?,
                Short('s') => {
                    let address = args.string()?;
                    let parsed = address.parse();
                    let wrong = |_| Failure::new(format!("{address}: not an address"));
                    options.source = Some(parsed.map_err(wrong)?);
                }
                Short('e') => {
                    let program = args.value()?;
                    options.program = args.rest(Some(program))?;
                }
                Value(value) => operands.push(text(&value)?.to_owned()),
                other => return Err(other.unexpected().into()),
            }
        }
        options.work = if listens {
            options.listening(operands)?
        } else {
            connecting(operands)?
        };
        Ok(options)
    }

    /// `nc -l PORT`, `nc -l ADDRESS PORT` or `nc -l -p PORT`.
    fn listening(&mut self, mut operands: Vec<String>) -> Result<Work, Failure> {
        let port = match operands.pop() {
            Some(port) => host::port(&port)?,
            None => std::mem::take(&mut self.source_port),
        };
        if let Some(address) = operands.pop() {
            let wrong = |_| Failure::new(format!("{address}: not an address"));
            self.source = Some(address.parse().map_err(wrong)?);
        }
        if operands.is_empty() {
            Ok(Work::Listen(port))
        } else {
            Err(Failure::new("too many operands"))
        }
    }

    /// What its socket carries.
    pub(super) fn kind(&self) -> Kind {
        if self.datagrams {
            Kind::Datagram
        } else {
            Kind::Stream
        }
    }
}

fn connecting(operands: Vec<String>) -> Result<Work, Failure> {
    let mut operands = operands.into_iter();
    let host = operands
        .next()
        .ok_or_else(|| Failure::new("missing host"))?;
    let mut ports = Vec::new();
    for operand in operands {
        match operand.split_once('-') {
            Some((first, last)) => ports.extend(host::port(first)?..=host::port(last)?),
            None => ports.push(host::port(&operand)?),
        }
    }
    if ports.is_empty() {
        return Err(Failure::new("missing port"));
    }
    Ok(Work::Connect(host, ports))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, Failure> {
        let words = line.split_whitespace().map(OsString::from).collect();
        Options::read(Args::new("nc", words))
    }

    #[test]
    fn both_ways_to_listen_are_understood() {
        for line in ["-l -p 80", "-l 80", "-lp 80", "-l 127.0.0.1 80"] {
            let options = read(line).unwrap();
            assert!(matches!(options.work, Work::Listen(80)), "{line}");
        }
        let options = read("-l -p 80 -e cat -n").unwrap();
        assert_eq!(options.program, ["cat", "-n"]);
    }

    #[test]
    fn hosts_and_ranges_of_ports_are_understood() {
        let options = read("-z -w 1.5 host 80 90-92").unwrap();
        let Work::Connect(host, ports) = options.work else {
            panic!("it connects");
        };
        assert_eq!((host.as_str(), ports), ("host", vec![80, 90, 91, 92]));
        assert_eq!(options.patience, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "",
            "host",
            "host 0",
            "host x",
            "-l 1 2 3",
            "-w x host 1",
            "--what",
        ] {
            assert!(read(line).is_err(), "{line:?}");
        }
    }
}
