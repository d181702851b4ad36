//! Functions of the language.

use std::rc::Rc;

use sandbox_applet::Failure;

use super::ast::{self, Builtin, Expr, Place};
use super::fields::{Separator, parts};
use super::format::{letters, letters_end, sprintf};
use super::output::shell;
use super::replace::{Which, pieces, replace};
use super::run::{Machine, Stop};
use super::value::{Bytes, Value};

type Evaluated<T> = Result<T, Stop>;

impl Machine<'_> {
    pub fn builtin(&mut self, builtin: Builtin, args: &[Expr]) -> Evaluated<Value> {
        let number = match builtin {
            Builtin::Atan2 => {
                let y = self.eval(&args[0])?.number();
                y.atan2(self.eval(&args[1])?.number())
            }
            Builtin::Cos => self.eval(&args[0])?.number().cos(),
            Builtin::Sin => self.eval(&args[0])?.number().sin(),
            Builtin::Exp => self.eval(&args[0])?.number().exp(),
            Builtin::Log => self.eval(&args[0])?.number().ln(),
            Builtin::Sqrt => self.eval(&args[0])?.number().sqrt(),
            Builtin::Int => self.eval(&args[0])?.number().trunc(),
            Builtin::Rand => self.rand(),
            Builtin::Srand => self.srand(args)?,
            Builtin::And | Builtin::Or | Builtin::Xor | Builtin::Lshift | Builtin::Rshift => {
                self.bits(builtin, args)?
            }
            Builtin::Length => self.length(args)?,
            Builtin::Index => {
                let (text, wanted) = (self.text(&args[0])?, self.text(&args[1])?);
                match find(&text, &wanted) {
                    Some(at) => letters(&text[..at]) as f64 + 1.0,
                    None => 0.0,
                }
            }
            Builtin::Match => self.find_match(args)?,
            Builtin::Split => self.split(args)?,
            Builtin::Sub | Builtin::Gsub => self.substitute(builtin, args)?,
            Builtin::Close => {
                let name = self.text(&args[0])?;
                self.streams.close(&name)?
            }
            Builtin::Fflush => {
                self.streams.flush()?;
                0.0
            }
            Builtin::System => {
                let line = self.text(&args[0])?;
                self.streams.flush()?;
                shell(&line)
                    .status()
                    .map_or(-1.0, |status| f64::from(status.shell_code()))
            }
            Builtin::Systime => now(),
            Builtin::Strtonum => {
                let text = self.text(&args[0])?;
                match text
                    .strip_prefix(b"0x")
                    .or_else(|| text.strip_prefix(b"0X"))
                {
                    Some(hex) => std::str::from_utf8(hex)
                        .ok()
                        .and_then(|hex| i64::from_str_radix(hex, 16).ok())
                        .unwrap_or(0) as f64,
                    None => Value::Text(text).number(),
                }
            }
            Builtin::Asort | Builtin::Asorti => self.asort(builtin, args)?,
            Builtin::Substr => return self.substr(args),
            Builtin::Sprintf => {
                let args = args
                    .iter()
                    .map(|arg| self.eval(arg))
                    .collect::<Evaluated<Vec<_>>>()?;
                let format = args[0].bytes(&self.convfmt);
                return Ok(Value::text(sprintf(&format, &args[1..], &self.convfmt)));
            }
            Builtin::Tolower => {
                let text = self.text(&args[0])?;
                return Ok(Value::text(cased(
                    &text,
                    str::to_lowercase,
                    u8::to_ascii_lowercase,
                )));
            }
            Builtin::Toupper => {
                let text = self.text(&args[0])?;
                return Ok(Value::text(cased(
                    &text,
                    str::to_uppercase,
                    u8::to_ascii_uppercase,
                )));
            }
            Builtin::Gensub => return self.gensub(args),
            Builtin::Strftime => return self.strftime(args),
        };
        Ok(Value::Number(number))
    }

    /// xorshift64*, in [0, 1).
    fn rand(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let value = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        value as f64 / (1u64 << 53) as f64
    }

    /// The seed of before.
    fn srand(&mut self, args: &[Expr]) -> Evaluated<f64> {
        let seed = match args.first() {
            Some(seed) => self.eval(seed)?.number(),
            None => now(),
        };
        // Near seeds must not give near numbers, and 0 would stay 0.
        let mixed = (seed.to_bits() ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        self.random = (mixed ^ mixed >> 31).max(1);
        Ok(std::mem::replace(&mut self.seed, seed))
    }

    fn bits(&mut self, builtin: Builtin, args: &[Expr]) -> Evaluated<f64> {
        let mut numbers = Vec::new();
        for arg in args {
            numbers.push(self.eval(arg)?.number() as u64);
        }
        let by = u32::try_from(numbers[1]).unwrap_or(u32::MAX);
        let value = match builtin {
            Builtin::And => numbers.into_iter().reduce(|a, b| a & b),
            Builtin::Or => numbers.into_iter().reduce(|a, b| a | b),
            Builtin::Xor => numbers.into_iter().reduce(|a, b| a ^ b),
            Builtin::Lshift => numbers[0].checked_shl(by),
            _ => numbers[0].checked_shr(by),
        };
        Ok(value.unwrap_or(0) as f64)
    }

    fn length(&mut self, args: &[Expr]) -> Evaluated<f64> {
        let count = match args.first() {
            None => letters(&self.whole_record()),
            Some(Expr::Read(Place::Variable(variable))) if self.is_array(*variable) => {
                self.array(*variable)?.borrow().len()
            }
            Some(arg) => letters(&self.text(arg)?),
        };
        Ok(count as f64)
    }

    fn is_array(&self, variable: ast::Variable) -> bool {
        let cell = match variable {
            ast::Variable::Global(at) => &self.globals[at],
            ast::Variable::Local(at) => &self.locals[self.frame + at],
        };
        matches!(cell, super::value::Cell::Array(_))
    }

    fn substr(&mut self, args: &[Expr]) -> Evaluated<Value> {
        let text = self.text(&args[0])?;
        let start = round(self.eval(&args[1])?.number());
        let end = match args.get(2) {
            Some(count) => start + round(self.eval(count)?.number()),
            None => f64::INFINITY,
        };
        let (first, last) = (start.max(1.0), end.min(letters(&text) as f64 + 1.0));
        // Not a number, too, gives nothing.
        if !(first < last) {
            return Ok(Value::text(""));
        }
        let begin = letters_end(&text, first as usize - 1);
        let stop = begin + letters_end(&text[begin..], (last - first) as usize);
        Ok(Value::text(&text[begin..stop]))
    }

    fn find_match(&mut self, args: &[Expr]) -> Evaluated<f64> {
        let text = self.text(&args[0])?;
        let pattern = self.dynamic(&args[1])?;
        let found = pattern.find_at(&text, 0);
        let (start, length) = match found {
            Some((start, end)) => (
                letters(&text[..start]) as f64 + 1.0,
                letters(&text[start..end]) as f64,
            ),
            None => (0.0, -1.0),
        };
        self.set_global(ast::RSTART, Value::Number(start))?;
        self.set_global(ast::RLENGTH, Value::Number(length))?;
        if let Some(array) = args.get(2) {
            let array = self.array_of(array)?;
            let mut array = array.borrow_mut();
            array.clear();
            let groups = pattern.groups_at(&text, 0).unwrap_or_default();
            for (number, group) in groups.into_iter().enumerate() {
                let Some((start, end)) = group else { continue };
                let key = |suffix: &str| -> Bytes {
                    [
                        number.to_string().as_bytes(),
                        if suffix.is_empty() { b"" } else { b"\x1c" },
                        suffix.as_bytes(),
                    ]
                    .concat()
                    .into()
                };
                array.insert(key(""), Value::outside(&text[start..end]));
                array.insert(
                    key("start"),
                    Value::Number(letters(&text[..start]) as f64 + 1.0),
                );
                array.insert(
                    key("length"),
                    Value::Number(letters(&text[start..end]) as f64),
                );
            }
        }
        Ok(start)
    }

    fn array_of(&mut self, expr: &Expr) -> Evaluated<super::value::Array> {
        match expr {
            Expr::Read(Place::Variable(variable)) => self.array(*variable),
            _ => Err(Failure::new("an array is needed").with_code(2).into()),
        }
    }

    fn split(&mut self, args: &[Expr]) -> Evaluated<f64> {
        let text = self.text(&args[0])?;
        let separator = match args.get(2) {
            None => self.separator.clone(),
            Some(Expr::Regex(pattern)) => Separator::Pattern(Rc::clone(pattern)),
            Some(separator) => {
                let source = self.text(separator)?;
                self.separator_of(&source)?
            }
        };
        let array = self.array_of(&args[1])?;
        let found = parts(&text, &separator, false);
        let mut array = array.borrow_mut();
        array.clear();
        for (at, part) in found.iter().enumerate() {
            array.insert((at + 1).to_string().as_bytes().into(), Value::outside(part));
        }
        Ok(found.len() as f64)
    }

    fn substitute(&mut self, builtin: Builtin, args: &[Expr]) -> Evaluated<f64> {
        let record = Place::Field(Box::new(Expr::Number(0.0)));
        let pattern = self.dynamic(&args[0])?;
        let with = pieces(&self.text(&args[1])?, false);
        let target = match args.get(2) {
            None => Some(&record),
            Some(Expr::Read(place)) => Some(place),
            Some(_) => None,
        };
        let text = match (target, args.get(2)) {
            (Some(place), _) => self.read(place)?.bytes(&self.convfmt),
            (None, Some(value)) => self.text(value)?,
            (None, None) => return Ok(0.0),
        };
        let which = if builtin == Builtin::Gsub {
            Which::All
        } else {
            Which::Only(1)
        };
        let (replaced, count) = replace(&text, &pattern, &with, which);
        if count > 0
            && let Some(place) = target
        {
            self.write_place(place, Value::text(replaced))?;
        }
        Ok(count as f64)
    }

    fn gensub(&mut self, args: &[Expr]) -> Evaluated<Value> {
        let pattern = self.dynamic(&args[0])?;
        let with = pieces(&self.text(&args[1])?, true);
        let how = self.eval(&args[2])?;
        let which = match how.bytes(&self.convfmt).first() {
            Some(b'g' | b'G') => Which::All,
            _ => Which::Only((how.number() as usize).max(1)),
        };
        let text = match args.get(3) {
            Some(text) => self.text(text)?,
            None => self.whole_record(),
        };
        Ok(Value::text(replace(&text, &pattern, &with, which).0))
    }

    fn strftime(&mut self, args: &[Expr]) -> Evaluated<Value> {
        let format = match args.first() {
            Some(format) => String::from_utf8_lossy(&self.text(format)?).into_owned(),
            None => "%a %b %e %H:%M:%S %Z %Y".to_owned(),
        };
        let seconds = match args.get(1) {
            Some(seconds) => self.eval(seconds)?.number(),
            None => now(),
        };
        Ok(Value::text(sandbox_applet::date::fill(
            &format,
            (seconds.max(0.0) as u64).saturating_mul(1_000_000_000),
        )))
    }

    /// Sorts values, or keys, to 1, 2, 3…
    fn asort(&mut self, builtin: Builtin, args: &[Expr]) -> Evaluated<f64> {
        let source = self.array_of(&args[0])?;
        let target = match args.get(1) {
            Some(target) => self.array_of(target)?,
            None => Rc::clone(&source),
        };
        let mut values: Vec<Value> = match builtin {
            Builtin::Asort => source.borrow().values().cloned().collect(),
            _ => source
                .borrow()
                .keys()
                .map(|key| Value::Text(Rc::clone(key)))
                .collect(),
        };
        values.sort_by(|a, b| {
            a.compare(b, &self.convfmt)
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        let count = values.len();
        let mut target = target.borrow_mut();
        target.clear();
        for (at, value) in values.into_iter().enumerate() {
            target.insert((at + 1).to_string().as_bytes().into(), value);
        }
        Ok(count as f64)
    }
}

fn now() -> f64 {
    sandbox_applet::time::now() as f64
}

/// To the nearest, halves to the even.
fn round(number: f64) -> f64 {
    number.round_ties_even()
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    if wanted.is_empty() {
        return None;
    }
    text.windows(wanted.len()).position(|part| part == wanted)
}

fn cased(text: &[u8], letters: fn(&str) -> String, bytes: fn(&u8) -> u8) -> Vec<u8> {
    match std::str::from_utf8(text) {
        Ok(text) if !text.is_ascii() => letters(text).into_bytes(),
        _ => text.iter().map(bytes).collect(),
    }
}
