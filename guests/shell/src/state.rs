//! What a shell hands to another that runs a subshell for it.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::ast::{Bytes, Command, Function, List};
use crate::fds::Fds;
use crate::options::Options;
use crate::shell::{Frame, Shell};
use crate::traps::Traps;
use crate::vars::Vars;

/// What the subshell runs.
#[derive(Clone, Copy, Debug, Serialize)]
pub enum Body<'a> {
    List(&'a List),
    Command(&'a Command),
}

#[derive(Debug, Deserialize)]
pub enum OwnBody {
    List(List),
    Command(Command),
}

/// The state as it is encoded; the same fields as [`State`], in the same order.
#[derive(Debug, Serialize)]
pub struct StateRef<'a> {
    vars: &'a Vars,
    functions: &'a BTreeMap<Bytes, Rc<Function>>,
    aliases: BTreeMap<Bytes, Bytes>,
    options: Options,
    args: &'a [Bytes],
    name: &'a [u8],
    bash: bool,
    in_function: bool,
    numbers: Numbers,
    ignored: Vec<u32>,
    fds: &'a [(u32, u32)],
    body: Body<'a>,
}

#[derive(Debug, Deserialize)]
pub struct State {
    vars: Vars,
    functions: BTreeMap<Bytes, Rc<Function>>,
    aliases: BTreeMap<Bytes, Bytes>,
    options: Options,
    args: Vec<Bytes>,
    name: Bytes,
    bash: bool,
    in_function: bool,
    numbers: Numbers,
    ignored: Vec<u32>,
    fds: Vec<(u32, u32)>,
    body: OwnBody,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Numbers {
    status: i32,
    last_background: Option<i32>,
    pid: i32,
    line: u32,
    tested: u32,
    returns: u32,
    option_offset: usize,
    started: u64,
    nullglob: bool,
    dotglob: bool,
}

impl<'a> StateRef<'a> {
    pub fn of(shell: &'a Shell, fds: &'a [(u32, u32)], body: Body<'a>) -> Self {
        Self {
            vars: &shell.vars,
            functions: &shell.functions,
            aliases: shell.aliases.borrow().clone(),
            options: shell.options,
            args: &shell.args,
            name: &shell.name,
            bash: shell.bash,
            in_function: !shell.frames.is_empty(),
            numbers: Numbers {
                status: shell.status,
                last_background: shell.last_background,
                pid: shell.pid,
                line: shell.line,
                tested: shell.tested,
                returns: shell.returns,
                option_offset: shell.option_offset,
                started: shell.started,
                nullglob: shell.nullglob,
                dotglob: shell.dotglob,
            },
            ignored: shell.traps.inherited().actions.into_keys().collect(),
            fds,
            body,
        }
    }

    pub fn encode(&self) -> Bytes {
        // Only a type without an encoding could fail here, and there is none.
        postcard::to_allocvec(self).unwrap_or_default()
    }
}

impl State {
    /// The state in `bytes`; `None` when they are none (they come from a shell of the same build).
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }

    /// A shell with this state, and what it is to run.
    pub fn into_shell(self) -> (Shell, OwnBody) {
        let mut shell = Shell::new(self.name, Fds::given(&self.fds));
        shell.vars = Rc::new(self.vars);
        shell.functions = Rc::new(self.functions);
        *shell.aliases.borrow_mut() = self.aliases;
        shell.options = self.options;
        shell.options.set_letter(b'i', false);
        shell.args = Rc::new(self.args);
        shell.bash = self.bash;
        if self.in_function {
            shell.frames.push(Frame::new());
        }
        shell.status = self.numbers.status;
        shell.last_background = self.numbers.last_background;
        shell.pid = self.numbers.pid;
        shell.line = self.numbers.line;
        shell.tested = self.numbers.tested;
        shell.returns = self.numbers.returns;
        shell.option_offset = self.numbers.option_offset;
        shell.started = self.numbers.started;
        shell.nullglob = self.numbers.nullglob;
        shell.dotglob = self.numbers.dotglob;
        shell.traps = Traps {
            actions: self
                .ignored
                .into_iter()
                .map(|signal| (signal, Bytes::new()))
                .collect(),
            active: false,
        };
        (shell, self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Aliases, Parser};

    #[test]
    fn a_subshell_gets_what_the_shell_knows() {
        let mut shell = Shell::new(b"sh".to_vec(), Fds::default());
        Rc::make_mut(&mut shell.vars).entry(b"x").value =
            Some(crate::vars::Value::Text(b"1".to_vec()));
        shell.status = 7;
        let text = b"f() { cat <<E\n$x\nE\n}; for i in a \"$@\"; do f | (wc); done".to_vec();
        let list = Parser::new(text, 1, Aliases::default())
            .all_commands()
            .unwrap();
        let bytes = StateRef::of(&shell, &[(0, 0), (3, 63)], Body::List(&list)).encode();
        let (copy, body) = State::decode(&bytes).unwrap().into_shell();
        assert_eq!((copy.vars, copy.status), (shell.vars.clone(), 7));
        assert!(matches!(body, OwnBody::List(decoded) if decoded == list));
        assert!(State::decode(&bytes[..bytes.len() / 2]).is_none());
        std::mem::forget(copy.fds);
    }
}
