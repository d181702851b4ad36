//! The request of `spawn` and `exec`.

use crate::kernel::{Errno, Request, Result};
use crate::wasi::memory::Guest;

/// Bytes of an entry of the descriptor list.
const PAIR_BYTES: u32 = 8;

const NEW_GROUP: u32 = 1;
const NEW_SESSION: u32 = 2;

/// Where the request's numbers are, in 32-bit steps.
const PATH: u32 = 0;
const ARGS: u32 = 2;
const ENV: u32 = 4;
const CWD: u32 = 6;
const DESCRIPTORS: u32 = 8;
const STATE: u32 = 10;
const FLAGS: u32 = 12;

/// The most bytes of a list and of a state: checked before anything is copied. The kernel has its
/// own, lower limits.
const MAX_COPY: u32 = 17 << 20;

/// Reads the request at `ptr`; `max_descriptors` is the caller's limit of open files.
///
/// # Errors
/// `FAULT`, `ILSEQ`, `TOOBIG`; `INVAL` for unknown flags, a list that does not end with NUL, a
/// path with one.
pub(super) fn read(guest: &Guest<'_>, ptr: u32, max_descriptors: u32) -> Result<Request> {
    let word = |index: u32| guest.u32(ptr.checked_add(index * 4).ok_or(Errno::FAULT)?);
    let part = |index: u32| -> Result<_> { Ok((word(index)?, word(index + 1)?)) };
    let flags = word(FLAGS)?;
    if flags & !(NEW_GROUP | NEW_SESSION) != 0 {
        return Err(Errno::INVAL);
    }
    Ok(Request {
        path: text(guest, part(PATH)?)?,
        argv: list(guest, part(ARGS)?)?,
        env: list(guest, part(ENV)?)?,
        cwd: text(guest, part(CWD)?)?,
        descriptors: descriptors(guest, part(DESCRIPTORS)?, max_descriptors)?,
        state: bytes(guest, part(STATE)?)?.to_vec(),
        new_group: flags & NEW_GROUP != 0,
        new_session: flags & NEW_SESSION != 0,
    })
}

fn bytes<'a>(guest: &'a Guest<'_>, (ptr, len): (u32, u32)) -> Result<&'a [u8]> {
    if len > MAX_COPY {
        return Err(Errno::TOOBIG);
    }
    if len == 0 {
        return Ok(&[]);
    }
    guest.bytes(ptr, len)
}

fn text(guest: &Guest<'_>, part: (u32, u32)) -> Result<String> {
    let text = std::str::from_utf8(bytes(guest, part)?).map_err(|_| Errno::ILSEQ)?;
    if text.contains('\0') {
        return Err(Errno::INVAL);
    }
    Ok(text.into())
}

/// Strings that each end with NUL.
fn list(guest: &Guest<'_>, part: (u32, u32)) -> Result<Vec<String>> {
    let bytes = bytes(guest, part)?;
    let Some(strings) = bytes.strip_suffix(&[0]) else {
        return if bytes.is_empty() {
            Ok(Vec::new())
        } else {
            Err(Errno::INVAL)
        };
    };
    let strings = strings.split(|byte| *byte == 0);
    strings
        .map(|string| String::from_utf8(string.to_vec()).map_err(|_| Errno::ILSEQ))
        .collect()
}

fn descriptors(guest: &Guest<'_>, (ptr, count): (u32, u32), max: u32) -> Result<Vec<(u32, u32)>> {
    if count > max {
        return Err(Errno::INVAL);
    }
    let pair = |index: u32| {
        let at = index
            .checked_mul(PAIR_BYTES)
            .and_then(|offset| ptr.checked_add(offset));
        let at = at.ok_or(Errno::FAULT)?;
        let parent = at.checked_add(4).ok_or(Errno::FAULT)?;
        Ok((guest.u32(at)?, guest.u32(parent)?))
    };
    (0..count).map(pair).collect()
}
