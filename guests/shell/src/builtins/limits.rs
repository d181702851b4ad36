//! `umask`, `ulimit`, `times`.

use sandbox_guest::files;
use sandbox_guest::system::{self, Limit};

use crate::ast::Bytes;
use crate::exec::minutes;
use crate::flow::{Run, USAGE};
use crate::shell::{Shell, describe};
use crate::text;

pub(super) fn umask(shell: &mut Shell, args: &[Bytes]) -> Run {
    let Some((flags, operands)) = super::options(shell, args, "Sp") else {
        return Ok(USAGE);
    };
    let old = match files::umask() {
        Ok(old) => old,
        Err(error) => return shell.refuse("umask", &describe(&error)),
    };
    let Some(operand) = operands.first() else {
        let line = match flags.iter().any(|&(letter, _)| letter == b'S') {
            true => symbolic(old),
            false => format!("{old:04o}\n"),
        };
        return shell.print("umask", line.as_bytes());
    };
    let new = match operand.first() {
        Some(digit) if digit.is_ascii_digit() => std::str::from_utf8(operand)
            .ok()
            .and_then(|text| u32::from_str_radix(text, 8).ok())
            .filter(|&new| new <= 0o777),
        _ => changed(old, operand),
    };
    let Some(new) = new else {
        shell.complain(&format!("umask: Illegal mode: {}", text::lossy(operand)));
        return Ok(USAGE);
    };
    match files::set_umask(new) {
        Ok(_) => Ok(0),
        Err(error) => shell.refuse("umask", &describe(&error)),
    }
}

/// The permissions that `mask` leaves, as `u=rwx,g=rx,o=rx`.
fn symbolic(mask: u32) -> String {
    let part = |who: char, shift: u32| {
        let bits = !mask >> shift & 7;
        let letters: String = [(4, 'r'), (2, 'w'), (1, 'x')]
            .iter()
            .filter(|(bit, _)| bits & bit != 0)
            .map(|(_, letter)| letter)
            .collect();
        format!("{who}={letters}")
    };
    format!("{},{},{}\n", part('u', 6), part('g', 3), part('o', 0))
}

/// The mask after `u+w,go-rwx`; `None` when that is no such list.
fn changed(mask: u32, clauses: &[u8]) -> Option<u32> {
    let mut allowed = !mask & 0o777;
    for clause in clauses.split(|&byte| byte == b',') {
        let op = clause
            .iter()
            .position(|byte| matches!(byte, b'+' | b'-' | b'='))?;
        let mut who = 0;
        for byte in &clause[..op] {
            who |= match byte {
                b'u' => 0o700,
                b'g' => 0o070,
                b'o' => 0o007,
                b'a' => 0o777,
                _ => return None,
            };
        }
        let who = if who == 0 { 0o777 } else { who };
        let mut bits = 0;
        for byte in &clause[op + 1..] {
            bits |= match byte {
                b'r' => 0o444,
                b'w' => 0o222,
                b'x' => 0o111,
                _ => return None,
            };
        }
        allowed = match clause[op] {
            b'+' => allowed | (who & bits),
            b'-' => allowed & !(who & bits),
            _ => (allowed & !who) | (who & bits),
        };
    }
    Some(!allowed & 0o777)
}

/// Letter, what it is, unit in bytes (or 1), and the kernel's limit if it has one.
const LIMITS: [(u8, &str, u64, Option<Limit>); 10] = [
    (b't', "time(seconds)", 1, None),
    (b'f', "file(blocks)", 512, Some(Limit::FileSize)),
    (b'd', "data(kbytes)", 1024, Some(Limit::Memory)),
    (b's', "stack(kbytes)", 1024, None),
    (b'c', "coredump(blocks)", 512, None),
    (b'm', "memory(kbytes)", 1024, Some(Limit::Memory)),
    (b'v', "vmemory(kbytes)", 1024, Some(Limit::Memory)),
    (b'n', "nofiles", 1, Some(Limit::OpenFiles)),
    (b'u', "process", 1, Some(Limit::Processes)),
    (b'p', "process", 1, Some(Limit::Processes)),
];

fn shown(unit: u64, limit: Option<Limit>) -> String {
    match limit.map(system::limit) {
        Some(Ok(value)) if value != u64::MAX => (value / unit).to_string(),
        _ => "unlimited".to_owned(),
    }
}

/// Shows limits. The kernel sets them for the whole sandbox: a shell cannot lower its own, and says so.
pub(super) fn ulimit(shell: &mut Shell, args: &[Bytes]) -> Run {
    let Some((flags, operands)) = super::options(shell, args, "HSatfdscmvnup") else {
        return Ok(USAGE);
    };
    let mut out = String::new();
    if flags.iter().any(|&(letter, _)| letter == b'a') {
        for (_, name, unit, limit) in LIMITS.iter().take(9) {
            out.push_str(&format!("{name:<21}{}\n", shown(*unit, *limit)));
        }
        return shell.print("ulimit", out.as_bytes());
    }
    let wanted = flags
        .iter()
        .rev()
        .find(|(letter, _)| !matches!(letter, b'H' | b'S'))
        .map_or(b'f', |&(letter, _)| letter);
    let Some((_, _, unit, limit)) = LIMITS.iter().find(|(letter, ..)| *letter == wanted) else {
        return Ok(USAGE);
    };
    let present = shown(*unit, *limit);
    let Some(operand) = operands.first() else {
        return shell.print("ulimit", format!("{present}\n").as_bytes());
    };
    if operand == present.as_bytes() || (operand == b"unlimited" && present == "unlimited") {
        return Ok(0);
    }
    shell.complain("ulimit: limits are set for the whole sandbox");
    Ok(USAGE)
}

pub(super) fn times(shell: &mut Shell, _: &[Bytes]) -> Run {
    let times = system::times().unwrap_or_default();
    let line = |user, system| format!("{} {}\n", minutes(user), minutes(system));
    let text = line(times.user, times.system) + &line(times.child_user, times.child_system);
    shell.print("times", text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_changed_by_clauses() {
        assert_eq!(changed(0o022, b"g+w"), Some(0o002));
        assert_eq!(changed(0o022, b"u=rwx,go="), Some(0o077));
        assert_eq!(changed(0o022, b"z+w"), None);
        assert_eq!(symbolic(0o027), "u=rwx,g=rx,o=\n");
    }
}
