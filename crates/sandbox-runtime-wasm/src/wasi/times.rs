//! The times that a call sets.

use crate::fs::FileTime;
use crate::kernel::{Errno, Result};

const ACCESSED: u32 = 1;
const ACCESSED_NOW: u32 = 1 << 1;
const MODIFIED: u32 = 1 << 2;
const MODIFIED_NOW: u32 = 1 << 3;

/// What `fstflags` choose of the given times and `now`; `None` leaves a time as it is.
///
/// # Errors
/// `INVAL` for both at once, and for flags that there are not.
pub(super) fn chosen(
    accessed: u64,
    modified: u64,
    flags: u32,
    now: FileTime,
) -> Result<(Option<FileTime>, Option<FileTime>)> {
    if flags & !(ACCESSED | ACCESSED_NOW | MODIFIED | MODIFIED_NOW) != 0 {
        return Err(Errno::INVAL);
    }
    let one = |given: u64, set: u32, set_now: u32| match (flags & set != 0, flags & set_now != 0) {
        (true, true) => Err(Errno::INVAL),
        (true, false) => Ok(Some(FileTime::from_nanos(given))),
        (false, true) => Ok(Some(now)),
        (false, false) => Ok(None),
    };
    Ok((
        one(accessed, ACCESSED, ACCESSED_NOW)?,
        one(modified, MODIFIED, MODIFIED_NOW)?,
    ))
}
