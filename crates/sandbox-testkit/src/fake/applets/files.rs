//! Programs that make, move and remove files.

use std::collections::BTreeMap;

use crate::fake::kernel::Task;
use crate::fake::tree::{Access, Content, FsError, FsResult, Tree};

/// Options in front, and what they are about.
pub(super) fn split(arguments: &[String]) -> (String, Vec<&str>) {
    let mut options = String::new();
    let mut operands = Vec::new();
    let mut only_operands = false;
    for argument in arguments {
        match argument.strip_prefix('-') {
            Some("-") if !only_operands => only_operands = true,
            Some(flags) if !only_operands && !flags.is_empty() => options.push_str(flags),
            Some(_) | None => operands.push(argument.as_str()),
        }
    }
    (options, operands)
}

/// Does `change` for every operand; complains about those it fails for.
pub(super) async fn each(
    task: &Task,
    name: &str,
    operands: &[&str],
    mut change: impl FnMut(&mut Tree, &str) -> FsResult<()>,
) -> u8 {
    let mut code = 0;
    for operand in operands {
        let changed = task.kernel.edit_files(|tree| change(tree, operand));
        if let Err(error) = changed {
            task.complain(&format!("{name}: {operand}: {error}")).await;
            code = 1;
        }
    }
    code
}

pub(super) async fn make_dirs(task: &Task, arguments: &[String]) -> u8 {
    let (options, operands) = split(arguments);
    let parents = options.contains('p');
    each(task, "mkdir", &operands, |tree, path| {
        let mut whole = String::new();
        if !path.starts_with('/') {
            whole = tree.path_of(task.cwd)?;
        }
        if parents {
            let whole = format!("{whole}/{path}");
            return tree.make_dirs(&whole, 0o755, task.owner).map(|_| ());
        }
        let place = tree.locate(task.cwd, path, true)?;
        if !tree.permits(place.dir, task.owner, Access::Write) {
            return Err(FsError::Denied);
        }
        let empty = Content::Directory(BTreeMap::new());
        tree.add(place.dir, &place.name, empty, 0o755, task.owner)
            .map(|_| ())
    })
    .await
}

pub(super) async fn remove(task: &Task, arguments: &[String]) -> u8 {
    let (options, operands) = split(arguments);
    let recursive = options.contains('r') || options.contains('R');
    let force = options.contains('f');
    each(task, "rm", &operands, |tree, path| {
        let removed = tree.locate(task.cwd, path, false).and_then(|place| {
            if !tree.permits(place.dir, task.owner, Access::Write) {
                return Err(FsError::Denied);
            }
            tree.remove(place.dir, &place.name, recursive)
        });
        match removed {
            Err(FsError::NotFound) if force => Ok(()),
            other => other,
        }
    })
    .await
}

/// Where `from` goes when the operand is `to`: into it, when it is a directory.
fn destination(tree: &Tree, task: &Task, from: &str, to: &str) -> String {
    let is_dir = tree
        .find(task.cwd, to, true)
        .is_ok_and(|ino| tree.entries(ino).is_ok());
    let name = from
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(from);
    if is_dir {
        format!("{to}/{name}")
    } else {
        to.to_owned()
    }
}

pub(super) async fn rename(task: &Task, arguments: &[String]) -> u8 {
    let (_, operands) = split(arguments);
    let Some((to, sources)) = operands.split_last() else {
        return 1;
    };
    each(task, "mv", sources, |tree, from| {
        let to = destination(tree, task, from, to);
        let source = tree.locate(task.cwd, from, false)?;
        let target = tree.locate(task.cwd, &to, false)?;
        tree.rename((source.dir, &source.name), (target.dir, &target.name))
    })
    .await
}

pub(super) async fn copy(task: &Task, arguments: &[String]) -> u8 {
    let (_, operands) = split(arguments);
    let Some((to, sources)) = operands.split_last() else {
        return 1;
    };
    each(task, "cp", sources, |tree, from| {
        let to = destination(tree, task, from, to);
        let source = tree.find(task.cwd, from, true)?;
        let (data, mode) = (tree.data(source)?, tree.node(source)?.mode);
        let target = tree.locate(task.cwd, &to, true)?;
        match target.node {
            Some(ino) => tree.replace(ino, data.to_vec()),
            None => {
                let content = Content::File(data);
                tree.add(target.dir, &target.name, content, mode, task.owner)
                    .map(|_| ())
            }
        }
    })
    .await
}

pub(super) async fn touch(task: &Task, arguments: &[String]) -> u8 {
    let (_, operands) = split(arguments);
    let mut code = 0;
    for path in operands {
        let opened = task.open_write(path, true);
        let touched = opened.and_then(|_| {
            task.kernel
                .edit_files(|tree| tree.touch(tree.find(task.cwd, path, true)?))
        });
        if let Err(error) = touched {
            task.complain(&format!("touch: {path}: {error}")).await;
            code = 1;
        }
    }
    code
}

pub(super) async fn list(task: &Task, arguments: &[String]) -> u8 {
    let (options, mut operands) = split(arguments);
    if operands.is_empty() {
        operands.push(".");
    }
    let mut code = 0;
    for path in operands {
        let names = task.kernel.files(|tree| {
            let ino = tree.find(task.cwd, path, true)?;
            Ok(match tree.entries(ino) {
                Ok(entries) => entries.keys().cloned().collect(),
                Err(_) => vec![path.to_owned()],
            })
        });
        let names: FsResult<Vec<String>> = names;
        match names {
            Ok(names) => {
                let all = options.contains('a') || options.contains('A');
                let shown = names.iter().filter(|name| all || !name.starts_with('.'));
                let text: String = shown.map(|name| format!("{name}\n")).collect();
                code |= u8::from(task.print(text).await.is_err());
            }
            Err(error) => {
                task.complain(&format!("ls: {path}: {error}")).await;
                code = 1;
            }
        }
    }
    code
}
