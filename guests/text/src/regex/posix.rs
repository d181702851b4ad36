use super::bracket;

/// Which of POSIX's two syntaxes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Syntax {
    /// `\(a\)`, `\{1\}`; GNU's `\+`, `\?`, `\|` too.
    Basic,
    /// `(a)`, `{1}`, `+`, `?`, `|`.
    Extended,
    /// The same without back-references, and with backslashes in sets.
    Awk,
}

/// An expression in the syntax of `regex`.
#[derive(Debug, Eq, PartialEq)]
pub struct Translated {
    pub pattern: String,
    /// It has back-references.
    pub references: bool,
}

/// Rewrites `pattern`. Fails when a `[`, a `\` or an interval has no end.
pub fn translate(pattern: &str, syntax: Syntax) -> Result<Translated, String> {
    let letters: Vec<char> = pattern.chars().collect();
    let mut writer = Writer {
        out: String::new(),
        references: false,
        syntax,
        open: 0,
    };
    let mut at = 0;
    while at < letters.len() {
        at = writer.one(&letters, at)?;
    }
    if writer.open > 0 {
        return Err("Unmatched ( or \\(".to_owned());
    }
    Ok(Translated {
        pattern: writer.out,
        references: writer.references,
    })
}

struct Writer {
    out: String,
    references: bool,
    syntax: Syntax,
    /// Groups not yet closed.
    open: usize,
}

impl Writer {
    /// Whether nothing that `*` could repeat is before.
    fn at_start(&self) -> bool {
        self.out.is_empty()
            || self.out.ends_with(['(', '|'])
                && !self.out.ends_with("\\(")
                && !self.out.ends_with("\\|")
            || self.out == "^"
            || self.out.ends_with("(^")
            || self.out.ends_with("|^")
    }

    fn literal(&mut self, letter: char) {
        if regex_meta(letter) {
            self.out.push('\\');
        }
        self.out.push(letter);
    }

    /// Rewrites what begins at `at`; where the next begins.
    fn one(&mut self, letters: &[char], at: usize) -> Result<usize, String> {
        let extended = self.syntax != Syntax::Basic;
        match letters[at] {
            '\\' => return self.escape(letters, at),
            '[' => {
                let (set, next) = bracket::translate(letters, at + 1, self.syntax == Syntax::Awk)?;
                self.out += &set;
                return Ok(next);
            }
            '*' if self.at_start() => self.out += "\\*",
            '*' => self.repeat("*"),
            '.' => self.out.push('.'),
            '^' if extended || self.anchors(letters, at) => self.out.push('^'),
            '$' if extended || ends(letters, at + 1) => self.out.push('$'),
            '(' if extended => self.group(),
            // Without an opening one it is a letter.
            ')' if extended && self.open > 0 => self.close(),
            '|' if extended => self.out.push('|'),
            letter @ ('+' | '?') if extended && self.at_start() => self.literal(letter),
            letter @ ('+' | '?') if extended => self.repeat(if letter == '+' { "+" } else { "?" }),
            '{' if extended => return self.interval(letters, at + 1, false),
            letter => self.literal(letter),
        }
        Ok(at + 1)
    }

    /// A repetition of a repetition is one of a group, or `a*?` would be lazy.
    fn repeat(&mut self, mark: &str) {
        if self.out.ends_with(['*', '+', '?', '}']) && !ends_escaped(&self.out) {
            let start = last_atom(&self.out);
            self.out.insert_str(start, "(?:");
            self.out.push(')');
        }
        self.out += mark;
    }

    fn group(&mut self) {
        self.open += 1;
        self.out.push('(');
    }

    fn close(&mut self) {
        self.open -= 1;
        self.out.push(')');
    }

    /// Whether `^` at `at` of a basic expression is an anchor: at the start of it, of a group, or of an alternative.
    fn anchors(&self, letters: &[char], at: usize) -> bool {
        at == 0 || at >= 2 && letters[at - 2] == '\\' && matches!(letters[at - 1], '(' | '|')
    }

    fn escape(&mut self, letters: &[char], at: usize) -> Result<usize, String> {
        let basic = self.syntax == Syntax::Basic;
        let Some(&letter) = letters.get(at + 1) else {
            return Err("Trailing backslash".to_owned());
        };
        match letter {
            '(' if basic => self.group(),
            ')' if basic && self.open > 0 => self.close(),
            ')' if basic => return Err("Unmatched ) or \\)".to_owned()),
            '{' if basic => return self.interval(letters, at + 2, true),
            '|' if basic => self.out.push('|'),
            '+' | '?' if basic && self.at_start() => self.literal(letter),
            '+' if basic => self.repeat("+"),
            '?' if basic => self.repeat("?"),
            digit @ '1'..='9' if self.syntax != Syntax::Awk => {
                self.references = true;
                // A digit behind it is a letter of its own.
                self.out += &format!("(?:\\{digit})");
            }
            '<' => self.out += "\\b{start}",
            '>' => self.out += "\\b{end}",
            'b' | 'B' | 'w' | 'W' | 's' | 'S' => {
                self.out.push('\\');
                self.out.push(letter);
            }
            '`' => self.out += "\\A",
            '\'' => self.out += "\\z",
            'n' => self.out += "\\n",
            't' => self.out += "\\t",
            'y' if self.syntax == Syntax::Awk => self.out += "\\b",
            'r' | 'f' | 'v' | 'a' if self.syntax == Syntax::Awk => {
                self.out.push('\\');
                self.out.push(letter);
            }
            other => self.literal(other),
        }
        Ok(at + 2)
    }

    /// `m`, `m,`, `,n` or `m,n` up to `}`, or `\}` when `escaped`.
    fn interval(&mut self, letters: &[char], at: usize, escaped: bool) -> Result<usize, String> {
        let end = letters[at..]
            .iter()
            .position(|&letter| letter == '}')
            .map(|end| at + end);
        let parsed = end.and_then(|end| {
            let stop = if escaped {
                end.checked_sub(1)
                    .filter(|&stop| stop >= at && letters[stop] == '\\')?
            } else {
                end
            };
            let text: String = letters[at..stop].iter().collect();
            let (low, high) = text
                .split_once(',')
                .map_or((&*text, None), |(low, high)| (low, Some(high)));
            let valid = |digits: &str| {
                digits.is_empty() || digits.parse::<u16>().is_ok_and(|count| count <= 32767)
            };
            let given = !low.is_empty() || high.is_some();
            (given && valid(low) && high.is_none_or(valid)).then(|| {
                let low = if low.is_empty() { "0" } else { low };
                (
                    match high {
                        None => format!("{{{low}}}"),
                        Some(high) => format!("{{{low},{high}}}"),
                    },
                    end + 1,
                )
            })
        });
        match parsed {
            Some((_, next)) if self.at_start() && !escaped => {
                for &letter in &letters[at - 1..next] {
                    self.literal(letter);
                }
                Ok(next)
            }
            Some((mark, next)) => {
                self.repeat(&mark);
                Ok(next)
            }
            None if escaped => Err("Invalid content of \\{\\}".to_owned()),
            // Not an interval: a brace.
            None => {
                self.literal('{');
                Ok(at)
            }
        }
    }
}

/// Whether `$` before `at` of a basic expression is an anchor.
fn ends(letters: &[char], at: usize) -> bool {
    matches!(letters.get(at..), None | Some([] | ['\\', ')' | '|', ..]))
}

fn regex_meta(letter: char) -> bool {
    "\\.+*?()|[]{}^$#&-~/".contains(letter) && letter != '/'
}

/// Whether the last letter is one that a backslash makes plain.
fn ends_escaped(out: &str) -> bool {
    let before = &out.as_bytes()[..out.len() - 1];
    before
        .iter()
        .rev()
        .take_while(|&&byte| byte == b'\\')
        .count()
        % 2
        == 1
}

/// Where the atom begins that the repetition at the end of `out` repeats.
fn last_atom(out: &str) -> usize {
    let bytes = out.as_bytes();
    // Over the repetition itself.
    let mut at = match bytes.last() {
        Some(b'}') => out.rfind('{').unwrap_or(0),
        _ => out.len() - 1,
    };
    let escaped = |at: usize| {
        bytes[..at]
            .iter()
            .rev()
            .take_while(|&&byte| byte == b'\\')
            .count()
            % 2
            == 1
    };
    let plain = |at: usize, byte: u8| bytes[at] == byte && !escaped(at);
    if at == 0 {
        return 0;
    }
    at -= 1;
    while !out.is_char_boundary(at) {
        at -= 1;
    }
    let mut depth = 0;
    if plain(at, b')') {
        loop {
            if plain(at, b')') {
                depth += 1;
            } else if plain(at, b'(') {
                depth -= 1;
            }
            if depth == 0 || at == 0 {
                return at;
            }
            at -= 1;
        }
    }
    if plain(at, b']') {
        // Brackets within are all written with a backslash, but for classes.
        loop {
            if plain(at, b']') {
                depth += 1;
            } else if plain(at, b'[') {
                depth -= 1;
            }
            if depth == 0 || at == 0 {
                return at;
            }
            at -= 1;
        }
    }
    if escaped(at) { at - 1 } else { at }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(pattern: &str) -> String {
        translate(pattern, Syntax::Basic).unwrap().pattern
    }

    fn extended(pattern: &str) -> String {
        translate(pattern, Syntax::Extended).unwrap().pattern
    }

    #[test]
    fn basic_syntax_is_rewritten() {
        for (from, to) in [
            ("a+b?", "a\\+b\\?"),
            ("a\\+b\\?", "a+b?"),
            ("\\(a\\|b\\)*", "(a|b)*"),
            ("*a", "\\*a"),
            ("^*a", "^\\*a"),
            ("\\(*a\\)", "(\\*a)"),
            ("a\\{2,3\\}", "a{2,3}"),
            ("a\\{,3\\}", "a{0,3}"),
            ("a{2}", "a\\{2\\}"),
            ("a^b$c", "a\\^b\\$c"),
            ("^a$", "^a$"),
            ("\\(^a$\\)", "(^a$)"),
            ("a.b", "a.b"),
            ("a**", "(?:a*)*"),
            ("\\<a\\>", "\\b{start}a\\b{end}"),
            ("(|)", "\\(\\|\\)"),
        ] {
            assert_eq!(basic(from), to, "{from}");
        }
        assert!(translate("\\(a", Syntax::Basic).is_err());
        assert!(translate("a\\)", Syntax::Basic).is_err());
        assert!(translate("a\\{x\\}", Syntax::Basic).is_err());
    }

    #[test]
    fn extended_syntax_is_rewritten() {
        for (from, to) in [
            ("(a|b)+", "(a|b)+"),
            ("a{2}", "a{2}"),
            ("a{x", "a\\{x"),
            ("{1}a", "\\{1\\}a"),
            ("a)", "a\\)"),
            ("\\.x", "\\.x"),
            ("*a", "\\*a"),
            ("a*?", "(?:a*)?"),
            ("(ab)*+", "(?:(ab)*)+"),
            ("[a]+*", "(?:[a]+)*"),
            ("é+*", "(?:é+)*"),
            ("a&&b", "a\\&\\&b"),
        ] {
            assert_eq!(extended(from), to, "{from}");
        }
        assert!(translate("(a)\\1", Syntax::Extended).unwrap().references);
    }
}
