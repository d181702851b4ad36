//! The one tar file this crate needs: programs at the top of an otherwise empty tree.

const BLOCK: usize = 512;

/// A tar with the directories `directories` and one executable at `path`.
pub(crate) fn with_program(directories: &[&str], path: &str, program: &[u8]) -> Vec<u8> {
    let mut tar = Vec::with_capacity(program.len() + (directories.len() + 5) * BLOCK);
    for directory in directories {
        tar.extend_from_slice(&header(directory, 0o755, 0, b'5'));
    }
    tar.extend_from_slice(&header(path, 0o555, program.len(), b'0'));
    tar.extend_from_slice(program);
    tar.resize(tar.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    tar
}

/// A `ustar` header owned by root, dated at the epoch so that equal content is equal bytes.
fn header(path: &str, mode: u32, size: usize, kind: u8) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put =
        |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, path);
    put(100, &format!("{mode:07o}"));
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{size:011o}"));
    put(136, "00000000000");
    // The checksum counts its own field as spaces.
    put(148, "        ");
    put(257, "ustar");
    put(263, "00");
    block[156] = kind;
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tar_itself_reads_it() {
        use std::io::Write;
        use std::process::{Command, Stdio};
        let mut tar = Command::new("tar")
            .args(["-tvf", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let archive = with_program(&["dev/", "proc/"], "agent", b"#!x");
        tar.stdin.take().unwrap().write_all(&archive).unwrap();
        let output = tar.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let listing = String::from_utf8(output.stdout).unwrap();
        assert!(listing.contains("-r-xr-xr-x 0/0"), "{listing}");
        assert_eq!(listing.lines().count(), 3);
    }
}
