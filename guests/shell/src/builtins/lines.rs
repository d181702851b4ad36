//! `mapfile`.

use std::collections::BTreeMap;

use sandbox_guest::{errno, fd};

use crate::ast::Bytes;
use crate::flow::{Run, USAGE};
use crate::shell::{Shell, describe};
use crate::text;
use crate::vars::Value;

/// `mapfile [-t] [-d delimiter] [-n count] [-s skip] [array]`
pub(super) fn mapfile(shell: &mut Shell, args: &[Bytes]) -> Run {
    let Some((flags, names)) = super::options(shell, args, "td:n:s:u:O:") else {
        return Ok(USAGE);
    };
    let mut delimiter = b'\n';
    let (mut strips, mut most, mut skipped, mut number, mut first) =
        (false, usize::MAX, 0, 0, 0_i64);
    for (letter, value) in flags {
        let count = text::parse_int(value).and_then(|count| usize::try_from(count).ok());
        match letter {
            b't' => strips = true,
            b'd' => delimiter = value.first().copied().unwrap_or(0),
            b'n' => most = count.filter(|&count| count > 0).unwrap_or(usize::MAX),
            b's' => skipped = count.unwrap_or(0),
            b'u' => {
                number = count
                    .and_then(|count| u32::try_from(count).ok())
                    .unwrap_or(u32::MAX)
            }
            _ => {
                first = count
                    .and_then(|count| i64::try_from(count).ok())
                    .unwrap_or(0)
            }
        }
    }
    let name = names
        .first()
        .cloned()
        .unwrap_or_else(|| b"MAPFILE".to_vec());
    let all = match shell.fds.number(number).and_then(read_all) {
        Ok(all) => all,
        Err(error) => return shell.refuse("mapfile", &describe(&error)),
    };
    let lines = all
        .split_inclusive(|&byte| byte == delimiter)
        .skip(skipped)
        .take(most);
    let lines = lines.map(|line| match line.strip_suffix(&[delimiter]) {
        Some(bare) if strips => bare.to_vec(),
        _ => line.to_vec(),
    });
    let items: BTreeMap<i64, Bytes> = (first..).zip(lines).collect();
    shell.writable(&name)?.value = Some(Value::Array(items));
    Ok(0)
}

fn read_all(source: u32) -> std::io::Result<Bytes> {
    let mut out = Bytes::new();
    let mut buf = [0; 8192];
    loop {
        match errno::retry(|| fd::read(source, &mut buf))? {
            0 => return Ok(out),
            count => out.extend_from_slice(&buf[..count]),
        }
    }
}
