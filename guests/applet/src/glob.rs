//! Patterns of `-name`: `*`, `?`, `[…]`, and `\`.

/// Whether all of `text` is what `pattern` means. `*` goes over `/` as well.
pub fn matches(pattern: &str, text: &str, fold_case: bool) -> bool {
    let fold = |text: &str| -> Vec<char> {
        if fold_case {
            text.to_lowercase().chars().collect()
        } else {
            text.chars().collect()
        }
    };
    let (pattern, text) = (fold(pattern), fold(text));
    let (mut at, mut place) = (0, 0);
    // Where the last `*` was, and where the text went on behind it: one step of going back is enough.
    let mut star: Option<(usize, usize)> = None;
    while place < text.len() {
        match step(&pattern, at, text[place]) {
            Step::Star => {
                star = Some((at + 1, place));
                at += 1;
            }
            Step::Match(next) => {
                at = next;
                place += 1;
            }
            Step::Fail => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    at = after;
                    place = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&letter| letter == '*')
}

enum Step {
    Star,
    /// Where the pattern goes on.
    Match(usize),
    Fail,
}

fn step(pattern: &[char], at: usize, letter: char) -> Step {
    let literal = |is: bool, next: usize| if is { Step::Match(next) } else { Step::Fail };
    match pattern.get(at) {
        None => Step::Fail,
        Some('*') => Step::Star,
        Some('?') => Step::Match(at + 1),
        Some('[') => match set(pattern, at + 1, letter) {
            Some((is, next)) => literal(is, next),
            None => literal(letter == '[', at + 1),
        },
        Some('\\') if at + 1 < pattern.len() => literal(pattern[at + 1] == letter, at + 2),
        Some(&other) => literal(other == letter, at + 1),
    }
}

/// Whether `letter` is in the set that starts at `at`, and where it ends; `None` when it never ends.
fn set(pattern: &[char], mut at: usize, letter: char) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(at), Some('!' | '^'));
    at += usize::from(negated);
    let first = at;
    let mut found = false;
    loop {
        match pattern.get(at)? {
            ']' if at > first => return Some((found != negated, at + 1)),
            '[' if pattern.get(at + 1) == Some(&':') => {
                let end = (at + 2..pattern.len().saturating_sub(1))
                    .find(|&end| pattern[end] == ':' && pattern[end + 1] == ']')?;
                let class: String = pattern[at + 2..end].iter().collect();
                found |= in_class(&class, letter);
                at = end + 2;
            }
            &low => {
                let low = if low == '\\' {
                    at += 1;
                    *pattern.get(at)?
                } else {
                    low
                };
                let high = match (pattern.get(at + 1), pattern.get(at + 2)) {
                    (Some('-'), Some(&high)) if high != ']' => {
                        at += 2;
                        high
                    }
                    _ => low,
                };
                found |= (low..=high).contains(&letter);
                at += 1;
            }
        }
    }
}

fn in_class(class: &str, letter: char) -> bool {
    match class {
        "alpha" => letter.is_alphabetic(),
        "digit" => letter.is_ascii_digit(),
        "alnum" => letter.is_alphanumeric(),
        "lower" => letter.is_lowercase(),
        "upper" => letter.is_uppercase(),
        "space" => letter.is_whitespace(),
        "blank" => matches!(letter, ' ' | '\t'),
        "punct" => letter.is_ascii_punctuation(),
        "xdigit" => letter.is_ascii_hexdigit(),
        "cntrl" => letter.is_control(),
        "print" => !letter.is_control(),
        "graph" => !letter.is_control() && !letter.is_whitespace(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (pattern, text, expected) in [
            ("*.rs", "a.rs", true),
            ("*.rs", ".rs", true),
            ("*.rs", "a.rsx", false),
            ("a*b*c", "a-b-b-c", true),
            ("?", "é", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[^a]", "b", true),
            ("[]]", "]", true),
            ("[", "[", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("[[:digit:]]*", "1a", true),
            ("*/x", "a/b/x", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text, false), expected, "{pattern} {text}");
        }
        assert!(matches("A*", "abc", true));
    }

    #[test]
    fn many_stars_do_not_take_exponential_time() {
        let text = "a".repeat(5000);
        assert!(!matches(
            &"a*"
                .repeat(50)
                .replace("a*", "*a")
                .chars()
                .chain(['b'])
                .collect::<String>(),
            &text,
            false
        ));
    }
}
