//! Records of preview 1, byte by byte.

use sandbox_core::FileKind;

use crate::fs::Metadata;

/// `filetype`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum FileType {
    /// A pipe, or a stream of the host: preview 1 has no name for them.
    Unknown = 0,
    CharacterDevice = 2,
    Directory = 3,
    RegularFile = 4,
    DatagramSocket = 5,
    StreamSocket = 6,
    SymbolicLink = 7,
}

impl From<FileKind> for FileType {
    fn from(kind: FileKind) -> Self {
        match kind {
            FileKind::File => Self::RegularFile,
            FileKind::Directory => Self::Directory,
            FileKind::Symlink => Self::SymbolicLink,
            _ => Self::Unknown,
        }
    }
}

/// Flags of a descriptor.
pub(crate) mod fdflags {
    pub(crate) const APPEND: u16 = 1;
    pub(crate) const DSYNC: u16 = 1 << 1;
    pub(crate) const NONBLOCK: u16 = 1 << 2;
    pub(crate) const RSYNC: u16 = 1 << 3;
    pub(crate) const SYNC: u16 = 1 << 4;
    pub(crate) const ALL: u16 = APPEND | DSYNC | NONBLOCK | RSYNC | SYNC;
}

/// Flags of `path_open`.
pub(crate) mod oflags {
    pub(crate) const CREAT: u32 = 1;
    pub(crate) const DIRECTORY: u32 = 1 << 1;
    pub(crate) const EXCL: u32 = 1 << 2;
    pub(crate) const TRUNC: u32 = 1 << 3;
    pub(crate) const ALL: u32 = CREAT | DIRECTORY | EXCL | TRUNC;
}

/// Bytes of a `fdstat`.
pub(crate) const FDSTAT_BYTES: u32 = 24;
/// Bytes of a `filestat`.
pub(crate) const FILESTAT_BYTES: u32 = 64;
/// Bytes of a `dirent`, without the name that follows it.
pub(crate) const DIRENT_BYTES: usize = 24;

/// What `fd_fdstat_get` answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FdStat {
    pub(crate) file_type: FileType,
    pub(crate) flags: u16,
    pub(crate) rights: u64,
}

impl FdStat {
    pub(crate) fn to_bytes(self) -> [u8; FDSTAT_BYTES as usize] {
        let mut bytes = [0; FDSTAT_BYTES as usize];
        bytes[0] = self.file_type as u8;
        bytes[2..4].copy_from_slice(&self.flags.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.rights.to_le_bytes());
        bytes[16..24].copy_from_slice(&super::rights::ALL.to_le_bytes());
        bytes
    }
}

/// What `fd_filestat_get` and `path_filestat_get` answer. Times are nanoseconds since the Unix
/// epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileStat {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) file_type: FileType,
    pub(crate) links: u64,
    pub(crate) size: u64,
    pub(crate) accessed: u64,
    pub(crate) modified: u64,
    pub(crate) changed: u64,
}

/// The device number of the sandbox's file system.
pub(crate) const FILES_DEVICE: u64 = 1;
/// The device number of what has no place in it, such as pipes.
const OTHER_DEVICE: u64 = 2;

impl FileStat {
    /// Of something that is no file.
    pub(crate) fn of_stream(file_type: FileType) -> Self {
        Self {
            device: OTHER_DEVICE,
            inode: 0,
            file_type,
            links: 1,
            size: 0,
            accessed: 0,
            modified: 0,
            changed: 0,
        }
    }

    pub(crate) fn to_bytes(self) -> [u8; FILESTAT_BYTES as usize] {
        let mut bytes = [0; FILESTAT_BYTES as usize];
        let fields = [
            self.device,
            self.inode,
            self.file_type as u64,
            self.links,
            self.size,
            self.accessed,
            self.modified,
            self.changed,
        ];
        for (into, field) in bytes.chunks_exact_mut(8).zip(fields) {
            into.copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }
}

impl From<Metadata> for FileStat {
    fn from(metadata: Metadata) -> Self {
        Self {
            device: FILES_DEVICE,
            inode: metadata.ino.get(),
            file_type: metadata.kind.into(),
            links: metadata.links,
            size: metadata.size,
            accessed: metadata.accessed.as_nanos(),
            modified: metadata.modified.as_nanos(),
            changed: metadata.changed.as_nanos(),
        }
    }
}

/// The head of a directory's entry, which its name follows.
pub(crate) fn dirent(next: u64, inode: u64, name_len: u32, kind: FileType) -> [u8; DIRENT_BYTES] {
    let mut bytes = [0; DIRENT_BYTES];
    bytes[..8].copy_from_slice(&next.to_le_bytes());
    bytes[8..16].copy_from_slice(&inode.to_le_bytes());
    bytes[16..20].copy_from_slice(&name_len.to_le_bytes());
    bytes[20] = kind as u8;
    bytes
}
