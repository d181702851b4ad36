//! Programs about processes, users and the terminal.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Ended;
use crate::fake::kernel::{Executable, Fd, LookupError, Task, run_program};
use crate::fake::users;

pub(super) async fn sleep(task: &Task, arguments: &[String]) -> u8 {
    let text = arguments.first().map_or("", String::as_str);
    let seconds = match text {
        "infinity" => Some(Duration::MAX),
        _ => text
            .trim_end_matches('s')
            .parse()
            .ok()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    };
    let Some(duration) = seconds else {
        task.complain(&format!("sleep: invalid number '{text}'"))
            .await;
        return 1;
    };
    task.kernel.world.time.sleep(duration).await;
    0
}

async fn exec(task: Task, argv: &[String]) -> u8 {
    let Some(name) = argv.first() else { return 0 };
    match task.find_program(name) {
        Ok(program) => replace(program, task, argv.to_vec()).await,
        Err(problem) => {
            task.complain(&format!("{name}: cannot be executed")).await;
            match problem {
                LookupError::NotFound => 127,
                LookupError::Denied => 126,
            }
        }
    }
}

async fn replace(program: Executable, task: Task, argv: Vec<String>) -> u8 {
    task.proc.set_argv(argv.clone());
    Box::pin(run_program(program, task, argv)).await
}

/// `env [NAME=VALUE…] [COMMAND…]`.
pub(super) async fn env(mut task: Task, argv: &[String]) -> u8 {
    let mut rest = &argv[1..];
    while let Some((name, value)) = rest.first().and_then(|word| word.split_once('=')) {
        task.env.insert(name.to_owned(), value.to_owned());
        rest = &rest[1..];
    }
    if !rest.is_empty() {
        return exec(task, rest).await;
    }
    let lines: String = task.env.iter().map(|(k, v)| format!("{k}={v}\n")).collect();
    u8::from(task.print(lines).await.is_err())
}

/// A session, and so a process group, of its own.
pub(super) async fn setsid(task: Task, argv: &[String]) -> u8 {
    if task.proc.group.load(Ordering::Relaxed) != task.proc.pid {
        task.proc.group.store(task.proc.pid, Ordering::Relaxed);
        return exec(task, &argv[1..]).await;
    }
    // A group leader cannot leave its group: it goes on as a child.
    let Ok(child) = task.fork(argv.to_vec()) else {
        task.complain("setsid: can't fork").await;
        return 1;
    };
    child.proc.group.store(child.proc.pid, Ordering::Relaxed);
    let rest = argv[1..].to_vec();
    child.start(|child| async move { exec(child, &rest).await });
    0
}

pub(super) async fn id(task: &Task, arguments: &[String]) -> Ended {
    let owner = task.owner;
    let (user, group) = task.kernel.files(|tree| {
        (
            users::user_name(tree, owner.uid),
            users::group_name(tree, owner.gid),
        )
    });
    let text = match arguments.first().map(String::as_str) {
        Some("-u") => owner.uid.to_string(),
        Some("-g") => owner.gid.to_string(),
        Some("-un") => user.unwrap_or_else(|| owner.uid.to_string()),
        Some(_) | None => {
            let named = |number: u32, name: Option<String>| match name {
                Some(name) => format!("{number}({name})"),
                None => number.to_string(),
            };
            format!(
                "uid={} gid={}",
                named(owner.uid, user),
                named(owner.gid, group)
            )
        }
    };
    task.print(format!("{text}\n")).await?;
    Ok(0)
}

pub(super) async fn whoami(task: &Task) -> Ended {
    let name = task
        .kernel
        .files(|tree| users::user_name(tree, task.owner.uid));
    match name {
        Some(name) => {
            task.print(format!("{name}\n")).await?;
            Ok(0)
        }
        None => {
            task.complain("whoami: unknown user").await;
            Ok(1)
        }
    }
}

pub(super) async fn pwd(task: &Task) -> Ended {
    let path = task.kernel.files(|tree| tree.path_of(task.cwd));
    let path = path.map_err(crate::fake::kernel::IoError::Fs)?;
    task.print(format!("{path}\n")).await?;
    Ok(0)
}

pub(super) async fn hostname(task: &Task, arguments: &[String]) -> Ended {
    let text = match arguments.first().map(String::as_str) {
        Some("-i") => {
            let addresses = task.kernel.addresses().iter();
            let addresses: Vec<String> = addresses.map(ToString::to_string).collect();
            addresses.join(" ")
        }
        Some(_) | None => task.kernel.hostname(),
    };
    task.print(format!("{text}\n")).await?;
    Ok(0)
}

/// `stty size`, and the settings `echo`, `-echo`, `raw`, `-icanon`, `sane`.
pub(super) async fn stty(task: &Task, arguments: &[String]) -> u8 {
    let Fd::Tty(pty) = task.fd(0) else {
        task.complain("stty: standard input: Not a tty").await;
        return 1;
    };
    for argument in arguments {
        match argument.as_str() {
            "size" => {
                let size = pty.size();
                let line = format!("{} {}\n", size.rows, size.cols);
                if task.print(line).await.is_err() {
                    return 1;
                }
            }
            "echo" => pty.set_echo(true),
            "-echo" => pty.set_echo(false),
            "raw" | "-icanon" => pty.set_canonical(false),
            "sane" => {
                pty.set_echo(true);
                pty.set_canonical(true);
            }
            other => {
                task.complain(&format!("stty: invalid argument '{other}'"))
                    .await;
                return 1;
            }
        }
    }
    0
}

/// `hog BYTES`: holds that much memory until it is killed.
pub(super) async fn hog(task: &Task, arguments: &[String]) -> u8 {
    let bytes = arguments.first().and_then(|text| text.parse().ok());
    let Some(bytes) = bytes else {
        task.complain("hog: give a number of bytes").await;
        return 2;
    };
    task.kernel.account_memory(&task.proc, bytes);
    std::future::pending().await
}
