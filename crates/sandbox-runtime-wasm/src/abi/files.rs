//! Attributes of files that preview 1 leaves out: modes, owners, link counts.

use std::sync::atomic::Ordering;

use sandbox_core::FileKind;
use wasmtime::{Caller, Linker, Result};

use super::{MODULE, call};
use crate::engine::ProcessState;
use crate::fs::{At, Metadata};
use crate::kernel::{self, Description, Errno, Fd, Object, Process};
use crate::wasi::devices;
use crate::wasi::memory::Guest;

/// The flag to follow a link at the end of a path.
const FOLLOW: u32 = 1;
/// An owner that stays as it is.
const KEEP: u32 = u32::MAX;

const TYPE_SOCKET: u32 = 0o140_000;
const TYPE_LINK: u32 = 0o120_000;
const TYPE_FILE: u32 = 0o100_000;
const TYPE_DIRECTORY: u32 = 0o040_000;
const TYPE_CHARACTER: u32 = 0o020_000;
const TYPE_PIPE: u32 = 0o010_000;

pub(super) fn add_to_linker(linker: &mut Linker<ProcessState>) -> Result<()> {
    linker.func_wrap(MODULE, "stat", stat)?;
    linker.func_wrap(MODULE, "fstat", fstat)?;
    linker.func_wrap(MODULE, "chmod", chmod)?;
    linker.func_wrap(MODULE, "chown", chown)?;
    linker.func_wrap(MODULE, "umask", umask)?;
    linker.func_wrap(MODULE, "access", access)?;
    Ok(())
}

/// A path of the guest, below an open directory.
#[derive(Debug, Clone, Copy)]
struct Place {
    dir: Fd,
    ptr: u32,
    len: u32,
}

impl Place {
    /// Does something with the place it means.
    fn with<T>(
        self,
        guest: &Guest<'_>,
        process: &Process,
        body: impl FnOnce(At<'_>) -> kernel::Result<T>,
    ) -> kernel::Result<T> {
        let path = guest.text(self.ptr, self.len)?;
        let description = process
            .descriptors
            .lock()
            .get(self.dir)?
            .description
            .clone();
        let Object::Directory(handle) = &description.object else {
            return Err(Errno::NOTDIR);
        };
        body(At::below(handle.get(), path))
    }
}

fn follow(flags: u32) -> kernel::Result<bool> {
    match flags {
        0 => Ok(false),
        FOLLOW => Ok(true),
        _ => Err(Errno::INVAL),
    }
}

fn stat(
    caller: Caller<'_, ProcessState>,
    dir: Fd,
    flags: u32,
    ptr: u32,
    len: u32,
    out: u32,
) -> i32 {
    call(caller, |guest, state| {
        let follow = follow(flags)?;
        let place = Place { dir, ptr, len };
        let record = place.with(guest, &state.process, |at| {
            let files = state.process.machine.files.lock();
            let metadata = files.metadata(at, follow)?;
            let device = devices::device(&files, metadata.ino).is_some();
            Ok(record(&metadata, device))
        })?;
        guest.write(out, &record)
    })
}

fn fstat(caller: Caller<'_, ProcessState>, fd: Fd, out: u32) -> i32 {
    call(caller, |guest, state| {
        let process = &state.process;
        let description = process.descriptors.lock().get(fd)?.description.clone();
        let record = match description.handle() {
            Some(handle) => record(&handle.files().lock().metadata_of(handle.get())?, false),
            None => record_of_object(&description, process),
        };
        guest.write(out, &record)
    })
}

fn chmod(
    caller: Caller<'_, ProcessState>,
    dir: Fd,
    flags: u32,
    ptr: u32,
    len: u32,
    mode: u32,
) -> i32 {
    call(caller, |guest, state| {
        let follow = follow(flags)?;
        let process = &state.process;
        let by = process.machine.caller(process.user);
        Place { dir, ptr, len }.with(guest, process, |at| {
            let mut files = process.machine.files.lock();
            if !follow && files.metadata(at, false)?.kind == FileKind::Symlink {
                return Err(Errno::NOTSUP);
            }
            Ok(files.set_mode(at, mode, by)?)
        })
    })
}

fn chown(
    caller: Caller<'_, ProcessState>,
    dir: Fd,
    flags: u32,
    ptr: u32,
    len: u32,
    uid: u32,
    gid: u32,
) -> i32 {
    call(caller, |guest, state| {
        let follow = follow(flags)?;
        let process = &state.process;
        let by = process.machine.caller(process.user);
        Place { dir, ptr, len }.with(guest, process, |at| {
            let mut files = process.machine.files.lock();
            let now = files.metadata(at, follow)?;
            let kept = |asked, own| if asked == KEEP { own } else { asked };
            let owner = (kept(uid, now.uid), kept(gid, now.gid));
            Ok(files.set_owner(at, follow, owner, by)?)
        })
    })
}

fn umask(caller: Caller<'_, ProcessState>, new: u32, old_out: u32) -> i32 {
    call(caller, |guest, state| {
        guest.bytes_mut(old_out, 4)?;
        let old = state.process.umask.swap(new & 0o777, Ordering::Relaxed);
        guest.write_u32(old_out, old)
    })
}

/// Permission bits are not enforced, so that everything may be read and written; executed is what
/// somebody may execute.
fn access(caller: Caller<'_, ProcessState>, dir: Fd, ptr: u32, len: u32, mask: u32) -> i32 {
    call(caller, |guest, state| {
        if mask > 7 {
            return Err(Errno::INVAL);
        }
        let process = &state.process;
        Place { dir, ptr, len }.with(guest, process, |at| {
            let metadata = process.machine.files.lock().metadata(at, true)?;
            let runs = metadata.kind == FileKind::Directory || metadata.mode & 0o111 != 0;
            if mask & 1 != 0 && !runs {
                Err(Errno::ACCES)
            } else {
                Ok(())
            }
        })
    })
}

fn record(metadata: &Metadata, device: bool) -> [u8; 64] {
    let kind = match metadata.kind {
        _ if device => TYPE_CHARACTER,
        FileKind::File => TYPE_FILE,
        FileKind::Directory => TYPE_DIRECTORY,
        FileKind::Symlink => TYPE_LINK,
        FileKind::Other => TYPE_CHARACTER,
    };
    let numbers = [1, metadata.ino.get(), metadata.links, metadata.size];
    let times = [metadata.modified.as_nanos(), metadata.changed.as_nanos()];
    encode(
        numbers,
        [kind | metadata.mode, metadata.uid, metadata.gid],
        times,
    )
}

fn record_of_object(description: &Description, process: &Process) -> [u8; 64] {
    let mode = match &description.object {
        Object::PipeReader(_) | Object::PipeWriter(_) => TYPE_PIPE | 0o600,
        // What a command of the host writes to is no terminal.
        Object::Output(_) => TYPE_PIPE | 0o600,
        Object::Socket(_) => TYPE_SOCKET | 0o777,
        _ => TYPE_CHARACTER | 0o666,
    };
    let now = process.machine.clock.realtime();
    let (uid, gid) = process.user;
    encode([2, 0, 1, 0], [mode, uid, gid], [now, now])
}

/// Device, inode, links, size; mode and owners; the times of the last changes.
fn encode(numbers: [u64; 4], owners: [u32; 3], times: [u64; 2]) -> [u8; 64] {
    let mut record = [0; 64];
    let words = numbers.into_iter().chain([0, 0]).chain(times);
    for (slot, word) in record.chunks_exact_mut(8).zip(words) {
        slot.copy_from_slice(&word.to_le_bytes());
    }
    for (slot, word) in record[32..48].chunks_exact_mut(4).zip(owners) {
        slot.copy_from_slice(&word.to_le_bytes());
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_its_fields_where_the_interface_says() {
        let record = encode([1, 2, 3, 4], [5, 6, 7], [8, 9]);
        let at = |offset: usize| u64::from(record[offset]);
        assert_eq!([0, 8, 16, 24].map(at), [1, 2, 3, 4]);
        assert_eq!([32, 36, 40, 44].map(at), [5, 6, 7, 0]);
        assert_eq!([48, 56].map(at), [8, 9]);
    }
}
