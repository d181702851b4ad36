//! `echo`, `true`, `false`, `yes`, `pwd`, `sleep`, `sync`, `printenv`, `clear`, `seq`.

use std::env;
use std::time::Duration;

use sandbox_applet::{Args, Failure, Long, Out, Outcome, Short, Value, text};
use sandbox_guest::{fd, poll};

use sandbox_applet::time::duration;

/// `true`
pub fn yes_code(_: Args) -> Outcome {
    Ok(0)
}

/// `false`
pub fn no_code(_: Args) -> Outcome {
    Ok(1)
}

/// `:`-like programs that have nothing to do here: every write is in the file system at once.
pub fn sync(_: Args) -> Outcome {
    Ok(0)
}

/// `echo`
pub fn echo(mut args: Args) -> Outcome {
    let mut words = args.rest(None)?;
    let (mut newline, mut escapes) = (true, false);
    while let Some(flags) = words
        .first()
        .and_then(|word| word.to_str())
        .and_then(|word| word.strip_prefix('-'))
    {
        if flags.is_empty() || !flags.chars().all(|flag| matches!(flag, 'n' | 'e' | 'E')) {
            break;
        }
        for flag in flags.chars() {
            match flag {
                'n' => newline = false,
                'e' => escapes = true,
                _ => escapes = false,
            }
        }
        words.remove(0);
    }
    let mut out = Out::new();
    for (at, word) in words.iter().enumerate() {
        if at > 0 {
            out.put(" ")?;
        }
        if !escapes {
            out.put(word.as_encoded_bytes())?;
            continue;
        }
        let (bytes, stop) = unescape(word.as_encoded_bytes());
        out.put(bytes)?;
        if stop {
            out.finish()?;
            return Ok(0);
        }
    }
    if newline {
        out.put("\n")?;
    }
    out.finish()?;
    Ok(0)
}

/// The sequences of `echo -e`; and whether `\c` ends the output.
fn unescape(text: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        at += 1;
        let Some(&next) = text.get(at).filter(|_| byte == b'\\') else {
            out.push(byte);
            continue;
        };
        at += 1;
        let mut digits = |base: u32, most: usize| {
            let mut value = None;
            for _ in 0..most {
                let Some(digit) = text
                    .get(at)
                    .and_then(|&byte| char::from(byte).to_digit(base))
                else {
                    break;
                };
                value = Some(value.unwrap_or(0) * base + digit);
                at += 1;
            }
            value
        };
        match next {
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'c' => return (out, true),
            b'e' => out.push(27),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(11),
            b'\\' => out.push(b'\\'),
            b'0' => out.push(digits(8, 3).unwrap_or(0).to_le_bytes()[0]),
            b'x' => match digits(16, 2) {
                Some(value) => out.push(value.to_le_bytes()[0]),
                None => out.extend(b"\\x"),
            },
            other => out.extend([b'\\', other]),
        }
    }
    (out, false)
}

/// `yes`
pub fn yes(mut args: Args) -> Outcome {
    let words = args.rest(None)?;
    let mut line = match &words[..] {
        [] => b"y".to_vec(),
        words => words
            .iter()
            .map(|word| word.as_encoded_bytes())
            .collect::<Vec<_>>()
            .join(&b' '),
    };
    line.push(b'\n');
    let block = line.repeat((16 << 10) / line.len() + 1);
    loop {
        fd::write_all(1, &block).map_err(|error| Failure::io("standard output", &error))?;
    }
}

/// `pwd`
pub fn pwd(mut args: Args) -> Outcome {
    let mut physical = false;
    while let Some(arg) = args.next()? {
        match arg {
            Short('P') | Long("physical") => physical = true,
            Short('L') | Long("logical") => physical = false,
            other => return Err(other.unexpected().into()),
        }
    }
    let here = sandbox_applet::cwd();
    let shown = match std::fs::canonicalize(&here) {
        Ok(found) if physical => found.to_string_lossy().into_owned(),
        _ => here,
    };
    let mut out = Out::new();
    out.line(shown)?;
    out.finish()?;
    Ok(0)
}

/// `sleep`
pub fn sleep(mut args: Args) -> Outcome {
    let operands = args.operands()?;
    if operands.is_empty() {
        return Err(Failure::new("missing operand"));
    }
    let mut time = Some(Duration::ZERO);
    for operand in &operands {
        let word = text(operand)?;
        let one =
            duration(word).map_err(|()| Failure::new(format!("invalid time interval '{word}'")))?;
        time = time.zip(one).and_then(|(a, b)| a.checked_add(b));
    }
    poll::sleep(time.unwrap_or(Duration::MAX))
        .map_err(|error| Failure::io("cannot sleep", &error))?;
    Ok(0)
}

/// `printenv`
pub fn printenv(mut args: Args) -> Outcome {
    let mut end = '\n';
    let mut names = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('0') | Long("null") => end = '\0',
            Value(value) => names.push(value),
            other => return Err(Failure::from(other.unexpected()).with_code(2)),
        }
    }
    let mut out = Out::new();
    let mut failed = 0;
    if names.is_empty() {
        for (name, value) in env::vars_os() {
            out.put([name.as_encoded_bytes(), b"=", value.as_encoded_bytes()].concat())?;
            out.put(end.to_string())?;
        }
    }
    for name in names {
        match env::var_os(name) {
            Some(value) => {
                out.put(value.as_encoded_bytes())?;
                out.put(end.to_string())?;
            }
            None => failed = 1,
        }
    }
    out.finish()?;
    Ok(failed)
}

/// `clear`
pub fn clear(_: Args) -> Outcome {
    let mut out = Out::new();
    out.put("\x1b[H\x1b[2J\x1b[3J")?;
    out.finish()?;
    Ok(0)
}
