//! `wasi:cli`: arguments, environment, the three standard streams, the end.

use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

use super::bindings::wasi::cli::{
    environment, exit, stderr, stdin, stdout, terminal_input, terminal_output, terminal_stderr,
    terminal_stdin, terminal_stdout,
};
use super::state::Host;
use super::streams::{Reader, Writer};
use crate::engine::ProcessExit;
use crate::kernel::Fd;

/// A terminal; no process has one.
#[derive(Debug)]
pub enum Terminal {}

impl environment::Host for Host<'_> {
    fn get_environment(&mut self) -> Result<Vec<(String, String)>> {
        let image = self.process.image();
        let variables = image.env.iter().map(|variable| {
            let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
            (name.to_owned(), value.to_owned())
        });
        Ok(variables.collect())
    }

    fn get_arguments(&mut self) -> Result<Vec<String>> {
        Ok(self.process.image().argv.clone())
    }

    fn initial_cwd(&mut self) -> Result<Option<String>> {
        Ok(Some(self.process.image().cwd.clone()))
    }
}

impl exit::Host for Host<'_> {
    fn exit(&mut self, status: Result<(), ()>) -> Result<()> {
        Err(ProcessExit(u8::from(status.is_err())).into())
    }

    fn exit_with_code(&mut self, code: u8) -> Result<()> {
        Err(ProcessExit(code).into())
    }
}

impl Host<'_> {
    fn output(&mut self, fd: Fd) -> Result<Resource<DynOutputStream>> {
        let writer: DynOutputStream = Box::new(Writer::standard(self.process, fd));
        Ok(self.table.push(writer)?)
    }
}

impl stdin::Host for Host<'_> {
    fn get_stdin(&mut self) -> Result<Resource<DynInputStream>> {
        let reader: DynInputStream = Box::new(Reader::standard(self.process, 0));
        Ok(self.table.push(reader)?)
    }
}

impl stdout::Host for Host<'_> {
    fn get_stdout(&mut self) -> Result<Resource<DynOutputStream>> {
        self.output(1)
    }
}

impl stderr::Host for Host<'_> {
    fn get_stderr(&mut self) -> Result<Resource<DynOutputStream>> {
        self.output(2)
    }
}

impl terminal_stdin::Host for Host<'_> {
    fn get_terminal_stdin(&mut self) -> Result<Option<Resource<Terminal>>> {
        Ok(None)
    }
}

impl terminal_stdout::Host for Host<'_> {
    fn get_terminal_stdout(&mut self) -> Result<Option<Resource<Terminal>>> {
        Ok(None)
    }
}

impl terminal_stderr::Host for Host<'_> {
    fn get_terminal_stderr(&mut self) -> Result<Option<Resource<Terminal>>> {
        Ok(None)
    }
}

impl terminal_input::Host for Host<'_> {}
impl terminal_output::Host for Host<'_> {}

impl terminal_input::HostTerminalInput for Host<'_> {
    fn drop(&mut self, terminal: Resource<Terminal>) -> Result<()> {
        self.table.delete(terminal)?;
        Ok(())
    }
}

impl terminal_output::HostTerminalOutput for Host<'_> {
    fn drop(&mut self, terminal: Resource<Terminal>) -> Result<()> {
        self.table.delete(terminal)?;
        Ok(())
    }
}
