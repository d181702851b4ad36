//! The holder as a process.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use serde_json::{Value, json};

use super::Namespace;

pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox-agent"));
    command
        .arg("holder")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// A running holder, killed when dropped.
#[derive(Debug)]
pub(crate) struct Holder {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    pub(crate) ready: Value,
    /// What it told without being asked.
    told: VecDeque<u64>,
    next: u64,
}

impl Holder {
    pub(crate) fn start(namespace: &Namespace) -> Self {
        let mut child = namespace.run(|| command().spawn().unwrap());
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut holder = Self {
            child,
            input,
            output,
            ready: Value::Null,
            told: VecDeque::new(),
            next: 1,
        };
        let first = holder.read();
        holder.ready = first["ready"].clone();
        assert!(holder.ready.is_object(), "{first}");
        holder
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// The next answer.
    pub(crate) fn read(&mut self) -> Value {
        loop {
            let line = self.read_line();
            match line["denied"].as_u64() {
                Some(denied) => self.told.push_back(denied),
                None => return line,
            }
        }
    }

    /// The next count of refusals that it tells by itself.
    pub(crate) fn told(&mut self) -> u64 {
        self.told.pop_front().unwrap_or_else(|| {
            let line = self.read_line();
            line["denied"].as_u64().unwrap_or_else(|| panic!("{line}"))
        })
    }

    fn read_line(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// One request, whose answer must be `ok`.
    pub(crate) fn ask(&mut self, operation: &str, body: &Value) -> Value {
        let id = self.next;
        self.next += 1;
        let mut line = json!({"id": id, operation: body}).to_string();
        line.push('\n');
        self.send(line.as_bytes());
        let answer = self.read();
        assert_eq!(answer["id"], id);
        assert!(answer["ok"].is_object(), "{answer}");
        answer["ok"].clone()
    }

    /// Loads `rules` in the tests' environment, with the world's resolver.
    pub(crate) fn set(&mut self, rules: &Value) {
        self.set_in(rules, &super::environment());
    }

    pub(crate) fn set_in(&mut self, rules: &Value, environment: &Value) {
        let body = json!({
            "rules": rules, "environment": environment, "dns_upstreams": ["9.9.9.9"],
        });
        self.ask("set_policy", &body);
    }

    /// How many packets `counter` has seen.
    pub(crate) fn count(&mut self, counter: &str) -> u64 {
        let stats = self.ask("stats", &json!({}));
        stats["packets"][counter]["packets"].as_u64().unwrap_or(0)
    }

    /// Closes the input and waits.
    pub(crate) fn end(mut self) -> ExitStatus {
        self.input = None;
        self.child.wait().unwrap()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
