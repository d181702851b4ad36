//! `which`.

use std::env;

use sandbox_applet::{Args, Long, Out, Outcome, Short, Value, cwd, join, text};
use sandbox_guest::files::{self, permission};

/// Finds programs in `PATH`.
pub fn run(mut args: Args) -> Outcome {
    let (mut all, mut silent) = (false, false);
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('a') | Long("all") => all = true,
            Short('s') => silent = true,
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    let path = env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
    let mut out = Out::new();
    let mut failed = 0;
    for operand in &operands {
        let name = text(operand)?;
        let mut found = candidates(name, &path)
            .into_iter()
            .filter(|place| is_program(place))
            .peekable();
        if found.peek().is_none() {
            failed = 1;
        }
        for place in found
            .take(if all { usize::MAX } else { 1 })
            .filter(|_| !silent)
        {
            out.line(place)?;
        }
    }
    out.finish()?;
    Ok(failed)
}

fn candidates(name: &str, path: &str) -> Vec<String> {
    if name.contains('/') {
        return vec![name.to_owned()];
    }
    path.split(':')
        .map(|dir| join(if dir.is_empty() { "." } else { dir }, name))
        .collect()
}

fn is_program(path: &str) -> bool {
    let here = cwd();
    files::stat(&here, path, true).is_ok_and(|stat| stat.is_file())
        && files::access(&here, path, permission::EXECUTE).is_ok()
}
