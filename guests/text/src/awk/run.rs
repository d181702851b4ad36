//! Statements, and the loop over records.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::rc::Rc;

use sandbox_applet::{Failure, Outcome, open, reason, text, warn};

use super::ast::{self, Program, Redirect, Statement, When};
use super::fields::{Record, Separator};
use super::format::sprintf;
use super::input::{Ends, Reader};
use super::lexer::unescape;
use super::output::Streams;
use super::value::{Bytes, Cell, Value};
use crate::regex::{Flags, Pattern, Syntax};

/// A running program.
pub struct Machine<'a> {
    pub program: &'a Program,
    pub globals: Vec<Cell>,
    pub locals: Vec<Cell>,
    /// Where the locals of the function at hand begin.
    pub frame: usize,
    pub record: Record,
    pub numbers: [f64; 3],
    pub separator: Separator,
    pub ends: Ends,
    pub convfmt: Bytes,
    pub streams: Streams,
    pub patterns: HashMap<Bytes, Rc<Pattern>>,
    pub seed: f64,
    pub random: u64,
    ranges: Vec<bool>,
    main: Option<Reader>,
    /// The next of `ARGV`.
    next_operand: usize,
    any_file: bool,
    failed: bool,
    /// What `exit` said.
    code: Option<u8>,
    /// Functions within each other.
    pub calls: usize,
}

/// Why a statement did not simply end.
pub enum Stop {
    Next,
    NextFile,
    Exit,
    Failure(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// How a statement ended.
pub enum Flow {
    On,
    Break,
    Continue,
    Return(Value),
}

impl<'a> Machine<'a> {
    /// Ready to run `program`; `operands` are files and assignments.
    pub fn new(program: &'a Program, operands: &[OsString]) -> Result<Self, Failure> {
        let mut machine = Self {
            program,
            globals: vec![Cell::Unset; program.globals.len()],
            locals: Vec::new(),
            frame: 0,
            record: Record::new(),
            numbers: [0.0; 3],
            separator: Separator::Blanks,
            ends: Ends::Byte(b'\n'),
            convfmt: Rc::from(*b"%.6g"),
            streams: Streams::new(),
            patterns: HashMap::new(),
            seed: 0.0,
            random: 0x9e37_79b9_7f4a_7c15,
            ranges: vec![false; program.rules.len()],
            main: None,
            next_operand: 1,
            any_file: false,
            failed: false,
            code: None,
            calls: 0,
        };
        for (place, value) in [
            (ast::FS, " "),
            (ast::OFS, " "),
            (ast::RS, "\n"),
            (ast::ORS, "\n"),
            (ast::SUBSEP, "\x1c"),
            (ast::CONVFMT, "%.6g"),
            (ast::OFMT, "%.6g"),
        ] {
            machine.globals[place] = Cell::Scalar(Value::text(value));
        }
        machine.globals[ast::RSTART] = Cell::Scalar(Value::Number(0.0));
        machine.globals[ast::RLENGTH] = Cell::Scalar(Value::Number(-1.0));
        let mut environ = HashMap::new();
        for (name, value) in std::env::vars_os() {
            environ.insert(
                name.as_encoded_bytes().into(),
                Value::outside(value.as_encoded_bytes()),
            );
        }
        machine.globals[ast::ENVIRON] = Cell::Array(Rc::new(RefCell::new(environ)));
        let mut argv = HashMap::from([(Rc::from(*b"0"), Value::text("awk"))]);
        for (at, operand) in operands.iter().enumerate() {
            let key = (at + 1).to_string();
            argv.insert(key.as_bytes().into(), Value::outside(text(operand)?));
        }
        machine.globals[ast::ARGV] = Cell::Array(Rc::new(RefCell::new(argv)));
        machine.globals[ast::ARGC] = Cell::Scalar(Value::Number(operands.len() as f64 + 1.0));
        Ok(machine)
    }

    /// Takes `NAME=value`; `false` when it is no assignment.
    pub fn assign(&mut self, word: &str) -> Result<bool, Failure> {
        let Some((name, value)) = word.split_once('=') else {
            return Ok(false);
        };
        let valid = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !valid {
            return Ok(false);
        }
        let value = Value::outside(unescape(value.as_bytes()));
        // A variable that the program never names is of no use to it.
        if let Some(place) = self.program.globals.iter().position(|known| known == name) {
            self.set_global(place, value)?;
        }
        Ok(true)
    }

    /// Runs all of the program; its exit code.
    pub fn main(&mut self) -> Outcome {
        let ran = self.begin_and_records();
        // `exit` goes on at END; a second one ends there.
        let ended = match ran {
            Ok(()) | Err(Stop::Exit | Stop::Next | Stop::NextFile) => self.end(),
            failed => failed,
        };
        self.streams.close_all()?;
        match ended {
            Err(Stop::Failure(failure)) => Err(failure),
            _ => Ok(self.code.unwrap_or(if self.failed { 2 } else { 0 })),
        }
    }

    fn begin_and_records(&mut self) -> Result<(), Stop> {
        let program = self.program;
        for body in &program.begin {
            self.block(body)?;
        }
        if program.rules.is_empty() && program.end.is_empty() {
            return Ok(());
        }
        while self.next_record()? {
            match self.rules() {
                Ok(()) | Err(Stop::Next) => {}
                Err(Stop::NextFile) => self.main = None,
                Err(stop) => return Err(stop),
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Stop> {
        let program = self.program;
        for body in &program.end {
            self.block(body)?;
        }
        Ok(())
    }

    fn rules(&mut self) -> Result<(), Stop> {
        let program = self.program;
        for rule in &program.rules {
            let applies = match &rule.pattern {
                When::Always => true,
                When::Test(test) => self.eval(test)?.is_true(),
                When::Range(first, last, number) => {
                    let inside = self.ranges[*number] || self.eval(first)?.is_true();
                    if inside {
                        self.ranges[*number] = !self.eval(last)?.is_true();
                    }
                    inside
                }
            };
            if !applies {
                continue;
            }
            match &rule.body {
                Some(body) => {
                    self.block(body)?;
                }
                None => self.print(&[], None)?,
            }
        }
        Ok(())
    }

    /// Reads the next record of the main input into `$0`.
    fn next_record(&mut self) -> Result<bool, Stop> {
        match self.main_record()? {
            Some(record) => {
                self.record.set(record.into());
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// The next record of the main input, counted.
    pub fn main_record(&mut self) -> Result<Option<Vec<u8>>, Stop> {
        loop {
            if self.main.is_none() && !self.open_next()? {
                return Ok(None);
            }
            let Some(reader) = &mut self.main else {
                return Ok(None);
            };
            match reader.record(&self.ends) {
                Ok(Some(record)) => {
                    self.numbers[ast::NR] += 1.0;
                    self.numbers[ast::FNR] += 1.0;
                    return Ok(Some(record));
                }
                Ok(None) => {}
                Err(error) => {
                    let name = self.global_bytes(ast::FILENAME);
                    warn(
                        "awk",
                        format_args!("{}: {}", String::from_utf8_lossy(&name), reason(&error)),
                    );
                    self.failed = true;
                }
            }
            self.main = None;
        }
    }

    /// Opens the next file of `ARGV`, or the standard input when there is none.
    fn open_next(&mut self) -> Result<bool, Stop> {
        loop {
            let count = self.read_global(ast::ARGC).number() as usize;
            if self.next_operand >= count {
                if self.any_file {
                    return Ok(false);
                }
                self.any_file = true;
                self.main = Some(Reader::new(sandbox_applet::Input::Standard));
                return Ok(true);
            }
            let key = self.next_operand.to_string();
            self.next_operand += 1;
            let argv = self.global_array(ast::ARGV)?;
            let value = argv
                .borrow()
                .get(key.as_bytes())
                .cloned()
                .unwrap_or(Value::Unset);
            let word = String::from_utf8_lossy(&value.bytes(&self.convfmt)).into_owned();
            if word.is_empty() || self.assign(&word)? {
                continue;
            }
            self.any_file = true;
            match open(word.as_ref()) {
                Ok(input) => {
                    self.globals[ast::FILENAME] = Cell::Scalar(Value::text(&word));
                    self.numbers[ast::FNR] = 0.0;
                    self.main = Some(Reader::new(input));
                    return Ok(true);
                }
                Err(error) => {
                    self.streams.standard.finish()?;
                    warn(
                        "awk",
                        format_args!("cannot open '{word}': {}", reason(&error)),
                    );
                    self.failed = true;
                }
            }
        }
    }

    pub fn block(&mut self, body: &[Statement]) -> Result<Flow, Stop> {
        for statement in body {
            match self.statement(statement)? {
                Flow::On => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::On)
    }

    fn statement(&mut self, statement: &Statement) -> Result<Flow, Stop> {
        match statement {
            Statement::Expr(expr) => {
                self.eval(expr)?;
            }
            Statement::Print(args, redirect) => self.print(args, redirect.as_ref())?,
            Statement::Printf(args, redirect) => {
                let args = args
                    .iter()
                    .map(|arg| self.eval(arg))
                    .collect::<Result<Vec<_>, _>>()?;
                let format = args[0].bytes(&self.convfmt);
                let bytes = sprintf(&format, &args[1..], &self.convfmt);
                self.write(bytes, redirect.as_ref())?;
            }
            Statement::If(test, yes, no) => {
                let branch = if self.eval(test)?.is_true() { yes } else { no };
                return self.block(branch);
            }
            Statement::While(test, body) => {
                while self.eval(test)?.is_true() {
                    match self.block(body)? {
                        Flow::Break => break,
                        Flow::Return(value) => return Ok(Flow::Return(value)),
                        Flow::On | Flow::Continue => {}
                    }
                }
            }
            Statement::Do(body, test) => loop {
                match self.block(body)? {
                    Flow::Break => break,
                    Flow::Return(value) => return Ok(Flow::Return(value)),
                    Flow::On | Flow::Continue => {}
                }
                if !self.eval(test)?.is_true() {
                    break;
                }
            },
            Statement::For(start, test, step, body) => {
                if let Some(start) = start {
                    self.statement(start)?;
                }
                loop {
                    if let Some(test) = test
                        && !self.eval(test)?.is_true()
                    {
                        break;
                    }
                    match self.block(body)? {
                        Flow::Break => break,
                        Flow::Return(value) => return Ok(Flow::Return(value)),
                        Flow::On | Flow::Continue => {}
                    }
                    if let Some(step) = step {
                        self.statement(step)?;
                    }
                }
            }
            Statement::ForIn(variable, array, body) => {
                for key in self.keys(*array)? {
                    self.set_variable(*variable, Value::outside(&key))?;
                    match self.block(body)? {
                        Flow::Break => break,
                        Flow::Return(value) => return Ok(Flow::Return(value)),
                        Flow::On | Flow::Continue => {}
                    }
                }
            }
            Statement::Delete(array, index) => {
                let array = self.array(*array)?;
                match index {
                    Some(index) => {
                        let key = self.key(index)?;
                        array.borrow_mut().remove(&key);
                    }
                    None => array.borrow_mut().clear(),
                }
            }
            Statement::Next => return Err(Stop::Next),
            Statement::NextFile => return Err(Stop::NextFile),
            Statement::Exit(code) => {
                if let Some(code) = code {
                    let code = self.eval(code)?.number() as i64;
                    self.code = Some(code.to_le_bytes()[0]);
                }
                return Err(Stop::Exit);
            }
            Statement::Return(value) => {
                let value = value.as_ref().map(|value| self.eval(value)).transpose()?;
                return Ok(Flow::Return(value.unwrap_or(Value::Unset)));
            }
            Statement::Break => return Ok(Flow::Break),
            Statement::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    /// The keys of an array: whole numbers first and in order, then the others.
    fn keys(&mut self, array: ast::Variable) -> Result<Vec<Bytes>, Stop> {
        let array = self.array(array)?;
        let mut keys: Vec<(Option<i64>, Bytes)> = array
            .borrow()
            .keys()
            .map(|key| {
                (
                    std::str::from_utf8(key)
                        .ok()
                        .and_then(|key| key.parse().ok()),
                    Rc::clone(key),
                )
            })
            .collect();
        keys.sort_by(|a, b| a.0.is_none().cmp(&b.0.is_none()).then_with(|| a.cmp(b)));
        Ok(keys.into_iter().map(|key| key.1).collect())
    }

    fn print(&mut self, args: &[ast::Expr], redirect: Option<&Redirect>) -> Result<(), Stop> {
        let mut line = Vec::new();
        if args.is_empty() {
            line.extend_from_slice(&self.whole_record());
        }
        let format = self.global_bytes(ast::OFMT);
        for (at, arg) in args.iter().enumerate() {
            if at > 0 {
                line.extend_from_slice(&self.global_bytes(ast::OFS));
            }
            line.extend_from_slice(&self.eval(arg)?.bytes(&format));
        }
        line.extend_from_slice(&self.global_bytes(ast::ORS));
        self.write(line, redirect)
    }

    fn write(&mut self, bytes: Vec<u8>, redirect: Option<&Redirect>) -> Result<(), Stop> {
        match redirect {
            None => self.streams.standard.put(bytes)?,
            Some(Redirect::File(target)) => {
                let name = self.text(target)?;
                self.streams.to_file(&name, false, &bytes)?;
            }
            Some(Redirect::Append(target)) => {
                let name = self.text(target)?;
                self.streams.to_file(&name, true, &bytes)?;
            }
            Some(Redirect::Pipe(target)) => {
                let line = self.text(target)?;
                self.streams.to_command(&line, &bytes)?;
            }
        }
        Ok(())
    }

    /// The compiled expression of `source`, kept for the next time.
    pub fn pattern(&mut self, source: &Bytes) -> Result<Rc<Pattern>, Stop> {
        if let Some(known) = self.patterns.get(source) {
            return Ok(Rc::clone(known));
        }
        let text = String::from_utf8_lossy(source);
        let compiled = Pattern::posix(
            &text,
            Syntax::Awk,
            Flags {
                newline: true,
                ..Flags::default()
            },
        )
        .map_err(|error| Failure::new(format!("/{text}/: {error}")).with_code(2))?;
        let compiled = Rc::new(compiled);
        // A program that makes ever new expressions must not fill the memory with them.
        if self.patterns.len() >= 500 {
            self.patterns.clear();
        }
        self.patterns
            .insert(Rc::clone(source), Rc::clone(&compiled));
        Ok(compiled)
    }

    /// What a text means as a field separator.
    pub fn separator_of(&mut self, source: &Bytes) -> Result<Separator, Stop> {
        Ok(match &source[..] {
            b" " => Separator::Blanks,
            b"" => Separator::Letters,
            [b'\\'] => Separator::Byte(b'\\'),
            [byte] if byte.is_ascii() => Separator::Byte(*byte),
            _ => Separator::Pattern(self.pattern(source)?),
        })
    }
}
