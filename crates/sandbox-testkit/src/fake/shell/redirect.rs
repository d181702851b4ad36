//! Redirects.

use super::syntax::{Redirect, RedirectKind};
use super::{Jump, Shell};
use crate::fake::kernel::Fd;

impl Shell {
    /// Opens what `redirects` name over this shell's descriptors; false when one cannot be opened,
    /// which it has said.
    pub(super) async fn redirect(&mut self, redirects: &[Redirect]) -> Result<bool, Jump> {
        for redirect in redirects {
            let target = self.expand_joined(&redirect.target).await?;
            let opened = match redirect.kind {
                RedirectKind::Read => self.task.open_read(&target),
                RedirectKind::Write => self.task.open_write(&target, false),
                RedirectKind::Append => self.task.open_write(&target, true),
                RedirectKind::Duplicate => {
                    if !self.duplicate(redirect.fd, &target) {
                        let message = format!("sh: {target}: Bad file descriptor");
                        self.task.complain(&message).await;
                        return Ok(false);
                    }
                    continue;
                }
            };
            match opened {
                Ok(fd) => {
                    self.task.fds.insert(redirect.fd, fd);
                }
                Err(error) => {
                    let message = format!("sh: can't open {target}: {error}");
                    self.task.complain(&message).await;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn duplicate(&mut self, fd: u32, target: &str) -> bool {
        if target == "-" {
            self.task.fds.remove(&fd);
            return true;
        }
        let source: Option<Fd> = target
            .parse()
            .ok()
            .and_then(|number: u32| self.task.fds.get(&number).cloned());
        match source {
            Some(source) => {
                self.task.fds.insert(fd, source);
                true
            }
            None => false,
        }
    }
}
