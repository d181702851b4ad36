//! From the process's arguments, environment and state to running commands.

use std::env;
use std::ffi::OsString;
use std::rc::Rc;

use sandbox_guest::{errno, files, process};

use crate::ast::Bytes;
use crate::fds::{Fds, Target};
use crate::flow::{Flow, NOT_EXECUTABLE, NOT_FOUND, Run, USAGE};
use crate::input::{Input, Prompts};
use crate::invocation::{self, Invocation, Source};
use crate::parse::Parser;
use crate::shell::{Shell, describe};
use crate::state::{OwnBody, State};
use crate::text;
use crate::vars::{Value, Var};

/// Runs the shell; its status.
pub fn run() -> i32 {
    let state = process::take_state().unwrap_or_default();
    if !state.is_empty() {
        return run_subshell(&state);
    }
    let argv = env::args_os().map(OsString::into_encoded_bytes).collect();
    let invocation = match invocation::parse(argv) {
        Ok(invocation) => invocation,
        Err(message) => {
            Shell::new(b"sh".to_vec(), Fds::inherited()).complain(&message);
            return USAGE;
        }
    };
    run_invocation(invocation)
}

fn run_subshell(state: &[u8]) -> i32 {
    let Some(state) = State::decode(state) else {
        return NOT_EXECUTABLE;
    };
    let (mut shell, body) = state.into_shell();
    shell.cwd = working_directory().into();
    let result = match &body {
        OwnBody::List(list) => shell.run_list(list, true),
        OwnBody::Command(command) => shell.run_command(command, true),
    };
    finish(&mut shell, result)
}

fn working_directory() -> String {
    env::var("PWD")
        .ok()
        .filter(|dir| dir.starts_with('/'))
        .unwrap_or_else(|| "/".to_owned())
}

/// The status of the shell after its last command.
fn finish(shell: &mut Shell, result: Run) -> i32 {
    let status = match result {
        Ok(status) | Err(Flow::Exit(status) | Flow::Error(status) | Flow::Return(status)) => status,
        Err(Flow::Break(_) | Flow::Continue(_)) => shell.status,
    };
    shell.run_exit_trap(status) & 0xff
}

fn run_invocation(invocation: Invocation) -> i32 {
    let own_name = env::args_os()
        .next()
        .unwrap_or_default()
        .into_encoded_bytes();
    let mut shell = Shell::new(invocation.name.clone(), Fds::inherited());
    shell.bash = own_name
        .rsplit(|&byte| byte == b'/')
        .next()
        .is_some_and(|name| name.ends_with(b"bash"));
    shell.started = crate::clock::now();
    shell.args = Rc::new(invocation.args.clone());
    import_environment(&mut shell);
    for (letter, on) in &invocation.letters {
        if !shell.options.set_letter(*letter, *on) {
            shell.complain(&format!("Illegal option -{}", char::from(*letter)));
            return USAGE;
        }
    }
    for (name, on) in &invocation.names {
        if !shell.options.set_name(name, *on) {
            shell.complain(&format!("Illegal option -o {}", text::lossy(name)));
            return USAGE;
        }
    }
    let terminal = invocation.source == Source::Input
        && [0, 2].into_iter().all(sandbox_guest::fd::is_terminal);
    shell
        .options
        .set_letter(b'i', invocation.interactive || terminal);
    if invocation.login
        && let Err(flow) = read_profiles(&mut shell)
    {
        return finish(&mut shell, Err(flow));
    }
    let result = match invocation.source {
        Source::Text(text) => {
            let parser = Parser::new(text, 1, Rc::clone(&shell.aliases));
            shell.run_parser(parser, true)
        }
        Source::File(path) => run_file(&mut shell, &path),
        Source::Input => run_input(&mut shell),
    };
    finish(&mut shell, result)
}

fn import_environment(shell: &mut Shell) {
    let mut put = |name: Bytes, value: Bytes, exported: bool| {
        let var = Var {
            value: Some(Value::Text(value)),
            exported,
            ..Var::default()
        };
        Rc::make_mut(&mut shell.vars).0.insert(name, var);
    };
    put(b"IFS".to_vec(), b" \t\n".to_vec(), false);
    put(b"OPTIND".to_vec(), b"1".to_vec(), false);
    put(
        b"PATH".to_vec(),
        b"/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".to_vec(),
        false,
    );
    for (name, value) in env::vars_os() {
        let (name, value) = (name.into_encoded_bytes(), value.into_encoded_bytes());
        // What is not a variable's name cannot be used, nor handed on. `IFS` from outside would change what scripts mean.
        if text::is_name(&name) && name != b"IFS" && name != b"OPTIND" {
            put(name, value, true);
        }
    }
    let cwd = working_directory();
    put(b"PWD".to_vec(), cwd.clone().into_bytes(), true);
    shell.cwd = cwd.into();
}

/// A login shell reads `/etc/profile` and `~/.profile` first.
fn read_profiles(shell: &mut Shell) -> Run<()> {
    let home = shell
        .get(b"HOME")
        .map(|home| text::lossy(&home).into_owned())
        .unwrap_or_default();
    for path in ["/etc/profile".to_owned(), format!("{home}/.profile")] {
        if let Ok(text) = files::read("/", &path) {
            shell.run_text(text, 1)?;
        }
    }
    Ok(())
}

fn run_file(shell: &mut Shell, path: &[u8]) -> Run {
    let mut place = shell.absolute(path);
    if !path.contains(&b'/')
        && files::stat("/", &place, true).is_err()
        && let Ok(found) = shell.locate(path)
    {
        place = found;
    }
    let script = match files::read("/", &place) {
        Ok(script) => script,
        Err(error) => {
            shell.complain(&format!(
                "cannot open {}: {}",
                text::lossy(path),
                describe(&error)
            ));
            let missing = errno::is(&error, errno::NOENT);
            return Ok(match (missing, shell.bash) {
                (true, true) => NOT_FOUND,
                (false, true) => NOT_EXECUTABLE,
                _ => USAGE,
            });
        }
    };
    if script
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default()
        .contains(&0)
    {
        shell.complain(&format!(
            "{}: cannot execute binary file",
            text::lossy(path)
        ));
        return Ok(NOT_EXECUTABLE);
    }
    let parser = Parser::new(script, 1, Rc::clone(&shell.aliases));
    shell.run_parser(parser, true)
}

fn run_input(shell: &mut Shell) -> Run {
    shell.options.set_letter(b's', true);
    let Some(Target::Fd(source)) = shell.fds.get(0).cloned() else {
        return Ok(0);
    };
    let prompts = Prompts::default();
    let mut parser = Parser::from_lines(
        Box::new(Input::new(source, Rc::clone(&prompts))),
        Rc::clone(&shell.aliases),
    );
    if !shell.options.interactive() {
        return shell.run_parser(parser, false);
    }
    loop {
        *prompts.borrow_mut() = Some((prompt(shell, b"PS1", b"$ "), prompt(shell, b"PS2", b"> ")));
        let parsed = parser.next_commands();
        let result = match shell.parsed(parsed) {
            Ok(None) => return Ok(shell.status),
            Ok(Some(list)) => shell.run_list(&list, false),
            Err(flow) => Err(flow),
        };
        match result {
            Ok(_) | Err(Flow::Break(_) | Flow::Continue(_)) => {}
            // A prompt comes back after errors.
            Err(Flow::Error(status)) => shell.status = status,
            Err(flow) => return Err(flow),
        }
    }
}

fn prompt(shell: &mut Shell, name: &[u8], default: &[u8]) -> Bytes {
    let text = shell
        .get(name)
        .map_or_else(|| default.to_vec(), |text| text.into_owned());
    let status = shell.status;
    let shown = shell.expand_prompt(text);
    shell.status = status;
    shown
}
