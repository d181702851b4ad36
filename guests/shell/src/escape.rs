//! Backslash escapes of `$'…'`, `echo`, `printf` and `%b`.

/// Which escapes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `$'…'`: octal without a leading 0, quotes, `\cX`.
    Ansi,
    /// `printf`'s format: octal without a leading 0.
    Format,
    /// `echo` and `%b`: octal as `\0nnn`; `\c` ends the output.
    Echo,
}

/// One decoded escape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    Byte(u8),
    Char(char),
    /// `\c`: nothing more.
    Stop,
    /// None that is known: the backslash stays.
    Unknown,
}

/// Decodes what follows a backslash; the escape and how many bytes it took.
pub fn decode(text: &[u8], kind: Kind) -> (Escape, usize) {
    let Some(&first) = text.first() else {
        return (Escape::Unknown, 0);
    };
    let simple = match first {
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        b'\\' => b'\\',
        b'e' | b'E' => 27,
        b'\'' | b'"' if kind != Kind::Echo => first,
        b'?' if kind == Kind::Ansi => first,
        b'c' if kind == Kind::Ansi => {
            return match text.get(1) {
                Some(control) => (Escape::Byte(control & 0x1f), 2),
                None => (Escape::Unknown, 0),
            };
        }
        b'c' => return (Escape::Stop, 1),
        b'x' => {
            return digits(&text[1..], 16, 2)
                .map_or((Escape::Unknown, 0), |(value, len)| byte(value, len + 1));
        }
        b'u' | b'U' => {
            let most = if first == b'u' { 4 } else { 8 };
            let found = digits(&text[1..], 16, most);
            return match found.and_then(|(value, len)| Some((char::from_u32(value)?, len))) {
                Some((char, len)) => (Escape::Char(char), len + 1),
                None => (Escape::Unknown, 0),
            };
        }
        b'0' if kind == Kind::Echo => {
            let (value, len) = digits(&text[1..], 8, 3).unwrap_or((0, 0));
            return byte(value, len + 1);
        }
        b'0'..=b'7' if kind == Kind::Echo => {
            let (value, len) = digits(text, 8, 3).unwrap_or((0, 0));
            return byte(value, len);
        }
        b'0'..=b'7' => {
            let (value, len) = digits(text, 8, 3).unwrap_or((0, 0));
            return byte(value, len);
        }
        _ => return (Escape::Unknown, 0),
    };
    (Escape::Byte(simple), 1)
}

fn byte(value: u32, len: usize) -> (Escape, usize) {
    (Escape::Byte(value.to_le_bytes()[0]), len)
}

fn digits(text: &[u8], radix: u32, most: usize) -> Option<(u32, usize)> {
    let digit = |byte: &u8| char::from(*byte).to_digit(radix);
    let len = text
        .iter()
        .take(most)
        .take_while(|byte| digit(byte).is_some())
        .count();
    let value = text[..len]
        .iter()
        .filter_map(digit)
        .fold(0, |value, digit| value * radix + digit);
    (len > 0).then_some((value, len))
}

/// Appends what `text` means; false when a `\c` ended it.
pub fn unescape(text: &[u8], kind: Kind, out: &mut Vec<u8>) -> bool {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let (escape, len) = decode(rest, kind);
        rest = &rest[len..];
        match escape {
            Escape::Byte(byte) => out.push(byte),
            Escape::Char(char) => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            Escape::Stop => return false,
            Escape::Unknown => out.push(b'\\'),
        }
    }
    out.extend_from_slice(rest);
    true
}

/// What the inside of `$'…'` means.
pub fn ansi(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    unescape(text, Kind::Ansi, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ansi_strings_know_octal_hex_unicode_and_control() {
        assert_eq!(
            ansi(br"a\tb\x41\101\u20ac\'\cA\q"),
            "a\tbAA€'\u{1}\\q".as_bytes()
        );
    }

    #[test]
    fn echo_wants_a_zero_for_octal_and_stops_at_c() {
        let mut out = Vec::new();
        assert!(!unescape(br"x\0101\cgone", Kind::Echo, &mut out));
        assert_eq!(out, b"xA");
    }
}
