//! What a process can ask about itself and its sandbox.

use std::fmt::Write as _;

use wasmtime::{Caller, Linker, Result};

use super::{MODULE, call, give};
use crate::engine::ProcessState;
use crate::kernel::{Errno, Machine};

pub(super) fn add_to_linker(linker: &mut Linker<ProcessState>) -> Result<()> {
    linker.func_wrap(MODULE, "getuid", getuid)?;
    linker.func_wrap(MODULE, "gethostname", gethostname)?;
    linker.func_wrap(MODULE, "limit", limit)?;
    linker.func_wrap(MODULE, "times", times)?;
    linker.func_wrap(MODULE, "processes", processes)?;
    Ok(())
}

fn getuid(caller: Caller<'_, ProcessState>, uid_out: u32, gid_out: u32) -> i32 {
    call(caller, |guest, state| {
        let (uid, gid) = state.process.user;
        guest.bytes_mut(gid_out, 4)?;
        guest.write_u32(uid_out, uid)?;
        guest.write_u32(gid_out, gid)
    })
}

fn gethostname(caller: Caller<'_, ProcessState>, buffer: u32, length: u32, length_out: u32) -> i32 {
    call(caller, |guest, state| {
        let name = state.process.machine.hostname.as_bytes();
        give(guest, name, (buffer, length), length_out)
    })
}

fn limit(caller: Caller<'_, ProcessState>, kind: u32, out: u32) -> i32 {
    call(caller, |guest, state| {
        let machine = &state.process.machine;
        let limit = match kind {
            0 => machine.resources.open_files.into(),
            1 => machine.resources.pids.into(),
            2 => machine.memory.limit(),
            3 => machine.files.lock().limits().file_bytes,
            _ => return Err(Errno::INVAL),
        };
        guest.write_u64(out, limit)
    })
}

fn times(caller: Caller<'_, ProcessState>, out: u32) -> i32 {
    call(caller, |guest, state| {
        let process = &state.process;
        // What host functions take is not told apart from what the program takes.
        let times = [process.cpu_time(), process.children_cpu_time()];
        let mut record = [0; 32];
        for (index, time) in times.into_iter().enumerate() {
            let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            record[index * 16..][..8].copy_from_slice(&nanos.to_le_bytes());
        }
        guest.write(out, &record)
    })
}

fn processes(caller: Caller<'_, ProcessState>, buffer: u32, length: u32, length_out: u32) -> i32 {
    call(caller, |guest, state| {
        let table = table(&state.process.machine);
        give(guest, table.as_bytes(), (buffer, length), length_out)
    })
}

/// A line for each process, its columns separated by tabs.
fn table(machine: &Machine) -> String {
    let mut table = String::new();
    for row in machine.processes() {
        let argv = row.argv.join(" ");
        let argv: String = argv
            .chars()
            .map(|c| if c.is_control() { '?' } else { c })
            .collect();
        let (pid, parent, group, session) = (row.pid, row.parent, row.group, row.session);
        let (state, cpu, memory) = (row.state, row.cpu_time.as_millis(), row.memory);
        let line =
            format_args!("{pid}\t{parent}\t{group}\t{session}\t{state}\t{cpu}\t{memory}\t{argv}");
        // Writing to a string does not fail.
        let _ok = writeln!(table, "{line}");
    }
    table
}
