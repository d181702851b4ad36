//! Signals.

use sandbox_core::Signal;
use wasmtime::{Caller, Linker, Result};

use super::{MODULE, call};
use crate::engine::ProcessState;
use crate::kernel::{Disposition, Errno, Target};
use crate::wasi::die_if_doomed;

pub(super) fn add_to_linker(linker: &mut Linker<ProcessState>) -> Result<()> {
    linker.func_wrap_async(MODULE, "kill", |caller, (pid, signal): (i32, u32)| {
        Box::new(async move {
            let process = caller.data().process.clone();
            let answer = kill(caller, pid, signal);
            // Who kills or stops itself does nothing more before that.
            die_if_doomed(&process).await;
            answer
        })
    })?;
    linker.func_wrap(MODULE, "sigaction", sigaction)?;
    linker.func_wrap(MODULE, "sigtake", sigtake)?;
    Ok(())
}

fn kill(caller: Caller<'_, ProcessState>, pid: i32, signal: u32) -> i32 {
    call(caller, |_, state| {
        let process = &state.process;
        let machine = &process.machine;
        let signal = match signal {
            0 => None,
            number => {
                let number = i32::try_from(number).map_err(|_| Errno::INVAL)?;
                Some(Signal::new(number).map_err(|_| Errno::INVAL)?)
            }
        };
        let target = match pid {
            -1 => Target::AllBut(process.pid),
            0 => {
                let (group, _) = machine.group_of(process.pid).ok_or(Errno::SRCH)?;
                Target::Group(group)
            }
            pid if pid > 0 => Target::Process(pid.unsigned_abs()),
            group => Target::Group(group.unsigned_abs()),
        };
        machine.send_signal(target, signal)
    })
}

fn sigaction(caller: Caller<'_, ProcessState>, signal: u32, disposition: u32) -> i32 {
    call(caller, |_, state| {
        let disposition = match disposition {
            0 => Disposition::Default,
            1 => Disposition::Ignore,
            2 => Disposition::Catch,
            _ => return Err(Errno::INVAL),
        };
        state.process.set_disposition(signal, disposition)
    })
}

fn sigtake(caller: Caller<'_, ProcessState>, out: u32) -> i32 {
    call(caller, |guest, state| {
        // A signal that cannot be told must not be lost.
        guest.bytes_mut(out, 4)?;
        let signal = state.process.take_signal().unwrap_or(0);
        guest.write_u32(out, signal)
    })
}
