//! Builtins that change what is run next.

use std::rc::Rc;

use sandbox_guest::files;

use crate::ast::Bytes;
use crate::flow::{Flow, NOT_FOUND, Run, USAGE};
use crate::shell::{Shell, describe};
use crate::text;

pub(super) fn succeed(_: &mut Shell, _: &[Bytes]) -> Run {
    Ok(0)
}

pub(super) fn fail(_: &mut Shell, _: &[Bytes]) -> Run {
    Ok(1)
}

/// A status given as an argument, or the present one.
fn status(shell: &Shell, args: &[Bytes]) -> Run {
    match args.get(1) {
        None => Ok(shell.status),
        Some(arg) => match text::parse_int(arg) {
            Some(status) => Ok(i32::from(status.to_le_bytes()[0])),
            None => {
                shell.complain(&format!(
                    "{}: Illegal number: {}",
                    text::lossy(&args[0]),
                    text::lossy(arg)
                ));
                Err(Flow::Error(USAGE))
            }
        },
    }
}

pub(super) fn exit(shell: &mut Shell, args: &[Bytes]) -> Run {
    Err(Flow::Exit(status(shell, args)?))
}

pub(super) fn leave(shell: &mut Shell, args: &[Bytes]) -> Run {
    let status = status(shell, args)?;
    // Outside of functions this is the end of the script.
    Err(if shell.returns > 0 {
        Flow::Return(status)
    } else {
        Flow::Exit(status)
    })
}

pub(super) fn leave_loop(shell: &mut Shell, args: &[Bytes]) -> Run {
    let count = match args.get(1) {
        None => 1,
        Some(arg) => match text::parse_int(arg)
            .and_then(|count| u32::try_from(count).ok())
            .filter(|&count| count > 0)
        {
            Some(count) => count,
            None => {
                return shell.fail(&format!(
                    "{}: Illegal number: {}",
                    text::lossy(&args[0]),
                    text::lossy(arg)
                ));
            }
        },
    };
    if shell.loops == 0 {
        return Ok(0);
    }
    let count = count.min(shell.loops);
    Err(if args[0] == b"break" {
        Flow::Break(count)
    } else {
        Flow::Continue(count)
    })
}

pub(super) fn eval(shell: &mut Shell, args: &[Bytes]) -> Run {
    let args = if args.get(1).is_some_and(|arg| arg == b"--") {
        &args[2..]
    } else {
        &args[1..]
    };
    let line = shell.line;
    // What an earlier substitution gave is no result of this.
    shell.run_text(args.join(&b' '), line)
}

pub(super) fn exec(shell: &mut Shell, args: &[Bytes]) -> Run {
    let mut words = &args[1..];
    let mut name = None;
    loop {
        match words {
            [flag, rest @ ..] if flag == b"--" => {
                words = rest;
                break;
            }
            [flag, given, rest @ ..] if flag == b"-a" => {
                name = Some(given.clone());
                words = rest;
            }
            [flag, rest @ ..] if flag == b"-c" => {
                let vars = Rc::make_mut(&mut shell.vars);
                vars.0.values_mut().for_each(|var| var.exported = false);
                words = rest;
            }
            _ => break,
        }
    }
    if words.is_empty() {
        shell.keep_fds = true;
        return Ok(0);
    }
    match name {
        None => shell.exec_command(words),
        Some(name) => {
            let path = match shell.locate(&words[0]) {
                Ok(path) => path,
                Err(error) => return Err(Flow::Exit(shell.not_run(&words[0], &error))),
            };
            let mut renamed = words.to_vec();
            renamed[0] = name;
            let error = shell.replace(&path, &renamed);
            Err(Flow::Exit(shell.not_run(&words[0], &error)))
        }
    }
}

/// `. file [arguments]`
pub(super) fn source(shell: &mut Shell, args: &[Bytes]) -> Run {
    let args = if args.get(1).is_some_and(|arg| arg == b"--") {
        &args[1..]
    } else {
        args
    };
    let Some(name) = args.get(1) else {
        return shell.fail(".: filename argument required");
    };
    let Some(path) = find_source(shell, name) else {
        shell.complain(&format!(".: {}: not found", text::lossy(name)));
        return if shell.bash {
            Ok(1)
        } else {
            Err(Flow::Error(USAGE))
        };
    };
    let source = match files::read("/", &path) {
        Ok(source) => source,
        Err(error) => {
            return shell.fail(&format!(
                ".: cannot open {}: {}",
                text::lossy(name),
                describe(&error)
            ));
        }
    };
    let given = (args.len() > 2).then(|| Rc::new(args[2..].to_vec()));
    let saved = given.map(|given| std::mem::replace(&mut shell.args, given));
    let line = shell.line;
    shell.returns += 1;
    let result = shell.run_text(source, 1);
    shell.returns -= 1;
    shell.line = line;
    if let Some(saved) = saved {
        shell.args = saved;
    }
    match result {
        Err(Flow::Return(status)) => Ok(status),
        Err(Flow::Error(status)) if status == NOT_FOUND => Err(Flow::Error(status)),
        other => other,
    }
}

/// A name without a slash is searched in `PATH`, and by bash in the working directory as well.
fn find_source(shell: &Shell, name: &[u8]) -> Option<String> {
    if name.contains(&b'/') {
        return Some(shell.absolute(name));
    }
    let path = shell
        .vars
        .get(b"PATH")
        .and_then(|var| var.text())
        .cloned()
        .unwrap_or_default();
    let dirs = path.split(|&byte| byte == b':');
    let mut places: Vec<String> = dirs
        .map(|dir| shell.absolute(&[dir, b"/", name].concat()))
        .collect();
    if shell.bash {
        places.push(shell.absolute(name));
    }
    places
        .into_iter()
        .find(|place| files::stat("/", place, true).is_ok_and(|found| found.is_file()))
}
