//! The file methods of [`Sandbox`](sandbox_core::Sandbox) over a tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use sandbox_core::{
    BoxStream, ByteStream, Error, ErrorKind, FileContent, FileEvent, FileInfo, FileKind,
    ListOptions, MakeDirOptions, ReadOptions, Result, SandboxPath, User, WatchOptions,
    WriteOptions,
};

use super::kernel::{CHUNK, Kernel};
use super::tree::{Content, FsError, Ino, Owner, ROOT, Tree};
use super::users;

/// Turns what a tree says about `field` into an error.
fn refused(operation: &'static str, field: &'static str, what: &SandboxPath, e: FsError) -> Error {
    let kind = match e {
        FsError::NotFound => ErrorKind::NotFound,
        FsError::NoSpace => ErrorKind::LimitExceeded,
        FsError::Denied => ErrorKind::PermissionDenied,
        FsError::NotDirectory
        | FsError::IsDirectory
        | FsError::Loop
        | FsError::Exists
        | FsError::NotEmpty
        | FsError::Invalid => ErrorKind::Conflict,
    };
    Error::new(kind, operation, format!("{what}: {e}")).with_field(field)
}

fn info(tree: &Tree, path: SandboxPath, ino: Ino) -> Result<FileInfo, FsError> {
    let node = tree.node(ino)?;
    let mut info = FileInfo::new(path, node.kind(), node.size());
    info.mode = node.mode;
    (info.uid, info.gid) = (node.uid, node.gid);
    info.owner = users::user_name(tree, node.uid);
    info.group = users::group_name(tree, node.gid);
    info.modified = node.modified;
    info.link = tree.link(ino);
    Ok(info)
}

pub(super) fn stat(kernel: &Kernel, path: &SandboxPath) -> Result<FileInfo> {
    kernel
        .files(|tree| info(tree, path.clone(), tree.find(ROOT, path.as_str(), false)?))
        .map_err(|e| refused("fake.stat", "path", path, e))
}

pub(super) fn read(
    kernel: &Kernel,
    path: &SandboxPath,
    options: ReadOptions,
) -> Result<FileContent> {
    let (info, data) = kernel
        .files(|tree| {
            let ino = tree.find(ROOT, path.as_str(), true)?;
            Ok((info(tree, path.clone(), ino)?, tree.data(ino)?))
        })
        .map_err(|e| refused("fake.read", "path", path, e))?;
    let size = data.len() as u64;
    let start = options.offset.min(size);
    let end = options
        .length
        .map_or(size, |length| start.saturating_add(length).min(size));
    let body = stream::unfold((data, start as usize, end as usize), |state| async move {
        let (data, at, end) = state;
        let next = end.min(at + CHUNK);
        let chunk = Bytes::copy_from_slice(&data[at..next]);
        (!chunk.is_empty()).then_some((Ok(chunk), (data, next, end)))
    });
    Ok(FileContent {
        info,
        body: Box::pin(body),
    })
}

/// The owner that a request names, or nobody in particular.
fn owner(kernel: &Kernel, operation: &'static str, user: Option<&User>) -> Result<Option<Owner>> {
    let Some(user) = user else { return Ok(None) };
    let found = kernel.files(|tree| users::find(tree, user));
    found.map(|who| Some(who.owner)).ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            operation,
            format!("there is no user {user}"),
        )
        .with_field("user")
    })
}

pub(super) async fn write(
    kernel: &Kernel,
    path: &SandboxPath,
    mut body: ByteStream,
    options: &WriteOptions,
) -> Result<FileInfo> {
    const OPERATION: &str = "fake.write";
    let refused = |e| refused(OPERATION, "path", path, e);
    let owner = owner(kernel, OPERATION, options.user.as_ref())?;
    let room = kernel.files(|tree| tree.limit());
    let mut data = Vec::new();
    while let Some(chunk) = body.next().await {
        data.extend_from_slice(&chunk?);
        if room.is_some_and(|room| data.len() as u64 > room) {
            return Err(refused(FsError::NoSpace));
        }
    }
    let default = kernel.default_identity().owner;
    kernel
        .edit_files(|tree| {
            let ino = place(
                tree,
                path,
                options.create_parents,
                owner.unwrap_or(default),
                data,
            )?;
            if let Some(mode) = options.mode {
                tree.set_mode(ino, mode)?;
            }
            if let Some(owner) = owner {
                tree.set_owner(ino, owner)?;
            }
            let mut info = info(tree, path.clone(), ino)?;
            info.kind = FileKind::File;
            Ok(info)
        })
        .map_err(refused)
}

/// Puts `data` at `path`: over the file there, or into a new one.
fn place(
    tree: &mut Tree,
    path: &SandboxPath,
    create_parents: bool,
    owner: Owner,
    data: Vec<u8>,
) -> Result<Ino, FsError> {
    if create_parents && let Some(parent) = path.parent() {
        tree.make_dirs(parent.as_str(), 0o755, owner)?;
    }
    let place = tree.locate(ROOT, path.as_str(), true)?;
    match place.node {
        Some(ino) => tree.replace(ino, data).map(|()| ino),
        None => {
            let content = Content::File(Arc::new(data));
            tree.add(place.dir, &place.name, content, 0o644, owner)
        }
    }
}

pub(super) fn list(
    kernel: &Kernel,
    path: &SandboxPath,
    options: ListOptions,
) -> Result<Vec<FileInfo>> {
    const OPERATION: &str = "fake.list";
    let too_many = || {
        let limit = options.limit;
        let message = format!("{path} has more than {limit} entries");
        Error::new(ErrorKind::LimitExceeded, OPERATION, message).with_field("limit")
    };
    let refused = |e| refused(OPERATION, "path", path, e);
    kernel.files(|tree| {
        let dir = tree.find(ROOT, path.as_str(), true).map_err(refused)?;
        let below = tree
            .below(dir, options.depth, options.limit as usize)
            .map_err(|e| e.map_or_else(too_many, refused))?;
        below
            .into_iter()
            .map(|(name, ino)| info(tree, path.join(name)?, ino).map_err(refused))
            .collect()
    })
}

pub(super) fn make_dir(
    kernel: &Kernel,
    path: &SandboxPath,
    options: &MakeDirOptions,
) -> Result<bool> {
    const OPERATION: &str = "fake.make_dir";
    let owner = owner(kernel, OPERATION, options.user.as_ref())?;
    let owner = owner.unwrap_or(kernel.default_identity().owner);
    let mode = options.mode.unwrap_or(0o755);
    kernel
        .edit_files(|tree| {
            if let Ok(there) = tree.find(ROOT, path.as_str(), true) {
                return tree.entries(there).map(|_| false);
            }
            if options.create_parents
                && let Some(parent) = path.parent()
            {
                tree.make_dirs(parent.as_str(), 0o755, owner)?;
            }
            let place = tree.locate(ROOT, path.as_str(), false)?;
            let empty = Content::Directory(BTreeMap::new());
            tree.add(place.dir, &place.name, empty, mode, owner)?;
            Ok(true)
        })
        .map_err(|e| refused(OPERATION, "path", path, e))
}

pub(super) fn rename(kernel: &Kernel, from: &SandboxPath, to: &SandboxPath) -> Result<()> {
    const OPERATION: &str = "fake.rename";
    kernel.edit_files(|tree| {
        let source = tree
            .locate(ROOT, from.as_str(), false)
            .and_then(|place| place.node.map(|_| place.clone()).ok_or(FsError::NotFound))
            .map_err(|e| refused(OPERATION, "from", from, e))?;
        let target = tree
            .locate(ROOT, to.as_str(), false)
            .map_err(|e| refused(OPERATION, "to", to, e))?;
        tree.rename((source.dir, &source.name), (target.dir, &target.name))
            .map_err(|e| refused(OPERATION, "to", to, e))
    })
}

pub(super) fn remove(kernel: &Kernel, path: &SandboxPath, recursive: bool) -> Result<()> {
    kernel
        .edit_files(|tree| {
            let place = tree.locate(ROOT, path.as_str(), false)?;
            tree.remove(place.dir, &place.name, recursive)
        })
        .map_err(|e| refused("fake.remove", "path", path, e))
}

pub(super) fn watch(
    kernel: &Kernel,
    path: &SandboxPath,
    options: WatchOptions,
) -> Result<BoxStream<Result<FileEvent>>> {
    let dir = kernel
        .files(|tree| {
            let dir = tree.find(ROOT, path.as_str(), true)?;
            tree.entries(dir).map(|_| dir)
        })
        .map_err(|e| refused("fake.watch", "path", path, e))?;
    Ok(kernel.watch(dir, path.clone(), options.recursive))
}
