//! `test` and `[`.

use std::cmp::Ordering;

use sandbox_applet::{Args, Failure, Outcome, cwd, text};
use sandbox_guest::fd;
use sandbox_guest::files::{self, Stat, kind, permission};

/// Deeper nests of `(` and `!` are refused: the stack is not endless.
const MAX_DEPTH: usize = 100;

/// Evaluates the expression: 0 true, 1 false, 2 not understood.
pub fn run(mut args: Args) -> Outcome {
    let words = args.rest(None)?;
    let mut words = words
        .iter()
        .map(|word| text(word))
        .collect::<Result<Vec<_>, _>>()
        .map_err(usage)?;
    if args.name() == "[" && words.pop() != Some("]") {
        return Err(usage(Failure::new("missing ']'")));
    }
    let value = evaluate(&words).map_err(usage)?;
    Ok(u8::from(!value))
}

fn usage(failure: Failure) -> Failure {
    failure.with_code(2)
}

/// What POSIX says for up to four words, and the grammar with `-a` and `-o` beyond.
fn evaluate(words: &[&str]) -> Result<bool, Failure> {
    match words {
        [] => Ok(false),
        [word] => Ok(!word.is_empty()),
        ["!", word] => Ok(word.is_empty()),
        [a, operator, b] if is_binary(operator) => binary(a, operator, b),
        ["!", rest @ ..] if words.len() <= 4 => evaluate(rest).map(|value| !value),
        ["(", rest @ .., ")"] if words.len() <= 4 => evaluate(rest),
        _ => {
            let mut parser = Parser { words, depth: 0 };
            let value = parser.or()?;
            match parser.words.first() {
                None => Ok(value),
                Some(word) => Err(Failure::new(format!("extra argument '{word}'"))),
            }
        }
    }
}

struct Parser<'a> {
    words: &'a [&'a str],
    depth: usize,
}

impl Parser<'_> {
    fn or(&mut self) -> Result<bool, Failure> {
        let mut value = self.and()?;
        while self.words.first() == Some(&"-o") {
            self.words = &self.words[1..];
            let next = self.and()?;
            value |= next;
        }
        Ok(value)
    }

    fn and(&mut self) -> Result<bool, Failure> {
        let mut value = self.not()?;
        while self.words.first() == Some(&"-a") {
            self.words = &self.words[1..];
            let next = self.not()?;
            value &= next;
        }
        Ok(value)
    }

    fn not(&mut self) -> Result<bool, Failure> {
        let mut negate = false;
        while self.words.len() > 1 && self.words[0] == "!" {
            negate = !negate;
            self.words = &self.words[1..];
        }
        Ok(self.primary()? != negate)
    }

    fn primary(&mut self) -> Result<bool, Failure> {
        match self.words {
            [] => Err(Failure::new("argument expected")),
            [a, operator, b, rest @ ..] if is_binary(operator) => {
                self.words = rest;
                binary(a, operator, b)
            }
            ["(", rest @ ..] => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(Failure::new("too many parentheses"));
                }
                self.words = rest;
                let value = self.or()?;
                self.depth -= 1;
                let [")", rest @ ..] = self.words else {
                    return Err(Failure::new("missing ')'"));
                };
                self.words = rest;
                Ok(value)
            }
            [operator, operand, rest @ ..] if is_unary(operator) => {
                self.words = rest;
                unary(operator, operand)
            }
            [word, rest @ ..] => {
                self.words = rest;
                Ok(!word.is_empty())
            }
        }
    }
}

fn is_binary(word: &str) -> bool {
    matches!(
        word,
        "=" | "=="
            | "!="
            | "<"
            | ">"
            | "-eq"
            | "-ne"
            | "-lt"
            | "-le"
            | "-gt"
            | "-ge"
            | "-nt"
            | "-ot"
            | "-ef"
    )
}

fn is_unary(word: &str) -> bool {
    word.len() == 2 && word.starts_with('-') && "bcdefgGhkLnNOprsStuwxz".contains(&word[1..])
}

fn integer(word: &str) -> Result<i128, Failure> {
    let trimmed = word.trim();
    trimmed
        .strip_prefix('+')
        .unwrap_or(trimmed)
        .parse()
        .map_err(|_| Failure::new(format!("invalid integer '{word}'")))
}

fn binary(a: &str, operator: &str, b: &str) -> Result<bool, Failure> {
    let numbers = |accept: fn(Ordering) -> bool| Ok(accept(integer(a)?.cmp(&integer(b)?)));
    let here = cwd();
    let look = |path: &str| files::stat(&here, path, true).ok();
    match operator {
        "=" | "==" => Ok(a == b),
        "!=" => Ok(a != b),
        "<" => Ok(a < b),
        ">" => Ok(a > b),
        "-eq" => numbers(Ordering::is_eq),
        "-ne" => numbers(Ordering::is_ne),
        "-lt" => numbers(Ordering::is_lt),
        "-le" => numbers(Ordering::is_le),
        "-gt" => numbers(Ordering::is_gt),
        "-ge" => numbers(Ordering::is_ge),
        "-nt" => Ok(look(a).map(|stat| stat.mtime_ns) > look(b).map(|stat| stat.mtime_ns)),
        "-ot" => Ok(look(a).map(|stat| stat.mtime_ns) < look(b).map(|stat| stat.mtime_ns)),
        _ => Ok(look(a)
            .zip(look(b))
            .is_some_and(|(a, b)| (a.dev, a.ino) == (b.dev, b.ino))),
    }
}

fn unary(operator: &str, operand: &str) -> Result<bool, Failure> {
    match operator {
        "-n" => return Ok(!operand.is_empty()),
        "-z" => return Ok(operand.is_empty()),
        "-t" => {
            let number = integer(operand)?;
            return Ok(u32::try_from(number).is_ok_and(fd::is_terminal));
        }
        _ => {}
    }
    let here = cwd();
    let link = matches!(operator, "-h" | "-L");
    let Ok(stat) = files::stat(&here, operand, !link) else {
        return Ok(false);
    };
    let may = |mask| files::access(&here, operand, mask).is_ok();
    let is = |wanted| stat.kind() == wanted;
    let user = sandbox_guest::system::user();
    Ok(match operator {
        "-b" => is(kind::BLOCK),
        "-c" => is(kind::CHARACTER),
        "-d" => is(kind::DIRECTORY),
        "-f" => is(kind::FILE),
        "-h" | "-L" => is(kind::SYMLINK),
        "-p" => is(kind::FIFO),
        "-S" => is(kind::SOCKET),
        "-s" => stat.size > 0,
        "-r" => may(permission::READ),
        "-w" => may(permission::WRITE),
        "-x" => may(permission::EXECUTE),
        "-u" => has(&stat, 0o4000),
        "-g" => has(&stat, 0o2000),
        "-k" => has(&stat, 0o1000),
        "-O" => stat.uid == user.0,
        "-G" => stat.gid == user.1,
        // `-e`, and `-N`: access times are not kept, so that nothing was read since.
        _ => true,
    })
}

fn has(stat: &Stat, bit: u32) -> bool {
    stat.mode & bit != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_what_their_number_says() {
        for (words, expected) in [
            (&[][..], Some(false)),
            (&["x"], Some(true)),
            (&[""], Some(false)),
            (&["-n"], Some(true)),
            (&["!", ""], Some(true)),
            (&["!", "x"], Some(false)),
            (&["-n", "x"], Some(true)),
            (&["-z", ""], Some(true)),
            (&["a", "=", "a"], Some(true)),
            (&["!", "=", "a"], Some(false)),
            (&["3", "-lt", "10"], Some(true)),
            (&["-3", "-gt", "+2"], Some(false)),
            (&["x", "-eq", "1"], None),
            (&["!", "a", "=", "a"], Some(false)),
            (&["(", "a", ")"], Some(true)),
            (&["a", "=", "a", "-a", "b", "=", "c"], Some(false)),
            (&["a", "=", "b", "-o", "(", "!", "-n", "", ")"], Some(true)),
            (&["a", "b"], None),
            (&["(", "a", "-o", "b", "-a", ""], None),
        ] {
            assert_eq!(evaluate(words).ok(), expected, "{words:?}");
        }
    }

    #[test]
    fn nests_are_limited() {
        let mut words = vec!["("; 5000];
        words.push("a");
        words.extend([")"; 5000]);
        assert!(evaluate(&words).is_err());
    }
}
