//! From a script to commands.

use std::collections::HashMap;
use std::rc::Rc;

use sandbox_applet::Failure;

use super::command::{Action, Address, Command, Lines, Until};
use super::substitute::{Case, Piece, Substitution};
use crate::regex::{Flags, Pattern, Syntax};

type Parsed<T> = Result<T, Failure>;

/// Understands `script`, every line of which is ended.
pub fn parse(script: &str, syntax: Syntax) -> Parsed<Vec<Command>> {
    let mut parser = Parser {
        letters: script.chars().collect(),
        at: 0,
        syntax,
        commands: Vec::new(),
        jumps: Vec::new(),
    };
    let mut open = Vec::new();
    let mut labels = HashMap::new();
    while parser.skip_to_command() {
        let number = parser.commands.len();
        let command = parser.command(&mut labels)?;
        match command.action {
            Action::Block(_) => open.push(number),
            Action::EndBlock => {
                let start = open.pop().ok_or_else(|| parser.error("unexpected '}'"))?;
                parser.commands[start].action = Action::Block(number);
            }
            _ => {}
        }
        parser.commands.push(command);
    }
    if !open.is_empty() {
        return Err(parser.error("unmatched '{'"));
    }
    let end = parser.commands.len();
    for (number, label) in std::mem::take(&mut parser.jumps) {
        let target = match &*label {
            "" => end,
            label => *labels
                .get(label)
                .ok_or_else(|| Failure::new(format!("can't find label for jump to '{label}'")))?,
        };
        parser.commands[number].action = match parser.commands[number].action {
            Action::BranchIf(_) => Action::BranchIf(target),
            Action::BranchUnless(_) => Action::BranchUnless(target),
            _ => Action::Branch(target),
        };
    }
    Ok(parser.commands)
}

struct Parser {
    letters: Vec<char>,
    at: usize,
    syntax: Syntax,
    commands: Vec<Command>,
    /// Commands that jump, and to which label.
    jumps: Vec<(usize, String)>,
}

impl Parser {
    fn error(&self, what: &str) -> Failure {
        Failure::new(format!("-e expression #1, char {}: {what}", self.at))
    }

    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += 1;
        Some(letter)
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.at += 1;
        }
    }

    /// Skips what separates commands; `false` at the end.
    fn skip_to_command(&mut self) -> bool {
        loop {
            match self.peek() {
                Some(letter) if letter.is_whitespace() || letter == ';' => self.at += 1,
                Some('#') => {
                    self.at += self.letters[self.at..]
                        .iter()
                        .take_while(|letter| **letter != '\n')
                        .count()
                }
                Some(_) => return true,
                None => return false,
            }
        }
    }

    fn number(&mut self) -> Option<u64> {
        let digits: String = self.letters[self.at..]
            .iter()
            .take_while(|letter| letter.is_ascii_digit())
            .collect();
        self.at += digits.len();
        digits.parse().ok()
    }

    fn address(&mut self) -> Parsed<Option<Address>> {
        Ok(Some(match self.peek() {
            Some('0'..='9') => {
                let line = self
                    .number()
                    .ok_or_else(|| self.error("a line number is too long"))?;
                self.blanks();
                if self.peek() == Some('~') {
                    self.at += 1;
                    Address::Step(line, self.number().unwrap_or(0))
                } else {
                    Address::Line(line)
                }
            }
            Some('$') => {
                self.at += 1;
                Address::Last
            }
            Some(mark @ ('/' | '\\')) => {
                self.at += 1;
                let end = if mark == '\\' {
                    self.next().ok_or_else(|| self.error("unexpected end"))?
                } else {
                    '/'
                };
                let source = self.up_to(end, true)?;
                let mut flags = Flags {
                    newline: true,
                    ..Flags::default()
                };
                while let Some(flag @ ('I' | 'M')) = self.peek() {
                    flags.ignore_case |= flag == 'I';
                    self.at += 1;
                }
                Address::Match(self.pattern(&source, flags)?)
            }
            _ => return Ok(None),
        }))
    }

    fn pattern(&self, source: &str, flags: Flags) -> Parsed<Option<Rc<Pattern>>> {
        if source.is_empty() {
            return Ok(None);
        }
        let compiled =
            Pattern::posix(source, self.syntax, flags).map_err(|error| self.error(&error))?;
        Ok(Some(Rc::new(compiled)))
    }

    /// The text up to `end`. A backslash before `end` is taken away; within `[…]` of an expression it is no end.
    fn up_to(&mut self, end: char, expression: bool) -> Parsed<String> {
        let mut out = String::new();
        let mut set = false;
        loop {
            let Some(letter) = self.next() else {
                return Err(self.error("unterminated address regex or 's' command"));
            };
            match letter {
                letter if letter == end && !set => return Ok(out),
                '\\' => match self.next() {
                    Some(next) if next == end => out.push(next),
                    Some('\n') if expression => out.push('\n'),
                    Some('n') if expression && !set => out.push_str("\\n"),
                    Some('n') if set => out.push('\n'),
                    Some(next) => {
                        out.push('\\');
                        out.push(next);
                    }
                    None => return Err(self.error("unexpected end")),
                },
                '\n' if expression => {
                    return Err(self.error("unterminated address regex or 's' command"));
                }
                '[' if expression && !set => {
                    set = true;
                    out.push('[');
                    if self.peek() == Some('^') {
                        out.push('^');
                        self.at += 1;
                    }
                    if self.peek() == Some(']') {
                        out.push(']');
                        self.at += 1;
                    }
                }
                '[' if set && self.peek() == Some(':') => {
                    out.push('[');
                    while let Some(letter) = self.next() {
                        out.push(letter);
                        if letter == ']' {
                            break;
                        }
                    }
                }
                ']' => {
                    set = false;
                    out.push(']');
                }
                letter => out.push(letter),
            }
        }
    }

    fn lines(&mut self) -> Parsed<Lines> {
        let first = self.address()?;
        self.blanks();
        let mut until = None;
        if first.is_some() && self.peek() == Some(',') {
            self.at += 1;
            self.blanks();
            until = Some(match self.peek() {
                Some(mark @ ('+' | '~')) => {
                    self.at += 1;
                    let count = self
                        .number()
                        .ok_or_else(|| self.error("expected a number"))?;
                    if mark == '+' {
                        Until::Count(count)
                    } else {
                        Until::Multiple(count)
                    }
                }
                _ => Until::Address(
                    self.address()?
                        .ok_or_else(|| self.error("unexpected ','"))?,
                ),
            });
            self.blanks();
        }
        let mut negated = false;
        while self.peek() == Some('!') {
            negated = true;
            self.at += 1;
            self.blanks();
        }
        Ok(Lines {
            first,
            until,
            negated,
        })
    }

    fn command(&mut self, labels: &mut HashMap<String, usize>) -> Parsed<Command> {
        let lines = self.lines()?;
        let Some(letter) = self.next() else {
            return Err(self.error("missing command"));
        };
        let action = match letter {
            '{' => {
                return Ok(Command {
                    lines,
                    action: Action::Block(0),
                });
            }
            '}' => Action::EndBlock,
            ':' => {
                labels.insert(self.word(), self.commands.len());
                return Ok(Command {
                    lines,
                    action: Action::Label,
                });
            }
            'a' => Action::Append(self.text()),
            'i' => Action::Insert(self.text()),
            'c' => Action::Change(self.text()),
            'b' | 't' | 'T' => {
                let label = self.word();
                self.jumps.push((self.commands.len(), label));
                let action = match letter {
                    'b' => Action::Branch,
                    't' => Action::BranchIf,
                    _ => Action::BranchUnless,
                };
                return Ok(Command {
                    lines,
                    action: action(0),
                });
            }
            'd' => Action::Delete,
            'D' => Action::DeleteFirst,
            'h' => Action::Hold,
            'H' => Action::HoldAppend,
            'g' => Action::Get,
            'G' => Action::GetAppend,
            'x' => Action::Exchange,
            'l' => {
                self.blanks();
                self.number();
                Action::List
            }
            'n' => Action::Next,
            'N' => Action::NextAppend,
            'p' => Action::Print,
            'P' => Action::PrintFirst,
            'q' | 'Q' => {
                self.blanks();
                let code = self.number().unwrap_or(0).to_le_bytes()[0];
                if letter == 'q' {
                    Action::Quit(code)
                } else {
                    Action::QuitSilently(code)
                }
            }
            'r' => {
                return Ok(Command {
                    lines,
                    action: Action::ReadFile(self.file()?),
                });
            }
            'w' => {
                return Ok(Command {
                    lines,
                    action: Action::WriteFile(self.file()?),
                });
            }
            'W' => {
                return Ok(Command {
                    lines,
                    action: Action::WriteFirst(self.file()?),
                });
            }
            's' => self.substitute()?,
            'y' => self.translate()?,
            '=' => Action::Number,
            'F' => Action::FileName,
            'z' => Action::Zap,
            'e' => return Err(self.error("e: running commands is not supported")),
            other => return Err(self.error(&format!("unknown command: '{other}'"))),
        };
        if !matches!(
            action,
            Action::Append(_) | Action::Insert(_) | Action::Change(_)
        ) {
            self.blanks();
            match self.peek() {
                None | Some('\n' | ';' | '}' | '#') => {}
                Some(_) => return Err(self.error("extra characters after command")),
            }
        }
        Ok(Command { lines, action })
    }

    /// A label: up to the end of the line or `;`.
    fn word(&mut self) -> String {
        self.blanks();
        let word: String = self.letters[self.at..]
            .iter()
            .take_while(|letter| !matches!(letter, '\n' | ';' | '}'))
            .collect();
        self.at += word.chars().count();
        word.trim_end().to_owned()
    }

    fn file(&mut self) -> Parsed<String> {
        self.blanks();
        let name: String = self.letters[self.at..]
            .iter()
            .take_while(|letter| **letter != '\n')
            .collect();
        self.at += name.chars().count();
        if name.is_empty() {
            Err(self.error("missing filename in r/R/w/W commands"))
        } else {
            Ok(name)
        }
    }

    /// The text of `a`, `i`, `c`: on the line, or on those after a backslash; with its newline.
    fn text(&mut self) -> String {
        self.blanks();
        if self.peek() == Some('\\') {
            self.at += 1;
            self.blanks();
            if self.peek() == Some('\n') {
                self.at += 1;
            }
        }
        let mut out = String::new();
        while let Some(letter) = self.next() {
            match letter {
                '\n' => break,
                '\\' => out.extend(self.next()),
                letter => out.push(letter),
            }
        }
        out.push('\n');
        out
    }

    fn substitute(&mut self) -> Parsed<Action> {
        let end = self.next().filter(|end| *end != '\n' && *end != '\\');
        let end = end.ok_or_else(|| self.error("unterminated 's' command"))?;
        let source = self.up_to(end, true)?;
        let replacement = self.up_to(end, false)?;
        let mut flags = Flags {
            newline: true,
            ..Flags::default()
        };
        let mut found = Substitution {
            pattern: None,
            pieces: pieces(&replacement),
            number: 1,
            global: false,
            print: false,
            file: None,
        };
        loop {
            match self.peek() {
                Some('g') => found.global = true,
                Some('p') => found.print = true,
                Some('i' | 'I') => flags.ignore_case = true,
                Some('m' | 'M') => {}
                Some('0'..='9') => {
                    let number = self
                        .number()
                        .and_then(|number| usize::try_from(number).ok())
                        .filter(|number| *number > 0);
                    found.number = number.ok_or_else(|| {
                        self.error("number option to 's' command may not be zero")
                    })?;
                    continue;
                }
                Some('w') => {
                    self.at += 1;
                    found.file = Some(self.file()?);
                    break;
                }
                Some('e') => return Err(self.error("e: running commands is not supported")),
                _ => break,
            }
            self.at += 1;
        }
        found.pattern = self.pattern(&source, flags)?;
        Ok(Action::Substitute(Box::new(found)))
    }

    fn translate(&mut self) -> Parsed<Action> {
        let end = self
            .next()
            .ok_or_else(|| self.error("unterminated 'y' command"))?;
        let mut sides = Vec::new();
        for _ in 0..2 {
            let raw = self.up_to(end, false)?;
            let mut letters = raw.chars();
            let mut side = Vec::new();
            while let Some(letter) = letters.next() {
                side.push(match letter {
                    '\\' => match letters.next() {
                        Some('n') => '\n',
                        Some('t') => '\t',
                        Some(other) => other,
                        None => '\\',
                    },
                    letter => letter,
                });
            }
            sides.push(side);
        }
        if sides[0].len() != sides[1].len() {
            return Err(self.error("strings for 'y' command are different lengths"));
        }
        let pairs = sides[0].iter().copied().zip(sides[1].iter().copied());
        Ok(Action::Translate(pairs.collect()))
    }
}

/// Understands a replacement.
fn pieces(replacement: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut text = String::new();
    let mut letters = replacement.chars();
    while let Some(letter) = letters.next() {
        let piece = match letter {
            '&' => Piece::Group(0),
            '\\' => match letters.next() {
                Some(digit @ '0'..='9') => Piece::Group(digit as usize - '0' as usize),
                Some('U') => Piece::Case(Case::Upper),
                Some('L') => Piece::Case(Case::Lower),
                Some('u') => Piece::Case(Case::UpperOne),
                Some('l') => Piece::Case(Case::LowerOne),
                Some('E') => Piece::Case(Case::Plain),
                Some('n') => {
                    text.push('\n');
                    continue;
                }
                Some('t') => {
                    text.push('\t');
                    continue;
                }
                Some('r') => {
                    text.push('\r');
                    continue;
                }
                Some(other) => {
                    text.push(other);
                    continue;
                }
                None => continue,
            },
            letter => {
                text.push(letter);
                continue;
            }
        };
        if !text.is_empty() {
            found.push(Piece::Text(std::mem::take(&mut text)));
        }
        found.push(piece);
    }
    if !text.is_empty() {
        found.push(Piece::Text(text));
    }
    found
}
