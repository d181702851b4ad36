//! From a new process to the program it runs.
//!
//! The process shares the memory of its supervisor, which waits (`CLONE_VFORK`) until the program
//! runs: copying nothing makes this several times cheaper than `fork`. So nothing here
//! allocates, locks, unwinds or touches thread-local memory, `errno` included.
#![expect(unsafe_code, reason = "it consists of system calls")]

use std::sync::atomic::{AtomicI32, Ordering};

use super::plan::{Plan, Stage};
use crate::agent::sys::raw;

/// The bytes of stack a process has until its program runs.
pub(super) const STACK: usize = 16 * 1024;

/// Memory for such a stack.
#[derive(Debug)]
#[repr(align(16))]
pub(super) struct Stack([u8; STACK]);

impl Stack {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self([0; STACK]))
    }

    /// Its upper end.
    pub(super) fn top(&mut self) -> *mut u8 {
        self.0.as_mut_ptr_range().end
    }
}

/// What the kernel says of a process to be, whoever else may have died.
#[derive(Debug)]
pub(super) struct Traces {
    /// Its id, from before its first instruction; zero when there never was one.
    pub(super) pid: AtomicI32,
    /// Zero once it uses this program's memory no more: its program runs, or it has ended.
    pub(super) inside: AtomicI32,
}

impl Traces {
    pub(super) fn new() -> Self {
        Self {
            pid: AtomicI32::new(0),
            inside: AtomicI32::new(1),
        }
    }
}

/// Starts the planned process and waits until its program runs. When it failed, the plan says so.
/// The caller may be killed while it waits; `traces` tell even then what became of the process.
pub(super) fn start(plan: &mut Plan, stack: *mut u8, traces: &Traces) {
    let argument: *mut Plan = plan;
    let words = [traces.pid.as_ptr(), traces.inside.as_ptr()];
    let flags = libc::CLONE_VM
        | libc::CLONE_VFORK
        | libc::CLONE_PARENT_SETTID
        | libc::CLONE_CHILD_CLEARTID
        | libc::SIGCHLD;
    // SAFETY: the stack is the caller's own; `run` never returns; this process waits, so nobody
    // else uses the plan meanwhile; the words live as long as the plan.
    let pid = unsafe { raw::clone(flags, stack, run, argument.cast(), words) };
    if pid < 0 {
        plan.fail(Stage::Process, -pid as i32);
    }
}

fn call(number: i64, args: [usize; 5]) -> Result<isize, i32> {
    // SAFETY: every caller below passes what the system call expects: descriptors, numbers, and
    // pointers into the plan or constants.
    let result = unsafe { raw::syscall(number, args) };
    if result < 0 {
        return Err(-result as i32);
    }
    Ok(result)
}

extern "C" fn run(plan: *mut u8) -> ! {
    // SAFETY: `start` passes a plan that outlives this process.
    let plan = unsafe { &*plan.cast::<Plan>() };
    if let Err((stage, errno)) = set_up(plan) {
        plan.fail(stage, errno);
    } else {
        plan.fail(Stage::Program, execute(plan));
    }
    raw::exit(127)
}

fn set_up(plan: &Plan) -> Result<(), (Stage, i32)> {
    call(libc::SYS_setsid, [0; 5]).map_err(|errno| (Stage::Session, errno))?;
    for (number, fd) in plan.stdio.iter().enumerate() {
        call(libc::SYS_dup3, [*fd as usize, number, 0, 0, 0])
            .map_err(|errno| (Stage::Streams, errno))?;
    }
    if plan.terminal {
        call(libc::SYS_ioctl, [0, libc::TIOCSCTTY as usize, 0, 0, 0])
            .map_err(|errno| (Stage::Session, errno))?;
    }
    be_killable_first(plan);
    set_ids(plan).map_err(|errno| (Stage::User, errno))?;
    stay_unreadable();
    if let Some(directory) = &plan.directory {
        call(libc::SYS_chdir, [directory.as_ptr() as usize, 0, 0, 0, 0])
            .map_err(|errno| (Stage::Directory, errno))?;
    }
    reset_signals().map_err(|errno| (Stage::Session, errno))
}

/// When memory runs out, this process goes before the one that reports it.
fn be_killable_first(plan: &Plan) {
    const SCORE: &[u8] = b"1000";
    let path = c"/proc/self/oom_score_adj".as_ptr() as usize;
    let flags = (libc::O_WRONLY | libc::O_CLOEXEC) as usize;
    let at = libc::AT_FDCWD as isize as usize;
    let Ok(fd) = call(libc::SYS_openat, [at, path, flags, 0, 0]) else {
        return;
    };
    let fd = fd as usize;
    let score = [fd, SCORE.as_ptr() as usize, SCORE.len(), 0, 0];
    if call(libc::SYS_write, score).is_ok() {
        plan.killable_first.store(true, Ordering::Release);
    }
    let _ = call(libc::SYS_close, [fd, 0, 0, 0, 0]);
}

fn set_ids(plan: &Plan) -> Result<(), i32> {
    let Some((uid, gid, groups)) = &plan.ids else {
        return Ok(());
    };
    let (uid, gid) = (*uid as usize, *gid as usize);
    let list = groups.as_ptr() as usize;
    call(libc::SYS_setgroups, [groups.len(), list, 0, 0, 0])?;
    call(libc::SYS_setresgid, [gid, gid, gid, 0, 0])?;
    call(libc::SYS_setresuid, [uid, uid, uid, 0, 0])?;
    Ok(())
}

/// Becoming another user sets anew who may trace what uses this memory, which is the agent's own:
/// on some hosts (`fs.suid_dumpable`) that is whoever has the same user.
fn stay_unreadable() {
    let option = libc::PR_SET_DUMPABLE as usize;
    let _ = call(libc::SYS_prctl, [option, 0, 0, 0, 0]);
}

fn reset_signals() -> Result<(), i32> {
    // The kernel's sigaction: handler, flags, restorer, mask. Zero is the default action. SIGPIPE
    // is the only signal this program ignores; handlers end with the program that has them.
    let default = [0usize; 4];
    let action = [libc::SIGPIPE as usize, default.as_ptr() as usize, 0, 8, 0];
    call(libc::SYS_rt_sigaction, action)?;
    let none = 0u64;
    let mask = [
        libc::SIG_SETMASK as usize,
        &raw const none as usize,
        0,
        8,
        0,
    ];
    call(libc::SYS_rt_sigprocmask, mask)?;
    call(libc::SYS_umask, [0o022, 0, 0, 0, 0])?;
    Ok(())
}

/// Runs the program; returns only when that failed, and why.
fn execute(plan: &Plan) -> i32 {
    let environment = plan.environment() as usize;
    let mut failure = libc::ENOENT;
    for program in plan.programs() {
        let path = program.as_ptr() as usize;
        let errno = execve(path, plan.argv() as usize, environment);
        match errno {
            libc::ENOENT | libc::ENOTDIR => {}
            // A later directory may have one that can be run, but if not, this is the reason.
            libc::EACCES => failure = errno,
            libc::ENOEXEC => return execute_script(plan, path, environment),
            _ => return errno,
        }
    }
    failure
}

/// A file without `#!` is a script for the shell, as every shell has it.
fn execute_script(plan: &Plan, path: usize, environment: usize) -> i32 {
    let argv = plan.script_argv() as *mut *const u8;
    // SAFETY: the array has at least three elements, and only this process looks at it.
    unsafe { *argv.add(1) = path as *const u8 };
    let shell = c"/bin/sh".as_ptr() as usize;
    match execve(shell, argv as usize, environment) {
        libc::ENOENT => libc::ENOEXEC,
        errno => errno,
    }
}

fn execve(path: usize, argv: usize, environment: usize) -> i32 {
    match call(libc::SYS_execve, [path, argv, environment, 0, 0]) {
        Ok(_) => 0,
        Err(errno) => errno,
    }
}
