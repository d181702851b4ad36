//! Files.

use std::fmt;
use std::str::FromStr;

use sandbox_core::{
    Error, Link, ListOptions, MakeDirOptions, Result, SandboxPath, User, WriteOptions, check_mode,
};
use serde::{Deserialize, Serialize};

use crate::Time;
use crate::text::{self, is_false, on, serde_as_text};

/// Permission bits in octal: `0644`, at most `7777`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, example = "0644"))]
pub struct FileMode(pub u32);

serde_as_text!(FileMode);

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl FromStr for FileMode {
    type Err = Error;

    /// # Errors
    /// `InvalidSpec` with field `mode`.
    fn from_str(text: &str) -> Result<Self> {
        let digits = text.strip_prefix("0o").unwrap_or(text);
        let octal = !digits.is_empty() && digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        let bits = u32::from_str_radix(digits, 8).ok().filter(|_| octal);
        let bits = bits.ok_or_else(|| {
            let message = format!("{text:?} is not an octal mode such as 0644");
            Error::invalid("file.mode", "mode", message)
        })?;
        check_mode(Some(bits))?;
        Ok(Self(bits))
    }
}

/// What kind of thing a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, socket or named pipe.
    Other,
}

impl From<sandbox_core::FileKind> for FileKind {
    fn from(kind: sandbox_core::FileKind) -> Self {
        match kind {
            sandbox_core::FileKind::File => Self::File,
            sandbox_core::FileKind::Directory => Self::Directory,
            sandbox_core::FileKind::Symlink => Self::Symlink,
            sandbox_core::FileKind::Other => Self::Other,
        }
    }
}

impl From<FileKind> for sandbox_core::FileKind {
    fn from(kind: FileKind) -> Self {
        match kind {
            FileKind::File => Self::File,
            FileKind::Directory => Self::Directory,
            FileKind::Symlink => Self::Symlink,
            FileKind::Other => Self::Other,
        }
    }
}

/// A file's attributes. A link is described itself, never what it leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FileInfo {
    /// Its path.
    #[serde(with = "text")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub path: SandboxPath,
    /// Its kind.
    pub kind: FileKind,
    /// Its size in bytes.
    pub size: u64,
    /// Its permission bits.
    pub mode: FileMode,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The owner's name, where the sandbox has one for the number.
    #[serde(default)]
    pub owner: Option<String>,
    /// The group's name, where the sandbox has one for the number.
    #[serde(default)]
    pub group: Option<String>,
    /// When its content last changed.
    pub modified_at: Time,
    /// Where it leads, for a symbolic link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<FileLink>,
}

/// Where a symbolic link leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FileLink {
    /// The text of the link.
    pub text: String,
    /// What stands at its end; null when nothing does.
    #[serde(default)]
    pub target: Option<LinkTarget>,
}

/// The end of a chain of links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LinkTarget {
    /// Its path, without links.
    #[serde(with = "text")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub path: SandboxPath,
    /// Its kind.
    pub kind: FileKind,
}

impl From<sandbox_core::FileInfo> for FileInfo {
    fn from(info: sandbox_core::FileInfo) -> Self {
        Self {
            path: info.path,
            kind: info.kind.into(),
            size: info.size,
            mode: FileMode(info.mode),
            uid: info.uid,
            gid: info.gid,
            owner: info.owner,
            group: info.group,
            modified_at: Time(info.modified),
            link: info.link.map(|link| FileLink {
                text: link.text,
                target: link.target.map(|target| LinkTarget {
                    path: target.path,
                    kind: target.kind.into(),
                }),
            }),
        }
    }
}

impl From<FileInfo> for sandbox_core::FileInfo {
    fn from(info: FileInfo) -> Self {
        let mut core = Self::new(info.path, info.kind.into(), info.size);
        core.mode = info.mode.0;
        core.uid = info.uid;
        core.gid = info.gid;
        core.owner = info.owner;
        core.group = info.group;
        core.modified = info.modified_at.0;
        core.link = info.link.map(|link| Link {
            text: link.text,
            target: link.target.map(|target| sandbox_core::LinkTarget {
                path: target.path,
                kind: target.kind.into(),
            }),
        });
        core
    }
}

/// The entries of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FileList {
    /// The entries, by path.
    pub files: Vec<FileInfo>,
}

/// What to get of a file. `list` and `stat` exclude each other and `offset` and `length`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct FileQuery {
    /// Lists a directory instead of reading a file.
    #[serde(default, skip_serializing_if = "is_false")]
    pub list: bool,
    /// Describes the file instead of reading it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stat: bool,
    /// How deep to list; 1 is the directory's own entries. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<u32>,
    /// The most entries to list; more is an error. Default: 100,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Bytes to skip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// The most bytes to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
}

impl FileQuery {
    /// Refuses what has no meaning together.
    ///
    /// # Errors
    /// `InvalidSpec` naming the parameter that has no place.
    pub fn check(&self) -> Result<()> {
        let refuse =
            |field: &'static str, message: &str| Err(Error::invalid("file.query", field, message));
        if self.list && self.stat {
            return refuse("stat", "has no place beside list");
        }
        let reads = !self.list && !self.stat;
        let unfit = [
            ("depth", self.depth.is_some() && !self.list),
            ("limit", self.limit.is_some() && !self.list),
            ("offset", self.offset.is_some() && !reads),
            ("length", self.length.is_some() && !reads),
        ];
        match unfit.into_iter().find(|(_, unfit)| *unfit) {
            Some((field @ ("depth" | "limit"), _)) => {
                refuse(field, "has no meaning without list=true")
            }
            Some((field, _)) => refuse(field, "has no meaning beside list and stat"),
            None => Ok(()),
        }
    }

    /// How to list.
    pub fn list_options(&self) -> ListOptions {
        let default = ListOptions::default();
        ListOptions {
            depth: self.depth.unwrap_or(default.depth),
            limit: self.limit.unwrap_or(default.limit),
        }
    }

    /// What to read.
    pub fn read_options(&self) -> sandbox_core::ReadOptions {
        sandbox_core::ReadOptions {
            offset: self.offset.unwrap_or(0),
            length: self.length,
        }
    }
}

impl From<ListOptions> for FileQuery {
    fn from(options: ListOptions) -> Self {
        Self {
            list: true,
            depth: Some(options.depth),
            limit: Some(options.limit),
            ..Self::default()
        }
    }
}

impl From<sandbox_core::ReadOptions> for FileQuery {
    fn from(options: sandbox_core::ReadOptions) -> Self {
        Self {
            offset: (options.offset > 0).then_some(options.offset),
            length: options.length,
            ..Self::default()
        }
    }
}

/// How to write a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct WriteQuery {
    /// Permission bits in octal; without them an existing file keeps its own and a new one gets
    /// `0644`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(value_type = Option<String>))]
    pub mode: Option<FileMode>,
    /// The owner; without one an existing file keeps its own and a new one gets the sandbox's user.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", param(value_type = Option<String>))]
    pub user: Option<User>,
    /// Whether missing directories on the way are made. Default: true.
    #[serde(default = "on")]
    pub create_parents: bool,
    /// Whether the answer is 200 with the file's attributes instead of 204.
    #[serde(default, skip_serializing_if = "is_false")]
    pub info: bool,
    /// Whether one more byte follows the file's, which is none of it and says whether it is whole: 1
    /// when it is, 0 to give the upload up. Who reads the file from something that can fail is then
    /// answered once nothing is left of it. The byte counts for the limit of the body.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sealed: bool,
}

/// What ends a [sealed](WriteQuery::sealed) upload that is whole.
pub const SEAL_WHOLE: u8 = 1;
/// What ends a [sealed](WriteQuery::sealed) upload that is given up.
pub const SEAL_GIVEN_UP: u8 = 0;

impl Default for WriteQuery {
    fn default() -> Self {
        WriteOptions::default().into()
    }
}

impl From<WriteQuery> for WriteOptions {
    fn from(query: WriteQuery) -> Self {
        Self {
            mode: query.mode.map(|mode| mode.0),
            user: query.user,
            create_parents: query.create_parents,
        }
    }
}

impl From<WriteOptions> for WriteQuery {
    fn from(options: WriteOptions) -> Self {
        Self {
            mode: options.mode.map(FileMode),
            user: options.user,
            create_parents: options.create_parents,
            info: false,
            sealed: false,
        }
    }
}

/// How to remove a file.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct DeleteQuery {
    /// Whether a directory is removed with all that is in it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub recursive: bool,
}

/// A directory to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MakeDirectory {
    /// Where.
    #[serde(with = "text")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub path: SandboxPath,
    /// Permission bits in octal. Default: `0755`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<FileMode>,
    /// The owner; without one, the sandbox's user.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub user: Option<User>,
    /// Whether missing directories on the way are made. Default: true.
    #[serde(default = "on")]
    pub create_parents: bool,
}

impl MakeDirectory {
    /// The request for `path`.
    pub fn from_core(path: SandboxPath, options: MakeDirOptions) -> Self {
        Self {
            path,
            mode: options.mode.map(FileMode),
            user: options.user,
            create_parents: options.create_parents,
        }
    }

    /// The path, and how to make it.
    pub fn into_core(self) -> (SandboxPath, MakeDirOptions) {
        let options = MakeDirOptions {
            mode: self.mode.map(|mode| mode.0),
            user: self.user,
            create_parents: self.create_parents,
        };
        (self.path, options)
    }
}

/// Whether a directory was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DirectoryCreated {
    /// Whether it was made now; otherwise it was there.
    pub created: bool,
}

/// A file or directory to move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// From where.
    #[serde(with = "text")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub from: SandboxPath,
    /// To where.
    #[serde(with = "text")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub to: SandboxPath,
}
