//! The bare calls, for what `std` does not offer or would not do.

pub use wasi::wasi_snapshot_preview1::*;

/// Numbers of errors.
pub const BADF: i32 = 8;
pub const EXIST: i32 = 20;
pub const FAULT: i32 = 21;
pub const FBIG: i32 = 22;
pub const ILSEQ: i32 = 25;
pub const INVAL: i32 = 28;
pub const ISDIR: i32 = 31;
pub const LOOP: i32 = 32;
pub const MFILE: i32 = 33;
pub const NAMETOOLONG: i32 = 37;
pub const NOENT: i32 = 44;
pub const NOSPC: i32 = 51;
pub const NOTDIR: i32 = 54;
pub const NOTEMPTY: i32 = 55;
pub const NOTSOCK: i32 = 57;
pub const NXIO: i32 = 60;
pub const SPIPE: i32 = 70;

/// The descriptor of the root.
pub const ROOT: i32 = 3;
/// Every right.
pub const RIGHTS: i64 = (1 << 30) - 1;
/// The right to read.
pub const READ: i64 = 1 << 1;

/// The address of something.
pub fn at<T: ?Sized>(what: &T) -> i32 {
    std::ptr::from_ref(what).cast::<u8>().addr() as i32
}

/// The address of something that a call writes to.
pub fn into<T: ?Sized>(what: &mut T) -> i32 {
    std::ptr::from_mut(what).cast::<u8>().addr() as i32
}

/// A path as the calls take it.
pub fn path(path: &[u8]) -> (i32, i32) {
    (at(path), path.len() as i32)
}

/// Opens `name` below `dir`.
pub fn open(dir: i32, name: &[u8], follow: i32, flags: i32, rights: i64) -> Result<i32, i32> {
    let (ptr, len) = path(name);
    let mut fd = -1_i32;
    let to = into(&mut fd);
    // SAFETY: the path and the place for the answer are there until the call is over.
    match unsafe { path_open(dir, follow, ptr, len, flags, rights, rights, 0, to) } {
        0 => Ok(std::hint::black_box(fd)),
        errno => Err(errno),
    }
}

/// Reads at most `N` bytes.
pub fn read<const N: usize>(fd: i32) -> Result<Vec<u8>, i32> {
    let mut bytes = [0_u8; N];
    let list = [into(&mut bytes), N as i32];
    let mut count = 0_u32;
    // SAFETY: the buffer is as long as the list says.
    match unsafe { fd_read(fd, at(&list), 1, into(&mut count)) } {
        0 => Ok(bytes[..count as usize].to_vec()),
        errno => Err(errno),
    }
}

/// Writes once.
pub fn write(fd: i32, bytes: &[u8]) -> Result<usize, i32> {
    let list = [at(bytes), bytes.len() as i32];
    let mut count = 0_u32;
    // SAFETY: the buffer is as long as the list says.
    match unsafe { fd_write(fd, at(&list), 1, into(&mut count)) } {
        0 => Ok(count as usize),
        errno => Err(errno),
    }
}

/// Closes.
pub fn close(fd: i32) -> i32 {
    // SAFETY: no memory is passed.
    unsafe { fd_close(fd) }
}

/// The number of the error.
pub fn errno<T: std::fmt::Debug>(result: std::io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().unwrap_or(-1)
}
