//! What `stat` says about a file, as the scripts write it.

use std::time::Duration;

use bytes::Bytes;
use sandbox_core::{FileInfo, FileKind, Link, LinkTarget, Result, SandboxPath, Timestamp};

use crate::error::nonsense;

/// Fields of a record: path, `stat`, text of a link, its end, the mode there.
const FIELDS: usize = 5;

/// Every record in `output`. A name that is not UTF-8 cannot be said in a [`SandboxPath`] and is
/// left out.
pub(super) fn parse_all(output: &Bytes) -> Result<Vec<FileInfo>> {
    let mut fields: Vec<&[u8]> = output.split(|byte| *byte == 0).collect();
    // What follows the last NUL is empty.
    fields.pop();
    if !fields.len().is_multiple_of(FIELDS) {
        return Err(malformed());
    }
    let mut found = Vec::with_capacity(fields.len() / FIELDS);
    for record in fields.chunks_exact(FIELDS) {
        let Some(path) = std::str::from_utf8(record[0]).ok().map(SandboxPath::new) else {
            continue;
        };
        let mut info = parse_stat(path?, record[1])?;
        if info.kind == FileKind::Symlink {
            info.link = Some(link(record[2], record[3], record[4]));
        }
        found.push(info);
    }
    Ok(found)
}

/// Attributes from the line `stat -c '%f %s %u %g %Y %U %G'` writes.
pub(super) fn parse_stat(path: SandboxPath, line: &[u8]) -> Result<FileInfo> {
    let line = std::str::from_utf8(line).map_err(|_| malformed())?;
    let mut words = line.split_ascii_whitespace();
    let mut next = || words.next().ok_or_else(malformed);
    let mode = u32::from_str_radix(next()?, 16).map_err(|_| malformed())?;
    let mut number = || next()?.parse::<u64>().map_err(|_| malformed());
    let (size, uid, gid, modified) = (number()?, number()?, number()?, number()?);
    let name = |text: &str| Some(text.to_owned()).filter(|name| name != "UNKNOWN");
    let mut info = FileInfo::new(path, kind(mode), size);
    info.mode = mode & 0o7777;
    info.uid = u32::try_from(uid).map_err(|_| malformed())?;
    info.gid = u32::try_from(gid).map_err(|_| malformed())?;
    info.modified = Timestamp::EPOCH.plus(Duration::from_secs(modified));
    info.owner = name(next()?);
    info.group = name(next()?);
    Ok(info)
}

fn link(text: &[u8], end: &[u8], mode: &[u8]) -> Link {
    let mode = std::str::from_utf8(mode).ok();
    let mode = mode.and_then(|text| u32::from_str_radix(text, 16).ok());
    let end = std::str::from_utf8(end).ok();
    let path = end.and_then(|text| SandboxPath::new(text).ok());
    Link {
        text: String::from_utf8_lossy(text).into_owned(),
        target: path.zip(mode).map(|(path, mode)| LinkTarget {
            path,
            kind: kind(mode),
        }),
    }
}

fn kind(mode: u32) -> FileKind {
    match mode & 0o170_000 {
        0o100_000 => FileKind::File,
        0o040_000 => FileKind::Directory,
        0o120_000 => FileKind::Symlink,
        _ => FileKind::Other,
    }
}

fn malformed() -> sandbox_core::Error {
    nonsense("docker.exec", "the image's stat answers in an unknown form")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_with_odd_names_come_apart() {
        let output = "/a\nb\x0081a4 5 0 0 1700000000 root root\0\0\0\0\
                      /l\0a1ff 1 7 8 0 UNKNOWN UNKNOWN\0x y\0/a\x0041ed\0";
        let found = parse_all(&Bytes::from(output)).unwrap();
        assert_eq!(found[0].path.as_str(), "/a\nb");
        assert_eq!((found[0].size, found[0].mode), (5, 0o644));
        assert_eq!(found[0].owner.as_deref(), Some("root"));
        assert_eq!(found[1].owner, None);
        let link = found[1].link.as_ref().unwrap();
        assert_eq!(link.text, "x y");
        assert_eq!(link.target.as_ref().unwrap().kind, FileKind::Directory);
    }

    #[test]
    fn a_cut_record_is_an_error() {
        assert!(parse_all(&Bytes::from_static(b"/a\0x\0")).is_err());
    }
}
