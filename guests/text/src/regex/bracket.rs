//! Sets: `[a-z]`, `[^x]`, `[[:alpha:]_]`.

const CLASSES: [&str; 12] = [
    "alpha", "digit", "alnum", "upper", "lower", "space", "blank", "punct", "print", "graph",
    "cntrl", "xdigit",
];

/// Rewrites the set whose content begins at `at`; and where the expression goes on behind it. `escapes`: a backslash
/// means what it means outside, as in awk.
pub fn translate(
    letters: &[char],
    mut at: usize,
    escapes: bool,
) -> Result<(String, usize), String> {
    let unmatched = || "Unmatched [, [^, [:, [., or [=".to_owned();
    let mut out = String::from("[");
    if letters.get(at) == Some(&'^') {
        out.push('^');
        at += 1;
    }
    let first = at;
    loop {
        match *letters.get(at).ok_or_else(unmatched)? {
            ']' if at > first => {
                out.push(']');
                return Ok((out, at + 1));
            }
            '[' if letters.get(at + 1) == Some(&':') => {
                let (name, next) = named(letters, at + 2, ':').ok_or_else(unmatched)?;
                if !CLASSES.contains(&&*name) {
                    return Err("Invalid character class name".to_owned());
                }
                out += &class(&name);
                at = next;
            }
            _ => {
                let (low, next) = element(letters, at, escapes).ok_or_else(unmatched)?;
                at = next;
                let range = letters.get(at) == Some(&'-')
                    && letters.get(at + 1).is_some_and(|&high| high != ']');
                if range {
                    let (high, next) = element(letters, at + 1, escapes).ok_or_else(unmatched)?;
                    if high < low {
                        return Err("Invalid range end".to_owned());
                    }
                    escape(low, &mut out);
                    out.push('-');
                    escape(high, &mut out);
                    at = next;
                } else {
                    escape(low, &mut out);
                }
            }
        }
    }
}

/// One letter: itself, `[.x.]` or `[=x=]`.
fn element(letters: &[char], at: usize, escapes: bool) -> Option<(char, usize)> {
    match (letters.get(at)?, letters.get(at + 1)) {
        ('\\', Some(&next)) if escapes => Some((escaped(next), at + 2)),
        ('[', Some(&mark @ ('.' | '='))) => {
            let (name, next) = named(letters, at + 2, mark)?;
            let mut name = name.chars();
            let letter = name.next()?;
            name.next().is_none().then_some((letter, next))
        }
        (&letter, _) => Some((letter, at + 1)),
    }
}

fn escaped(letter: char) -> char {
    match letter {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'f' => '\x0c',
        'v' => '\x0b',
        'a' => '\x07',
        other => other,
    }
}

/// The text up to `mark` and `]`.
fn named(letters: &[char], at: usize, mark: char) -> Option<(String, usize)> {
    let end = (at..letters.len().saturating_sub(1))
        .find(|&end| letters[end] == mark && letters[end + 1] == ']')?;
    Some((letters[at..end].iter().collect(), end + 2))
}

/// The classes that have letters beyond ASCII in every locale of today.
fn class(name: &str) -> String {
    match name {
        "alpha" => "\\p{Alphabetic}".to_owned(),
        "alnum" => "\\p{Alphabetic}0-9".to_owned(),
        "upper" => "\\p{Uppercase}".to_owned(),
        "lower" => "\\p{Lowercase}".to_owned(),
        name => format!("[:{name}:]"),
    }
}

fn escape(letter: char, out: &mut String) {
    if letter.is_ascii_punctuation() {
        out.push('\\');
    }
    out.push(letter);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Result<(String, usize), String> {
        translate(&text.chars().collect::<Vec<_>>(), 1, false)
    }

    #[test]
    fn sets_are_rewritten_with_every_sign_plain() {
        for (from, to) in [
            ("[abc]", "[abc]"),
            ("[^a-z]x", "[^a-z]"),
            ("[]a]", "[\\]a]"),
            ("[^]]", "[^\\]]"),
            ("[a-]", "[a\\-]"),
            ("[-a]", "[\\-a]"),
            ("[\\n]", "[\\\\n]"),
            ("[[:digit:]_]", "[[:digit:]\\_]"),
            ("[[.-.]]", "[\\-]"),
            ("[[=a=]b]", "[ab]"),
            ("[a&&b]", "[a\\&\\&b]"),
            ("[[a]", "[\\[a]"),
        ] {
            assert_eq!(set(from).unwrap().0, to, "{from}");
        }
        for bad in ["[a", "[]", "[[:x:]]", "[z-a]", "[[:alpha:"] {
            assert!(set(bad).is_err(), "{bad}");
        }
    }
}
