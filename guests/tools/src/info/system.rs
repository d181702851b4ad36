//! `uname`, `arch`, `hostname`, `nproc`, `uptime`, `free`, `tty`, `stty`.

use sandbox_applet::{Args, Failure, Long, Out, Outcome, Short, Value};
use sandbox_guest::system::{self, Limit};

use crate::size::human;

const MACHINE: &str = "wasm32";

/// One line.
fn say(line: impl AsRef<str>) -> Outcome {
    let mut out = Out::new();
    out.line(line.as_ref())?;
    out.finish()?;
    Ok(0)
}

fn host() -> String {
    system::hostname().unwrap_or_else(|_| "localhost".to_owned())
}

/// `uname`
pub fn uname(mut args: Args) -> Outcome {
    let host = host();
    // In the order of output, whatever the order of options.
    let fields = [
        ('s', "Linux"),
        ('n', &host),
        ('r', env!("CARGO_PKG_VERSION")),
        ('v', "#1 sandbox"),
        ('m', MACHINE),
        ('p', MACHINE),
        ('i', MACHINE),
        ('o', "WASI"),
    ];
    let mut wanted = String::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('a') | Long("all") => wanted.push_str("snrvmo"),
            Short(letter) if fields.iter().any(|field| field.0 == letter) => wanted.push(letter),
            Long("kernel-name") => wanted.push('s'),
            Long("nodename") => wanted.push('n'),
            Long("kernel-release") => wanted.push('r'),
            Long("kernel-version") => wanted.push('v'),
            Long("machine") => wanted.push('m'),
            Long("processor") => wanted.push('p'),
            Long("hardware-platform") => wanted.push('i'),
            Long("operating-system") => wanted.push('o'),
            other => return Err(other.unexpected().into()),
        }
    }
    if wanted.is_empty() {
        wanted.push('s');
    }
    let shown = fields
        .iter()
        .filter(|field| wanted.contains(field.0))
        .map(|field| field.1);
    say(shown.collect::<Vec<_>>().join(" "))
}

/// `arch`
pub fn arch(_: Args) -> Outcome {
    say(MACHINE)
}

/// `hostname`
pub fn hostname(mut args: Args) -> Outcome {
    let mut short = false;
    while let Some(arg) = args.next()? {
        match arg {
            Short('s') | Long("short") => short = true,
            Short('f') | Long("fqdn" | "long") => {}
            Short('i' | 'I') | Long("ip-address") => return say("127.0.0.1"),
            Value(_) => {
                return Err(Failure::new(
                    "the name is the sandbox's: it cannot be set from inside",
                ));
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let host = host();
    say(if short {
        host.split('.').next().unwrap_or_default()
    } else {
        &host
    })
}

/// `nproc`: a process runs on one core at a time, and has one thread.
pub fn nproc(mut args: Args) -> Outcome {
    let mut ignore = 0;
    while let Some(arg) = args.next()? {
        match arg {
            Long("all") => {}
            Long("ignore") => {
                let value = args.string()?;
                ignore = value
                    .parse()
                    .map_err(|_| Failure::new(format!("invalid number '{value}'")))?;
            }
            other => return Err(other.unexpected().into()),
        }
    }
    say(1usize.saturating_sub(ignore).max(1).to_string())
}

/// `uptime`: since the first process of this sandbox that still runs; the load is what runs now.
pub fn uptime(_: Args) -> Outcome {
    let processes =
        system::processes().map_err(|error| Failure::io("cannot read processes", &error))?;
    let running = processes
        .iter()
        .filter(|process| process.state == 'R')
        .count();
    let now = sandbox_applet::time::Civil::new(
        u64::try_from(sandbox_applet::time::now()).unwrap_or(0) * 1_000_000_000,
    );
    say(format!(
        " {:02}:{:02}:{:02} up, {} processes, {running} running",
        now.hour,
        now.minute,
        now.second,
        processes.len()
    ))
}

/// `free`
pub fn free(mut args: Args) -> Outcome {
    let (mut unit, mut readable) = (1024, false);
    while let Some(arg) = args.next()? {
        match arg {
            Short('b') | Long("bytes") => unit = 1,
            Short('k') | Long("kibi") => unit = 1 << 10,
            Short('m') | Long("mebi") => unit = 1 << 20,
            Short('g') | Long("gibi") => unit = 1 << 30,
            Short('h') | Long("human") => readable = true,
            Short('t' | 'w') => {}
            other => return Err(other.unexpected().into()),
        }
    }
    let total = system::limit(Limit::Memory)
        .map_err(|error| Failure::io("cannot read the limit", &error))?;
    let processes =
        system::processes().map_err(|error| Failure::io("cannot read processes", &error))?;
    let used: u64 = processes.iter().map(|process| process.memory).sum();
    let show = |bytes: u64| {
        if readable {
            human(bytes)
        } else {
            (bytes / unit).to_string()
        }
    };
    let left = show(total.saturating_sub(used));
    let mut out = Out::new();
    out.line(format!(
        "{:>20} {:>11} {:>11} {:>11} {:>11} {:>11}",
        "total", "used", "free", "shared", "buff/cache", "available"
    ))?;
    out.line(format!(
        "{:<8}{:>12} {:>11} {left:>11} {:>11} {:>11} {left:>11}",
        "Mem:",
        show(total),
        show(used),
        show(0),
        show(0)
    ))?;
    out.line(format!(
        "{:<8}{:>12} {:>11} {:>11}",
        "Swap:",
        show(0),
        show(0),
        show(0)
    ))?;
    out.finish()?;
    Ok(0)
}

/// `tty`
pub fn tty(mut args: Args) -> Outcome {
    let mut silent = false;
    while let Some(arg) = args.next()? {
        match arg {
            Short('s') | Long("silent" | "quiet") => silent = true,
            other => return Err(Failure::from(other.unexpected()).with_code(2)),
        }
    }
    let terminal = sandbox_guest::fd::is_terminal(0);
    if !silent {
        say(if terminal { "/dev/tty" } else { "not a tty" })?;
    }
    Ok(u8::from(!terminal))
}

/// `stty`: no descriptor of a sandbox has the settings of a terminal.
pub fn stty(_: Args) -> Outcome {
    Err(Failure::new(
        "'standard input': Inappropriate ioctl for device",
    ))
}
