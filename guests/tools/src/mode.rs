//! Permissions as people write them.

use sandbox_guest::files::kind;

const TYPES: [(u32, char); 7] = [
    (kind::FILE, '-'),
    (kind::DIRECTORY, 'd'),
    (kind::SYMLINK, 'l'),
    (kind::CHARACTER, 'c'),
    (kind::BLOCK, 'b'),
    (kind::FIFO, 'p'),
    (kind::SOCKET, 's'),
];

/// `drwxr-xr-x`
pub fn show(mode: u32) -> String {
    let of = TYPES
        .iter()
        .find(|&&(bits, _)| bits == mode & kind::MASK)
        .map_or('?', |&(_, letter)| letter);
    let mut text = String::from(of);
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, mode & special != 0) {
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}

/// What `stat` and `find` call the kind of a file.
pub fn kind_name(mode: u32, size: u64) -> &'static str {
    match mode & kind::MASK {
        kind::FILE if size == 0 => "regular empty file",
        kind::FILE => "regular file",
        kind::DIRECTORY => "directory",
        kind::SYMLINK => "symbolic link",
        kind::CHARACTER => "character special file",
        kind::BLOCK => "block special file",
        kind::FIFO => "fifo",
        kind::SOCKET => "socket",
        _ => "weird file",
    }
}

/// Applies `text` (`755`, `u+x,go-w`, `a=rX`) to the permissions `old` of a file; `None` when it means nothing.
///
/// Without a class of users, the bits of `umask` are left alone, as POSIX says.
pub fn apply(text: &str, old: u32, is_dir: bool, umask: u32) -> Option<u32> {
    let old = old & 0o7777;
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let mode = u32::from_str_radix(text, 8)
            .ok()
            .filter(|&mode| mode <= 0o7777)?;
        // A directory keeps set-id bits that a short number does not name.
        let kept = if is_dir && text.len() < 5 {
            old & 0o6000
        } else {
            0
        };
        return Some(mode | kept);
    }
    text.split(',').try_fold(old, |mode, clause| {
        apply_clause(clause, mode, is_dir, umask)
    })
}

fn apply_clause(clause: &str, mut mode: u32, is_dir: bool, umask: u32) -> Option<u32> {
    let start = clause.find(['+', '-', '='])?;
    let (classes, mut actions) = clause.split_at(start);
    let mut who = 0;
    for class in classes.chars() {
        who |= match class {
            'u' => 0o4700,
            'g' => 0o2070,
            'o' => 0o1007,
            'a' => 0o7777,
            _ => return None,
        };
    }
    let allowed = if who == 0 { 0o7777 & !umask } else { who };
    while !actions.is_empty() {
        let operator = actions.as_bytes()[0];
        let rest = &actions[1..];
        let end = rest.find(['+', '-', '=']).unwrap_or(rest.len());
        let bits = permissions(&rest[..end], mode, is_dir)? & allowed;
        mode = match operator {
            b'+' => mode | bits,
            b'-' => mode & !bits,
            _ => {
                let replaced = if who == 0 { 0o777 } else { who & 0o777 };
                let special = if is_dir { 0 } else { who & 0o7000 };
                mode & !(replaced | special) | bits
            }
        };
        actions = &rest[end..];
    }
    Some(mode)
}

fn permissions(letters: &str, mode: u32, is_dir: bool) -> Option<u32> {
    let mut bits = 0;
    for letter in letters.chars() {
        bits |= match letter {
            'r' => 0o444,
            'w' => 0o222,
            'x' => 0o111,
            'X' if is_dir || mode & 0o111 != 0 => 0o111,
            'X' => 0,
            's' => 0o6000,
            't' => 0o1000,
            'u' => (mode >> 6 & 7) * 0o111,
            'g' => (mode >> 3 & 7) * 0o111,
            'o' => (mode & 7) * 0o111,
            _ => return None,
        };
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_shown_with_kind_and_special_bits() {
        assert_eq!(show(0o100_644), "-rw-r--r--");
        assert_eq!(show(0o041_777), "drwxrwxrwt");
        assert_eq!(show(0o104_755), "-rwsr-xr-x");
        assert_eq!(show(0o102_644), "-rw-r-Sr--");
        assert_eq!(show(0o120_777), "lrwxrwxrwx");
    }

    #[test]
    fn symbolic_modes_change_what_they_name() {
        for (text, old, dir, expected) in [
            ("755", 0o644, false, Some(0o755)),
            ("u+x", 0o644, false, Some(0o744)),
            ("+x", 0o644, false, Some(0o755)),
            ("+w", 0o444, false, Some(0o644)),
            ("go-rwx", 0o777, false, Some(0o700)),
            ("a=rX", 0o640, false, Some(0o444)),
            ("a=rX", 0o640, true, Some(0o555)),
            ("u=rw,go=u", 0o700, false, Some(0o666)),
            ("g+s", 0o755, true, Some(0o2755)),
            ("755", 0o2700, true, Some(0o2755)),
            ("u-x+w", 0o500, false, Some(0o600)),
            ("=", 0o755, false, Some(0)),
            ("8", 0, false, None),
            ("77777", 0, false, None),
            ("u+q", 0, false, None),
            ("z+x", 0, false, None),
            ("u", 0, false, None),
            ("", 0, false, None),
        ] {
            assert_eq!(apply(text, old, dir, 0o022), expected, "{text}");
        }
    }
}
