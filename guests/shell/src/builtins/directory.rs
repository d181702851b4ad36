//! `cd` and `pwd`.

use std::rc::Rc;

use sandbox_guest::files::{self, permission};

use crate::ast::Bytes;
use crate::flow::{Run, USAGE};
use crate::shell::{Shell, describe};
use crate::text;

pub(super) fn pwd(shell: &mut Shell, args: &[Bytes]) -> Run {
    let Some((flags, _)) = super::options(shell, args, "LP") else {
        return Ok(USAGE);
    };
    let physical = flags.last().is_some_and(|&(letter, _)| letter == b'P');
    let mut line = if physical {
        resolved(&shell.cwd)
    } else {
        shell.cwd.to_string()
    };
    line.push('\n');
    shell.print("pwd", line.as_bytes())
}

/// `path`, which is absolute, without symbolic links; as far as they can be followed.
fn resolved(path: &str) -> String {
    /// As many links as the kernel follows.
    const MOST_LINKS: u32 = 40;
    let mut done = String::new();
    let mut waiting: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
    let mut links = 0;
    while let Some(name) = waiting.pop() {
        match name.as_str() {
            "" | "." => continue,
            ".." => {
                done.truncate(done.rfind('/').unwrap_or(0));
                continue;
            }
            _ => {}
        }
        let whole = format!("{done}/{name}");
        match files::read_link("/", &whole) {
            Ok(target) if links < MOST_LINKS => {
                links += 1;
                let target = text::lossy(&target).into_owned();
                if target.starts_with('/') {
                    done.clear();
                }
                waiting.extend(target.rsplit('/').map(str::to_owned));
            }
            _ => done = whole,
        }
    }
    if done.is_empty() {
        "/".to_owned()
    } else {
        done
    }
}

pub(super) fn cd(shell: &mut Shell, args: &[Bytes]) -> Run {
    let Some((flags, operands)) = super::options(shell, args, "LPe@") else {
        return Ok(USAGE);
    };
    let physical = flags
        .iter()
        .rev()
        .find(|(letter, _)| matches!(letter, b'L' | b'P'))
        .is_some_and(|&(letter, _)| letter == b'P');
    let (target, mut shown) = match operands {
        [] => match shell.get(b"HOME") {
            Some(home) => (home.into_owned(), false),
            None => return shell.refuse("cd", "HOME not set"),
        },
        [dash] if dash == b"-" => match shell.get(b"OLDPWD") {
            Some(old) => (old.into_owned(), true),
            None => return shell.refuse("cd", "OLDPWD not set"),
        },
        [target] => (target.clone(), false),
        [target, ..] if !shell.bash => (target.clone(), false),
        _ => return shell.refuse("cd", "too many arguments"),
    };
    if target.is_empty() && !operands.is_empty() {
        return Ok(0);
    }
    let Some(path) = find(shell, &target, &mut shown) else {
        let error = files::stat(&shell.cwd, &text::lossy(&target), true).err();
        let why = error.map_or("Not a directory".to_owned(), |error| describe(&error));
        shell.complain(&format!("cd: can't cd to {}: {why}", text::lossy(&target)));
        return Ok(if shell.bash { 1 } else { USAGE });
    };
    let path = if physical { resolved(&path) } else { path };
    enter(shell, path)?;
    if shown {
        let line = format!("{}\n", shell.cwd);
        return shell.print("cd", line.as_bytes());
    }
    Ok(0)
}

/// Makes `path` the working directory.
fn enter(shell: &mut Shell, path: String) -> Run<()> {
    let old = shell.cwd.to_string();
    shell.cwd = path.as_str().into();
    shell.set(b"OLDPWD", old.into_bytes())?;
    shell.set(b"PWD", path.into_bytes())?;
    for name in [&b"OLDPWD"[..], b"PWD"] {
        Rc::make_mut(&mut shell.vars).entry(name).exported = true;
    }
    Ok(())
}

/// The directory that `target` means, in `CDPATH` too. `shown`: it is another than one would think.
fn find(shell: &Shell, target: &[u8], shown: &mut bool) -> Option<String> {
    let plain = target.starts_with(b"/")
        || target == b"."
        || target == b".."
        || target.starts_with(b"./")
        || target.starts_with(b"../");
    if !plain && let Some(cdpath) = shell.vars.get(b"CDPATH").and_then(|var| var.text()) {
        for dir in cdpath.split(|&byte| byte == b':') {
            let joined = if dir.is_empty() {
                target.to_vec()
            } else {
                [dir, b"/", target].concat()
            };
            if let Some(path) = directory(&shell.absolute(&joined)) {
                *shown |= !dir.is_empty();
                return Some(path);
            }
        }
    }
    directory(&shell.absolute(target))
}

/// `path` without `.` and `..`, if it is a directory that may be entered.
fn directory(path: &str) -> Option<String> {
    let mut kept: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                // What is left behind must exist, even though its links are not followed.
                let before = format!("/{}", kept.join("/"));
                if !files::stat("/", &before, true).ok()?.is_dir() {
                    return None;
                }
                kept.pop();
            }
            name => kept.push(name),
        }
    }
    let path = format!("/{}", kept.join("/"));
    let stat = files::stat("/", &path, true).ok()?;
    (stat.is_dir() && files::access("/", &path, permission::EXECUTE).is_ok()).then_some(path)
}
