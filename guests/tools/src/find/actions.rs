//! What is done with files: `-delete`, `-exec`.

use std::fs;

use sandbox_applet::{Failure, cwd, reason};
use sandbox_guest::Command;

use super::{State, Subject};
use crate::files::target::parent;

/// Bytes of paths for one command of `-exec … +`.
const MAX_BYTES: usize = 128 << 10;

/// A command for each file.
pub struct Exec {
    pub words: Vec<String>,
    pub in_directory: bool,
}

/// A command for many files.
pub struct Batch {
    template: Vec<String>,
    paths: Vec<String>,
    bytes: usize,
}

impl Batch {
    pub fn new(template: Vec<String>) -> Self {
        Self {
            template,
            paths: Vec::new(),
            bytes: 0,
        }
    }
}

/// `-delete`: whether it is gone.
pub fn delete(subject: &Subject<'_>, state: &mut State) -> Result<bool, Failure> {
    let path = &subject.entry.path;
    // The start itself, `.`, stays as with GNU's.
    if path == "." {
        return Ok(true);
    }
    let removed = if subject.entry.stat.is_dir() {
        fs::remove_dir(path)
    } else {
        fs::remove_file(path)
    };
    Ok(match removed {
        Ok(()) => true,
        Err(error) => {
            state.report(format_args!("cannot delete '{path}': {}", reason(&error)));
            false
        }
    })
}

/// `-exec … ;`: whether the command ended with 0.
pub fn exec(exec: &Exec, subject: &Subject<'_>, state: &mut State) -> Result<bool, Failure> {
    let entry = subject.entry;
    let path = if exec.in_directory {
        format!("./{}", entry.name)
    } else {
        entry.path.clone()
    };
    let words: Vec<String> = exec
        .words
        .iter()
        .map(|word| word.replace("{}", &path))
        .collect();
    let dir = exec.in_directory.then(|| parent(&entry.path));
    run(&words, dir, state)
}

/// Keeps a path for a command of many, and runs it when it is full.
pub fn collect(number: usize, path: &str, state: &mut State) -> Result<(), Failure> {
    let batch = &mut state.batches[number];
    batch.paths.push(path.to_owned());
    batch.bytes += path.len() + 1;
    if batch.bytes < MAX_BYTES {
        return Ok(());
    }
    run_batch(number, state)
}

/// Runs the commands that still have paths.
pub fn finish(state: &mut State) -> Result<(), Failure> {
    for number in 0..state.batches.len() {
        if !state.batches[number].paths.is_empty() {
            run_batch(number, state)?;
        }
    }
    Ok(())
}

fn run_batch(number: usize, state: &mut State) -> Result<(), Failure> {
    let batch = &mut state.batches[number];
    batch.bytes = 0;
    let mut words = batch.template.clone();
    words.append(&mut batch.paths);
    if !run(&words, None, state)? {
        state.failed = 1;
    }
    Ok(())
}

fn run(words: &[String], dir: Option<&str>, state: &mut State) -> Result<bool, Failure> {
    state.out.finish()?;
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    if let Some(dir) = dir {
        let whole =
            fs::canonicalize(dir).map_or_else(|_| cwd(), |dir| dir.to_string_lossy().into_owned());
        command.env("PWD", &whole).current_dir(whole);
    }
    match command.status() {
        Ok(status) => Ok(status.success()),
        Err(error) => {
            state.report(format_args!("'{}': {}", words[0], reason(&error)));
            Ok(false)
        }
    }
}
