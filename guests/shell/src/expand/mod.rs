//! Expansion of words.

pub mod brace;
pub mod fields;
pub mod glob;
mod param;
mod pathname;
mod transform;

use std::rc::Rc;

use sandbox_guest::files;

use crate::arith;
use crate::ast::{Bytes, Part, Word};
use crate::flow::Run;
use crate::pattern;
use crate::shell::Shell;
use crate::text;
use crate::vars::Value;
use fields::{Field, Fields, Mode};

/// Where a word's parts stand.
#[derive(Clone, Copy, Debug, Default)]
struct Context {
    /// Within double quotes.
    quoted: bool,
    /// Within `${x:-…}`: text of the script is split as what an expansion gave.
    inner: bool,
}

impl Shell {
    /// The fields of `words`.
    pub fn expand_words(&mut self, words: &[Word]) -> Run<Vec<Bytes>> {
        let mut out = Vec::with_capacity(words.len());
        for word in words {
            if self.bash && word.literal().is_none_or(|text| text.contains(&b'{')) {
                for word in brace::expand(word) {
                    self.expand_word(&word, &mut out)?;
                }
            } else {
                self.expand_word(word, &mut out)?;
            }
        }
        Ok(out)
    }

    fn expand_word(&mut self, word: &Word, out: &mut Vec<Bytes>) -> Run<()> {
        if let Some(text) = word.literal()
            && !pattern::is_pattern(text)
        {
            out.push(text.to_vec());
            return Ok(());
        }
        let mut fields = Fields::new(Mode::Split, self.ifs());
        self.expand_parts(&word.0, Context::default(), &mut fields)?;
        for field in fields.finish() {
            self.expand_pathname(field, out);
        }
        Ok(())
    }

    fn expand_pathname(&mut self, field: Field, out: &mut Vec<Bytes>) {
        if let Some(pattern) = field.pattern.filter(|pattern| pattern::is_wild(pattern))
            && !self.options.noglob()
        {
            let found = glob::expand(&pattern, self.dotglob, &pathname::Tree { shell: self });
            if !found.is_empty() {
                out.extend(found);
                return;
            }
            if self.nullglob {
                return;
            }
        }
        out.push(field.text);
    }

    /// `word` as one text: neither split nor matched with names.
    pub fn expand_text(&mut self, word: &Word) -> Run<Bytes> {
        if let [Part::Literal(text) | Part::Quoted(text)] = word.0.as_slice() {
            return Ok(text.clone());
        }
        self.expand_in(word, Mode::Join)
    }

    /// `word` as a pattern, in which quoted text means itself.
    pub fn expand_pattern(&mut self, word: &Word) -> Run<Bytes> {
        self.expand_in(word, Mode::Pattern)
    }

    fn expand_in(&mut self, word: &Word, mode: Mode) -> Run<Bytes> {
        let mut fields = Fields::new(mode, self.ifs());
        self.expand_parts(&word.0, Context::default(), &mut fields)?;
        Ok(fields.text())
    }

    /// `IFS`, or its default when unset.
    pub fn ifs(&self) -> Bytes {
        match self.vars.get(b"IFS").and_then(|var| var.text()) {
            Some(ifs) => ifs.clone(),
            None => b" \t\n".to_vec(),
        }
    }

    fn expand_parts(&mut self, parts: &[Part], context: Context, out: &mut Fields) -> Run<()> {
        for part in parts {
            match part {
                Part::Literal(text) if context.quoted => out.quoted(text),
                Part::Literal(text) if context.inner => out.expanded(text),
                Part::Literal(text) => out.literal(text),
                Part::Quoted(text) => out.quoted(text),
                Part::Double(inner) if inner.is_empty() => out.quoted(b""),
                Part::Double(inner) => self.expand_parts(
                    inner,
                    Context {
                        quoted: true,
                        ..context
                    },
                    out,
                )?,
                Part::Param(param) => self.expand_param(param, context, out)?,
                Part::Command(list) => {
                    let text = self.substitute(list)?;
                    put(&text, context, out);
                }
                Part::Arith(word) => {
                    let text = self.expand_text(word)?;
                    let value = self.arithmetic(&text)?;
                    put(value.to_string().as_bytes(), context, out);
                }
                Part::Tilde(name) => {
                    let home = self.home_of(name);
                    out.quoted(&home);
                }
                Part::Process(reads, list) => {
                    let path = self.process_substitution(*reads, list)?;
                    out.quoted(&path);
                }
            }
        }
        Ok(())
    }

    /// What `~name` stands for.
    fn home_of(&mut self, name: &[u8]) -> Bytes {
        let variable: &[u8] = match name {
            b"" => b"HOME",
            b"+" => b"PWD",
            b"-" => b"OLDPWD",
            _ => {
                return self
                    .home_in_passwd(name)
                    .unwrap_or_else(|| [b"~", name].concat());
            }
        };
        match self.get(variable) {
            Some(value) => value.into_owned(),
            None => [b"~", name].concat(),
        }
    }

    fn home_in_passwd(&self, name: &[u8]) -> Option<Bytes> {
        let passwd = files::read("/", "/etc/passwd").ok()?;
        let line = passwd
            .split(|&byte| byte == b'\n')
            .find(|line| line.split(|&byte| byte == b':').next() == Some(name))?;
        line.split(|&byte| byte == b':').nth(5).map(<[u8]>::to_vec)
    }

    /// The value of an arithmetic expression whose own expansions are done.
    pub fn arithmetic(&mut self, text: &[u8]) -> Run<i64> {
        match arith::evaluate(text, &mut Numbers { shell: self }) {
            Ok(value) => Ok(value),
            Err(arith::Error::Variable(message)) if message.is_empty() => {
                self.fail("assignment failed")
            }
            Err(error) => self.fail(&error.to_string()),
        }
    }
}

fn put(text: &[u8], context: Context, out: &mut Fields) {
    if context.quoted {
        out.quoted(text)
    } else {
        out.expanded(text)
    }
}

/// The shell's variables as arithmetic sees them.
struct Numbers<'a> {
    shell: &'a mut Shell,
}

impl arith::Variables for Numbers<'_> {
    fn get(&mut self, name: &[u8], index: Option<&[u8]>) -> arith::Result<Bytes> {
        let found = match index {
            None => self.shell.get(name).map(|text| text.into_owned()),
            Some(index) => {
                let index = self.index(name, index)?;
                self.shell.element(name, &index)
            }
        };
        match found {
            None if self.shell.options.nounset() => Err(arith::Error::Variable(format!(
                "{}: parameter not set",
                text::lossy(name)
            ))),
            found => Ok(found.unwrap_or_default()),
        }
    }

    fn set(&mut self, name: &[u8], index: Option<&[u8]>, value: i64) -> arith::Result<()> {
        let value = value.to_string().into_bytes();
        let done = match index {
            None => self.shell.set(name, value),
            Some(index) => {
                let index = self.index(name, index)?;
                self.shell.set_element(name, &index, value)
            }
        };
        done.map_err(|_| arith::Error::Variable(String::new()))
    }
}

impl Numbers<'_> {
    fn index(&mut self, name: &[u8], raw: &[u8]) -> arith::Result<Bytes> {
        if matches!(
            self.shell.vars.get(name).and_then(|var| var.value.as_ref()),
            Some(Value::Map(_))
        ) {
            return Ok(raw.to_vec());
        }
        let value = arith::evaluate(raw, self)?;
        Ok(value.to_string().into_bytes())
    }
}

impl Shell {
    /// One element of an array. The index of an indexed array is a number by now.
    pub fn element(&mut self, name: &[u8], index: &[u8]) -> Option<Bytes> {
        match self.vars.get(name).and_then(|var| var.value.as_ref()) {
            Some(Value::Map(items)) => items.get(index).cloned(),
            Some(Value::Array(items)) => {
                let mut index = text::parse_int(index)?;
                if index < 0 {
                    index += items.keys().next_back().map_or(0, |last| last + 1);
                }
                items.get(&index).cloned()
            }
            Some(Value::Text(text)) => {
                matches!(text::parse_int(index)?, 0 | -1).then(|| text.clone())
            }
            None if text::parse_int(index) == Some(0) => {
                self.get(name).map(|text| text.into_owned())
            }
            None => None,
        }
    }

    /// Sets one element of an array, which a plain variable becomes.
    pub fn set_element(&mut self, name: &[u8], index: &[u8], value: Bytes) -> Run<()> {
        let number = text::parse_int(index);
        let is_map = matches!(
            self.vars.get(name).and_then(|var| var.value.as_ref()),
            Some(Value::Map(_))
        );
        if !is_map && number.is_none() {
            return self.fail(&format!("{}: bad array subscript", text::lossy(index)));
        }
        let var = self.writable(name)?;
        if let Some(Value::Map(items)) = &mut var.value {
            items.insert(index.to_vec(), value);
            return Ok(());
        }
        let mut items = match var.value.take() {
            Some(Value::Array(items)) => items,
            Some(Value::Text(text)) => [(0, text)].into(),
            _ => Default::default(),
        };
        let mut number = number.unwrap_or_default();
        if number < 0 {
            number += items.keys().next_back().map_or(0, |last| last + 1);
        }
        let fits = number >= 0;
        if fits {
            items.insert(number, value);
        }
        var.value = Some(Value::Array(items));
        if fits {
            Ok(())
        } else {
            self.fail(&format!("{}: bad array subscript", text::lossy(index)))
        }
    }

    /// The index that `word` means for the array `name`.
    pub fn index_of(&mut self, name: &[u8], word: &Word) -> Run<Bytes> {
        let text = self.expand_text(word)?;
        if matches!(
            self.vars.get(name).and_then(|var| var.value.as_ref()),
            Some(Value::Map(_))
        ) {
            return Ok(text);
        }
        Ok(self.arithmetic(&text)?.to_string().into_bytes())
    }

    /// The text of a prompt or of `PS4`.
    pub fn expand_prompt(&mut self, text: Bytes) -> Bytes {
        let aliases = Rc::clone(&self.aliases);
        match crate::parse::Parser::new(text.clone(), self.line, aliases).prompt() {
            Ok(word) => self.expand_text(&word).unwrap_or(text),
            Err(_) => text,
        }
    }
}
