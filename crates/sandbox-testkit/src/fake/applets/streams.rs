//! Programs that pass bytes on.

use bytes::Bytes;

use super::Ended;
use crate::fake::kernel::{CHUNK, Fd, IoError, Task};

/// Standard input, or the files named, one after the other.
struct Inputs<'a> {
    task: &'a Task,
    rest: std::slice::Iter<'a, String>,
    open: Option<Fd>,
    code: u8,
}

impl<'a> Inputs<'a> {
    fn new(task: &'a Task, names: &'a [String]) -> Self {
        Self {
            task,
            rest: names.iter(),
            open: names.is_empty().then(|| task.fd(0)),
            code: 0,
        }
    }

    /// The next bytes; empty at the end of the last one.
    async fn read(&mut self, max: usize) -> Result<Bytes, IoError> {
        loop {
            if let Some(fd) = &self.open {
                let chunk = fd.read(&self.task.kernel, max).await?;
                if !chunk.is_empty() {
                    return Ok(chunk);
                }
                self.open = None;
            }
            let Some(name) = self.rest.next() else {
                return Ok(Bytes::new());
            };
            match name.as_str() {
                "-" => self.open = Some(self.task.fd(0)),
                _ => match self.task.open_read(name) {
                    Ok(fd) => self.open = Some(fd),
                    Err(error) => {
                        self.task
                            .complain(&format!("can't open '{name}': {error}"))
                            .await;
                        self.code = 1;
                    }
                },
            }
        }
    }
}

pub(super) async fn cat(task: &Task, arguments: &[String]) -> Ended {
    let mut inputs = Inputs::new(task, arguments);
    loop {
        let chunk = inputs.read(CHUNK).await?;
        if chunk.is_empty() {
            return Ok(inputs.code);
        }
        task.print(chunk).await?;
    }
}

/// A count as `-c N`, `-n N` or `-N`, what it counts, and the operands.
fn counted(arguments: &[String]) -> (u64, bool, &[String]) {
    let number = |text: Option<&String>| text.and_then(|t| t.trim_start_matches('-').parse().ok());
    match arguments.first().map(String::as_str) {
        Some("-c") => (
            number(arguments.get(1)).unwrap_or(0),
            true,
            &arguments[2.min(arguments.len())..],
        ),
        Some("-n") => (
            number(arguments.get(1)).unwrap_or(0),
            false,
            &arguments[2.min(arguments.len())..],
        ),
        Some(option) if option.starts_with('-') && option.len() > 1 => (
            number(arguments.first()).unwrap_or(10),
            false,
            &arguments[1..],
        ),
        Some(_) | None => (10, false, arguments),
    }
}

pub(super) async fn head(task: &Task, arguments: &[String]) -> Ended {
    let (mut left, bytes, names) = counted(arguments);
    let mut inputs = Inputs::new(task, names);
    while left > 0 {
        let max = if bytes {
            usize::try_from(left).unwrap_or(CHUNK).min(CHUNK)
        } else {
            CHUNK
        };
        let mut chunk = inputs.read(max).await?;
        if chunk.is_empty() {
            break;
        }
        if bytes {
            left -= chunk.len() as u64;
        } else {
            let mut end = 0;
            for (at, byte) in chunk.iter().enumerate() {
                end = at + 1;
                if *byte == b'\n' {
                    left -= 1;
                    if left == 0 {
                        break;
                    }
                }
            }
            chunk.truncate(end);
        }
        task.print(chunk).await?;
    }
    Ok(inputs.code)
}

async fn read_all(inputs: &mut Inputs<'_>) -> Result<Vec<u8>, IoError> {
    let mut all = Vec::new();
    loop {
        let chunk = inputs.read(CHUNK).await?;
        if chunk.is_empty() {
            return Ok(all);
        }
        all.extend_from_slice(&chunk);
        let task = inputs.task;
        task.kernel.account_memory(&task.proc, all.len() as u64);
        task.step().await;
    }
}

pub(super) async fn tail(task: &Task, arguments: &[String]) -> Ended {
    let (count, bytes, names) = counted(arguments);
    let mut inputs = Inputs::new(task, names);
    let all = read_all(&mut inputs).await?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let start = if bytes {
        all.len().saturating_sub(count)
    } else {
        let ends: Vec<usize> = all
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n')
            .map(|(at, _)| at + 1)
            .filter(|end| *end < all.len())
            .collect();
        match (ends.len() + 1).checked_sub(count) {
            Some(first @ 1..) => ends.get(first - 1).copied().unwrap_or(all.len()),
            Some(0) | None => 0,
        }
    };
    task.print(all[start..].to_vec()).await?;
    Ok(inputs.code)
}

pub(super) async fn tee(task: &Task, arguments: &[String]) -> Ended {
    let append = arguments.iter().any(|argument| argument == "-a");
    let mut code = 0;
    let mut outputs = vec![task.fd(1)];
    let limit = task.kernel.spec.resources().open_files as usize;
    for name in arguments.iter().filter(|argument| *argument != "-a") {
        // Standard input, output and error are open as well.
        if outputs.len() + 2 >= limit {
            task.complain(&format!("tee: {name}: Too many open files"))
                .await;
            code = 1;
            continue;
        }
        match task.open_write(name, append) {
            Ok(fd) => outputs.push(fd),
            Err(error) => {
                task.complain(&format!("tee: {name}: {error}")).await;
                code = 1;
            }
        }
    }
    loop {
        let chunk = task.fd(0).read(&task.kernel, CHUNK).await?;
        if chunk.is_empty() {
            return Ok(code);
        }
        for output in &outputs {
            output.write(&task.kernel, chunk.clone()).await?;
        }
    }
}

/// `tr A B` for single characters, and `tr -d A`.
pub(super) async fn translate(task: &Task, arguments: &[String]) -> Ended {
    let byte = |text: Option<&String>| match text.map(String::as_str) {
        Some("\\0" | "\\000") => Some(0),
        Some("\\n") => Some(b'\n'),
        Some(text) => text.bytes().next(),
        None => None,
    };
    let delete = arguments.first().is_some_and(|argument| argument == "-d");
    let from = byte(arguments.get(usize::from(delete)));
    let to = byte(arguments.get(1)).filter(|_| !delete);
    loop {
        let chunk = task.fd(0).read(&task.kernel, CHUNK).await?;
        if chunk.is_empty() {
            return Ok(0);
        }
        let changed: Vec<u8> = chunk
            .iter()
            .filter(|b| !delete || Some(**b) != from)
            .map(|b| {
                if Some(*b) == from {
                    to.unwrap_or(*b)
                } else {
                    *b
                }
            })
            .collect();
        task.print(changed).await?;
    }
}

pub(super) async fn count(task: &Task, arguments: &[String]) -> Ended {
    let options: String = arguments
        .iter()
        .filter_map(|a| a.strip_prefix('-'))
        .collect();
    let names: Vec<String> = arguments
        .iter()
        .filter(|a| !a.starts_with('-'))
        .cloned()
        .collect();
    let (mut lines, mut words, mut bytes) = (0_u64, 0_u64, 0_u64);
    let mut in_word = false;
    let mut inputs = Inputs::new(task, &names);
    loop {
        let chunk = inputs.read(CHUNK).await?;
        if chunk.is_empty() {
            break;
        }
        bytes += chunk.len() as u64;
        for byte in &chunk {
            lines += u64::from(*byte == b'\n');
            let blank = byte.is_ascii_whitespace();
            words += u64::from(!blank && !in_word);
            in_word = !blank;
        }
    }
    let shown = |option| options.is_empty() || options.contains(option);
    let columns = [('l', lines), ('w', words), ('c', bytes)];
    let shown: Vec<String> = columns
        .iter()
        .filter(|(option, _)| shown(*option))
        .map(|(_, count)| count.to_string())
        .collect();
    let name = names
        .first()
        .map_or(String::new(), |name| format!(" {name}"));
    task.print(format!("{}{name}\n", shown.join(" "))).await?;
    Ok(inputs.code)
}
