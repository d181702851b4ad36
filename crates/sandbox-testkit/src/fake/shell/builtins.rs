//! Commands that run in the shell's own process.

use sandbox_core::{Pid, Signal};

use super::{Jump, Ran, Shell};
use crate::fake::applets::{self, signals};

const BUILTINS: [&str; 28] = [
    ":", ".", "[", "break", "cd", "command", "continue", "echo", "eval", "exit", "export", "false",
    "kill", "printf", "pwd", "read", "set", "shift", "test", "trap", "true", "type", "ulimit",
    "umask", "unset", "wait", "return", "local",
];

impl Shell {
    pub(super) fn is_builtin(name: &str) -> bool {
        BUILTINS.contains(&name)
    }

    pub(super) fn shell_pid(&self) -> Pid {
        self.top
    }

    pub(super) async fn builtin(&mut self, words: &[String]) -> Ran {
        let arguments = &words[1..];
        let first = arguments.first().map(String::as_str);
        Ok(match words[0].as_str() {
            "exit" | "return" => {
                let code = first.and_then(|code| code.parse::<i64>().ok());
                return Err(Jump::Exit(code.map_or(self.last, |code| code as u8)));
            }
            "break" => return Err(Jump::Break(levels(first))),
            "continue" => return Err(Jump::Continue(levels(first))),
            "cd" => self.change_directory(first).await,
            "command" => {
                let program = arguments.to_vec();
                return self.plain_command(program).await;
            }
            "eval" => {
                let line = arguments.join(" ");
                match super::parse(&line) {
                    Ok(node) => return self.run(&node).await,
                    Err(error) => self.syntax_error(&error).await,
                }
            }
            "." => return self.source(first).await,
            "export" | "local" => self.export(arguments),
            "unset" => {
                for name in arguments {
                    self.variables.remove(name);
                }
                0
            }
            "read" => self.read(arguments).await,
            "set" => {
                if first == Some("--") {
                    self.arguments.truncate(1);
                    self.arguments.extend_from_slice(&arguments[1..]);
                }
                0
            }
            "shift" => {
                if self.arguments.len() > 1 {
                    self.arguments.remove(1);
                }
                0
            }
            "trap" => self.trap(arguments).await,
            "ulimit" => self.ulimit(arguments).await,
            "umask" => 0,
            "wait" => self.wait(arguments).await,
            "type" => match first {
                Some(name) if Self::is_builtin(name) || self.task.find_program(name).is_ok() => 0,
                Some(_) | None => 1,
            },
            _ => applets::inline(&self.task, words).await,
        })
    }

    async fn plain_command(&mut self, words: Vec<String>) -> Ran {
        let words = match words.first().map(String::as_str) {
            Some("-v") => {
                let name = words.get(1).map_or("", String::as_str);
                let known = Self::is_builtin(name) || self.task.find_program(name).is_ok();
                if known {
                    let _ = self.task.print(format!("{name}\n")).await;
                }
                return Ok(u8::from(!known));
            }
            Some(_) => words,
            None => return Ok(0),
        };
        let quoted = |text: String| vec![super::syntax::Piece::Text { text, quoted: true }];
        let simple = super::syntax::Simple {
            words: words.into_iter().map(quoted).collect(),
            ..Default::default()
        };
        self.run(&super::Node::Simple(simple)).await
    }

    async fn change_directory(&mut self, to: Option<&str>) -> u8 {
        let home = self.variables.get("HOME").cloned();
        let to = to.map(str::to_owned).or(home).unwrap_or("/".to_owned());
        let found = self.task.kernel.files(|tree| {
            let dir = tree.find(self.task.cwd, &to, true)?;
            tree.entries(dir).map(|_| dir)
        });
        match found {
            Ok(dir) => {
                self.task.cwd = dir;
                0
            }
            Err(error) => {
                self.task.complain(&format!("sh: cd: {to}: {error}")).await;
                2
            }
        }
    }

    async fn source(&mut self, path: Option<&str>) -> Ran {
        let text = path.and_then(|path| self.task.read_file(path));
        let Some(text) = text else {
            self.task.complain("sh: .: No such file").await;
            return Err(Jump::Exit(2));
        };
        match super::parse(&String::from_utf8_lossy(&text)) {
            Ok(node) => self.run(&node).await,
            Err(error) => Ok(self.syntax_error(&error).await),
        }
    }

    fn export(&mut self, arguments: &[String]) -> u8 {
        for argument in arguments {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            self.exported.insert(name.to_owned());
            if let Some(value) = value {
                self.assign(name, value);
            }
        }
        0
    }

    /// Reads a line into variables; the last takes what is left.
    async fn read(&mut self, names: &[String]) -> u8 {
        let line = self.task.read_line().await;
        let ended = line.as_ref().is_none_or(|line| !line.ends_with('\n'));
        let line = line.unwrap_or_default();
        let mut rest = line.trim_end_matches('\n');
        let names: Vec<&String> = names.iter().filter(|n| !n.starts_with('-')).collect();
        for (index, name) in names.iter().enumerate() {
            rest = rest.trim_start_matches([' ', '\t']);
            let last = index + 1 == names.len();
            let end = match last {
                true => rest.len(),
                false => rest.find([' ', '\t']).unwrap_or(rest.len()),
            };
            let (value, left) = rest.split_at(end);
            let value = value.trim_end_matches([' ', '\t']).to_owned();
            rest = left;
            self.assign(name, value);
        }
        u8::from(ended)
    }

    /// `trap '' SIGNAL…` ignores, `trap - SIGNAL…` does not; actions are not known.
    async fn trap(&mut self, arguments: &[String]) -> u8 {
        let Some((action, names)) = arguments.split_first() else {
            return 0;
        };
        let ignore = match action.as_str() {
            "" => true,
            "-" => false,
            _ => {
                self.task
                    .complain("sh: trap: actions are not known here")
                    .await;
                return 2;
            }
        };
        for name in names {
            match name.parse::<Signal>() {
                Ok(signal) => self.task.proc.ignore(signal, ignore),
                Err(_) => return 1,
            }
        }
        0
    }

    async fn ulimit(&self, arguments: &[String]) -> u8 {
        match arguments.first().map(String::as_str) {
            Some("-n") => {
                let limit = self.task.kernel.spec.resources().open_files;
                u8::from(self.task.print(format!("{limit}\n")).await.is_err())
            }
            _ => {
                self.task
                    .complain("sh: ulimit: only -n is known here")
                    .await;
                2
            }
        }
    }

    async fn wait(&mut self, arguments: &[String]) -> u8 {
        let wanted: Vec<Pid> = signals::pids(arguments);
        let mut code = 0;
        for job in std::mem::take(&mut self.jobs) {
            if arguments.is_empty() || wanted.contains(&job.pid) {
                code = job.wait().await;
            } else {
                self.jobs.push(job);
            }
        }
        if arguments.is_empty() { 0 } else { code }
    }
}

fn levels(argument: Option<&str>) -> u32 {
    argument.and_then(|n| n.parse().ok()).unwrap_or(1).max(1)
}
