//! `printf`.

use crate::ast::Bytes;
use crate::builtins::number::{self, Number};
use crate::escape::{self, Escape, Kind};
use crate::flow::{Run, USAGE};
use crate::shell::Shell;
use crate::text;

pub(super) fn printf(shell: &mut Shell, args: &[Bytes]) -> Run {
    let mut rest = &args[1..];
    let mut variable = None;
    if let [flag, name, after @ ..] = rest
        && flag == b"-v"
    {
        variable = Some(name.clone());
        rest = after;
    }
    if rest.first().is_some_and(|arg| arg == b"--") {
        rest = &rest[1..];
    }
    let Some((format, operands)) = rest.split_first() else {
        shell.complain("printf: usage: printf format [arg ...]");
        return Ok(USAGE);
    };
    let mut printer = Printer {
        operands,
        used: 0,
        out: Bytes::new(),
        problems: Vec::new(),
        stopped: false,
    };
    loop {
        let before = printer.used;
        printer.format(format);
        if printer.stopped || printer.used >= operands.len() || printer.used == before {
            break;
        }
    }
    let Printer { out, problems, .. } = printer;
    let printed = match variable {
        Some(name) => {
            shell.set(&name, out)?;
            0
        }
        None => shell.print("printf", &out)?,
    };
    for problem in &problems {
        shell.complain(&format!("printf: {problem}"));
    }
    Ok(if problems.is_empty() { printed } else { 1 })
}

struct Printer<'a> {
    operands: &'a [Bytes],
    used: usize,
    out: Bytes,
    problems: Vec<String>,
    /// `\c` was met, or a directive that is none.
    stopped: bool,
}

/// What stands between `%` and the letter.
#[derive(Clone, Copy, Debug, Default)]
struct Directive {
    left: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

/// Wider than this is refused: one directive must not fill the memory.
const WIDEST: i64 = 1 << 24;

impl Printer<'_> {
    fn format(&mut self, format: &[u8]) {
        let mut at = 0;
        while at < format.len() && !self.stopped {
            match format[at] {
                b'\\' => {
                    let (escape, len) = escape::decode(&format[at + 1..], Kind::Format);
                    self.escape(escape);
                    at += 1 + len;
                }
                b'%' if format.get(at + 1) == Some(&b'%') => {
                    self.out.push(b'%');
                    at += 2;
                }
                b'%' => at = self.directive(format, at + 1),
                byte => {
                    self.out.push(byte);
                    at += 1;
                }
            }
        }
    }

    fn escape(&mut self, escape: Escape) {
        match escape {
            Escape::Byte(byte) => self.out.push(byte),
            Escape::Char(char) => self
                .out
                .extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            Escape::Stop => self.stopped = true,
            Escape::Unknown => self.out.push(b'\\'),
        }
    }

    fn operand(&mut self) -> Option<&Bytes> {
        let found = self.operands.get(self.used);
        self.used += 1;
        found
    }

    fn number_at(&mut self, format: &[u8], at: &mut usize) -> i64 {
        if format.get(*at) == Some(&b'*') {
            *at += 1;
            return self.integer().clamp(-WIDEST, WIDEST);
        }
        let mut value = 0_i64;
        while let Some(digit @ b'0'..=b'9') = format.get(*at) {
            value = (value * 10 + i64::from(digit - b'0')).min(WIDEST);
            *at += 1;
        }
        value
    }

    fn directive(&mut self, format: &[u8], mut at: usize) -> usize {
        let start = at;
        let mut directive = Directive::default();
        while let Some(flag) = format.get(at) {
            match flag {
                b'-' => directive.left = true,
                b'+' => directive.plus = true,
                b' ' => directive.space = true,
                b'#' => directive.alternate = true,
                b'0' => directive.zero = true,
                _ => break,
            }
            at += 1;
        }
        let width = self.number_at(format, &mut at);
        directive.left |= width < 0;
        directive.width = usize::try_from(width.unsigned_abs()).unwrap_or_default();
        if format.get(at) == Some(&b'.') {
            at += 1;
            directive.precision = usize::try_from(self.number_at(format, &mut at)).ok();
        }
        while matches!(
            format.get(at),
            Some(b'l' | b'h' | b'L' | b'z' | b'j' | b't')
        ) {
            at += 1;
        }
        let Some(&letter) = format.get(at) else {
            self.problems.push(format!(
                "%{}: invalid directive",
                text::lossy(&format[start..])
            ));
            self.stopped = true;
            return at;
        };
        self.convert(letter, &directive);
        if self.stopped && !self.problems.is_empty() {
            return format.len();
        }
        at + 1
    }

    fn convert(&mut self, letter: u8, directive: &Directive) {
        match letter {
            b's' => {
                let text = self.operand().cloned().unwrap_or_default();
                self.text(&text, directive);
            }
            b'b' => {
                let raw = self.operand().cloned().unwrap_or_default();
                let mut text = Bytes::new();
                let goes_on = escape::unescape(&raw, Kind::Echo, &mut text);
                self.text(&text, directive);
                self.stopped |= !goes_on;
            }
            b'q' => {
                let raw = self.operand().cloned().unwrap_or_default();
                self.text(&number::quoted_for_reuse(&raw), directive);
            }
            b'c' => {
                let text = self.operand().cloned().unwrap_or_default();
                let char = text[..text::char_len(&text)].to_vec();
                self.text(
                    &char,
                    &Directive {
                        precision: None,
                        ..*directive
                    },
                );
            }
            b'd' | b'i' => {
                let value = self.integer();
                let sign = number::sign(value < 0, directive.plus, directive.space);
                self.digits(sign, value.unsigned_abs().to_string(), directive);
            }
            b'u' | b'o' | b'x' | b'X' => {
                let value = self.integer().cast_unsigned();
                let (digits, prefix) = match letter {
                    b'u' => (value.to_string(), ""),
                    b'o' => (format!("{value:o}"), "0"),
                    b'x' => (format!("{value:x}"), "0x"),
                    _ => (format!("{value:X}"), "0X"),
                };
                let shown = directive.alternate && value != 0;
                self.digits(if shown { prefix } else { "" }, digits, directive);
            }
            b'f' | b'F' | b'e' | b'E' | b'g' | b'G' => {
                let value = self.float();
                let body = number::float(
                    value.abs(),
                    letter,
                    directive.precision.unwrap_or(6),
                    directive.alternate,
                );
                let sign = number::sign(value.is_sign_negative(), directive.plus, directive.space);
                let plain = Directive {
                    precision: None,
                    zero: directive.zero && value.is_finite(),
                    ..*directive
                };
                self.digits(sign, body, &plain);
            }
            _ => {
                self.problems
                    .push(format!("%{}: invalid directive", char::from(letter)));
                self.stopped = true;
            }
        }
    }

    fn text(&mut self, text: &[u8], directive: &Directive) {
        let text = match directive.precision {
            Some(most) => &text[..text::char_offset(text, most)],
            None => text,
        };
        let pad = directive.width.saturating_sub(text::char_count(text));
        if !directive.left {
            self.pad(b' ', pad);
        }
        self.out.extend_from_slice(text);
        if directive.left {
            self.pad(b' ', pad);
        }
    }

    fn digits(&mut self, prefix: &str, digits: String, directive: &Directive) {
        let zeros = directive
            .precision
            .map_or(0, |least| least.saturating_sub(digits.len()));
        let len = prefix.len() + zeros + digits.len();
        let pad = directive.width.saturating_sub(len);
        let zero_padded = directive.zero && !directive.left && directive.precision.is_none();
        if !directive.left && !zero_padded {
            self.pad(b' ', pad);
        }
        self.out.extend_from_slice(prefix.as_bytes());
        self.pad(b'0', zeros + if zero_padded { pad } else { 0 });
        self.out.extend_from_slice(digits.as_bytes());
        if directive.left {
            self.pad(b' ', pad);
        }
    }

    fn pad(&mut self, byte: u8, count: usize) {
        self.out.resize(self.out.len() + count, byte);
    }

    fn integer(&mut self) -> i64 {
        let Some(operand) = self.operand().cloned() else {
            return 0;
        };
        match number::integer(&operand) {
            Number::Whole(value) => value,
            Number::Part(value) => {
                self.problems.push(format!(
                    "{}: not completely converted",
                    text::lossy(&operand)
                ));
                value
            }
            Number::None => {
                self.problems
                    .push(format!("{}: expected numeric value", text::lossy(&operand)));
                0
            }
        }
    }

    fn float(&mut self) -> f64 {
        let Some(operand) = self.operand().cloned() else {
            return 0.0;
        };
        match number::parse_float(&operand) {
            Some(value) => value,
            None => {
                self.problems
                    .push(format!("{}: expected numeric value", text::lossy(&operand)));
                0.0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(format: &str, operands: &[&str]) -> (String, usize) {
        let operands: Vec<Bytes> = operands
            .iter()
            .map(|text| text.as_bytes().to_vec())
            .collect();
        let mut printer = Printer {
            operands: &operands,
            used: 0,
            out: Bytes::new(),
            problems: Vec::new(),
            stopped: false,
        };
        printer.format(format.as_bytes());
        (
            String::from_utf8(printer.out).unwrap(),
            printer.problems.len(),
        )
    }

    #[test]
    fn directives_print_as_in_c() {
        for (format, operand, expected) in [
            ("%5d|%-5d|", "42", "   42|0    |"),
            ("%05d", "-42", "-0042"),
            ("%+d", "7", "+7"),
            ("%.3d", "7", "007"),
            ("%x %s", "255", "ff "),
            ("%#o", "8", "010"),
            ("%c", "éa", "é"),
            ("%.2s", "éab", "éa"),
            ("%b", "a\\tb", "a\tb"),
            ("%%%d", "'A", "%65"),
            ("%.2f", "3.14159", "3.14"),
            ("%e", "12345.678", "1.234568e+04"),
            ("%g", "0.0001", "0.0001"),
            ("%g", "1e10", "1e+10"),
            ("%06.1f", "-2.25", "-002.2"),
            ("%d", "0x1f", "31"),
            ("%d", "010", "8"),
        ] {
            assert_eq!(
                print(format, &[operand]),
                (expected.to_owned(), 0),
                "{format} {operand}"
            );
        }
    }

    #[test]
    fn what_is_no_number_is_reported() {
        assert_eq!(print("%d", &["12x"]), ("12".to_owned(), 1));
        assert_eq!(print("%d", &["x"]), ("0".to_owned(), 1));
        assert_eq!(print("%z", &["x"]).1, 1);
    }

    #[test]
    fn a_huge_width_is_bounded() {
        assert!(print("%99999999999999999999d", &["1"]).0.len() <= 1 << 24);
    }
}
