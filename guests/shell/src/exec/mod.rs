//! Running commands.

mod assign;
mod background;
mod compound;
mod contained;
mod external;
mod function;
mod launch;
mod pipeline;
mod redirect;
mod simple;
mod subshell;
mod substitution;
mod test;
mod trace;

use std::rc::Rc;

pub use simple::Found;
pub use trace::minutes;

use crate::ast::{Bytes, Command, Compound, Item, List, Pipeline};
use crate::flow::{Flow, Run, USAGE};
use crate::parse::{Parser, SyntaxError};
use crate::shell::Shell;

impl Shell {
    /// Parses and runs `text`, whose first line is `line`.
    pub fn run_text(&mut self, text: Bytes, line: u32) -> Run {
        let parser = Parser::new(text, line, Rc::clone(&self.aliases));
        self.run_parser(parser, false)
    }

    /// Runs what `parser` gives, line by line. `tail`: this process does nothing else afterwards.
    pub fn run_parser(&mut self, mut parser: Parser, tail: bool) -> Run {
        let mut status = 0;
        let mut next = self.parsed(parser.next_commands())?;
        while let Some(list) = next {
            // A whole program is parsed line by line, since each line may change how the next is read.
            let last = tail && parser.is_at_end();
            if self.options.verbose() {
                let _ = self.fds.write(2, parser.source());
            }
            status = self.run_list(&list, last)?;
            next = self.parsed(parser.next_commands())?;
        }
        Ok(status)
    }

    /// Complains of a syntax error.
    pub fn parsed<T>(&mut self, result: Result<T, SyntaxError>) -> Run<T> {
        result.map_err(|error| {
            self.line = error.line;
            self.complain(&error.message);
            Flow::Error(USAGE)
        })
    }

    pub fn run_list(&mut self, list: &List, tail: bool) -> Run {
        let mut status = 0;
        for (number, item) in list.0.iter().enumerate() {
            status = self.run_item(item, tail && number + 1 == list.0.len())?;
            self.run_traps()?;
        }
        Ok(status)
    }

    fn run_item(&mut self, item: &Item, tail: bool) -> Run {
        if self.options.noexec() && !self.options.interactive() {
            return Ok(self.status);
        }
        if let Some(text) = &item.background {
            return self.run_background(item, text);
        }
        let count = item.rest.len();
        let mut status = self.run_tested(&item.first, count > 0, tail && count == 0)?;
        for (number, (and, pipeline)) in item.rest.iter().enumerate() {
            if (status == 0) == *and {
                let last = number + 1 == count;
                status = self.run_tested(pipeline, !last, tail && last)?;
            }
        }
        Ok(status)
    }

    /// Runs a pipeline; unless it is `tested`, `-e` applies to it.
    fn run_tested(&mut self, pipeline: &Pipeline, tested: bool, tail: bool) -> Run {
        let tested = u32::from(tested);
        self.tested += tested;
        let result = self.run_pipeline(pipeline, tail);
        self.tested -= tested;
        let status = result?;
        if status != 0
            && self.options.errexit()
            && self.tested == 0
            && tested == 0
            && exits(pipeline)
        {
            return Err(Flow::Exit(status));
        }
        Ok(status)
    }

    fn run_pipeline(&mut self, pipeline: &Pipeline, tail: bool) -> Run {
        let started = pipeline.timed.then(|| {
            (
                crate::clock::now(),
                sandbox_guest::system::times().unwrap_or_default(),
            )
        });
        self.tested += u32::from(pipeline.negated);
        let plain = !pipeline.negated && !pipeline.timed;
        let result = match pipeline.commands.as_slice() {
            [command] => self.run_command(command, tail && plain),
            commands => self.run_piped(commands),
        };
        self.tested -= u32::from(pipeline.negated);
        let mut status = result?;
        if pipeline.negated {
            status = i32::from(status == 0);
        }
        self.status = status;
        if let Some((clock, times)) = started {
            self.report_times(clock, &times);
        }
        Ok(status)
    }

    pub fn run_command(&mut self, command: &Command, tail: bool) -> Run {
        let status = match command {
            Command::Simple(simple) => self.run_simple(simple, tail)?,
            Command::Compound {
                body,
                redirects,
                line,
            } => {
                self.line = *line;
                if redirects.is_empty() {
                    self.run_compound(body, tail)?
                } else {
                    let saved = self.fds.clone();
                    let result = match self.redirect(redirects) {
                        Ok(()) => self.run_compound(body, false),
                        Err(flow) => self.redirect_failed(flow),
                    };
                    self.fds = saved;
                    result?
                }
            }
            Command::Function(function) => {
                Rc::make_mut(&mut self.functions)
                    .insert(function.name.clone(), Rc::clone(function));
                0
            }
        };
        self.status = status;
        Ok(status)
    }
}

/// Whether `-e` looks at the status of `pipeline`: compound commands other than subshells have looked at their own.
fn exits(pipeline: &Pipeline) -> bool {
    match pipeline.commands.as_slice() {
        _ if pipeline.negated => false,
        [Command::Compound { body, .. }] => {
            matches!(
                body,
                Compound::Subshell(_) | Compound::Test(_) | Compound::Arith(_)
            )
        }
        _ => true,
    }
}
