//! What has changed.

use sandbox_core::{Error, ErrorKind, Result, Sandbox, SandboxPath};

use super::Git;
use super::failure::local_failure;

const OPERATION: &str = "git.status";

/// A file that is not as in the last commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStatus {
    /// Its path below the repository.
    pub path: String,
    /// What is staged: `M`odified, `A`dded, `D`eleted, `R`enamed, `C`opied, `T`ype, `U`nmerged,
    /// `.` nothing, `?` not tracked.
    pub staged: char,
    /// What is changed and not staged, with the same letters.
    pub unstaged: char,
    /// Where it was, for one that was renamed or copied.
    pub original: Option<String>,
}

/// The state of a repository.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct GitStatus {
    /// The commit; `None` before the first one.
    pub commit: Option<String>,
    /// The branch; `None` when detached.
    pub branch: Option<String>,
    /// The branch that it follows.
    pub upstream: Option<String>,
    /// Commits that the upstream does not have.
    pub ahead: u32,
    /// Commits of the upstream that are not here.
    pub behind: u32,
    /// Files that are not as in the last commit, untracked ones included.
    pub files: Vec<FileStatus>,
}

impl GitStatus {
    /// Whether everything is as in the last commit.
    pub fn is_clean(&self) -> bool {
        self.files.is_empty()
    }
}

impl Git {
    /// The state of a repository.
    ///
    /// # Errors
    /// `NotFound` with field `path`.
    pub async fn status(&self, sandbox: &dyn Sandbox, path: &SandboxPath) -> Result<GitStatus> {
        self.check_repository(sandbox, OPERATION, path).await?;
        let arguments = [
            "status",
            "--porcelain=v2",
            "--branch",
            "--untracked-files=all",
            "-z",
        ];
        let command = self.in_repository(path, &arguments);
        // Looking must not change anything, the index included.
        let command = command.env("GIT_OPTIONAL_LOCKS", "0");
        let output = self.run(sandbox, OPERATION, command).await?;
        if !output.status.success() {
            return Err(local_failure(OPERATION, &output));
        }
        parse(&output.stdout_lossy())
    }
}

fn parse(text: &str) -> Result<GitStatus> {
    let mut status = GitStatus::default();
    let mut records = text.split('\0').filter(|record| !record.is_empty());
    while let Some(record) = records.next() {
        let (kind, rest) = record.split_once(' ').ok_or_else(not_understood)?;
        match kind {
            "#" => header(&mut status, rest),
            // Fields before the path: of a change, of a rename, of a conflict.
            "1" => status.files.push(changed(rest, 7, None)?),
            "2" => {
                let original = records.next().map(str::to_owned);
                status.files.push(changed(rest, 8, original)?);
            }
            "u" => status.files.push(changed(rest, 9, None)?),
            "?" => status.files.push(FileStatus {
                path: rest.to_owned(),
                staged: '?',
                unstaged: '?',
                original: None,
            }),
            // Kinds that later versions may add.
            _ => {}
        }
    }
    Ok(status)
}

fn header(status: &mut GitStatus, line: &str) {
    let Some((name, value)) = line.split_once(' ') else {
        return;
    };
    match name {
        "branch.oid" if value != "(initial)" => status.commit = Some(value.to_owned()),
        "branch.head" if value != "(detached)" => status.branch = Some(value.to_owned()),
        "branch.upstream" => status.upstream = Some(value.to_owned()),
        "branch.ab" => {
            let count = |sign| {
                value
                    .split(' ')
                    .find_map(|part| part.strip_prefix(sign)?.parse().ok())
                    .unwrap_or(0)
            };
            (status.ahead, status.behind) = (count('+'), count('-'));
        }
        _ => {}
    }
}

/// A record whose path comes after `fields` others, the first of which is `XY`.
fn changed(rest: &str, fields: usize, original: Option<String>) -> Result<FileStatus> {
    let path = rest.splitn(fields + 1, ' ').nth(fields);
    let mut letters = rest.chars();
    match (letters.next(), letters.next(), path) {
        (Some(staged), Some(unstaged), Some(path)) => Ok(FileStatus {
            path: path.to_owned(),
            staged,
            unstaged,
            original,
        }),
        _ => Err(not_understood()),
    }
}

fn not_understood() -> Error {
    let message = "git's status is not in the format that was asked for";
    Error::new(ErrorKind::Internal, OPERATION, message)
}
