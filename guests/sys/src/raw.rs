//! The imports, and the only unsafe code: each wrapper passes addresses of memory that it borrows.

use std::os::fd::{FromRawFd, OwnedFd};

/// Declares imports for the sandbox, and stand-ins that answer NOSYS for other targets.
macro_rules! imports {
    ($($module:literal { $(fn $name:ident($($arg:ident: $ty:ty),*);)* })*) => {
        #[cfg(target_os = "wasi")]
        mod import {
            use super::IoVec;

            $(#[link(wasm_import_module = $module)]
            unsafe extern "C" { $(pub(super) fn $name($($arg: $ty),*) -> i32;)* })*
        }
        #[cfg(not(target_os = "wasi"))]
        mod import {
            use super::IoVec;

            $($(
            #[allow(clippy::too_many_arguments, reason = "as the kernel has them")]
            pub(super) unsafe fn $name($(_: $ty),*) -> i32 { crate::errno::NOSYS })*)*
        }
    };
}

imports! {
    "sandbox_v0" {
        fn spawn(request: *const u32, pid: *mut i32);
        fn exec(request: *const u32);
        fn take_state(buf: *mut u8, len: usize, len_out: *mut u32);
        fn wait(pid: i32, flags: u32, pid_out: *mut i32, status_out: *mut u32);
        fn pipe(read_out: *mut u32, write_out: *mut u32);
        fn dup(fd: u32, min: u32, fd_out: *mut u32);
        fn dup2(from: u32, to: u32);
        fn kill(pid: i32, signal: u32);
        fn getpid(out: *mut i32);
        fn getppid(out: *mut i32);
        fn getpgid(pid: i32, out: *mut i32);
        fn setsid();
        fn sigaction(signal: u32, disposition: u32);
        fn sigtake(signal_out: *mut u32);
        fn stat(dir: u32, flags: u32, path: *const u8, path_len: usize, out: *mut u8);
        fn fstat(fd: u32, out: *mut u8);
        fn chmod(dir: u32, flags: u32, path: *const u8, path_len: usize, mode: u32);
        fn chown(dir: u32, flags: u32, path: *const u8, path_len: usize, uid: u32, gid: u32);
        fn umask(new: u32, old_out: *mut u32);
        fn access(dir: u32, path: *const u8, path_len: usize, mask: u32);
        fn getuid(uid_out: *mut u32, gid_out: *mut u32);
        fn gethostname(buf: *mut u8, len: usize, len_out: *mut u32);
        fn limit(kind: u32, out: *mut u64);
        fn times(out: *mut u64);
        fn processes(buf: *mut u8, len: usize, len_out: *mut u32);
        fn sock_open(family: u32, kind: u32, fd_out: *mut u32);
        fn sock_connect(fd: u32, addr: *const u8);
        fn sock_bind(fd: u32, addr: *const u8);
        fn sock_listen(fd: u32, backlog: u32);
        fn sock_sendto(fd: u32, buf: *const u8, len: usize, addr: *const u8, sent: *mut u32);
        fn sock_recvfrom(fd: u32, buf: *mut u8, len: usize, addr: *mut u8, received: *mut u32);
        fn sock_name(fd: u32, addr: *mut u8);
        fn sock_peer(fd: u32, addr: *mut u8);
        fn sock_set_timeout(fd: u32, kind: u32, ns: u64);
        fn resolve(name: *const u8, len: usize, family: u32, out: *mut u8, max: u32, count: *mut u32);
    }
    "wasi_snapshot_preview1" {
        fn fd_close(fd: u32);
        fn fd_read(fd: u32, vecs: *const IoVec, count: usize, read: *mut usize);
        fn fd_write(fd: u32, vecs: *const IoVec, count: usize, written: *mut usize);
        fn fd_fdstat_get(fd: u32, out: *mut u8);
        fn fd_fdstat_set_flags(fd: u32, flags: u32);
        fn fd_seek(fd: u32, offset: i64, whence: u32, at: *mut u64);
        fn path_open(
            dir: u32, lookup: u32, path: *const u8, path_len: usize, flags: u32, base: u64,
            inheriting: u64, fd_flags: u32, fd_out: *mut u32
        );
        fn fd_readdir(fd: u32, buf: *mut u8, len: usize, cookie: u64, used: *mut usize);
        fn path_readlink(
            dir: u32, path: *const u8, path_len: usize, buf: *mut u8, len: usize, used: *mut usize
        );
        fn path_unlink_file(dir: u32, path: *const u8, path_len: usize);
        fn poll_oneoff(subscriptions: *const u8, events: *mut u8, count: usize, ready: *mut usize);
        fn sock_accept(fd: u32, flags: u32, fd_out: *mut u32);
        fn sock_shutdown(fd: u32, how: u32);
    }
}

/// One stretch of memory, as preview 1 lays it out.
#[repr(C)]
struct IoVec {
    at: *const u8,
    len: usize,
}

/// Hands an open descriptor over to the standard library.
pub(crate) fn owned(fd: u32) -> OwnedFd {
    // SAFETY: callers pass descriptors that the kernel has just opened for this process.
    unsafe { OwnedFd::from_raw_fd(fd.cast_signed()) }
}

/// What `spawn` and `exec` read. Lists end each string with NUL.
pub(crate) struct Request<'a> {
    pub(crate) path: &'a [u8],
    pub(crate) args: &'a [u8],
    pub(crate) env: &'a [u8],
    pub(crate) cwd: &'a [u8],
    pub(crate) fds: &'a [[u32; 2]],
    pub(crate) state: &'a [u8],
    pub(crate) flags: u32,
}

impl Request<'_> {
    fn words(&self) -> [u32; 13] {
        // Addresses are 32 bits wide where they are read; elsewhere nobody reads them.
        let part = |bytes: &[u8]| [bytes.as_ptr() as usize as u32, bytes.len() as u32];
        let [path, args, env, cwd, state] =
            [self.path, self.args, self.env, self.cwd, self.state].map(part);
        let fds = [self.fds.as_ptr() as usize as u32, self.fds.len() as u32];
        let mut words = [0; 13];
        for (to, from) in words
            .chunks_exact_mut(2)
            .zip([path, args, env, cwd, fds, state])
        {
            to.copy_from_slice(&from);
        }
        words[12] = self.flags;
        words
    }
}

pub(crate) fn spawn(request: &Request<'_>, pid: &mut i32) -> i32 {
    let words = request.words();
    // SAFETY: `words` and all that it points to outlive the call.
    unsafe { import::spawn(words.as_ptr(), pid) }
}

pub(crate) fn exec(request: &Request<'_>) -> i32 {
    let words = request.words();
    // SAFETY: as in `spawn`.
    unsafe { import::exec(words.as_ptr()) }
}

/// Wrappers whose arguments are numbers, slices (address and length) and results.
macro_rules! wrappers {
    ($($name:ident($($arg:ident: $kind:ident $(<$ty:ty>)?),*);)*) => {
        $(pub(crate) fn $name($($arg: wrappers!(@type $kind $($ty)?)),*) -> i32 {
            wrappers!(@call $name () $($arg: $kind,)*)
        })*
    };
    (@type num $ty:ty) => { $ty };
    (@type bytes) => { &[u8] };
    (@type buffer) => { &mut [u8] };
    (@type out $ty:ty) => { &mut $ty };
    (@type record) => { &[u8; 24] };
    (@type record_out $ty:ty) => { &mut $ty };
    (@call $name:ident ($($done:expr,)*)) => {
        // SAFETY: each address belongs to memory borrowed for the whole call, with its true length.
        unsafe { import::$name($($done),*) }
    };
    (@call $name:ident ($($done:expr,)*) $arg:ident: bytes, $($rest:tt)*) => {
        wrappers!(@call $name ($($done,)* $arg.as_ptr(), $arg.len(),) $($rest)*)
    };
    (@call $name:ident ($($done:expr,)*) $arg:ident: buffer, $($rest:tt)*) => {
        wrappers!(@call $name ($($done,)* $arg.as_mut_ptr(), $arg.len(),) $($rest)*)
    };
    (@call $name:ident ($($done:expr,)*) $arg:ident: record, $($rest:tt)*) => {
        wrappers!(@call $name ($($done,)* $arg.as_ptr(),) $($rest)*)
    };
    (@call $name:ident ($($done:expr,)*) $arg:ident: record_out, $($rest:tt)*) => {
        wrappers!(@call $name ($($done,)* $arg.as_mut_ptr(),) $($rest)*)
    };
    (@call $name:ident ($($done:expr,)*) $arg:ident: $kind:ident, $($rest:tt)*) => {
        wrappers!(@call $name ($($done,)* $arg,) $($rest)*)
    };
}

wrappers! {
    take_state(buf: buffer, len: out<u32>);
    wait(pid: num<i32>, flags: num<u32>, pid_out: out<i32>, status: out<u32>);
    pipe(read: out<u32>, write: out<u32>);
    dup(fd: num<u32>, min: num<u32>, out: out<u32>);
    dup2(from: num<u32>, to: num<u32>);
    kill(pid: num<i32>, signal: num<u32>);
    getpid(out: out<i32>);
    getppid(out: out<i32>);
    getpgid(pid: num<i32>, out: out<i32>);
    setsid();
    sigaction(signal: num<u32>, disposition: num<u32>);
    sigtake(out: out<u32>);
    stat(dir: num<u32>, flags: num<u32>, path: bytes, out: record_out<[u8; 64]>);
    fstat(fd: num<u32>, out: record_out<[u8; 64]>);
    chmod(dir: num<u32>, flags: num<u32>, path: bytes, mode: num<u32>);
    chown(dir: num<u32>, flags: num<u32>, path: bytes, uid: num<u32>, gid: num<u32>);
    umask(new: num<u32>, old: out<u32>);
    access(dir: num<u32>, path: bytes, mask: num<u32>);
    getuid(uid: out<u32>, gid: out<u32>);
    gethostname(buf: buffer, len: out<u32>);
    limit(kind: num<u32>, out: out<u64>);
    times(out: record_out<[u64; 4]>);
    processes(buf: buffer, len: out<u32>);
    sock_open(family: num<u32>, kind: num<u32>, out: out<u32>);
    sock_connect(fd: num<u32>, addr: record);
    sock_bind(fd: num<u32>, addr: record);
    sock_listen(fd: num<u32>, backlog: num<u32>);
    sock_sendto(fd: num<u32>, bytes: bytes, addr: record, sent: out<u32>);
    sock_recvfrom(fd: num<u32>, buf: buffer, addr: record_out<[u8; 24]>, received: out<u32>);
    sock_name(fd: num<u32>, addr: record_out<[u8; 24]>);
    sock_peer(fd: num<u32>, addr: record_out<[u8; 24]>);
    sock_set_timeout(fd: num<u32>, kind: num<u32>, ns: num<u64>);
    fd_close(fd: num<u32>);
    fd_fdstat_get(fd: num<u32>, out: record_out<[u8; 24]>);
    fd_fdstat_set_flags(fd: num<u32>, flags: num<u32>);
    fd_seek(fd: num<u32>, offset: num<i64>, whence: num<u32>, at: out<u64>);
    fd_readdir(fd: num<u32>, buf: buffer, cookie: num<u64>, used: out<usize>);
    path_readlink(dir: num<u32>, path: bytes, buf: buffer, used: out<usize>);
    path_unlink_file(dir: num<u32>, path: bytes);
    sock_accept(fd: num<u32>, flags: num<u32>, out: out<u32>);
    sock_shutdown(fd: num<u32>, how: num<u32>);
}

/// At most `out.len()` addresses.
pub(crate) fn resolve(name: &[u8], family: u32, out: &mut [[u8; 24]], count: &mut u32) -> i32 {
    // SAFETY: the kernel writes at most `out.len()` records of 24 bytes.
    unsafe {
        import::resolve(
            name.as_ptr(),
            name.len(),
            family,
            out.as_mut_ptr().cast(),
            out.len() as u32,
            count,
        )
    }
}

pub(crate) fn fd_read(fd: u32, buf: &mut [u8], read: &mut usize) -> i32 {
    let vec = IoVec {
        at: buf.as_mut_ptr().cast_const(),
        len: buf.len(),
    };
    // SAFETY: one vector, whose memory is borrowed mutably for the call.
    unsafe { import::fd_read(fd, &vec, 1, read) }
}

pub(crate) fn fd_write(fd: u32, bytes: &[u8], written: &mut usize) -> i32 {
    let vec = IoVec {
        at: bytes.as_ptr(),
        len: bytes.len(),
    };
    // SAFETY: one vector, whose memory is borrowed for the call.
    unsafe { import::fd_write(fd, &vec, 1, written) }
}

/// What [`path_open`] takes beside the path.
pub(crate) struct Open {
    pub(crate) follow: bool,
    pub(crate) flags: u32,
    pub(crate) rights: u64,
    pub(crate) fd_flags: u32,
}

pub(crate) fn path_open(dir: u32, path: &[u8], how: &Open, out: &mut u32) -> i32 {
    let Open {
        follow,
        flags,
        rights,
        fd_flags,
    } = *how;
    // SAFETY: the path is borrowed for the call.
    unsafe {
        import::path_open(
            dir,
            u32::from(follow),
            path.as_ptr(),
            path.len(),
            flags,
            rights,
            rights,
            fd_flags,
            out,
        )
    }
}

/// `events` has room for as many events as there are subscriptions.
pub(crate) fn poll_oneoff(
    subscriptions: &[Aligned<48>],
    events: &mut [Aligned<32>],
    ready: &mut usize,
) -> i32 {
    assert_eq!(subscriptions.len(), events.len());
    // SAFETY: both arrays have that many records, of the sizes that preview 1 says.
    unsafe {
        import::poll_oneoff(
            subscriptions.as_ptr().cast(),
            events.as_mut_ptr().cast(),
            events.len(),
            ready,
        )
    }
}

/// A record of `N` bytes that begins at a multiple of 8, as preview 1 wants it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct Aligned<const N: usize>(pub(crate) [u8; N]);
