//! `test` and `[`.

use sandbox_guest::files::{self, Stat, kind, permission};
use sandbox_guest::{fd, system};

use crate::ast::Bytes;
use crate::flow::{Run, USAGE};
use crate::shell::Shell;
use crate::text;

pub(super) fn test(shell: &mut Shell, args: &[Bytes]) -> Run {
    let name = text::lossy(&args[0]).into_owned();
    let mut words = &args[1..];
    if name == "[" {
        match words.split_last() {
            Some((last, rest)) if last == b"]" => words = rest,
            _ => {
                shell.complain("[: missing ]");
                return Ok(USAGE);
            }
        }
    }
    match evaluate(shell, words) {
        Ok(answer) => Ok(i32::from(!answer)),
        Err(message) => {
            shell.complain(&format!("{name}: {message}"));
            Ok(USAGE)
        }
    }
}

type Answer = Result<bool, String>;

/// POSIX decides by the number of arguments; only beyond four it is a grammar.
fn evaluate(shell: &mut Shell, words: &[Bytes]) -> Answer {
    match words {
        [] => Ok(false),
        [only] => Ok(!only.is_empty()),
        [not, only] if not == b"!" => Ok(only.is_empty()),
        [op, operand] => match unary(shell, op, operand) {
            Some(answer) => Ok(answer),
            None => Err(format!("{}: unexpected operator", text::lossy(op))),
        },
        [left, op, right] => {
            if let Some(answer) = binary(shell, left, op, right) {
                return answer;
            }
            if op == b"-a" {
                return Ok(!left.is_empty() && !right.is_empty());
            }
            if op == b"-o" {
                return Ok(!left.is_empty() || !right.is_empty());
            }
            if left == b"!" {
                return evaluate(shell, &words[1..]).map(|answer| !answer);
            }
            if left == b"(" && right == b")" {
                return Ok(!op.is_empty());
            }
            Err(format!("{}: unexpected operator", text::lossy(op)))
        }
        [not, _, _, _] if not == b"!" => evaluate(shell, &words[1..]).map(|answer| !answer),
        [open, first, second, close] if open == b"(" && close == b")" => {
            evaluate(shell, &[first.clone(), second.clone()])
        }
        _ => {
            let mut grammar = Grammar {
                shell,
                words,
                at: 0,
                depth: 0,
            };
            let answer = grammar.or()?;
            match words.get(grammar.at) {
                None => Ok(answer),
                Some(word) => Err(format!("{}: unexpected operator", text::lossy(word))),
            }
        }
    }
}

struct Grammar<'a> {
    shell: &'a mut Shell,
    words: &'a [Bytes],
    at: usize,
    depth: u32,
}

impl Grammar<'_> {
    fn eat(&mut self, word: &[u8]) -> bool {
        let found = self.words.get(self.at).is_some_and(|next| next == word);
        self.at += usize::from(found);
        found
    }

    fn or(&mut self) -> Answer {
        let mut answer = self.and()?;
        while self.eat(b"-o") {
            answer |= self.and()?;
        }
        Ok(answer)
    }

    fn and(&mut self) -> Answer {
        let mut answer = self.not()?;
        while self.eat(b"-a") {
            answer &= self.not()?;
        }
        Ok(answer)
    }

    fn not(&mut self) -> Answer {
        self.depth += 1;
        if self.depth > 500 {
            return Err("expression nested too deeply".to_owned());
        }
        let binary_follows = self.words.get(self.at + 1).is_some_and(|op| is_binary(op))
            && self.words.len() > self.at + 2;
        let answer = if !binary_follows && self.eat(b"!") {
            self.not().map(|answer| !answer)
        } else if !binary_follows && self.eat(b"(") {
            let answer = self.or()?;
            if self.eat(b")") {
                Ok(answer)
            } else {
                Err("closing paren expected".to_owned())
            }
        } else {
            self.primary(binary_follows)
        };
        self.depth -= 1;
        answer
    }

    fn primary(&mut self, binary_follows: bool) -> Answer {
        let words = self.words;
        let Some(first) = words.get(self.at) else {
            return Err("argument expected".to_owned());
        };
        if binary_follows {
            let (op, right) = (&words[self.at + 1], &words[self.at + 2]);
            self.at += 3;
            return binary(self.shell, first, op, right)
                .unwrap_or_else(|| Err("unexpected operator".to_owned()));
        }
        if let Some(operand) = words.get(self.at + 1)
            && let Some(answer) = unary(self.shell, first, operand)
        {
            self.at += 2;
            return Ok(answer);
        }
        self.at += 1;
        Ok(!first.is_empty())
    }
}

fn is_binary(op: &[u8]) -> bool {
    matches!(
        op,
        b"=" | b"=="
            | b"!="
            | b"<"
            | b">"
            | b"-eq"
            | b"-ne"
            | b"-lt"
            | b"-le"
            | b"-gt"
            | b"-ge"
            | b"-nt"
            | b"-ot"
            | b"-ef"
    )
}

/// `left op right`; `None` when there is no such operator.
pub fn binary(shell: &mut Shell, left: &[u8], op: &[u8], right: &[u8]) -> Option<Answer> {
    let answer = match op {
        b"=" | b"==" => left == right,
        b"!=" => left != right,
        b"<" => left < right,
        b">" => left > right,
        b"-eq" | b"-ne" | b"-lt" | b"-le" | b"-gt" | b"-ge" => {
            return Some(compare(left, op, right));
        }
        b"-nt" | b"-ot" | b"-ef" => {
            let (left, right) = (stat(shell, left, true), stat(shell, right, true));
            match (op, left, right) {
                (b"-ef", Some(left), Some(right)) => (left.dev, left.ino) == (right.dev, right.ino),
                (b"-nt", Some(left), Some(right)) => left.mtime_ns > right.mtime_ns,
                (b"-ot", Some(left), Some(right)) => left.mtime_ns < right.mtime_ns,
                (b"-nt", left, None) => left.is_some(),
                (b"-ot", None, right) => right.is_some(),
                _ => false,
            }
        }
        _ => return None,
    };
    Some(Ok(answer))
}

fn compare(left: &[u8], op: &[u8], right: &[u8]) -> Answer {
    let number = |text: &[u8]| {
        text::parse_int(text).ok_or_else(|| format!("Illegal number: {}", text::lossy(text)))
    };
    let (left, right) = (number(left)?, number(right)?);
    Ok(match op {
        b"-eq" => left == right,
        b"-ne" => left != right,
        b"-lt" => left < right,
        b"-le" => left <= right,
        b"-gt" => left > right,
        _ => left >= right,
    })
}

fn stat(shell: &Shell, path: &[u8], follow: bool) -> Option<Stat> {
    let path = text::lossy(path);
    // The shell's descriptors have the shell's numbers.
    if let Some(number) = path
        .strip_prefix("/dev/fd/")
        .and_then(|number| number.parse().ok())
    {
        return files::fstat(shell.fds.number(number).ok()?).ok();
    }
    files::stat(&shell.cwd, &path, follow).ok()
}

/// `op operand`; `None` when there is no such operator.
pub fn unary(shell: &mut Shell, op: &[u8], operand: &[u8]) -> Option<bool> {
    let [b'-', letter] = op else { return None };
    let is = |wanted: u32, follow: bool| {
        stat(shell, operand, follow).is_some_and(|stat| stat.kind() == wanted)
    };
    let bit = |bit: u32| stat(shell, operand, true).is_some_and(|stat| stat.mode & bit != 0);
    let may = |mask: u32| {
        !operand.is_empty() && files::access(&shell.cwd, &text::lossy(operand), mask).is_ok()
    };
    Some(match letter {
        b'n' => !operand.is_empty(),
        b'z' => operand.is_empty(),
        b'e' | b'a' => stat(shell, operand, true).is_some(),
        b'f' => is(kind::FILE, true),
        b'd' => is(kind::DIRECTORY, true),
        b'h' | b'L' => is(kind::SYMLINK, false),
        b'p' => is(kind::FIFO, true),
        b'S' => is(kind::SOCKET, true),
        b'b' => is(kind::BLOCK, true),
        b'c' => is(kind::CHARACTER, true),
        b's' => stat(shell, operand, true).is_some_and(|stat| stat.size > 0),
        b'r' => may(permission::READ),
        b'w' => may(permission::WRITE),
        b'x' => may(permission::EXECUTE),
        b'u' => bit(0o4000),
        b'g' => bit(0o2000),
        b'k' => bit(0o1000),
        b'O' => stat(shell, operand, true).is_some_and(|stat| stat.uid == system::user().0),
        b'G' => stat(shell, operand, true).is_some_and(|stat| stat.gid == system::user().1),
        b't' => {
            let number = text::parse_int(operand).and_then(|number| u32::try_from(number).ok());
            number
                .and_then(|number| shell.fds.number(number).ok())
                .is_some_and(fd::is_terminal)
        }
        b'v' => shell.is_set(operand),
        b'o' => shell
            .options
            .iter()
            .any(|(_, name, on)| on && name.as_bytes() == operand),
        _ => return None,
    })
}
