//! Links, modes and owners.

use sandbox_core::User;

use super::files::{each, split};
use crate::fake::kernel::Task;
use crate::fake::tree::{Content, FsError};
use crate::fake::users;

/// `ln -s TARGET NAME`, with `-f` over what is there.
pub(super) async fn link(task: &Task, arguments: &[String]) -> u8 {
    let (options, operands) = split(arguments);
    let [target, name] = operands[..] else {
        task.complain("ln: give a target and a name").await;
        return 1;
    };
    if !options.contains('s') {
        task.complain("ln: only -s is known here").await;
        return 1;
    }
    each(task, "ln", &[name], |tree, name| {
        let place = tree.locate(task.cwd, name, false)?;
        if place.node.is_some() && options.contains('f') {
            tree.remove(place.dir, &place.name, false)?;
        }
        let link = Content::Link(target.to_owned());
        tree.add(place.dir, &place.name, link, 0o777, task.owner)
            .map(|_| ())
    })
    .await
}

pub(super) async fn read_link(task: &Task, arguments: &[String]) -> u8 {
    let (options, operands) = split(arguments);
    let Some(path) = operands.first() else {
        return 1;
    };
    let text = task.kernel.files(|tree| {
        if options.contains('f') {
            return tree.path_of(tree.find(task.cwd, path, true)?);
        }
        match &tree.node(tree.find(task.cwd, path, false)?)?.content {
            Content::Link(text) => Ok(text.clone()),
            Content::File(_) | Content::Directory(_) | Content::Device(_) => Err(FsError::Invalid),
        }
    });
    match text {
        Ok(text) => u8::from(task.print(format!("{text}\n")).await.is_err()),
        Err(_) => 1,
    }
}

/// `chmod OCTAL FILE…`, and `chmod +x`.
pub(super) async fn chmod(task: &Task, arguments: &[String]) -> u8 {
    let Some((mode, files)) = arguments.split_first() else {
        return 1;
    };
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let octal = u32::from_str_radix(mode, 8).ok();
    if octal.is_none() && mode != "+x" {
        task.complain(&format!("chmod: invalid mode '{mode}'"))
            .await;
        return 1;
    }
    each(task, "chmod", &files, |tree, path| {
        let ino = tree.find(task.cwd, path, true)?;
        let node = tree.node(ino)?;
        if task.owner.uid != 0 && task.owner.uid != node.uid {
            return Err(FsError::Denied);
        }
        let mode = octal.unwrap_or(node.mode | 0o111);
        tree.set_mode(ino, mode)
    })
    .await
}

pub(super) async fn chown(task: &Task, arguments: &[String]) -> u8 {
    let Some((user, files)) = arguments.split_first() else {
        return 1;
    };
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let owner = User::new(user.as_str())
        .ok()
        .and_then(|user| task.kernel.files(|tree| users::find(tree, &user)));
    let Some(identity) = owner else {
        task.complain(&format!("chown: unknown user {user}")).await;
        return 1;
    };
    each(task, "chown", &files, |tree, path| {
        if task.owner.uid != 0 {
            return Err(FsError::Denied);
        }
        let ino = tree.find(task.cwd, path, true)?;
        tree.set_owner(ino, identity.owner)
    })
    .await
}
