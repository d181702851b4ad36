//! The programs of a fake image, as small as tests of sandboxes need them.

mod files;
mod links;
mod network;
pub(super) mod signals;
mod streams;
mod system;
mod test;
mod text;

use std::future::Future;
use std::pin::Pin;

use super::kernel::{IoError, Task};
use super::shell;

/// Every program that images have in `/bin`.
pub(super) const NAMES: &[&str] = &[
    "[", "cat", "chmod", "chown", "cp", "echo", "env", "false", "head", "hog", "hostname", "id",
    "kill", "ln", "ls", "mkdir", "mv", "nc", "nslookup", "ping", "printf", "pwd", "readlink", "rm",
    "rmdir", "seq", "setsid", "sh", "sleep", "stty", "tail", "tee", "test", "touch", "tr", "true",
    "wc", "whoami", "yes",
];

type Code = Pin<Box<dyn Future<Output = u8> + Send>>;

/// Runs a program to its end.
pub(super) fn run(name: &str, task: Task, argv: Vec<String>) -> Code {
    let name = name.to_owned();
    Box::pin(async move {
        match name.as_str() {
            "sh" => shell::main(task, argv).await,
            "env" => system::env(task, &argv).await,
            "setsid" => system::setsid(task, &argv).await,
            "nc" => network::nc(task, &argv).await,
            _ => command(&name, &task, &argv).await,
        }
    })
}

/// Runs a command in the process that asks for it, as a shell runs its builtins.
pub(super) async fn inline(task: &Task, argv: &[String]) -> u8 {
    command(argv.first().map_or("", String::as_str), task, argv).await
}

async fn command(name: &str, task: &Task, argv: &[String]) -> u8 {
    let arguments = argv.get(1..).unwrap_or_default();
    let ended = match name {
        ":" | "true" => return 0,
        "false" => return 1,
        "[" | "test" => return test::test(task, argv).await,
        "kill" => return signals::kill(task, arguments).await,
        "hog" => return system::hog(task, arguments).await,
        "chmod" => return links::chmod(task, arguments).await,
        "chown" => return links::chown(task, arguments).await,
        "cp" => return files::copy(task, arguments).await,
        "ln" => return links::link(task, arguments).await,
        "ls" => return files::list(task, arguments).await,
        "mkdir" => return files::make_dirs(task, arguments).await,
        "mv" => return files::rename(task, arguments).await,
        "readlink" => return links::read_link(task, arguments).await,
        "rm" | "rmdir" => return files::remove(task, arguments).await,
        "touch" => return files::touch(task, arguments).await,
        "nslookup" => return network::nslookup(task, arguments).await,
        "ping" => return network::ping(task, arguments).await,
        "stty" => return system::stty(task, arguments).await,
        "sleep" => return system::sleep(task, arguments).await,
        "cat" => streams::cat(task, arguments).await,
        "head" => streams::head(task, arguments).await,
        "tail" => streams::tail(task, arguments).await,
        "tee" => streams::tee(task, arguments).await,
        "tr" => streams::translate(task, arguments).await,
        "wc" => streams::count(task, arguments).await,
        "echo" => text::echo(task, arguments).await,
        "printf" => text::printf(task, arguments).await,
        "seq" => text::seq(task, arguments).await,
        "yes" => text::yes(task, arguments).await,
        "hostname" => system::hostname(task, arguments).await,
        "id" => system::id(task, arguments).await,
        "pwd" => system::pwd(task).await,
        "whoami" => system::whoami(task).await,
        _ => {
            task.complain(&format!("{name}: applet not found")).await;
            return 127;
        }
    };
    match ended {
        Ok(code) => code,
        Err(error) => {
            task.complain(&format!("{name}: {error}")).await;
            1
        }
    }
}

/// How a program that reads and writes ends.
type Ended = Result<u8, IoError>;
