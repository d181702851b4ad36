//! A small shell over the fake's processes: lists, pipes, redirects, loops, expansions.

mod arith;
mod builtins;
mod expand;
mod parse;
mod redirect;
mod run;
mod syntax;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;

use sandbox_core::{ExitStatus, Pid, Signal};
use tokio::sync::watch;

use super::kernel::{Fd, Task};
use parse::{ParseError, parse};
use syntax::Node;

/// How a command leaves the commands around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Jump {
    Exit(u8),
    Break(u32),
    Continue(u32),
}

type Ran = Result<u8, Jump>;
type Running<'a> = Pin<Box<dyn Future<Output = Ran> + Send + 'a>>;

#[derive(Debug, Clone)]
struct Job {
    pid: Pid,
    exit: watch::Receiver<Option<ExitStatus>>,
}

/// A running shell; a clone in another process is a subshell.
#[derive(Debug, Clone)]
struct Shell {
    task: Task,
    variables: BTreeMap<String, String>,
    exported: BTreeSet<String>,
    /// `$0`, then `$1` and so on.
    arguments: Vec<String>,
    last: u8,
    jobs: Vec<Job>,
    last_job: Option<Pid>,
    /// Bytes of all variables.
    held: u64,
    /// The process id of the shell that all subshells come from, which `$$` means.
    top: Pid,
}

impl Shell {
    fn new(task: Task, arguments: Vec<String>) -> Self {
        let variables = task.env.clone();
        let exported = variables.keys().cloned().collect();
        Self {
            top: task.proc.pid,
            task,
            variables,
            exported,
            arguments,
            last: 0,
            jobs: Vec::new(),
            last_job: None,
            held: 0,
        }
    }

    /// Runs a script, and says what it exits with.
    async fn run_text(&mut self, text: &str) -> u8 {
        match parse(text) {
            Ok(node) => match self.run(&node).await {
                Ok(code) | Err(Jump::Exit(code)) => code,
                Err(Jump::Break(_) | Jump::Continue(_)) => self.last,
            },
            Err(error) => self.syntax_error(&error).await,
        }
    }

    async fn syntax_error(&self, error: &ParseError) -> u8 {
        let what = match error {
            ParseError::Incomplete => "unexpected end of file",
            ParseError::Syntax(what) => what,
        };
        self.task
            .complain(&format!("sh: syntax error: {what}"))
            .await;
        2
    }

    /// Runs what it reads, a line at a time.
    async fn run_input(&mut self, prompts: bool) -> u8 {
        let mut text = String::new();
        loop {
            if prompts {
                let prompt = if text.is_empty() { "$ " } else { "> " };
                let _ = self.task.write(2, prompt.into()).await;
            }
            let line = self.task.read_line().await;
            let at_end = line.is_none();
            text.push_str(&line.unwrap_or_default());
            match parse(&text) {
                Err(ParseError::Incomplete) if !at_end => continue,
                Err(error) => self.last = self.syntax_error(&error).await,
                Ok(node) => match self.run(&node).await {
                    Err(Jump::Exit(code)) => return code,
                    Ok(_) | Err(Jump::Break(_) | Jump::Continue(_)) => {}
                },
            }
            text.clear();
            if at_end {
                return self.last;
            }
        }
    }
}

/// `sh`: `-c LINE [NAME ARGUMENTS…]`, a script, or what standard input says.
pub(super) async fn main(task: Task, argv: Vec<String>) -> u8 {
    let mut rest = argv.iter().skip(1).peekable();
    let mut command = false;
    let mut interactive = false;
    while let Some(flags) = rest.next_if(|arg| arg.starts_with('-') && arg.len() > 1) {
        command |= flags.contains('c');
        interactive |= flags.contains('i');
    }
    let mut rest: Vec<String> = rest.cloned().collect();
    if command {
        if rest.is_empty() {
            task.complain("sh: -c requires an argument").await;
            return 2;
        }
        let line = rest.remove(0);
        if rest.is_empty() {
            rest.push("sh".to_owned());
        }
        return Shell::new(task, rest).run_text(&line).await;
    }
    if let Some(path) = rest.first() {
        let Some(text) = task.read_file(path) else {
            task.complain(&format!("sh: {path}: No such file")).await;
            return 127;
        };
        let text = String::from_utf8_lossy(&text).into_owned();
        return Shell::new(task, rest).run_text(&text).await;
    }
    let on_terminal = matches!(task.fd(0), Fd::Tty(_));
    interactive |= on_terminal;
    if on_terminal {
        for signal in [Signal::INT, Signal::QUIT, Signal::TERM] {
            task.proc.ignore(signal, true);
        }
    }
    Shell::new(task, vec!["sh".to_owned()])
        .run_input(interactive)
        .await
}

/// Runs a parsed body in a process of its own.
async fn subshell(mut shell: Shell, node: Node) -> u8 {
    shell.jobs.clear();
    match shell.run_and_leave(&node).await {
        Ok(code) | Err(Jump::Exit(code)) => code,
        Err(Jump::Break(_) | Jump::Continue(_)) => shell.last,
    }
}
