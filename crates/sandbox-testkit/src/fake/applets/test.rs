//! `test` and `[`.

use sandbox_core::FileKind;

use crate::fake::kernel::{Fd, Task};
use crate::fake::tree::Access;

pub(super) async fn test(task: &Task, argv: &[String]) -> u8 {
    let mut words: Vec<&str> = argv.iter().skip(1).map(String::as_str).collect();
    if argv.first().is_some_and(|name| name == "[") && words.pop() != Some("]") {
        task.complain("[: missing ]").await;
        return 2;
    }
    match holds(task, &words) {
        Some(true) => 0,
        Some(false) => 1,
        None => {
            task.complain("test: unknown expression").await;
            2
        }
    }
}

/// Whether the expression holds; `None` when it is none.
fn holds(task: &Task, words: &[&str]) -> Option<bool> {
    match words {
        [] => Some(false),
        ["!", rest @ ..] => holds(task, rest).map(|holds| !holds),
        [text] => Some(!text.is_empty()),
        ["-n", text] => Some(!text.is_empty()),
        ["-z", text] => Some(text.is_empty()),
        ["-t", fd] => Some(matches!(task.fd(fd.parse().ok()?), Fd::Tty(_))),
        [option, path] => about_file(task, option, path),
        [left, "=" | "==", right] => Some(left == right),
        [left, "!=", right] => Some(left != right),
        [left, operator, right] => {
            let (left, right): (i64, i64) = (left.trim().parse().ok()?, right.trim().parse().ok()?);
            match *operator {
                "-eq" => Some(left == right),
                "-ne" => Some(left != right),
                "-lt" => Some(left < right),
                "-le" => Some(left <= right),
                "-gt" => Some(left > right),
                "-ge" => Some(left >= right),
                _ => None,
            }
        }
        _ => None,
    }
}

fn about_file(task: &Task, option: &str, path: &str) -> Option<bool> {
    task.kernel.files(|tree| {
        let follow = !matches!(option, "-L" | "-h");
        let Ok(ino) = tree.find(task.cwd, path, follow) else {
            return "-e-f-d-s-L-h-r-w-x".contains(option).then_some(false);
        };
        let node = tree.node(ino).ok()?;
        match option {
            "-e" => Some(true),
            "-f" => Some(node.kind() == FileKind::File),
            "-d" => Some(node.kind() == FileKind::Directory),
            "-L" | "-h" => Some(node.kind() == FileKind::Symlink),
            "-s" => Some(node.size() > 0),
            "-r" => Some(tree.permits(ino, task.owner, Access::Read)),
            "-w" => Some(tree.permits(ino, task.owner, Access::Write)),
            "-x" => Some(tree.permits(ino, task.owner, Access::Execute)),
            _ => None,
        }
    })
}
