//! Sizes as people read them.

use sandbox_guest::files::Stat;

/// The unit that file data is kept in on disk, for programs that count blocks.
const BLOCK: u64 = 4096;

/// KiB that a file counts for: its size in whole blocks of 4 KiB. The kernel keeps no block counts.
pub fn blocks(stat: &Stat) -> u64 {
    if stat.is_file() || stat.is_dir() {
        stat.size.div_ceil(BLOCK) * (BLOCK / 1024)
    } else {
        0
    }
}

/// `1.5K`, rounded up as GNU's programs do.
pub fn human(bytes: u64) -> String {
    if bytes < 1024 {
        return bytes.to_string();
    }
    let mut unit = 1u64 << 10;
    let mut letters = "KMGTPE".chars();
    let mut letter = letters.next().unwrap_or('K');
    while bytes.div_ceil(unit) >= 1024 {
        let Some(next) = letters.next() else { break };
        letter = next;
        unit <<= 10;
    }
    let tenths = (u128::from(bytes) * 10).div_ceil(u128::from(unit));
    if tenths < 100 {
        format!("{}.{}{letter}", tenths / 10, tenths % 10)
    } else {
        format!("{}{letter}", bytes.div_ceil(unit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn human_sizes_are_rounded_up() {
        for (bytes, text) in [
            (0, "0"),
            (1023, "1023"),
            (1024, "1.0K"),
            (1025, "1.1K"),
            (10_240, "10K"),
            (10_241, "11K"),
            (1_048_575, "1.0M"),
            (1_048_576, "1.0M"),
            (u64::MAX, "16E"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }
}
