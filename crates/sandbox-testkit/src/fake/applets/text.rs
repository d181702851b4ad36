//! Programs that make text.

use super::Ended;
use crate::fake::kernel::{CHUNK, Task};

pub(super) async fn echo(task: &Task, arguments: &[String]) -> Ended {
    let bare = arguments.first().is_some_and(|argument| argument == "-n");
    let mut line = arguments[usize::from(bare)..].join(" ");
    if !bare {
        line.push('\n');
    }
    task.print(line).await?;
    Ok(0)
}

pub(super) async fn seq(task: &Task, arguments: &[String]) -> Ended {
    let numbers: Vec<i64> = arguments.iter().filter_map(|a| a.parse().ok()).collect();
    let (first, last) = match numbers[..] {
        [last] => (1, last),
        [first, last] => (first, last),
        _ => {
            task.complain("seq: give one or two numbers").await;
            return Ok(2);
        }
    };
    let mut text = String::new();
    for number in first..=last {
        text.push_str(&number.to_string());
        text.push('\n');
        if text.len() > CHUNK {
            task.step().await;
            task.print(std::mem::take(&mut text)).await?;
        }
    }
    task.print(text).await?;
    Ok(0)
}

pub(super) async fn yes(task: &Task, arguments: &[String]) -> Ended {
    let word = arguments.first().map_or("y", String::as_str);
    let lines = format!("{word}\n").repeat(4096);
    loop {
        task.step().await;
        task.print(lines.clone()).await?;
    }
}

pub(super) async fn printf(task: &Task, arguments: &[String]) -> Ended {
    let Some((format, mut arguments)) = arguments.split_first() else {
        task.complain("printf: missing format").await;
        return Ok(2);
    };
    let mut out = Vec::new();
    loop {
        let used = format_once(format, arguments, &mut out);
        arguments = &arguments[used.min(arguments.len())..];
        if arguments.is_empty() || used == 0 {
            break;
        }
    }
    task.print(out).await?;
    Ok(0)
}

/// Formats once through; gives how many arguments it took.
fn format_once(format: &str, arguments: &[String], out: &mut Vec<u8>) -> usize {
    let mut used = 0;
    let mut bytes = format.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => escape(&mut bytes, out),
            b'%' => {
                let mut width = String::new();
                while let Some(digit) = bytes.next_if(|b| b.is_ascii_digit() || *b == b'-') {
                    width.push(char::from(digit));
                }
                let conversion = bytes.next().unwrap_or(b'%');
                if conversion == b'%' {
                    out.push(b'%');
                    continue;
                }
                let argument = arguments.get(used).map_or("", String::as_str);
                used += 1;
                convert(conversion, &width, argument, out);
            }
            other => out.push(other),
        }
    }
    used
}

fn convert(conversion: u8, width: &str, argument: &str, out: &mut Vec<u8>) {
    let zeros = width.starts_with('0');
    let width: usize = width.parse().unwrap_or(0);
    let number = || argument.trim().parse::<i64>().unwrap_or(0);
    let text = match conversion {
        b'd' | b'i' | b'u' if zeros => format!("{:0width$}", number()),
        b'd' | b'i' | b'u' => format!("{:width$}", number()),
        b'x' => format!("{:x}", number()),
        b'o' => format!("{:o}", number()),
        b'b' => {
            let mut bytes = argument.bytes().peekable();
            while let Some(byte) = bytes.next() {
                match byte {
                    b'\\' => escape(&mut bytes, out),
                    other => out.push(other),
                }
            }
            return;
        }
        _ => format!("{argument:>width$}"),
    };
    out.extend_from_slice(text.as_bytes());
}

fn escape(bytes: &mut std::iter::Peekable<std::str::Bytes<'_>>, out: &mut Vec<u8>) {
    let Some(byte) = bytes.next() else {
        out.push(b'\\');
        return;
    };
    let meant = match byte {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'a' => 7,
        b'\\' => b'\\',
        b'0'..=b'7' => {
            let mut value = u32::from(byte - b'0');
            for _ in 0..2 {
                let Some(digit) = bytes.next_if(|b| (b'0'..=b'7').contains(b)) else {
                    break;
                };
                value = value * 8 + u32::from(digit - b'0');
            }
            value as u8
        }
        other => {
            out.push(b'\\');
            other
        }
    };
    out.push(meant);
}
