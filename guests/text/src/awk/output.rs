//! Where `print` writes.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};

use sandbox_applet::{Context, Failure, Out};
use sandbox_guest::{Child, Command, Stdio, fd};

use super::input::Reader;

/// Files and commands that are open, by the text that named them.
pub struct Streams {
    pub standard: Out,
    writers: HashMap<Vec<u8>, Writer>,
    readers: HashMap<Vec<u8>, Source>,
}

enum Writer {
    File(BufWriter<File>),
    Error,
    Command(Option<BufWriter<File>>, Child),
}

struct Source {
    reader: Reader,
    child: Option<Child>,
}

/// A command line for the shell.
pub fn shell(line: &[u8]) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .arg("-c")
        .arg(String::from_utf8_lossy(line).as_ref());
    command
}

impl Streams {
    pub fn new() -> Self {
        Self {
            standard: Out::new(),
            writers: HashMap::new(),
            readers: HashMap::new(),
        }
    }

    /// Writes to the file `name`, which is opened at first use.
    pub fn to_file(&mut self, name: &[u8], append: bool, bytes: &[u8]) -> Result<(), Failure> {
        if matches!(name, b"/dev/stdout" | b"-") {
            return self.standard.put(bytes);
        }
        let shown = String::from_utf8_lossy(name).into_owned();
        if !self.writers.contains_key(name) {
            let writer = if name == b"/dev/stderr" {
                Writer::Error
            } else {
                let opened = OpenOptions::new()
                    .write(true)
                    .create(true)
                    .append(append)
                    .truncate(!append)
                    .open(&shown);
                Writer::File(BufWriter::new(
                    opened.context(format_args!("cannot open '{shown}' for output"))?,
                ))
            };
            self.writers.insert(name.to_vec(), writer);
        }
        self.write(name, bytes).context(shown)
    }

    /// Writes to the command `line`, which is started at first use.
    pub fn to_command(&mut self, line: &[u8], bytes: &[u8]) -> Result<(), Failure> {
        let shown = String::from_utf8_lossy(line).into_owned();
        if !self.writers.contains_key(line) {
            self.standard.finish()?;
            let mut child = shell(line).stdin(Stdio::Piped).spawn().context(&shown)?;
            let input = child.stdin.take().map(BufWriter::new);
            self.writers
                .insert(line.to_vec(), Writer::Command(input, child));
        }
        self.write(line, bytes).context(shown)
    }

    fn write(&mut self, name: &[u8], bytes: &[u8]) -> io::Result<()> {
        match self.writers.get_mut(name) {
            Some(Writer::File(file)) => file.write_all(bytes),
            Some(Writer::Command(Some(input), _)) => input.write_all(bytes),
            Some(Writer::Error) => fd::write_all(2, bytes),
            Some(Writer::Command(None, _)) | None => Ok(()),
        }
    }

    /// The records of the file `name`; `None` when it cannot be opened.
    pub fn from_file(&mut self, name: &[u8]) -> Option<&mut Reader> {
        if !self.readers.contains_key(name) {
            let shown = String::from_utf8_lossy(name).into_owned();
            let path = if shown == "/dev/stdin" { "-" } else { &shown };
            let input = sandbox_applet::open(path.as_ref()).ok()?;
            self.readers.insert(
                name.to_vec(),
                Source {
                    reader: Reader::new(input),
                    child: None,
                },
            );
        }
        self.readers.get_mut(name).map(|source| &mut source.reader)
    }

    /// The records that the command `line` writes.
    pub fn from_command(&mut self, line: &[u8]) -> Result<Option<&mut Reader>, Failure> {
        if !self.readers.contains_key(line) {
            self.flush()?;
            let Ok(mut child) = shell(line).stdout(Stdio::Piped).spawn() else {
                return Ok(None);
            };
            let Some(output) = child.stdout.take() else {
                return Ok(None);
            };
            self.readers.insert(
                line.to_vec(),
                Source {
                    reader: Reader::new(output),
                    child: Some(child),
                },
            );
        }
        Ok(self.readers.get_mut(line).map(|source| &mut source.reader))
    }

    /// Writes all that waits.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.standard.finish()?;
        for writer in self.writers.values_mut() {
            let _ = match writer {
                Writer::File(file) => file.flush(),
                Writer::Command(Some(input), _) => input.flush(),
                _ => Ok(()),
            };
        }
        Ok(())
    }

    /// `close(name)`: the exit code of a command, 0 of a file, -1 when nothing of that name is open.
    pub fn close(&mut self, name: &[u8]) -> Result<f64, Failure> {
        self.standard.finish()?;
        let mut code = -1.0;
        if let Some(source) = self.readers.remove(name) {
            drop(source.reader);
            code = source.child.map_or(0.0, wait);
        }
        match self.writers.remove(name) {
            Some(Writer::File(mut file)) => code = if file.flush().is_ok() { 0.0 } else { -1.0 },
            Some(Writer::Error) => code = 0.0,
            Some(Writer::Command(input, child)) => {
                drop(input);
                code = wait(child);
            }
            None => {}
        }
        Ok(code)
    }

    /// Closes everything; commands are waited for.
    pub fn close_all(&mut self) -> Result<(), Failure> {
        self.flush()?;
        let names: Vec<Vec<u8>> = self.writers.keys().cloned().collect();
        for name in names {
            self.close(&name)?;
        }
        // What still writes to us gets a closed pipe.
        self.readers.clear();
        Ok(())
    }
}

fn wait(mut child: Child) -> f64 {
    child
        .wait()
        .map_or(-1.0, |status| f64::from(status.shell_code()))
}
