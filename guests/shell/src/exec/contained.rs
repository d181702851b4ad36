//! Which commands a subshell can run without a process of its own, so that nobody can tell.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::ast::{Bytes, Command, Compound, Function, List, Pipeline, Simple};
use crate::builtins;

type Functions = BTreeMap<Bytes, Rc<Function>>;

/// Builtins that change, or tell, something of the process beyond the shell's own state.
const OUTWARD: [&[u8]; 24] = [
    b"exec",
    b"trap",
    b"wait",
    b"kill",
    b"eval",
    b".",
    b"source",
    b"alias",
    b"unalias",
    b"ulimit",
    b"umask",
    b"jobs",
    b"fg",
    b"bg",
    b"times",
    b"builtin",
    b"set",
    b"shopt",
    b"sleep",
    b"hash",
    b"mapfile",
    b"readarray",
    b"read",
    b"command",
];

/// Builtins that only write, and end soon.
const QUICK: [&[u8]; 12] = [
    b"echo",
    b"printf",
    b"pwd",
    b"true",
    b"false",
    b":",
    b"test",
    b"[",
    b"type",
    b"break",
    b"continue",
    b"let",
];

/// Whether `list` changes nothing but the shell's own state, and files, and starts nothing that outlives it.
pub(super) fn list(list: &List, functions: &Functions) -> bool {
    Survey {
        functions,
        visiting: Vec::new(),
        quick: false,
    }
    .list(list)
}

/// As [`list`], for one command.
pub(super) fn command(command: &Command, functions: &Functions) -> bool {
    Survey {
        functions,
        visiting: Vec::new(),
        quick: false,
    }
    .command(command)
}

/// Whether `command` is contained, reads nothing, runs no program but in substitutions, and has no loop without an end.
pub(super) fn quick(command: &Command, functions: &Functions) -> bool {
    Survey {
        functions,
        visiting: Vec::new(),
        quick: true,
    }
    .command(command)
}

struct Survey<'a> {
    functions: &'a Functions,
    /// Functions being looked at: a recursive one gets processes, so that its depth is theirs.
    visiting: Vec<&'a [u8]>,
    quick: bool,
}

impl<'a> Survey<'a> {
    fn list(&mut self, list: &'a List) -> bool {
        list.0.iter().all(|item| {
            item.background.is_none()
                && self.pipeline(&item.first)
                && item
                    .rest
                    .iter()
                    .all(|(_, pipeline)| self.pipeline(pipeline))
        })
    }

    fn pipeline(&mut self, pipeline: &'a Pipeline) -> bool {
        // In a pipeline of several commands each has its own subshell.
        match pipeline.commands.as_slice() {
            [command] => self.command(command) && !(self.quick && pipeline.timed),
            _ => !self.quick,
        }
    }

    fn command(&mut self, command: &'a Command) -> bool {
        match command {
            Command::Simple(simple) => self.simple(simple),
            Command::Compound { body, .. } => self.compound(body),
            Command::Function(_) => false,
        }
    }

    fn compound(&mut self, body: &'a Compound) -> bool {
        match body {
            Compound::Subshell(_) => !self.quick,
            Compound::Group(list) => self.list(list),
            Compound::If {
                branches,
                otherwise,
            } => {
                branches
                    .iter()
                    .all(|(test, body)| self.list(test) && self.list(body))
                    && otherwise.as_ref().is_none_or(|body| self.list(body))
            }
            Compound::For { body, .. } => self.list(body),
            Compound::ArithFor { body, .. } => !self.quick && self.list(body),
            Compound::While { test, body, .. } => !self.quick && self.list(test) && self.list(body),
            Compound::Case { arms, .. } => arms.iter().all(|arm| self.list(&arm.body)),
            Compound::Test(_) | Compound::Arith(_) => true,
        }
    }

    fn simple(&mut self, simple: &'a Simple) -> bool {
        let Some(first) = simple.words.first() else {
            return true;
        };
        // A name that is only known later could be anything.
        let Some(name) = first.constant() else {
            return false;
        };
        if let Some((known, function)) = self.functions.get_key_value(&name) {
            if self.visiting.contains(&known.as_slice()) {
                return false;
            }
            self.visiting.push(known);
            let answer = self.command(&function.body);
            self.visiting.pop();
            return answer;
        }
        let name = name.as_slice();
        if self.quick {
            return QUICK.contains(&name);
        }
        match name {
            b"command" => simple
                .words
                .get(1)
                .and_then(crate::ast::Word::literal)
                .is_some_and(|flag| flag.starts_with(b"-v")),
            b"read" => true,
            _ if builtins::find(name).is_some() => !OUTWARD.contains(&name),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Aliases, Parser};

    fn parsed(text: &str) -> List {
        Parser::new(text.into(), 1, Aliases::default())
            .all_commands()
            .unwrap()
    }

    fn functions(text: &str) -> Functions {
        let list = parsed(text);
        let commands = list.0.iter().flat_map(|item| &item.first.commands);
        let functions = commands.filter_map(|command| match command {
            Command::Function(function) => Some((function.name.clone(), Rc::clone(function))),
            _ => None,
        });
        functions.collect()
    }

    #[test]
    fn what_leaves_the_shell_needs_a_process() {
        let functions = functions("f() { g; }; g() { echo; }; r() { r; }; e() { exec 3>&1; }");
        let contained = |text: &str| list(&parsed(text), &functions);
        for text in [
            "echo x",
            "cd /; ls | wc",
            "x=1; f",
            "while read l; do echo $l; done",
            "(exec x)",
            "command -v ls",
        ] {
            assert!(contained(text), "{text}");
        }
        for text in [
            "sleep 1 &",
            "exec ls",
            "trap x EXIT",
            "$cmd",
            "r",
            "e",
            "eval x",
            "h() { :; }",
            "command exec x",
        ] {
            assert!(!contained(text), "{text}");
        }
    }

    #[test]
    fn quick_commands_read_nothing_and_end() {
        let functions = Functions::new();
        let quick = |text: &str| super::quick(&parsed(text).0[0].first.commands[0], &functions);
        assert!(
            quick("echo $(ls)")
                && quick("for i in 1 2; do echo $i; done")
                && quick("{ echo a; printf b; }")
        );
        assert!(
            !quick("cat")
                && !quick("while :; do echo; done")
                && !quick("read x")
                && !quick("{ echo a | cat; }")
        );
    }
}
