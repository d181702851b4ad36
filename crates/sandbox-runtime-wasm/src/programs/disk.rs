//! Compiled code on disk, shared by the processes of one user.
//!
//! What is in this directory is machine code that this process will run, so nothing is taken from
//! it that its user alone could not have written: the directory and each file belong to the user,
//! nobody else can write them, and a link is never followed. What is taken has to be whole: the
//! head of an entry names the digest of its code, which is computed again at each load.
//!
//! An entry is two files: `DIGEST.code`, which the compiler's own format fills, and `DIGEST.head`.
//! Both appear by renaming. Whoever compiles holds `DIGEST.lock`, so that many processes that start
//! together compile once.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::digest::Digest;

/// The first line of a head: the format of an entry.
const FORMAT: &str = "sandbox-code 1";
/// A head is four short lines.
const HEAD_BYTES: u64 = 512;
/// What a writer that died left behind is removed after this long.
const ABANDONED: Duration = Duration::from_secs(3600);
/// What another engine has compiled is removed when it has compiled nothing for this long.
const FORGOTTEN: Duration = Duration::from_secs(30 * 24 * 3600);

/// A directory of compiled code.
#[derive(Debug)]
pub(crate) struct DiskCache {
    dir: PathBuf,
    /// What compiled the code, and with what settings: code of another is never taken.
    engine: Digest,
    max_bytes: u64,
}

/// The lock on one entry; others wait until it is dropped.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    cache: &'a DiskCache,
    wasm: Digest,
    /// Held, not used: closing it lets go of the lock.
    _lock: File,
}

impl DiskCache {
    /// Opens the directory `root`, and makes it when it is missing. Entries of `engine` are in a
    /// directory below it. All entries together stay below `max_bytes`, as far as entries can be
    /// removed.
    ///
    /// # Errors
    /// When it cannot be made, or others may write to it.
    pub(crate) fn open(root: &Path, engine: Digest, max_bytes: u64) -> io::Result<Self> {
        let name = engine.to_string();
        let dir = root.join(&name[..16]);
        for path in [root, &dir] {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700).create(path)?;
            check_directory(path)?;
        }
        remove_forgotten(root, &dir);
        Ok(Self {
            dir,
            engine,
            max_bytes,
        })
    }

    /// Locks the entry of `wasm`; waits for whoever compiles it now.
    ///
    /// # Errors
    /// When the lock cannot be made.
    pub(crate) fn lock(&self, wasm: Digest) -> io::Result<Entry<'_>> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let lock = no_follow(&mut options).open(self.path(wasm, "lock"))?;
        check_file(&lock)?;
        lock.lock()?;
        Ok(Entry {
            cache: self,
            wasm,
            _lock: lock,
        })
    }

    fn path(&self, wasm: Digest, extension: &str) -> PathBuf {
        self.dir.join(format!("{wasm}.{extension}"))
    }

    /// Writes a file that appears whole or not at all.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix("new-")
            .tempfile_in(&self.dir)?;
        file.write_all(bytes)?;
        // Else a crash of the machine could leave a head that is on disk before its code is.
        file.as_file().sync_data()?;
        file.persist(path).map_err(|e| e.error)?;
        Ok(())
    }

    /// Removes what was not used for longest until everything fits; never what is in `keep`.
    fn evict(&self, keep: Digest) -> io::Result<()> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        for found in fs::read_dir(&self.dir)? {
            let found = found?;
            let about = found.metadata()?;
            let used = about.modified()?;
            let path = found.path();
            match path.extension().and_then(|e| e.to_str()) {
                Some("code") => {
                    bytes += about.len();
                    let head = fs::metadata(path.with_extension("head"));
                    let used = head.and_then(|head| head.modified()).unwrap_or(used);
                    entries.push((used, about.len(), path));
                }
                Some("head" | "lock") => {}
                Some(_) | None => remove_abandoned(&path, used),
            }
        }
        entries.sort();
        let keep = self.path(keep, "code");
        for (_, len, path) in entries {
            if bytes <= self.max_bytes {
                break;
            }
            if path != keep {
                // Who has it open or mapped keeps it.
                for extension in ["head", "code", "lock"] {
                    let _ = fs::remove_file(path.with_extension(extension));
                }
                bytes -= len;
            }
        }
        Ok(())
    }
}

fn remove_abandoned(path: &Path, written: SystemTime) {
    if is_older(written, ABANDONED) {
        let _ = fs::remove_file(path);
    }
}

/// Removes the directories of other engines that nobody seems to use any more. Who still does
/// compiles again.
fn remove_forgotten(root: &Path, own: &Path) {
    for found in fs::read_dir(root).into_iter().flatten().flatten() {
        let path = found.path();
        // A link is no directory here, and is left alone.
        let about = found.metadata().ok().filter(fs::Metadata::is_dir);
        let used = about.and_then(|about| about.modified().ok());
        if path != own && used.is_some_and(|used| is_older(used, FORGOTTEN)) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

fn is_older(time: SystemTime, than: Duration) -> bool {
    SystemTime::now()
        .duration_since(time)
        .is_ok_and(|age| age > than)
}

impl Entry<'_> {
    /// The file with the code, checked; `None` when there is none that can be taken.
    pub(crate) fn find(&self) -> Option<PathBuf> {
        match self.checked() {
            Ok(path) => Some(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                let wasm = self.wasm;
                tracing::warn!(%wasm, %error, "compiled code in the cache is not taken");
                None
            }
        }
    }

    fn checked(&self) -> io::Result<PathBuf> {
        let mut head = self.open("head")?;
        let mut text = String::new();
        (&mut head).take(HEAD_BYTES).read_to_string(&mut text)?;
        let path = self.cache.path(self.wasm, "code");
        let mut code = self.open("code")?;
        let mut bytes = Vec::new();
        code.read_to_end(&mut bytes)?;
        if text != self.head(&bytes) {
            return Err(io::Error::other("it is not whole, or of something else"));
        }
        // When it was last used, for eviction.
        let _ = head.set_modified(SystemTime::now());
        Ok(path)
    }

    fn open(&self, extension: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let path = self.cache.path(self.wasm, extension);
        let file = no_follow(options.read(true)).open(path)?;
        check_file(&file)?;
        Ok(file)
    }

    fn head(&self, code: &[u8]) -> String {
        let Self { cache, wasm, .. } = self;
        let (engine, digest) = (cache.engine, Digest::of(code));
        format!("{FORMAT}\nengine {engine}\nwasm {wasm}\ncode {digest}\n")
    }

    /// Keeps `code`; answers its file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn store(&self, code: &[u8]) -> io::Result<PathBuf> {
        let path = self.cache.path(self.wasm, "code");
        self.cache.write(&path, code)?;
        let head = self.cache.path(self.wasm, "head");
        self.cache.write(&head, self.head(code).as_bytes())?;
        if let Err(error) = self.cache.evict(self.wasm) {
            tracing::warn!(%error, "the cache of compiled code could not be looked through");
        }
        Ok(path)
    }

    /// Forgets the entry.
    #[cfg(test)]
    pub(crate) fn remove(&self) {
        for extension in ["head", "code"] {
            let _ = fs::remove_file(self.cache.path(self.wasm, extension));
        }
    }
}

fn no_follow(options: &mut OpenOptions) -> &mut OpenOptions {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options.mode(0o600).custom_flags(flags.bits().cast_signed())
}

fn own() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A directory of this user's that nobody else may write to, and no link to one.
pub(crate) fn check_directory(path: &Path) -> io::Result<()> {
    let about = fs::symlink_metadata(path)?;
    let said = |what: &str| {
        let path = path.display();
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{path} {what}"),
        ))
    };
    if !about.is_dir() {
        return said("is no directory");
    }
    if about.uid() != own() {
        return said("belongs to another user");
    }
    if about.permissions().mode() & 0o022 != 0 {
        return said("can be written to by others; chmod 700 it, or remove it");
    }
    Ok(())
}

fn check_file(file: &File) -> io::Result<()> {
    let about = file.metadata()?;
    let private = about.permissions().mode() & 0o022 == 0;
    if about.is_file() && about.uid() == own() && private {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        "it is no file that only this user can write to",
    ))
}
