//! `$x` and `${…}`.

use super::fields::{Fields, Mode};
use super::{Context, put, transform};
use crate::ast::{Bytes, Index, Name, Op, Param, Word};
use crate::flow::{Flow, NOT_FOUND, Run, USAGE};
use crate::pattern::{self, End};
use crate::shell::Shell;
use crate::text;
use crate::vars::Value as Variable;

/// The value of a parameter.
pub(super) enum Value {
    Unset,
    One(Bytes),
    /// `$@`, `$*` and their kin; joined: `*`.
    Many(Vec<Bytes>, bool),
}

impl Value {
    fn is_set(&self, null_counts_as_unset: bool) -> bool {
        match self {
            Self::Unset => false,
            Self::One(text) => !(null_counts_as_unset && text.is_empty()),
            Self::Many(list, _) => match list.as_slice() {
                [] => false,
                [only] => !(null_counts_as_unset && only.is_empty()),
                _ => true,
            },
        }
    }

    fn map(self, change: impl Fn(&[u8]) -> Bytes) -> Self {
        match self {
            Self::Unset => Self::Unset,
            Self::One(text) => Self::One(change(&text)),
            Self::Many(list, joined) => {
                Self::Many(list.iter().map(|text| change(text)).collect(), joined)
            }
        }
    }
}

impl Shell {
    pub(super) fn expand_param(
        &mut self,
        param: &Param,
        context: Context,
        out: &mut Fields,
    ) -> Run<()> {
        if let Op::Bad(text) = &param.op {
            return self.fail(&format!("${{{}}}: Bad substitution", text::lossy(text)));
        }
        // By far the most frequent case, without a copy.
        if let (Name::Var(name), None, Op::Plain) = (&param.name, &param.index, &param.op)
            && let Some(found) = self.vars.get(name).and_then(|var| var.text())
        {
            put(found, context, out);
            return Ok(());
        }
        let value = self.operate(param, context, out)?;
        if let Some(value) = value {
            push(value, context, out);
        }
        Ok(())
    }

    /// The value to put out; `None` when that has been done.
    fn operate(&mut self, param: &Param, context: Context, out: &mut Fields) -> Run<Option<Value>> {
        let inner = Context {
            inner: true,
            ..context
        };
        let value = match &param.op {
            Op::Keys | Op::Names | Op::Indirect => return self.about_name(param).map(Some),
            _ => self.value(param)?,
        };
        match &param.op {
            Op::Default { null, word } => {
                if !value.is_set(*null) {
                    self.expand_parts(&word.0, inner, out)?;
                    return Ok(None);
                }
                Ok(Some(value))
            }
            Op::Instead { null, word } => {
                if value.is_set(*null) {
                    self.expand_parts(&word.0, inner, out)?;
                }
                Ok(None)
            }
            Op::Assign { null, word } => {
                if value.is_set(*null) {
                    return Ok(Some(value));
                }
                let Name::Var(name) = &param.name else {
                    return self.fail("Bad assignment to a parameter");
                };
                let text = self.expand_text(word)?;
                match &param.index {
                    Some(Index::At(index)) => {
                        let index = self.index_of(name, index)?;
                        self.set_element(name, &index, text.clone())?;
                    }
                    _ => self.set(name, text.clone())?,
                }
                Ok(Some(Value::One(text)))
            }
            Op::Fail { null, word } => {
                if value.is_set(*null) {
                    return Ok(Some(value));
                }
                let mut message = self.expand_text(word)?;
                if message.is_empty() {
                    let null = if *null { " or null" } else { "" };
                    message = format!("parameter not set{null}").into_bytes();
                }
                self.complain(&format!(
                    "{}: {}",
                    self.name_of(param),
                    text::lossy(&message)
                ));
                Err(Flow::Error(if self.bash { NOT_FOUND } else { USAGE }))
            }
            op => {
                let value = self.checked(param, value)?;
                self.transform(param, op, value).map(Some)
            }
        }
    }

    /// Fails under `-u` when the parameter is unset.
    fn checked(&mut self, param: &Param, value: Value) -> Run<Value> {
        let exempt = matches!(param.name, Name::Special(b'@' | b'*' | b'!'));
        let list = matches!(param.index, Some(Index::All | Index::Joined));
        if matches!(value, Value::Unset) && self.options.nounset() && !exempt && !list {
            return self.fail(&format!("{}: parameter not set", self.name_of(param)));
        }
        Ok(value)
    }

    fn name_of(&self, param: &Param) -> String {
        match &param.name {
            Name::Var(name) => text::lossy(name).into_owned(),
            Name::Positional(number) => number.to_string(),
            Name::Special(byte) => char::from(*byte).to_string(),
        }
    }

    fn transform(&mut self, param: &Param, op: &Op, value: Value) -> Run<Value> {
        Ok(match op {
            Op::Length => {
                let count = match value {
                    Value::Unset => 0,
                    Value::One(text) => text::char_count(&text),
                    Value::Many(list, _) => list.len(),
                };
                Value::One(count.to_string().into_bytes())
            }
            Op::Trim {
                suffix,
                longest,
                pattern,
            } => {
                let pattern = self.expand_pattern(pattern)?;
                let end = if *suffix { End::Tail } else { End::Start };
                value.map(|text| pattern::trim(text, &pattern, end, *longest).to_vec())
            }
            Op::Replace { place, pattern, by } => {
                let pattern = self.expand_pattern(pattern)?;
                let by = self.expand_text(by)?;
                value.map(|text| transform::replace(text, &pattern, &by, *place))
            }
            Op::Case {
                upper,
                all,
                pattern,
            } => {
                let pattern = self.expand_pattern(pattern)?;
                value.map(|text| transform::case(text, *upper, *all, &pattern))
            }
            Op::Slice { offset, length } => self.slice(param, value, offset, length.as_ref())?,
            Op::Transform(letter) => {
                let letter = *letter;
                value.map(|text| transform::letter(text, letter))
            }
            _ => value,
        })
    }

    fn slice(
        &mut self,
        param: &Param,
        value: Value,
        offset: &Word,
        length: Option<&Word>,
    ) -> Run<Value> {
        let text = self.expand_text(offset)?;
        let offset = self.arithmetic(&text)?;
        let length = match length {
            Some(word) => {
                let text = self.expand_text(word)?;
                Some(self.arithmetic(&text)?)
            }
            None => None,
        };
        let refused = |shell: &Self| {
            shell.fail(&format!(
                "{}: substring expression < 0",
                length.unwrap_or_default()
            ))
        };
        Ok(match value {
            Value::Unset => Value::Unset,
            Value::One(text) => match transform::bounds(text::char_count(&text), offset, length) {
                Some((start, end)) => Value::One(
                    text[text::char_offset(&text, start)..text::char_offset(&text, end)].to_vec(),
                ),
                None => return refused(self),
            },
            Value::Many(mut list, joined) => {
                // Among the positional parameters, 0 is `$0`.
                if matches!(param.name, Name::Special(_)) {
                    list.insert(0, self.name.clone());
                }
                match transform::bounds(list.len(), offset, length) {
                    Some((start, end)) => Value::Many(list[start..end].to_vec(), joined),
                    None => return refused(self),
                }
            }
        })
    }

    /// `${!x}`, `${!x[@]}`, `${!x@}`.
    fn about_name(&mut self, param: &Param) -> Run<Value> {
        let Name::Var(name) = &param.name else {
            return self.indirect(param);
        };
        Ok(match param.op {
            Op::Keys => {
                let keys = match self.vars.get(name).and_then(|var| var.value.as_ref()) {
                    Some(Variable::Array(items)) => items
                        .keys()
                        .map(|key| key.to_string().into_bytes())
                        .collect(),
                    Some(Variable::Map(items)) => items.keys().cloned().collect(),
                    Some(Variable::Text(_)) => vec![b"0".to_vec()],
                    None => Vec::new(),
                };
                Value::Many(keys, param.index == Some(Index::Joined))
            }
            Op::Names => {
                let names = self.vars.0.keys().filter(|known| known.starts_with(name));
                Value::Many(names.cloned().collect(), false)
            }
            _ => return self.indirect(param),
        })
    }

    fn indirect(&mut self, param: &Param) -> Run<Value> {
        let plain = Param {
            op: Op::Plain,
            ..param.clone()
        };
        let target = match self.value(&plain)? {
            Value::One(target) => target,
            _ => return self.checked(param, Value::Unset),
        };
        // The name may have an index: let the parser see to it.
        let source = [b"${", target.as_slice(), b"}"].concat();
        let aliases = self.aliases.clone();
        let word = crate::parse::Parser::new(source, self.line, aliases).prompt();
        match word.as_ref().map(|word| word.0.as_slice()) {
            Ok([crate::ast::Part::Param(found)]) if found.op == Op::Plain => {
                let value = self.value(found)?;
                self.checked(found, value)
            }
            _ => self.fail(&format!("{}: invalid variable name", text::lossy(&target))),
        }
    }

    /// The value without any operation.
    fn value(&mut self, param: &Param) -> Run<Value> {
        Ok(match &param.name {
            Name::Positional(0) => Value::One(self.name.clone()),
            Name::Positional(number) => self
                .args
                .get(number - 1)
                .cloned()
                .map_or(Value::Unset, Value::One),
            Name::Special(byte) => self.special_parameter(*byte),
            Name::Var(name) => match &param.index {
                None => self
                    .get(name)
                    .map_or(Value::Unset, |text| Value::One(text.into_owned())),
                Some(Index::At(word)) => {
                    let index = self.index_of(name, word)?;
                    self.element(name, &index).map_or(Value::Unset, Value::One)
                }
                Some(all) => {
                    let items = match self.vars.get(name).and_then(|var| var.value.as_ref()) {
                        Some(Variable::Array(items)) => items.values().cloned().collect(),
                        Some(Variable::Map(items)) => items.values().cloned().collect(),
                        Some(Variable::Text(text)) => vec![text.clone()],
                        None => Vec::new(),
                    };
                    Value::Many(items, *all == Index::Joined)
                }
            },
        })
    }

    fn special_parameter(&mut self, byte: u8) -> Value {
        let number = match byte {
            b'@' | b'*' => return Value::Many(self.args.to_vec(), byte == b'*'),
            b'-' => return Value::One(self.options.letters()),
            b'#' => self.args.len() as i64,
            b'?' => i64::from(self.status),
            b'$' => i64::from(self.first_pid()),
            _ => match self.last_background {
                Some(pid) => i64::from(pid),
                None => return Value::Unset,
            },
        };
        Value::One(number.to_string().into_bytes())
    }
}

/// Puts a value out, as many fields if it is many.
fn push(value: Value, context: Context, out: &mut Fields) {
    let (list, joined) = match value {
        Value::Unset if context.quoted => return out.quoted(b""),
        Value::Unset => return,
        Value::One(text) => return put(&text, context, out),
        Value::Many(list, joined) => (list, joined),
    };
    if out.mode() == Mode::Split && !(joined && context.quoted) {
        for (number, text) in list.iter().enumerate() {
            if number > 0 {
                out.break_field();
            }
            put(text, context, out);
        }
        return;
    }
    let joiner = if joined {
        out.joiner().to_vec()
    } else {
        b" ".to_vec()
    };
    put(&list.join(joiner.as_slice()), context, out);
}
