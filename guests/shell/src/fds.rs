//! The shell's own table of descriptors. Redirections change this table alone: the kernel's numbers stay as they are,
//! and a child is told which number here becomes which there.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use sandbox_guest::{errno, fd, files};

use crate::ast::Bytes;

/// A descriptor of the kernel; closed with its last user.
#[derive(Debug)]
pub struct OpenFd(u32);

impl OpenFd {
    pub fn new(number: u32) -> Rc<Self> {
        Rc::new(Self(number))
    }

    pub fn number(&self) -> u32 {
        self.0
    }
}

impl Drop for OpenFd {
    fn drop(&mut self) {
        let _ = fd::close(self.0);
    }
}

/// What a descriptor refers to.
#[derive(Clone, Debug)]
pub enum Target {
    Fd(Rc<OpenFd>),
    /// The output of a command substitution that runs in this process.
    Capture(Rc<RefCell<Bytes>>),
}

/// Descriptors by the number that scripts use. A copy costs nothing.
#[derive(Clone, Debug, Default)]
pub struct Fds(Rc<Vec<(u32, Target)>>);

impl Fds {
    /// The descriptors that the parent gave: the first three, and 4 to 9 (3 is the kernel's root directory).
    pub fn inherited() -> Self {
        let given = [0, 1, 2, 4, 5, 6, 7, 8, 9];
        let open = given.iter().filter(|&&number| fd::kind(number).is_ok());
        Self(Rc::new(
            open.map(|&number| (number, Target::Fd(OpenFd::new(number))))
                .collect(),
        ))
    }

    /// Descriptors as another shell's [`Self::numbers`] says: number here, number of the kernel.
    pub fn given(numbers: &[(u32, u32)]) -> Self {
        Self(Rc::new(
            numbers
                .iter()
                .map(|&(here, kernel)| (here, Target::Fd(OpenFd::new(kernel))))
                .collect(),
        ))
    }

    pub fn get(&self, number: u32) -> Option<&Target> {
        self.0
            .iter()
            .find(|&&(known, _)| known == number)
            .map(|(_, target)| target)
    }

    pub fn set(&mut self, number: u32, target: Target) {
        self.close(number);
        Rc::make_mut(&mut self.0).push((number, target));
    }

    pub fn close(&mut self, number: u32) {
        if self.get(number).is_some() {
            Rc::make_mut(&mut self.0).retain(|&(known, _)| known != number);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &(u32, Target)> {
        self.0.iter()
    }

    /// The kernel's number, if it is not a capture.
    pub fn number(&self, number: u32) -> io::Result<u32> {
        match self.get(number) {
            Some(Target::Fd(open)) => Ok(open.number()),
            _ => Err(errno::error(errno::BADF)),
        }
    }

    pub fn write(&self, number: u32, bytes: &[u8]) -> io::Result<()> {
        match self.get(number) {
            Some(Target::Fd(open)) => fd::write_all(open.number(), bytes),
            Some(Target::Capture(out)) => {
                out.borrow_mut().extend_from_slice(bytes);
                Ok(())
            }
            None => Err(errno::error(errno::BADF)),
        }
    }

    /// Whether a descriptor other than 1 is a capture.
    pub fn captures_beside_output(&self) -> bool {
        self.0
            .iter()
            .any(|(number, target)| *number != 1 && matches!(target, Target::Capture(_)))
    }
}

/// A descriptor from which `bytes` can be read: a pipe when they fit in one, else a file without a name.
pub fn holding(cwd: &str, bytes: &[u8]) -> io::Result<Rc<OpenFd>> {
    const PIPE: usize = 64 * 1024;
    if bytes.len() <= PIPE {
        let (read, write) = fd::pipe_numbers()?;
        let (read, write) = (OpenFd::new(read), OpenFd::new(write));
        fd::write_all(write.number(), bytes)?;
        return Ok(read);
    }
    let mode = fd::Mode {
        read: true,
        write: true,
        create: true,
        exclusive: true,
        ..fd::Mode::default()
    };
    let own = sandbox_guest::process::id();
    let mut attempt = 0;
    let (path, file) = loop {
        let path = format!("/tmp/.sh-{own}-{attempt}");
        match fd::open(cwd, &path, mode) {
            Ok(file) => break (path, OpenFd::new(file)),
            Err(error) if errno::is(&error, errno::EXIST) && attempt < 1000 => attempt += 1,
            Err(error) => return Err(error),
        }
    };
    let read = fd::open(
        cwd,
        &path,
        fd::Mode {
            read: true,
            ..fd::Mode::default()
        },
    )
    .map(OpenFd::new);
    let removed = files::remove(cwd, &path);
    let read = read?;
    removed?;
    fd::write_all(file.number(), bytes)?;
    Ok(read)
}
