//! Expressions.

use std::cmp::Ordering;
use std::rc::Rc;

use sandbox_applet::Failure;

use super::ast::{self, Comparison, Expr, Operator, Place, Source, Variable};
use super::fields::MAX_FIELDS;
use super::input::{Ends, Reader};
use super::run::{Flow, Machine, Stop};
use super::value::{Array, Bytes, Cell, Value};
use crate::regex::Pattern;

/// Deeper calls are refused: the stack is not endless.
const MAX_CALLS: usize = 2000;

type Evaluated<T> = Result<T, Stop>;

fn failure<T>(message: impl Into<String>) -> Evaluated<T> {
    Err(Stop::Failure(Failure::new(message).with_code(2)))
}

fn truth(is: bool) -> Value {
    Value::Number(f64::from(u8::from(is)))
}

impl Machine<'_> {
    pub fn eval(&mut self, expr: &Expr) -> Evaluated<Value> {
        Ok(match expr {
            Expr::Number(number) => Value::Number(*number),
            Expr::Text(bytes) => Value::Text(Rc::clone(bytes)),
            Expr::Regex(pattern) => truth(pattern.is_match(&self.whole_record())),
            Expr::Read(place) => self.read(place)?,
            Expr::Assign(place, operator, value) => {
                let value = self.eval(value)?;
                let value = match operator {
                    None => value,
                    Some(operator) => {
                        let before = self.read(place)?.number();
                        Value::Number(arithmetic(*operator, before, value.number())?)
                    }
                };
                self.write_place(place, value.clone())?;
                value
            }
            Expr::Step { place, by, before } => {
                let old = self.read(place)?.number();
                self.write_place(place, Value::Number(old + by))?;
                Value::Number(if *before { old } else { old + by })
            }
            Expr::Arithmetic(operator, a, b) => {
                let (a, b) = (self.eval(a)?.number(), self.eval(b)?.number());
                Value::Number(arithmetic(*operator, a, b)?)
            }
            Expr::Compare(comparison, a, b) => {
                let (a, b) = (self.eval(a)?, self.eval(b)?);
                truth(holds(*comparison, a.compare(&b, &self.convfmt)))
            }
            Expr::Concat(a, b) => {
                let (a, b) = (self.text(a)?, self.text(b)?);
                Value::Text([&a[..], &b[..]].concat().into())
            }
            Expr::And(a, b) => truth(self.eval(a)?.is_true() && self.eval(b)?.is_true()),
            Expr::Or(a, b) => truth(self.eval(a)?.is_true() || self.eval(b)?.is_true()),
            Expr::Not(inner) => truth(!self.eval(inner)?.is_true()),
            Expr::Minus(inner) => Value::Number(-self.eval(inner)?.number()),
            Expr::Plus(inner) => Value::Number(self.eval(inner)?.number()),
            Expr::Choose(test, yes, no) => {
                let branch = if self.eval(test)?.is_true() { yes } else { no };
                self.eval(branch)?
            }
            Expr::Match {
                negated,
                text,
                pattern,
            } => {
                let text = self.text(text)?;
                let pattern = self.dynamic(pattern)?;
                truth(pattern.is_match(&text) != *negated)
            }
            Expr::In(keys, array) => {
                let key = self.key(keys)?;
                let array = self.array(*array)?;
                let found = array.borrow().contains_key(&key);
                truth(found)
            }
            Expr::Call(number, args) => self.call(*number, args)?,
            Expr::Builtin(builtin, args) => self.builtin(*builtin, args)?,
            Expr::Getline(source, place) => self.getline(source, place.as_ref())?,
            Expr::Group(inner) => self.eval(inner)?,
            Expr::List(_) => return failure("a list of expressions has no value"),
        })
    }

    pub fn text(&mut self, expr: &Expr) -> Evaluated<Bytes> {
        let value = self.eval(expr)?;
        Ok(value.bytes(&self.convfmt))
    }

    /// A regular expression: written as one, or made from a text.
    pub fn dynamic(&mut self, expr: &Expr) -> Evaluated<Rc<Pattern>> {
        match expr {
            Expr::Regex(pattern) => Ok(Rc::clone(pattern)),
            Expr::Group(inner) if matches!(**inner, Expr::Regex(_)) => self.dynamic(inner),
            expr => {
                let source = self.text(expr)?;
                self.pattern(&source)
            }
        }
    }

    pub fn whole_record(&mut self) -> Bytes {
        let separator = self.global_bytes(ast::OFS);
        self.record.whole(&separator, &self.convfmt)
    }

    pub fn split_record(&mut self) {
        let paragraph = matches!(self.ends, Ends::Paragraph);
        self.record.split(&self.separator, paragraph);
    }

    fn field_number(&mut self, expr: &Expr) -> Evaluated<usize> {
        let number = self.eval(expr)?.number();
        if !(0.0..MAX_FIELDS as f64).contains(&number) {
            return failure(format!("trying to access field {number}"));
        }
        Ok(number as usize)
    }

    pub fn read(&mut self, place: &Place) -> Evaluated<Value> {
        match place {
            Place::Variable(Variable::Global(at)) => match &self.globals[*at] {
                Cell::Array(_) => failure(format!("'{}' is an array", self.program.globals[*at])),
                _ => Ok(self.read_global(*at)),
            },
            Place::Variable(Variable::Local(at)) => match &self.locals[self.frame + at] {
                Cell::Scalar(value) => Ok(value.clone()),
                Cell::Unset | Cell::Maybe(_) => Ok(Value::Unset),
                Cell::Array(_) => failure("an array is used as a value"),
            },
            Place::Field(inner) => match self.field_number(inner)? {
                0 => Ok(Value::outside(self.whole_record())),
                number => {
                    self.split_record();
                    Ok(self.record.field(number))
                }
            },
            Place::Element(array, index) => {
                let key = self.key(index)?;
                let array = self.array(*array)?;
                let found = array
                    .borrow_mut()
                    .entry(key)
                    .or_insert(Value::Unset)
                    .clone();
                Ok(found)
            }
        }
    }

    pub fn write_place(&mut self, place: &Place, value: Value) -> Evaluated<()> {
        match place {
            Place::Variable(variable) => self.set_variable(*variable, value),
            Place::Field(inner) => {
                match self.field_number(inner)? {
                    0 => {
                        let whole = value.bytes(&self.convfmt);
                        self.record.set(whole);
                    }
                    number => {
                        self.split_record();
                        self.record.set_field(number, value);
                    }
                }
                Ok(())
            }
            Place::Element(array, index) => {
                let key = self.key(index)?;
                let array = self.array(*array)?;
                array.borrow_mut().insert(key, value);
                Ok(())
            }
        }
    }

    pub fn set_variable(&mut self, variable: Variable, value: Value) -> Evaluated<()> {
        match variable {
            Variable::Global(at) => self.set_global(at, value).map_err(Stop::Failure),
            Variable::Local(at) => {
                let cell = &mut self.locals[self.frame + at];
                if matches!(cell, Cell::Array(_)) {
                    return failure("an array is assigned to");
                }
                *cell = Cell::Scalar(value);
                Ok(())
            }
        }
    }

    pub fn read_global(&mut self, at: usize) -> Value {
        match at {
            ast::NF => {
                self.split_record();
                Value::Number(self.record.count() as f64)
            }
            ast::NR | ast::FNR => Value::Number(self.numbers[at]),
            at => match &self.globals[at] {
                Cell::Scalar(value) => value.clone(),
                _ => Value::Unset,
            },
        }
    }

    pub fn global_bytes(&self, at: usize) -> Bytes {
        match &self.globals[at] {
            Cell::Scalar(value) => value.bytes(&self.convfmt),
            _ => Rc::new([]),
        }
    }

    /// Assigns; and lets those with a meaning take effect.
    pub fn set_global(&mut self, at: usize, value: Value) -> Result<(), Failure> {
        let failed = |stop| match stop {
            Stop::Failure(failure) => failure,
            _ => Failure::new("a separator cannot be used"),
        };
        match at {
            ast::NF => {
                let count = value.number();
                if !(0.0..MAX_FIELDS as f64).contains(&count) {
                    return Err(Failure::new(format!("NF cannot be {count}")).with_code(2));
                }
                self.split_record();
                self.record.set_count(count as usize);
                return Ok(());
            }
            ast::NR | ast::FNR => {
                self.numbers[at] = value.number();
                return Ok(());
            }
            ast::FS => {
                // The record at hand is still split by the old one.
                self.split_record();
                let source = value.bytes(&self.convfmt);
                self.separator = self.separator_of(&source).map_err(failed)?;
            }
            ast::RS => {
                let source = value.bytes(&self.convfmt);
                self.ends = match &source[..] {
                    b"" => Ends::Paragraph,
                    [byte] => Ends::Byte(*byte),
                    _ => Ends::Pattern(self.pattern(&source).map_err(failed)?),
                };
            }
            ast::CONVFMT => self.convfmt = value.bytes(b"%.6g"),
            _ => {}
        }
        if matches!(self.globals[at], Cell::Array(_)) {
            return Err(
                Failure::new(format!("'{}' is an array", self.program.globals[at])).with_code(2),
            );
        }
        self.globals[at] = Cell::Scalar(value);
        Ok(())
    }

    pub fn global_array(&mut self, at: usize) -> Evaluated<Array> {
        self.array(Variable::Global(at))
    }

    /// The array that `variable` is; it becomes one when it was nothing.
    pub fn array(&mut self, variable: Variable) -> Evaluated<Array> {
        let cell = match variable {
            Variable::Global(at) => &mut self.globals[at],
            Variable::Local(at) => &mut self.locals[self.frame + at],
        };
        match cell {
            Cell::Array(array) => Ok(Rc::clone(array)),
            Cell::Unset => {
                let array = Array::default();
                *cell = Cell::Array(Rc::clone(&array));
                Ok(array)
            }
            Cell::Maybe(array) => {
                let array = Rc::clone(array);
                *cell = Cell::Array(Rc::clone(&array));
                Ok(array)
            }
            Cell::Scalar(_) => failure("a value is used as an array"),
        }
    }

    pub fn key(&mut self, index: &[Expr]) -> Evaluated<Bytes> {
        if let [only] = index {
            return self.text(only);
        }
        let parts = index
            .iter()
            .map(|part| self.text(part))
            .collect::<Evaluated<Vec<_>>>()?;
        Ok(parts.join(&*self.global_bytes(ast::SUBSEP)).into())
    }

    fn call(&mut self, number: usize, args: &[Expr]) -> Evaluated<Value> {
        let program = self.program;
        let function = &program.functions[number];
        if args.len() > function.parameters {
            return failure(format!(
                "function '{}' is called with too many arguments",
                function.name
            ));
        }
        self.calls += 1;
        if self.calls > MAX_CALLS {
            return failure("too many calls within each other");
        }
        let mut cells = Vec::with_capacity(function.parameters);
        for arg in args {
            let cell = match arg {
                Expr::Read(Place::Variable(variable)) => self.argument(*variable),
                arg => Cell::Scalar(self.eval(arg)?),
            };
            cells.push(cell);
        }
        cells.resize(function.parameters, Cell::Unset);
        let caller = std::mem::replace(&mut self.frame, self.locals.len());
        self.locals.extend(cells);
        let flow = self.block(&function.body);
        let cells = self.locals.split_off(self.frame);
        self.frame = caller;
        self.calls -= 1;
        // What the function made an array of is one for the caller, too.
        for (arg, cell) in args.iter().zip(cells) {
            if let (Expr::Read(Place::Variable(variable)), Cell::Array(array)) = (arg, cell) {
                let own = match *variable {
                    Variable::Global(at) => &mut self.globals[at],
                    Variable::Local(at) => &mut self.locals[self.frame + at],
                };
                if matches!(own, Cell::Unset | Cell::Maybe(_)) {
                    *own = Cell::Array(array);
                }
            }
        }
        match flow? {
            Flow::Return(value) => Ok(value),
            _ => Ok(Value::Unset),
        }
    }

    fn argument(&mut self, variable: Variable) -> Cell {
        match variable {
            Variable::Global(at @ (ast::NF | ast::NR | ast::FNR)) => {
                Cell::Scalar(self.read_global(at))
            }
            Variable::Global(at) => match &self.globals[at] {
                Cell::Unset => Cell::Maybe(Array::default()),
                cell => cell.clone(),
            },
            Variable::Local(at) => match &self.locals[self.frame + at] {
                Cell::Unset => Cell::Maybe(Array::default()),
                cell => cell.clone(),
            },
        }
    }

    fn getline(&mut self, source: &Source, place: Option<&Place>) -> Evaluated<Value> {
        let ends = self.ends.clone();
        let read = |reader: Option<&mut Reader>| match reader.map(|reader| reader.record(&ends)) {
            Some(Ok(record)) => Ok(record),
            Some(Err(_)) | None => Err(Value::Number(-1.0)),
        };
        let record = match source {
            Source::Main => Ok(self.main_record()?),
            Source::File(name) => {
                let name = self.text(name)?;
                read(self.streams.from_file(&name))
            }
            Source::Command(line) => {
                let line = self.text(line)?;
                let record = read(self.streams.from_command(&line)?);
                if matches!(record, Ok(Some(_))) {
                    self.numbers[ast::NR] += 1.0;
                }
                record
            }
        };
        match record {
            Err(value) => Ok(value),
            Ok(None) => Ok(Value::Number(0.0)),
            Ok(Some(record)) => {
                match place {
                    Some(place) => self.write_place(place, Value::outside(record))?,
                    None => self.record.set(record.into()),
                }
                Ok(Value::Number(1.0))
            }
        }
    }
}

fn arithmetic(operator: Operator, a: f64, b: f64) -> Evaluated<f64> {
    Ok(match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide if b == 0.0 => return failure("division by zero"),
        Operator::Divide => a / b,
        Operator::Remainder if b == 0.0 => return failure("division by zero in %"),
        Operator::Remainder => a % b,
        Operator::Power => a.powf(b),
    })
}

fn holds(comparison: Comparison, order: Option<Ordering>) -> bool {
    let Some(order) = order else {
        return comparison == Comparison::NotEqual;
    };
    match comparison {
        Comparison::Less => order.is_lt(),
        Comparison::LessEqual => order.is_le(),
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterEqual => order.is_ge(),
    }
}
