//! Shell patterns: `*`, `?`, `[…]`, and `\` before a character that means itself.

use crate::text::{char_len, first_char};

/// Whether `pattern` can match anything but itself. An opening bracket that never closes is a character: the command
/// `[` is no pattern.
pub fn is_wild(pattern: &[u8]) -> bool {
    let closes = |at: usize| pattern[at + 1..].contains(&b']');
    let wild = |(at, byte): (usize, &u8)| match byte {
        b'*' | b'?' => true,
        b'[' => closes(at),
        _ => false,
    };
    pattern.iter().enumerate().any(wild)
}

/// Whether `pattern` is other than the text that it matches: it is wild, or has escapes.
pub fn is_pattern(pattern: &[u8]) -> bool {
    pattern.contains(&b'\\') || is_wild(pattern)
}

/// Appends `text` so that as a pattern it means itself.
pub fn escape(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        if matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\' | b'-' | b'!' | b'^') {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

/// `pattern` without its escapes.
pub fn unescape(pattern: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(pattern.len());
    let mut bytes = pattern.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\\' => out.push(*bytes.next().unwrap_or(&b'\\')),
            _ => out.push(byte),
        }
    }
    out
}

/// Whether `pattern` matches all of `text`. Time is at most the product of both lengths.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut pos) = (0, 0);
    // Where to go on when what follows the last `*` does not match: it then takes one character more.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if at < pattern.len() && pattern[at] == b'*' {
            at += 1;
            if at == pattern.len() {
                return true;
            }
            retry = Some((at, pos));
            continue;
        }
        if at == pattern.len() && pos == text.len() {
            return true;
        }
        if pos < text.len()
            && at < pattern.len()
            && let Some((next, len)) = step(&pattern[at..], &text[pos..])
        {
            at += next;
            pos += len;
            continue;
        }
        match retry {
            Some((after, from)) if from < text.len() => {
                pos = from + char_len(&text[from..]);
                at = after;
                retry = Some((after, pos));
            }
            _ => return false,
        }
    }
}

/// Matches one element of `pattern`; the lengths of both that were used.
fn step(pattern: &[u8], text: &[u8]) -> Option<(usize, usize)> {
    match pattern[0] {
        b'?' => Some((1, char_len(text))),
        b'[' => match bracket(pattern, first_char(text)) {
            Some((true, len)) => Some((len, char_len(text))),
            Some((false, _)) => None,
            // A bracket that does not close is a character.
            None => (text[0] == b'[').then_some((1, 1)),
        },
        b'\\' => match pattern.get(1) {
            Some(&byte) => (text[0] == byte).then_some((2, 1)),
            None => (text[0] == b'\\').then_some((1, 1)),
        },
        byte => (text[0] == byte).then_some((1, 1)),
    }
}

/// Whether the bracket expression at the beginning of `pattern` contains `char`, and its length.
fn bracket(pattern: &[u8], char: u32) -> Option<(bool, usize)> {
    let mut at = 1;
    let negated = matches!(pattern.get(at), Some(b'!' | b'^'));
    at += usize::from(negated);
    let first = at;
    let mut found = false;
    loop {
        let &byte = pattern.get(at)?;
        if byte == b']' && at > first {
            return Some((found != negated, at + 1));
        }
        if byte == b'['
            && let Some((inside, len)) = class(&pattern[at..], char)
        {
            found |= inside;
            at += len;
            continue;
        }
        let (low, len) = item(&pattern[at..])?;
        at += len;
        if pattern.get(at) == Some(&b'-') && pattern.get(at + 1).is_some_and(|&byte| byte != b']') {
            let (high, len) = item(&pattern[at + 1..])?;
            at += len + 1;
            found |= (low..=high).contains(&char);
        } else {
            found |= low == char;
        }
    }
}

/// One character of a bracket expression, and its length.
fn item(pattern: &[u8]) -> Option<(u32, usize)> {
    match pattern.first()? {
        b'\\' if pattern.len() > 1 => {
            Some((first_char(&pattern[1..]), 1 + char_len(&pattern[1..])))
        }
        b'[' if matches!(pattern.get(1), Some(b'.' | b'=')) => {
            let kind = pattern[1];
            let end = pattern[2..]
                .windows(2)
                .position(|two| two == [kind, b']'])?;
            (end > 0).then(|| (first_char(&pattern[2..]), end + 4))
        }
        _ => Some((first_char(pattern), char_len(pattern))),
    }
}

/// A `[:class:]`: whether it contains `char`, and its length.
fn class(pattern: &[u8], char: u32) -> Option<(bool, usize)> {
    let name = pattern.strip_prefix(b"[:")?;
    let end = name.windows(2).position(|two| two == b":]")?;
    let char = char::from_u32(char);
    let is = |test: fn(char) -> bool| char.is_some_and(test);
    let inside = match &name[..end] {
        b"alpha" => is(char::is_alphabetic),
        b"digit" => is(|char| char.is_ascii_digit()),
        b"alnum" => is(char::is_alphanumeric),
        b"upper" => is(char::is_uppercase),
        b"lower" => is(char::is_lowercase),
        b"space" => is(char::is_whitespace),
        b"blank" => is(|char| matches!(char, ' ' | '\t')),
        b"punct" => is(|char| char.is_ascii_punctuation()),
        b"print" => is(|char| !char.is_control()),
        b"graph" => is(|char| !char.is_control() && !char.is_whitespace()),
        b"cntrl" => is(char::is_control),
        b"xdigit" => is(|char| char.is_ascii_hexdigit()),
        _ => return None,
    };
    Some((inside, end + 4))
}

/// Which end of a text a pattern is matched at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Start,
    Tail,
}

/// What is left of `text` after `pattern` has been taken away from one end, the shortest or longest match.
pub fn trim<'a>(text: &'a [u8], pattern: &[u8], end: End, longest: bool) -> &'a [u8] {
    let mut cuts = boundaries(text);
    // The shortest match cuts least: at the front the first boundary, at the tail the last.
    if (end == End::Start) == longest {
        cuts.reverse();
    }
    for cut in cuts {
        let (front, tail) = text.split_at(cut);
        match end {
            End::Start if matches(pattern, front) => return tail,
            End::Tail if matches(pattern, tail) => return front,
            _ => {}
        }
    }
    text
}

/// Where characters begin, and the end.
fn boundaries(text: &[u8]) -> Vec<usize> {
    let mut all = Vec::with_capacity(text.len() + 1);
    let mut at = 0;
    while at < text.len() {
        all.push(at);
        at += char_len(&text[at..]);
    }
    all.push(at);
    all
}

/// The longest match of `pattern` that begins at the start of `text`.
pub fn longest_prefix(text: &[u8], pattern: &[u8]) -> Option<usize> {
    boundaries(text)
        .into_iter()
        .rev()
        .find(|&cut| matches(pattern, &text[..cut]))
}

/// The first and longest match of `pattern` in `text` from `from` on. Never empty.
pub fn find(text: &[u8], pattern: &[u8], from: usize) -> Option<(usize, usize)> {
    // Without specials this is a search, which long texts want.
    if !is_pattern(pattern) {
        let found = text[from..]
            .windows(pattern.len().max(1))
            .position(|window| window == pattern)?;
        return Some((from + found, from + found + pattern.len()));
    }
    let starts = boundaries(&text[from..]);
    starts.into_iter().find_map(|start| {
        let start = from + start;
        longest_prefix(&text[start..], pattern)
            .filter(|&len| len > 0)
            .map(|len| (start, start + len))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abbcd", false),
            ("a?c", "aéc", true),
            ("*.tar.*", "x.tar.gz", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]a]", "]", true),
            ("[[:digit:]]*", "7up", true),
            ("[[:nope:]]", "n]", true),
            ("[a", "[a", true),
            (r"\*", "*", true),
            (r"\*", "x", false),
            (r"[\]]", "]", true),
            ("*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
            ("**", "x", true),
            ("[a-]", "-", true),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn trimming_takes_the_shortest_or_longest_match() {
        let text = b"a/b/c";
        assert_eq!(trim(text, b"*/", End::Start, false), b"b/c");
        assert_eq!(trim(text, b"*/", End::Start, true), b"c");
        assert_eq!(trim(text, b"/*", End::Tail, false), b"a/b");
        assert_eq!(trim(text, b"/*", End::Tail, true), b"a");
        assert_eq!(trim(text, b"x", End::Start, true), text);
    }

    #[test]
    fn an_open_bracket_alone_is_no_pattern() {
        for (text, expected) in [
            ("[", false),
            ("a[b", false),
            ("]a[", false),
            ("[a]", true),
            ("a*", true),
            ("x", false),
        ] {
            assert_eq!(is_wild(text.as_bytes()), expected, "{text}");
        }
        assert!(is_pattern(br"\x") && !is_wild(br"\x"));
    }

    #[test]
    fn escaped_text_matches_only_itself() {
        let mut pattern = Vec::new();
        escape(b"a*[b]?", &mut pattern);
        assert!(matches(&pattern, b"a*[b]?") && !matches(&pattern, b"axb?"));
        assert_eq!(unescape(&pattern), b"a*[b]?");
    }

    #[test]
    fn a_search_finds_the_first_longest_match() {
        assert_eq!(find(b"xaab", b"a*", 0), Some((1, 4)));
        assert_eq!(find(b"xaab", b"a", 2), Some((2, 3)));
        assert_eq!(find(b"xyz", b"q", 0), None);
        assert_eq!(find(b"xyz", b"", 0), None);
    }
}
