//! Background commands.

use sandbox_guest::process::{self, Status};

use crate::ast::Bytes;

/// A command started with `&`.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its processes; the last gives the status and is `$!`.
    pub pids: Vec<i32>,
    pub status: Option<i32>,
    pub text: Bytes,
}

impl Job {
    pub fn id(&self) -> i32 {
        self.pids.last().copied().unwrap_or_default()
    }
}

#[derive(Clone, Debug, Default)]
pub struct Jobs {
    /// Jobs not yet waited for; the position is the job's number less one.
    pub list: Vec<Job>,
}

impl Jobs {
    pub fn add(&mut self, pids: Vec<i32>, text: Bytes) {
        self.list.push(Job {
            pids,
            status: None,
            text,
        });
    }

    /// Notes that the process `pid` has ended.
    pub fn ended(&mut self, pid: i32, status: Status) {
        for job in &mut self.list {
            if job.id() == pid {
                job.status = Some(status.shell_code());
            }
            // The last one stays: it is the job's name.
            if job.id() != pid {
                job.pids.retain(|&known| known != pid);
            }
        }
    }

    /// Takes note of what has ended meanwhile.
    pub fn reap(&mut self) {
        while self.list.iter().any(|job| job.status.is_none()) {
            match process::try_wait(-1) {
                Ok(Some((pid, status))) => self.ended(pid, status),
                _ => return,
            }
        }
    }

    /// The process that `%1`, `%+`, `%-`, `%%` or a number means.
    pub fn resolve(&self, name: &[u8]) -> Option<i32> {
        let Some(spec) = name.strip_prefix(b"%") else {
            return crate::text::parse_int(name).and_then(|pid| i32::try_from(pid).ok());
        };
        let at = match spec {
            b"" | b"+" | b"%" => self.list.len().checked_sub(1)?,
            b"-" => self.list.len().checked_sub(2)?,
            number => usize::try_from(crate::text::parse_int(number)?)
                .ok()?
                .checked_sub(1)?,
        };
        self.list.get(at).map(Job::id)
    }
}
