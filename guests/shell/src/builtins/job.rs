//! `wait`, `jobs`, and what stands for `fg`.

use sandbox_guest::process::{self, Status};
use sandbox_guest::{errno, signal};

use crate::ast::Bytes;
use crate::flow::{NOT_FOUND, Run, USAGE};
use crate::shell::Shell;
use crate::text;

pub(super) fn wait(shell: &mut Shell, args: &[Bytes]) -> Run {
    let Some((flags, operands)) = super::options(shell, args, "nf") else {
        return Ok(USAGE);
    };
    if flags.iter().any(|&(letter, _)| letter == b'n') {
        return wait_for_any(shell);
    }
    if operands.is_empty() {
        while let Some(job) = shell.jobs.list.iter().find(|job| job.status.is_none()) {
            let pid = job.id();
            if let Err(status) = wait_for_job(shell, pid)? {
                return Ok(status);
            }
        }
        shell.jobs.list.clear();
        return Ok(0);
    }
    let mut status = 0;
    for operand in operands {
        let Some(pid) = shell.jobs.resolve(operand) else {
            if operand.starts_with(b"%") {
                shell.complain(&format!("wait: No such job: {}", text::lossy(operand)));
            } else {
                shell.complain(&format!("wait: Illegal number: {}", text::lossy(operand)));
            }
            status = if operand.starts_with(b"%") {
                NOT_FOUND
            } else {
                USAGE
            };
            continue;
        };
        if !shell.jobs.list.iter().any(|job| job.id() == pid) {
            status = NOT_FOUND;
            continue;
        }
        match wait_for_job(shell, pid)? {
            Ok(found) => status = found,
            Err(interrupted) => return Ok(interrupted),
        }
        shell.jobs.list.retain(|job| job.id() != pid);
    }
    Ok(status)
}

/// The status of the job `pid`; the inner `Err` is that of a signal that was caught first.
fn wait_for_job(shell: &mut Shell, pid: i32) -> Run<Result<i32, i32>> {
    loop {
        if let Some(status) = shell
            .jobs
            .list
            .iter()
            .find(|job| job.id() == pid)
            .and_then(|job| job.status)
        {
            return Ok(Ok(status));
        }
        match process::wait(pid) {
            Ok((ended, status)) => shell.jobs.ended(ended, status),
            Err(error) if errno::is(&error, errno::INTR) => {
                if let Some(status) = interrupted(shell)? {
                    return Ok(Err(status));
                }
            }
            // Somebody else has waited for it.
            Err(_) => shell
                .jobs
                .ended(pid, Status::exited(NOT_FOUND.to_le_bytes()[0])),
        }
    }
}

/// Runs the trap of the signal that interrupted a wait; its status.
fn interrupted(shell: &mut Shell) -> Run<Option<i32>> {
    let Some(number) = signal::take() else {
        return Ok(None);
    };
    if let Some(action) = shell.traps.actions.get(&number).cloned() {
        let line = shell.line;
        shell.run_text(action, line)?;
    }
    Ok(Some(128 + number.cast_signed()))
}

fn wait_for_any(shell: &mut Shell) -> Run {
    loop {
        if let Some(at) = shell.jobs.list.iter().position(|job| job.status.is_some()) {
            return Ok(shell.jobs.list.remove(at).status.unwrap_or_default());
        }
        if shell.jobs.list.is_empty() {
            return Ok(NOT_FOUND);
        }
        match process::wait(-1) {
            Ok((ended, status)) => shell.jobs.ended(ended, status),
            Err(error) if errno::is(&error, errno::INTR) => {
                if let Some(status) = interrupted(shell)? {
                    return Ok(status);
                }
            }
            Err(_) => return Ok(NOT_FOUND),
        }
    }
}

pub(super) fn jobs(shell: &mut Shell, args: &[Bytes]) -> Run {
    let Some((flags, _)) = super::options(shell, args, "lprs") else {
        return Ok(USAGE);
    };
    let has = |wanted: u8| flags.iter().any(|&(letter, _)| letter == wanted);
    shell.jobs.reap();
    let last = shell.jobs.list.len();
    let mut out = Bytes::new();
    for (number, job) in shell.jobs.list.iter().enumerate() {
        if has(b'p') {
            out.extend(format!("{}\n", job.id()).bytes());
            continue;
        }
        let mark = if number + 1 == last {
            '+'
        } else if number + 2 == last {
            '-'
        } else {
            ' '
        };
        let state = match job.status {
            None => "Running".to_owned(),
            Some(0) => "Done".to_owned(),
            Some(status) => format!("Done({status})"),
        };
        let pid = if has(b'l') {
            format!("{} ", job.id())
        } else {
            String::new()
        };
        out.extend(format!("[{}] {mark} {pid}{state:<24}", number + 1).bytes());
        out.extend_from_slice(&job.text);
        out.push(b'\n');
    }
    let status = shell.print("jobs", &out)?;
    shell.jobs.list.retain(|job| job.status.is_none());
    Ok(status)
}

/// `fg` waits for a job; `bg` has nothing to do, since nothing is ever stopped by a terminal.
pub(super) fn foreground(shell: &mut Shell, args: &[Bytes]) -> Run {
    let name = text::lossy(&args[0]).into_owned();
    let spec = args.get(1).cloned().unwrap_or_else(|| b"%%".to_vec());
    let Some(pid) = shell
        .jobs
        .resolve(&spec)
        .filter(|pid| shell.jobs.list.iter().any(|job| job.id() == *pid))
    else {
        return shell.refuse(&name, &format!("No such job: {}", text::lossy(&spec)));
    };
    if name == "bg" {
        return Ok(0);
    }
    let status = match wait_for_job(shell, pid)? {
        Ok(status) | Err(status) => status,
    };
    shell.jobs.list.retain(|job| job.id() != pid);
    Ok(status)
}
