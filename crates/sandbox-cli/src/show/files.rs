//! Files of a sandbox.

use sandbox_api_types::{FileInfo, FileKind};

use super::units::{bytes, time};
use crate::output::Table;

/// Files as a table.
pub(crate) fn files(all: &[FileInfo]) -> Table {
    let mut table = Table::new(["MODE", "OWNER", "SIZE", "MODIFIED", "NAME"]);
    for one in all {
        let owner = one.owner.clone().unwrap_or_else(|| one.uid.to_string());
        let name = one.path.name().unwrap_or("/");
        let name = match (&one.link, one.kind) {
            (Some(link), _) => format!("{name} -> {}", link.text),
            (None, FileKind::Directory) => format!("{name}/"),
            (None, _) => name.to_owned(),
        };
        table.row([
            mode(one),
            owner,
            bytes(one.size),
            time(&one.modified_at),
            name,
        ]);
    }
    table
}

fn mode(info: &FileInfo) -> String {
    let kind = match info.kind {
        FileKind::File => '-',
        FileKind::Directory => 'd',
        FileKind::Symlink => 'l',
        FileKind::Other => '?',
    };
    let bits = (0..9).rev().map(|bit| match info.mode.0 >> bit & 1 {
        1 => ['x', 'w', 'r'][bit % 3],
        _ => '-',
    });
    std::iter::once(kind).chain(bits).collect()
}

#[cfg(test)]
mod tests {
    use sandbox_core::SandboxPath;

    use super::*;

    #[test]
    fn modes_are_written_as_ls_writes_them() {
        let path = SandboxPath::new("/d").unwrap();
        let mut info = sandbox_core::FileInfo::new(path, sandbox_core::FileKind::Directory, 0);
        info.mode = 0o754;
        let info = FileInfo::from(info);
        assert_eq!(mode(&info), "drwxr-xr--");
        let lines: Vec<String> = files(&[info]).lines().collect();
        assert!(lines[1].ends_with(" d/"), "{lines:?}");
    }
}
