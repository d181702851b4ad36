use std::io::Read as _;

use sandbox_applet::{
    Args, Context, Failure, Long, Out, Outcome, Short, Value, number, open, text, warn,
};

/// Compares files byte by byte: 0 the same, 1 different, 2 trouble.
pub fn run(mut args: Args) -> Outcome {
    compare(&mut args).map_err(|failure| failure.with_code(2))
}

fn count(text: &str) -> Result<u64, Failure> {
    number(text).ok_or_else(|| Failure::new(format!("invalid number '{text}'")))
}

fn compare(args: &mut Args) -> Outcome {
    let (mut silent, mut all, mut bytes) = (false, false, false);
    let mut most = u64::MAX;
    let mut skips = [0, 0];
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('s') | Long("silent" | "quiet") => silent = true,
            Short('l') | Long("verbose") => all = true,
            Short('b') | Long("print-bytes") => bytes = true,
            Short('n') | Long("bytes") => most = count(&args.string()?)?,
            Short('i') | Long("ignore-initial") => {
                let value = args.string()?;
                let (first, second) = value.split_once(':').unwrap_or((&value, &value));
                skips = [count(first)?, count(second)?];
            }
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    if operands.is_empty() {
        return Err(Failure::new("missing operand"));
    }
    if operands.len() == 1 {
        operands.push("-".into());
    }
    for (skip, operand) in skips.iter_mut().zip(operands.get(2..).unwrap_or_default()) {
        *skip = count(text(operand)?)?;
    }
    let mut contents = Vec::new();
    for (operand, skip) in operands.iter().zip(skips) {
        let mut content = Vec::new();
        open(operand)
            .context(operand.display())?
            .take(most.saturating_add(skip))
            .read_to_end(&mut content)
            .context(operand.display())?;
        content.drain(
            ..usize::try_from(skip)
                .unwrap_or(usize::MAX)
                .min(content.len()),
        );
        content.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        contents.push(content);
    }
    let (a, b) = (&contents[0], &contents[1]);
    let names = (operands[0].display(), operands[1].display());
    let mut differences = a
        .iter()
        .zip(b)
        .enumerate()
        .filter(|(_, (a, b))| a != b)
        .peekable();
    let first = differences.peek().map(|&(at, (&a, &b))| (at, a, b));
    if first.is_none() && a.len() == b.len() {
        return Ok(0);
    }
    if silent {
        return Ok(1);
    }
    let mut out = Out::new();
    if all {
        for (at, (a, b)) in differences {
            let number = at + 1;
            out.line(format!("{number} {a:3o} {b:3o}"))?;
        }
    } else if let Some((at, x, y)) = first {
        let line = 1 + a[..at].iter().filter(|&&byte| byte == b'\n').count();
        let shown = |byte: u8| std::ascii::escape_default(byte).to_string();
        let detail = if bytes {
            format!(" is {x:3o} {} {y:3o} {}", shown(x), shown(y))
        } else {
            String::new()
        };
        out.line(format!(
            "{} {} differ: char {}, line {line}{detail}",
            names.0,
            names.1,
            at + 1
        ))?;
    }
    out.finish()?;
    if a.len() != b.len() && (first.is_none() || all) {
        let (short, content) = if a.len() < b.len() {
            (names.0, a)
        } else {
            (names.1, b)
        };
        if content.is_empty() {
            warn(args.name(), format_args!("EOF on {short} which is empty"));
        } else {
            let lines = content.iter().filter(|&&byte| byte == b'\n').count();
            let place = if content.ends_with(b"\n") {
                format!("line {lines}")
            } else {
                format!("in line {}", lines + 1)
            };
            warn(
                args.name(),
                format_args!("EOF on {short} after byte {}, {place}", content.len()),
            );
        }
    }
    Ok(1)
}
