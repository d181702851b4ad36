//! Pipes, and copies of descriptors.

use wasmtime::{Caller, Linker, Result};

use super::{MODULE, call};
use crate::engine::ProcessState;
use crate::kernel::{Description, Descriptor, Fd, Object, pipe};

pub(super) fn add_to_linker(linker: &mut Linker<ProcessState>) -> Result<()> {
    linker.func_wrap(MODULE, "pipe", open_pipe)?;
    linker.func_wrap(MODULE, "dup", dup)?;
    linker.func_wrap(MODULE, "dup2", dup2)?;
    Ok(())
}

fn open_pipe(caller: Caller<'_, ProcessState>, read_out: u32, write_out: u32) -> i32 {
    call(caller, |guest, state| {
        guest.bytes_mut(read_out, 4)?;
        guest.bytes_mut(write_out, 4)?;
        let process = &state.process;
        let (reader, writer) = pipe(process.machine.memory.clone());
        let reader = Description::new(Object::PipeReader(reader), true, false);
        let writer = Description::new(Object::PipeWriter(writer), false, true);
        let mut table = process.descriptors.lock();
        let read = table.insert(Descriptor::new(reader), 0)?;
        let write = match table.insert(Descriptor::new(writer), 0) {
            Ok(write) => write,
            Err(errno) => {
                let half = table.remove(read);
                drop(table);
                drop(half);
                return Err(errno);
            }
        };
        drop(table);
        guest.write_u32(read_out, read)?;
        guest.write_u32(write_out, write)
    })
}

fn dup(caller: Caller<'_, ProcessState>, fd: Fd, min: Fd, out: u32) -> i32 {
    call(caller, |guest, state| {
        guest.bytes_mut(out, 4)?;
        let mut table = state.process.descriptors.lock();
        let mut copy = table.get(fd)?.clone();
        copy.preopen = None;
        let new = table.insert(copy, min)?;
        drop(table);
        guest.write_u32(out, new)
    })
}

fn dup2(caller: Caller<'_, ProcessState>, from: Fd, to: Fd) -> i32 {
    call(caller, |_, state| {
        let mut table = state.process.descriptors.lock();
        let mut copy = table.get(from)?.clone();
        if from == to {
            return Ok(());
        }
        copy.preopen = None;
        let replaced = table.set(to, copy)?;
        drop(table);
        drop(replaced);
        Ok(())
    })
}
