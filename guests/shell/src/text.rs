//! Bytes that are mostly UTF-8: characters are what decodes, and each byte that does not.

/// The length of the character at the beginning of `bytes`; 0 when empty.
pub fn char_len(bytes: &[u8]) -> usize {
    let Some(&first) = bytes.first() else {
        return 0;
    };
    let len = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return 1,
    };
    match bytes.get(..len) {
        Some(whole) if std::str::from_utf8(whole).is_ok() => len,
        _ => 1,
    }
}

/// The first character as a number; for a byte that is no UTF-8, a number beyond all characters.
pub fn first_char(bytes: &[u8]) -> u32 {
    let len = char_len(bytes);
    match std::str::from_utf8(&bytes[..len]) {
        Ok(text) => text.chars().next().map_or(0, u32::from),
        Err(_) => 0x11_0000 + u32::from(bytes[0]),
    }
}

/// How many characters there are.
pub fn char_count(mut bytes: &[u8]) -> usize {
    if bytes.is_ascii() {
        return bytes.len();
    }
    let mut count = 0;
    while !bytes.is_empty() {
        bytes = &bytes[char_len(bytes)..];
        count += 1;
    }
    count
}

/// Where the character number `index` begins, at most the end.
pub fn char_offset(bytes: &[u8], index: usize) -> usize {
    let mut at = 0;
    for _ in 0..index {
        if at == bytes.len() {
            break;
        }
        at += char_len(&bytes[at..]);
    }
    at
}

/// Whether `bytes` is the name of a variable.
pub fn is_name(bytes: &[u8]) -> bool {
    name_len(bytes) == bytes.len() && !bytes.is_empty()
}

/// The length of the name at the beginning.
pub fn name_len(bytes: &[u8]) -> usize {
    match bytes.first() {
        Some(first) if first.is_ascii_alphabetic() || *first == b'_' => {}
        _ => return 0,
    }
    bytes
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
        .count()
}

/// Text for messages and for calls that want UTF-8.
pub fn lossy(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// A decimal number with optional sign and surrounding blanks.
pub fn parse_int(bytes: &[u8]) -> Option<i64> {
    std::str::from_utf8(bytes)
        .ok()?
        .trim_matches([' ', '\t', '\n'])
        .parse()
        .ok()
}

/// Quoted so that the shell reads `bytes` back as one word.
pub fn quoted(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 2);
    let mut rest = bytes;
    loop {
        let plain = rest.iter().take_while(|&&byte| byte != b'\'').count();
        out.push(b'\'');
        out.extend_from_slice(&rest[..plain]);
        out.push(b'\'');
        rest = &rest[plain..];
        let quotes = rest.iter().take_while(|&&byte| byte == b'\'').count();
        if quotes > 0 {
            out.push(b'"');
            out.extend_from_slice(&rest[..quotes]);
            out.push(b'"');
        }
        rest = &rest[quotes..];
        if rest.is_empty() {
            return out;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_counted_and_bad_bytes_count_as_one() {
        assert_eq!(char_count("aé€😀".as_bytes()), 4);
        assert_eq!(char_count(b"a\xffb\xe2\x82"), 5);
        assert_eq!(char_offset("aé€".as_bytes(), 2), 3);
        assert_eq!(char_offset(b"ab", 9), 2);
    }

    #[test]
    fn names_are_letters_digits_and_underscores() {
        assert!(is_name(b"_a1") && !is_name(b"1a") && !is_name(b"") && !is_name(b"a-b"));
        assert_eq!(name_len(b"abc=d"), 3);
    }

    #[test]
    fn quoting_survives_quotes() {
        assert_eq!(quoted(b"a''b"), b"'a'\"''\"'b'");
    }
}
