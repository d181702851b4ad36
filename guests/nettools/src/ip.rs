//! `ip`.

use sandbox_applet::{Args, Failure, Out, Outcome, Short, Value, text};

/// Shows the interfaces; a sandbox has its loopback, and everything else by way of its policy.
pub fn run(mut args: Args) -> Outcome {
    let mut words = Vec::new();
    let mut brief = false;
    while let Some(arg) = args.next()? {
        match arg {
            Short('4' | '6' | 'o' | 'd' | 's') => {}
            // `-br`
            Short('b' | 'r') => brief = true,
            Value(value) => words.push(text(&value)?.to_owned()),
            other => return Err(other.unexpected().into()),
        }
    }
    let object = words.first().map_or("address", String::as_str);
    let command = words.get(1).map_or("show", String::as_str);
    let is = |long: &str| !object.is_empty() && long.starts_with(object);
    if !matches!(command, "show" | "list" | "ls" | "s" | "get") {
        return Err(Failure::new(format!(
            "'{object} {command}' is not possible: the network is the sandbox's, not its programs'"
        ))
        .with_code(2));
    }
    let mut out = Out::new();
    if is("address") && brief {
        out.line("lo               UNKNOWN        127.0.0.1/8 ::1/128")?;
    } else if is("address") || is("link") {
        out.line("1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 state UNKNOWN")?;
        out.line("    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00")?;
        if is("address") {
            out.line("    inet 127.0.0.1/8 scope host lo\n    inet6 ::1/128 scope host")?;
        }
    } else if !is("route") && !is("neighbour") {
        return Err(Failure::new(format!("Object \"{object}\" is unknown")).with_code(1));
    }
    out.finish()?;
    Ok(0)
}
