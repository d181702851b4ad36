//! Waiting for many descriptors at once.
#![expect(unsafe_code, reason = "epoll is a system call")]

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use super::fd::{check, own};

/// Something can be read.
pub(crate) const READ: u32 = libc::EPOLLIN as u32;
/// Something can be written.
pub(crate) const WRITE: u32 = libc::EPOLLOUT as u32;

/// The most events taken at a time.
const BATCH: usize = 64;

/// A set of descriptors, each with a value that says what it is.
#[derive(Debug)]
pub(crate) struct Poller<T> {
    epoll: OwnedFd,
    sources: HashMap<u64, T>,
    next: u64,
    exact: bool,
}

/// A descriptor in a [`Poller`]. It has to be given back with [`Poller::remove`]: a process that
/// holds a copy would keep a closed one in the set.
#[derive(Debug)]
pub(crate) struct Registered {
    fd: OwnedFd,
    token: u64,
    interest: u32,
}

impl AsRawFd for Registered {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// Whether waiting was cut short by something that is no event, as being stopped is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Events, or the time passed.
    Done,
    /// Interrupted.
    Interrupted,
}

impl<T: Copy> Poller<T> {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no memory is involved.
        let epoll = own(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        Ok(Self {
            epoll,
            sources: HashMap::new(),
            next: 0,
            exact: true,
        })
    }

    /// Adds a descriptor, at first without interest in anything.
    pub(crate) fn add(&mut self, fd: OwnedFd, source: T) -> Registered {
        let token = self.next;
        self.next += 1;
        self.sources.insert(token, source);
        Registered {
            fd,
            token,
            interest: 0,
        }
    }

    /// Sets what is waited for; with nothing, a hang-up is not reported either.
    pub(crate) fn set(&self, registered: &mut Registered, interest: u32) -> io::Result<()> {
        if registered.interest == interest {
            return Ok(());
        }
        let operation = match (registered.interest, interest) {
            (_, 0) => libc::EPOLL_CTL_DEL,
            (0, _) => libc::EPOLL_CTL_ADD,
            _ => libc::EPOLL_CTL_MOD,
        };
        let mut event = libc::epoll_event {
            events: interest,
            u64: registered.token,
        };
        let fd = registered.fd.as_raw_fd();
        // SAFETY: the kernel reads one event.
        check(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, fd, &mut event) })?;
        registered.interest = interest;
        Ok(())
    }

    /// Takes a descriptor out and closes it.
    pub(crate) fn remove(&mut self, registered: Registered) {
        drop(self.release(registered));
    }

    /// Takes a descriptor out.
    pub(crate) fn release(&mut self, mut registered: Registered) -> OwnedFd {
        // The descriptor is open, so taking it out cannot fail.
        let _ = self.set(&mut registered, 0);
        self.sources.remove(&registered.token);
        registered.fd
    }

    /// Waits, at most for `timeout`, and fills `events`.
    pub(crate) fn wait(
        &mut self,
        timeout: Option<Duration>,
        events: &mut Vec<(T, u32)>,
    ) -> io::Result<Wait> {
        events.clear();
        let mut buffer = [libc::epoll_event { events: 0, u64: 0 }; BATCH];
        let got = match self.epoll_wait(timeout, &mut buffer) {
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                return Ok(Wait::Interrupted);
            }
            Err(error) => return Err(error),
        };
        for event in &buffer[..got] {
            let (token, happened) = (event.u64, event.events);
            if let Some(source) = self.sources.get(&token) {
                events.push((*source, happened));
            }
        }
        Ok(Wait::Done)
    }

    fn epoll_wait(
        &mut self,
        timeout: Option<Duration>,
        buffer: &mut [libc::epoll_event; BATCH],
    ) -> io::Result<usize> {
        if self.exact {
            match self.epoll_pwait2(timeout, buffer) {
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
                    self.exact = false;
                }
                other => return other,
            }
        }
        let millis = timeout.map_or(-1, |timeout| {
            let up = timeout + Duration::from_micros(999);
            i32::try_from(up.as_millis()).unwrap_or(i32::MAX)
        });
        // SAFETY: the kernel writes at most BATCH events.
        let got = unsafe {
            let buffer = buffer.as_mut_ptr();
            libc::epoll_wait(self.epoll.as_raw_fd(), buffer, BATCH as i32, millis)
        };
        check(got).map(|got| got as usize)
    }

    /// Waits with a resolution better than a millisecond, where the kernel can (5.11).
    fn epoll_pwait2(
        &self,
        timeout: Option<Duration>,
        buffer: &mut [libc::epoll_event; BATCH],
    ) -> io::Result<usize> {
        // The kernel's own layout, two 64-bit numbers on every 64-bit architecture.
        let time = timeout.map(|timeout| {
            let seconds = i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX);
            [seconds, i64::from(timeout.subsec_nanos())]
        });
        let time = time.as_ref().map_or(std::ptr::null(), |time| time.as_ptr());
        // SAFETY: the kernel writes at most BATCH events and reads one timespec.
        let got = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.epoll.as_raw_fd(),
                buffer.as_mut_ptr(),
                BATCH as libc::c_long,
                time,
                std::ptr::null::<libc::sigset_t>(),
                0usize,
            )
        };
        check(got as i32).map(|got| got as usize)
    }
}
