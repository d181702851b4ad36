//! Signals, and what the kernel is told once about this process.
#![expect(unsafe_code, reason = "signals and prctl are system calls")]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use super::fd::{check, own};
use super::raw;

/// Signals that a fault in this program raises; blocking them would kill it without a word.
const FAULTS: [i32; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];

/// Prepares this process: memory that no other process reads, orphans that come here, file modes
/// that are meant, every signal but faults held back.
pub(crate) fn prepare_process() -> io::Result<OwnedFd> {
    // SAFETY: prctl with these options and umask touch no memory.
    unsafe {
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        libc::umask(0);
    }
    keep_limits();
    for signal in 1..=64 {
        if !FAULTS.contains(&signal) {
            set_default(signal);
        }
    }
    // SAFETY: SIGPIPE is ignored, so that a closed pipe is an error and not the end.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    block_and_watch()
}

/// Keeps other processes of this user from setting this program's limits (`prlimit`): one of no
/// open file or a second of CPU would end it. The kernel asks for the same group in all three
/// places, so another one is put where it means nothing: the saved one, which a program that is
/// started sets anew. Without the right to do that the limits are whoever's this user is.
fn keep_limits() {
    let unchanged = libc::gid_t::MAX;
    for other in [65_534, 1] {
        // SAFETY: no memory is involved; there is one thread yet, so all that come have it too.
        let done = unsafe {
            other != libc::getegid() && libc::setresgid(unchanged, unchanged, other) == 0
        };
        if done {
            return;
        }
    }
}

/// Gives a signal its default action. Not through the C library, which keeps two to itself: those,
/// too, may have been ignored by whoever started this program, and would be by what it starts.
fn set_default(signal: i32) {
    // The kernel's sigaction: handler, flags, restorer, mask. Zero is the default action.
    let default = [0usize; 4];
    let args = [signal as usize, default.as_ptr() as usize, 0, 8, 0];
    // SAFETY: the kernel reads one sigaction. KILL and STOP are refused, which changes nothing.
    unsafe { raw::syscall(libc::SYS_rt_sigaction, args) };
}

fn block_and_watch() -> io::Result<OwnedFd> {
    // SAFETY: the sets are initialised by sigfillset and sigemptyset before anybody reads them.
    unsafe {
        let mut blocked: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut blocked);
        for fault in FAULTS {
            libc::sigdelset(&mut blocked, fault);
        }
        check(libc::sigprocmask(
            libc::SIG_SETMASK,
            &blocked,
            std::ptr::null_mut(),
        ))?;
        let mut watched: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut watched);
        libc::sigaddset(&mut watched, libc::SIGCHLD);
        libc::sigaddset(&mut watched, libc::SIGTERM);
        own(libc::signalfd(
            -1,
            &watched,
            libc::SFD_CLOEXEC | libc::SFD_NONBLOCK,
        ))
    }
}

/// A signal that arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrived {
    /// Its number.
    pub(crate) number: i32,
    sender: u32,
    code: i32,
}

impl Arrived {
    /// Whether the kernel says that it comes from outside this process namespace: nobody inside
    /// has the number zero, and only the kernel gives a code that is not negative. With a negative
    /// one (`sigqueue`) the sender has written all of it, its own number included.
    pub(crate) fn is_from_outside(self) -> bool {
        self.sender == 0 && self.code >= 0
    }
}

/// The next signal that arrived.
pub(crate) fn next(signals: &impl AsRawFd) -> Option<Arrived> {
    let mut info = std::mem::MaybeUninit::<libc::signalfd_siginfo>::zeroed();
    let size = size_of::<libc::signalfd_siginfo>();
    // SAFETY: the kernel writes at most `size` bytes; any bytes are a valid signalfd_siginfo.
    unsafe {
        let got = libc::read(signals.as_raw_fd(), info.as_mut_ptr().cast(), size);
        (got == size as isize).then(|| {
            let info = info.assume_init();
            Arrived {
                number: info.ssi_signo as i32,
                sender: info.ssi_pid,
                code: info.ssi_code,
            }
        })
    }
}

/// Sends a signal; a negative `pid` is a process group.
pub(crate) fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::kill(pid, signal) })?;
    Ok(())
}

/// News of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// It ended with this wait status.
    Ended(i32),
    /// A signal has stopped it.
    Stopped,
}

/// The next child with news.
pub(crate) fn next_child() -> Option<(i32, News)> {
    let mut status = 0;
    // SAFETY: the kernel writes one int.
    let pid = unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG | libc::WUNTRACED) };
    let news = match libc::WIFSTOPPED(status) {
        true => News::Stopped,
        false => News::Ended(status),
    };
    (pid > 0).then_some((pid, news))
}

/// What has become of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Child {
    /// It runs.
    Alive,
    /// It ended with this wait status, and was reaped.
    Ended(i32),
    /// There is no such child: somebody else reaped it.
    Unknown,
}

/// Looks at one child, and reaps it when it has ended.
pub(crate) fn look_at(pid: i32) -> Child {
    let mut status = 0;
    // SAFETY: the kernel writes one int.
    match unsafe { libc::waitpid(pid, &mut status, libc::WNOHANG) } {
        0 => Child::Alive,
        reaped if reaped == pid => Child::Ended(status),
        _ => Child::Unknown,
    }
}

/// This process's user and group.
pub(crate) fn own_ids() -> (u32, u32) {
    // SAFETY: these never fail and touch no memory.
    unsafe { (libc::geteuid(), libc::getegid()) }
}
