//! The import module `wasi_snapshot_preview1`.

use std::future::{Future, ready};

use wasmtime::{Caller, Linker};

use super::call::Call;
use super::memory::Guest;
use super::subscription::write_events;
use super::transfer::Begun;
use super::{process, sockets, stream};
use crate::engine::{ProcessExit, ProcessState};
use crate::kernel::{Errno, Result};

/// The module's name.
const MODULE: &str = "wasi_snapshot_preview1";

/// What an async host function is.
pub(super) type Answer<'a> = Box<dyn Future<Output = i32> + Send + 'a>;

/// Runs a call that does not wait.
pub(super) fn call<R>(
    caller: &mut Caller<'_, ProcessState>,
    call: impl FnOnce(&mut Call<'_>) -> Result<R>,
) -> Result<R> {
    let (memory, state) = Guest::split(caller)?;
    call(&mut Call {
        memory,
        process: &state.process,
        paths: state.paths,
    })
}

macro_rules! plain {
    ($linker:ident: $($name:ident($($arg:ident: $kind:ty),*);)*) => {
        $($linker.func_wrap(
            MODULE,
            stringify!($name),
            |mut caller: Caller<'_, ProcessState>, $($arg: $kind),*| {
                Errno::answer(call(&mut caller, |call| call.$name($($arg),*)))
            },
        )?;)*
    };
}

macro_rules! waiting {
    ($linker:ident: $($name:ident($($arg:ident: $kind:ty),*) by $function:path;)*) => {
        $($linker.func_wrap_async(
            MODULE,
            stringify!($name),
            |caller, ($($arg,)*): ($($kind,)*)| $function(caller, $($arg),*),
        )?;)*
    };
}

/// Adds the import module.
pub(crate) fn add_to_linker(linker: &mut Linker<ProcessState>) -> wasmtime::Result<()> {
    plain! { linker:
        args_get(pointers: u32, bytes: u32);
        args_sizes_get(count: u32, bytes: u32);
        environ_get(pointers: u32, bytes: u32);
        environ_sizes_get(count: u32, bytes: u32);
        clock_res_get(id: u32, out: u32);
        clock_time_get(id: u32, precision: u64, out: u32);
        fd_advise(fd: u32, offset: u64, len: u64, advice: u32);
        fd_allocate(fd: u32, offset: u64, len: u64);
        fd_close(fd: u32);
        fd_fdstat_get(fd: u32, out: u32);
        fd_fdstat_set_flags(fd: u32, flags: u32);
        fd_fdstat_set_rights(fd: u32, base: u64, inherited: u64);
        fd_filestat_get(fd: u32, out: u32);
        fd_filestat_set_size(fd: u32, size: u64);
        fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, flags: u32);
        fd_pread(fd: u32, list: u32, count: u32, offset: u64, out: u32);
        fd_prestat_get(fd: u32, out: u32);
        fd_prestat_dir_name(fd: u32, out: u32, len: u32);
        fd_pwrite(fd: u32, list: u32, count: u32, offset: u64, out: u32);
        fd_readdir(fd: u32, buffer: u32, len: u32, cookie: u64, out: u32);
        fd_renumber(from: u32, to: u32);
        fd_seek(fd: u32, offset: i64, whence: u32, out: u32);
        fd_tell(fd: u32, out: u32);
        path_create_directory(fd: u32, path: u32, len: u32);
        path_filestat_get(fd: u32, flags: u32, path: u32, len: u32, out: u32);
        path_filestat_set_times(
            fd: u32, flags: u32, path: u32, len: u32, accessed: u64, modified: u64, which: u32
        );
        path_link(fd: u32, flags: u32, path: u32, len: u32, to: u32, new: u32, new_len: u32);
        path_open(
            fd: u32, follow: u32, path: u32, len: u32, open: u32, rights: u64, inherited: u64,
            flags: u32, out: u32
        );
        path_readlink(fd: u32, path: u32, len: u32, buffer: u32, buffer_len: u32, out: u32);
        path_remove_directory(fd: u32, path: u32, len: u32);
        path_rename(fd: u32, path: u32, len: u32, to: u32, new: u32, new_len: u32);
        path_symlink(text: u32, text_len: u32, fd: u32, path: u32, len: u32);
        path_unlink_file(fd: u32, path: u32, len: u32);
        sock_shutdown(fd: u32, how: u32);
    }
    for name in ["fd_datasync", "fd_sync"] {
        linker.func_wrap(
            MODULE,
            name,
            |mut caller: Caller<'_, ProcessState>, fd: u32| {
                Errno::answer(call(&mut caller, |call| call.fd_sync(fd)))
            },
        )?;
    }
    linker.func_wrap(MODULE, "proc_exit", |code: u32| -> wasmtime::Result<()> {
        // As Linux does it, the lowest eight bits are the status.
        Err(wasmtime::Error::new(ProcessExit(code as u8)))
    })?;
    waiting! { linker:
        fd_read(fd: u32, list: u32, count: u32, out: u32) by fd_read;
        fd_write(fd: u32, list: u32, count: u32, out: u32) by fd_write;
        poll_oneoff(from: u32, to: u32, count: u32, out: u32) by poll_oneoff;
        proc_raise(signal: u32) by proc_raise;
        random_get(buffer: u32, len: u32) by random_get;
        sched_yield() by sched_yield;
        sock_accept(fd: u32, flags: u32, out: u32) by sockets::accept;
        sock_recv(fd: u32, list: u32, count: u32, flags: u32, out: u32, out_flags: u32)
            by sockets::receive;
        sock_send(fd: u32, list: u32, count: u32, flags: u32, out: u32) by sockets::send;
    }
    Ok(())
}

/// The answer of a call that did not wait.
pub(super) fn done<'a>(result: Result<()>) -> Answer<'a> {
    Box::new(ready(Errno::answer(result)))
}

/// The answer of a call that waits.
pub(super) fn later<'a>(result: impl Future<Output = Result<()>> + Send + 'a) -> Answer<'a> {
    Box::new(async { Errno::answer(result.await) })
}

fn fd_read(
    mut caller: Caller<'_, ProcessState>,
    fd: u32,
    list: u32,
    count: u32,
    out: u32,
) -> Answer<'_> {
    match call(&mut caller, |call| call.begin_read(fd, list, count, out)) {
        Ok(Begun::Done) => done(Ok(())),
        Err(errno) => done(Err(errno)),
        Ok(Begun::Stream(stream)) => later(async move {
            let moved = stream::read(&mut caller, &stream).await?;
            Guest::of(&mut caller)?.write_u32(out, moved)
        }),
    }
}

fn fd_write(
    mut caller: Caller<'_, ProcessState>,
    fd: u32,
    list: u32,
    count: u32,
    out: u32,
) -> Answer<'_> {
    match call(&mut caller, |call| call.begin_write(fd, list, count, out)) {
        Ok(Begun::Done) => done(Ok(())),
        Err(errno) => done(Err(errno)),
        Ok(Begun::Stream(stream)) => later(async move {
            let moved = stream::write(&mut caller, &stream).await?;
            Guest::of(&mut caller)?.write_u32(out, moved)
        }),
    }
}

fn poll_oneoff(
    mut caller: Caller<'_, ProcessState>,
    from: u32,
    to: u32,
    count: u32,
    out: u32,
) -> Answer<'_> {
    match call(&mut caller, |call| call.begin_poll(from, to, count, out)) {
        Err(errno) => done(Err(errno)),
        Ok(waiting) => later(async move {
            let process = caller.data().process.clone();
            let found = waiting.wait(&process).await?;
            write_events(&mut Guest::of(&mut caller)?, to, out, &found)
        }),
    }
}

fn proc_raise(caller: Caller<'_, ProcessState>, number: u32) -> Answer<'_> {
    match process::signal(number) {
        Ok(None) => done(Ok(())),
        Err(errno) => done(Err(errno)),
        Ok(Some(signal)) => later(async move {
            let process = caller.data().process.clone();
            process.signal(signal);
            process::die_if_doomed(&process).await;
            Ok(())
        }),
    }
}

fn random_get(mut caller: Caller<'_, ProcessState>, buffer: u32, len: u32) -> Answer<'_> {
    match call(&mut caller, |call| call.random_get(buffer, len)) {
        Ok(0) => done(Ok(())),
        Err(errno) => done(Err(errno)),
        Ok(mut left) => later(async move {
            while left > 0 {
                // Others run meanwhile: a guest can ask for gigabytes.
                process::yield_now().await;
                let at = buffer + (len - left);
                left = call(&mut caller, |call| call.random_get(at, left))?;
            }
            Ok(())
        }),
    }
}

fn sched_yield(_caller: Caller<'_, ProcessState>) -> Answer<'_> {
    later(async {
        process::yield_now().await;
        Ok(())
    })
}
