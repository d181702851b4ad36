//! Starting, replacing and waiting for processes, and what they are to each other.

use sandbox_core::{Exit, ExitStatus, Pid};
use wasmtime::{Caller, Linker, Result};

use super::{MODULE, call, give, request};
use crate::engine::{ProcessState, exec_requested};
use crate::kernel::{self, Children, Errno};
use crate::wasi::memory::Guest;

/// The flag of `wait` to answer at once.
const NO_HANG: u32 = 1;

pub(super) fn add_to_linker(linker: &mut Linker<ProcessState>) -> Result<()> {
    linker.func_wrap_async(
        MODULE,
        "spawn",
        |mut caller, (request, pid_out): (u32, u32)| {
            Box::new(async move { Errno::answer(spawn(&mut caller, request, pid_out).await) })
        },
    )?;
    linker.func_wrap_async(MODULE, "exec", |mut caller, (request,): (u32,)| {
        Box::new(async move {
            match exec(&mut caller, request).await {
                Ok(()) => Err(exec_requested()),
                Err(errno) => Ok(errno.number()),
            }
        })
    })?;
    linker.func_wrap_async(
        MODULE,
        "wait",
        |mut caller, (pid, flags, pid_out, status_out): (i32, u32, u32, u32)| {
            Box::new(async move {
                let outs = (pid_out, status_out);
                Errno::answer(wait(&mut caller, pid, flags, outs).await)
            })
        },
    )?;
    linker.func_wrap(MODULE, "take_state", take_state)?;
    linker.func_wrap(MODULE, "getpid", getpid)?;
    linker.func_wrap(MODULE, "getppid", getppid)?;
    linker.func_wrap(MODULE, "getpgid", getpgid)?;
    linker.func_wrap(MODULE, "setsid", setsid)?;
    Ok(())
}

async fn spawn(
    caller: &mut Caller<'_, ProcessState>,
    request: u32,
    pid_out: u32,
) -> kernel::Result<()> {
    let (mut guest, state) = Guest::split(caller)?;
    // A child whose number cannot be told must not be started.
    guest.bytes_mut(pid_out, 4)?;
    let process = state.process.clone();
    let request = request::read(&guest, request, process.machine.resources.open_files)?;
    let pid = process.machine.spawn_child(&process, request).await?;
    Guest::of(caller)?.write_u32(pid_out, pid)
}

async fn exec(caller: &mut Caller<'_, ProcessState>, request: u32) -> kernel::Result<()> {
    let (guest, state) = Guest::split(caller)?;
    let process = state.process.clone();
    let request = request::read(&guest, request, process.machine.resources.open_files)?;
    let next = process.machine.exec(&process, request).await?;
    caller.data_mut().next = Some(next);
    Ok(())
}

async fn wait(
    caller: &mut Caller<'_, ProcessState>,
    pid: i32,
    flags: u32,
    (pid_out, status_out): (u32, u32),
) -> kernel::Result<()> {
    let (mut guest, state) = Guest::split(caller)?;
    guest.bytes_mut(pid_out, 4)?;
    guest.bytes_mut(status_out, 4)?;
    if flags & !NO_HANG != 0 {
        return Err(Errno::INVAL);
    }
    let process = state.process.clone();
    let which = match pid {
        -1 => Children::Any,
        0 => Children::Group(own_group(&process)?),
        pid if pid > 0 => Children::One(pid.unsigned_abs()),
        group => Children::Group(group.unsigned_abs()),
    };
    let no_hang = flags & NO_HANG != 0;
    let child = process.machine.wait_child(&process, which, no_hang).await?;
    let (pid, status) = child.map_or((0, 0), |(pid, status)| (pid, encode(status)));
    let mut guest = Guest::of(caller)?;
    guest.write_u32(pid_out, pid)?;
    guest.write_u32(status_out, status)
}

/// The code in the low byte, the signal in the next.
fn encode(status: ExitStatus) -> u32 {
    match status.exit {
        Exit::Code(code) => code.into(),
        Exit::Signal(signal) => signal.number().unsigned_abs() << 8,
        Exit::Lost => 9 << 8,
    }
}

fn take_state(caller: Caller<'_, ProcessState>, buffer: u32, length: u32, length_out: u32) -> i32 {
    call(caller, |guest, state| {
        let image = state.process.image();
        let mut held = image.state.lock();
        let bytes = held.as_deref().unwrap_or_default();
        give(guest, bytes, (buffer, length), length_out)?;
        *held = None;
        Ok(())
    })
}

fn getpid(caller: Caller<'_, ProcessState>, out: u32) -> i32 {
    call(caller, |guest, state| {
        guest.write_u32(out, state.process.pid)
    })
}

fn getppid(caller: Caller<'_, ProcessState>, out: u32) -> i32 {
    call(caller, |guest, state| {
        let process = &state.process;
        let parent = process.machine.parent_of(process.pid).ok_or(Errno::SRCH)?;
        guest.write_u32(out, parent)
    })
}

fn getpgid(caller: Caller<'_, ProcessState>, pid: i32, out: u32) -> i32 {
    call(caller, |guest, state| {
        let process = &state.process;
        let pid = match pid {
            0 => process.pid,
            pid => Pid::try_from(pid).map_err(|_| Errno::SRCH)?,
        };
        let (group, _) = process.machine.group_of(pid).ok_or(Errno::SRCH)?;
        guest.write_u32(out, group)
    })
}

fn setsid(caller: Caller<'_, ProcessState>) -> i32 {
    let process = &caller.data().process;
    let done = process.machine.set_session(process.pid);
    Errno::answer(if done { Ok(()) } else { Err(Errno::PERM) })
}

fn own_group(process: &kernel::Process) -> kernel::Result<Pid> {
    let (group, _) = process.machine.group_of(process.pid).ok_or(Errno::SRCH)?;
    Ok(group)
}
