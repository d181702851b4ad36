//! Rights of descriptors. What a process may do is its sandbox's to say, so nothing is narrowed:
//! libraries only learn from them how a file was opened.

/// `fd_read`.
pub(crate) const FD_READ: u64 = 1 << 1;
/// `fd_seek`.
const FD_SEEK: u64 = 1 << 2;
/// `fd_tell`.
const FD_TELL: u64 = 1 << 5;
/// `fd_write`.
pub(crate) const FD_WRITE: u64 = 1 << 6;
/// `fd_datasync`.
const FD_DATASYNC: u64 = 1;
/// `fd_allocate`.
const FD_ALLOCATE: u64 = 1 << 8;
/// `fd_readdir`.
const FD_READDIR: u64 = 1 << 14;
/// `fd_filestat_set_size`.
const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;

/// Every right that there is.
pub(crate) const ALL: u64 = (1 << 30) - 1;
/// The rights that say that something is written.
pub(crate) const WRITING: u64 = FD_DATASYNC | FD_WRITE | FD_ALLOCATE | FD_FILESTAT_SET_SIZE;
/// The rights that say that something is read.
pub(crate) const READING: u64 = FD_READ | FD_READDIR;
/// The rights to move in a file; a terminal is a character device without them.
pub(crate) const SEEKING: u64 = FD_SEEK | FD_TELL;

/// What a descriptor reports that was opened for `read` and `write`, and can `seek`.
pub(crate) const fn of(read: bool, write: bool, seek: bool) -> u64 {
    let mut rights = ALL;
    if !read {
        rights &= !READING;
    }
    if !write {
        rights &= !WRITING;
    }
    if !seek {
        rights &= !SEEKING;
    }
    rights
}
