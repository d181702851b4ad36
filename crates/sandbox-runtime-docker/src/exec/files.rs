//! Files, by the scripts.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use sandbox_core::{
    Error, ErrorKind, FileContent, FileInfo, ListOptions, MakeDirOptions, OutputStream,
    ReadOptions, Result, SandboxPath,
};

use super::record::{parse_all, parse_stat};
use super::scripts;
use super::session::{Finished, Output, Session, root_script};
use crate::context::Context;
use crate::error::nonsense;

/// The longest first line of `READ` in bytes.
const MAX_HEADER: usize = 1024;

pub(super) fn yes(flag: bool) -> &'static str {
    if flag { "yes" } else { "no" }
}

fn error(kind: ErrorKind, field: &'static str, message: &str) -> Error {
    Error::new(kind, "docker.file", message).with_field(field)
}

/// What a script's exit means; `path` and `target` are the fields it is about.
pub(super) fn check(done: Finished, path: &'static str, target: &'static str) -> Result<Bytes> {
    match done.code {
        0 => Ok(done.stdout),
        // What kept the script from starting is said on its output.
        code if done.stderr.is_empty() => Err(failure(code, &done.stdout, path, target)),
        code => Err(failure(code, &done.stderr, path, target)),
    }
}

/// The error that a script's exit `code` stands for.
pub(super) fn failure(code: i64, stderr: &[u8], path: &'static str, target: &'static str) -> Error {
    let said = String::from_utf8_lossy(stderr).trim().to_owned();
    match code {
        scripts::NOT_FOUND => error(ErrorKind::NotFound, path, "does not exist"),
        scripts::CONFLICT => error(ErrorKind::Conflict, path, "is not what this needs it to be"),
        scripts::PARENT_MISSING => error(
            ErrorKind::NotFound,
            target,
            "the directory it would be in does not exist",
        ),
        scripts::NO_USER => error(ErrorKind::NotFound, "user", "there is no such user"),
        scripts::TARGET_CONFLICT => error(ErrorKind::Conflict, target, "cannot be replaced"),
        _ if no_more_processes(&said) => Error::new(
            ErrorKind::LimitExceeded,
            "docker.file",
            "there may be no more processes",
        )
        .with_field("resources.pids"),
        _ if said.contains("No space left") => {
            error(ErrorKind::LimitExceeded, path, "the disk is full")
        }
        _ if said.contains("Read-only file system") => error(
            ErrorKind::PermissionDenied,
            path,
            "the file system is read-only",
        ),
        _ if said.contains("Not a directory") => error(
            ErrorKind::Conflict,
            path,
            "something on the way is not a directory",
        ),
        code => nonsense(
            "docker.file",
            format!("the script ended with {code}: {said}"),
        ),
    }
}

/// How shells and the low-level runtime say that no process can be made.
pub(super) fn no_more_processes(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    // The last is the low-level runtime's own first process, which found no room either.
    [
        "resource temporarily unavailable",
        "can't fork",
        "read init-p",
    ]
    .iter()
    .any(|words| said.contains(words))
}

pub(super) fn one(output: &Bytes) -> Result<FileInfo> {
    let mut found = parse_all(output)?;
    match found.len() {
        1 => Ok(found.remove(0)),
        _ => Err(error(ErrorKind::NotFound, "path", "does not exist")),
    }
}

pub(super) async fn stat(session: &Session, path: &SandboxPath) -> Result<FileInfo> {
    let script = [scripts::RECORD, scripts::STAT].concat();
    let done = session.query(&script, &[path.as_str()]).await?;
    one(&check(done, "path", "path")?)
}

pub(super) async fn list(
    session: &Session,
    path: &SandboxPath,
    options: ListOptions,
) -> Result<Vec<FileInfo>> {
    let script = [scripts::RECORD, scripts::LIST].concat();
    let depth = options.depth.to_string();
    let arguments = [path.as_str(), &depth, scripts::RECORD];
    let done = session.query(&script, &arguments).await?;
    let mut found = parse_all(&check(done, "path", "path")?)?;
    if found.len() > options.limit as usize {
        let message = format!(
            "there are {} entries; the limit is {}",
            found.len(),
            options.limit
        );
        return Err(error(ErrorKind::LimitExceeded, "limit", &message));
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

pub(super) async fn make_dir(
    session: &Session,
    context: &Context,
    path: &SandboxPath,
    options: MakeDirOptions,
) -> Result<bool> {
    let script = [scripts::RECORD, scripts::OWNER, scripts::MAKE_DIR].concat();
    let mode = format!("{:o}", options.mode.unwrap_or(0o755));
    let user = options
        .user
        .as_ref()
        .map_or(context.user(), |user| user.as_str());
    let arguments = [path.as_str(), user, &mode, yes(options.create_parents)];
    let done = session.script(&script, &arguments).await?;
    if done.code == scripts::EXISTED {
        return Ok(false);
    }
    check(done, "path", "path").map(|_| true)
}

pub(super) async fn rename(session: &Session, from: &SandboxPath, to: &SandboxPath) -> Result<()> {
    let script = [scripts::RECORD, scripts::RENAME].concat();
    let done = session
        .script(&script, &[from.as_str(), to.as_str()])
        .await?;
    check(done, "from", "to").map(|_| ())
}

pub(super) async fn remove(session: &Session, path: &SandboxPath, recursive: bool) -> Result<()> {
    let script = [scripts::RECORD, scripts::REMOVE].concat();
    let done = session
        .script(&script, &[path.as_str(), yes(recursive)])
        .await?;
    check(done, "path", "path").map(|_| ())
}

pub(super) async fn read(
    session: &Session,
    path: &SandboxPath,
    options: ReadOptions,
) -> Result<FileContent> {
    let offset = options.offset.min(i64::MAX as u64 - 1).to_string();
    let length = options.length.map(|n| n.min(i64::MAX as u64).to_string());
    let arguments = [path.as_str(), &offset, length.as_deref().unwrap_or("-")];
    let mut running = session
        .start(root_script(scripts::READ, &arguments, false))
        .await?;
    let Some((header, rest)) = header(&mut running.output).await? else {
        let code = session.exit_code(&running.id).await?;
        return Err(failure(code, b"", "path", "path"));
    };
    let info = parse_stat(path.clone(), &header)?;
    let first = (!rest.is_empty()).then_some(Ok(rest));
    let body = running.output.filter_map(async |chunk| match chunk {
        Ok((OutputStream::Stdout, data)) => Some(Ok(data)),
        Ok((OutputStream::Stderr | OutputStream::Pty, _)) => None,
        Err(error) => Some(Err(error)),
    });
    Ok(FileContent {
        info,
        body: Box::pin(futures_util::stream::iter(first).chain(body)),
    })
}

/// The first line of standard output and what came with it; `None` when there is no line.
async fn header(output: &mut Output) -> Result<Option<(Bytes, Bytes)>> {
    let mut seen = BytesMut::new();
    while let Some(chunk) = output.next().await {
        let (stream, data) = chunk?;
        if stream != OutputStream::Stdout {
            continue;
        }
        seen.extend_from_slice(&data);
        if let Some(end) = seen.iter().position(|byte| *byte == b'\n') {
            let line = seen.split_to(end).freeze();
            return Ok(Some((line, seen.freeze().slice(1..))));
        }
        if seen.len() > MAX_HEADER {
            return Err(nonsense(
                "docker.file",
                "the script's first line has no end",
            ));
        }
    }
    Ok(None)
}
