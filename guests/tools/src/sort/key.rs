use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hasher as _};

use sandbox_applet::Failure;

/// What a key is compared as.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Rule {
    #[default]
    Bytes,
    Number,
    Float,
    Human,
    Month,
    Version,
    Random,
}

impl Rule {
    fn letter(letter: char) -> Option<Self> {
        Some(match letter {
            'n' => Self::Number,
            'g' => Self::Float,
            'h' => Self::Human,
            'M' => Self::Month,
            'V' => Self::Version,
            'R' => Self::Random,
            _ => return None,
        })
    }

    /// The rule that `--sort` calls `name`.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "numeric" => Self::Number,
            "general-numeric" => Self::Float,
            "human-numeric" => Self::Human,
            "month" => Self::Month,
            "version" => Self::Version,
            "random" => Self::Random,
            _ => return None,
        })
    }
}

/// How a key is compared.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rules {
    pub rule: Rule,
    pub reverse: bool,
    pub fold: bool,
    pub dictionary: bool,
    pub printing: bool,
    /// Blanks before the key do not count.
    pub blanks: bool,
}

impl Rules {
    /// Takes an option of one letter; `false` when it is no rule.
    pub fn letter(&mut self, letter: char) -> bool {
        match letter {
            'r' => self.reverse = true,
            'f' => self.fold = true,
            'd' => self.dictionary = true,
            'i' => self.printing = true,
            'b' => self.blanks = true,
            letter => match Rule::letter(letter) {
                Some(rule) => self.rule = rule,
                None => return false,
            },
        }
        true
    }

    pub fn set(&mut self, rule: Rule) {
        self.rule = rule;
    }
}

/// A place in a line: field and letter, from 1. Letter 0 is the end of the field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Place {
    field: usize,
    letter: usize,
    blanks: bool,
}

/// `-k`: a part of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Key {
    start: Place,
    end: Option<Place>,
    pub rules: Rules,
    pub own_rules: bool,
}

impl Key {
    /// The whole line.
    pub fn whole(rules: Rules) -> Self {
        let start = Place {
            field: 1,
            letter: 1,
            blanks: false,
        };
        Self {
            start,
            end: None,
            rules,
            own_rules: true,
        }
    }

    /// `FIELD[.LETTER][RULES][,FIELD[.LETTER][RULES]]`
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let invalid = || Failure::new(format!("invalid field specification '{text}'"));
        let (start, end) = text
            .split_once(',')
            .map_or((text, None), |(start, end)| (start, Some(end)));
        let mut rules = Rules::default();
        let start = place(start, 1, &mut rules).ok_or_else(invalid)?;
        if start.letter == 0 {
            return Err(invalid());
        }
        let end = end
            .map(|end| place(end, 0, &mut rules).ok_or_else(invalid))
            .transpose()?;
        rules.blanks = false;
        let own = rules != Rules::default() || start.blanks || end.is_some_and(|end| end.blanks);
        Ok(Self {
            start,
            end,
            rules,
            own_rules: own,
        })
    }

    /// Whether it is the whole line in bytes' order.
    pub fn is_plain_line(&self) -> bool {
        let rules = Rules {
            reverse: self.rules.reverse,
            ..Rules::default()
        };
        *self
            == Self {
                own_rules: self.own_rules,
                ..Self::whole(rules)
            }
    }

    /// Order of two lines by this key.
    pub fn compare(&self, a: &[u8], b: &[u8], separator: Option<u8>, seed: u64) -> Ordering {
        let (a, b) = (self.part(a, separator), self.part(b, separator));
        let order = match self.rules.rule {
            Rule::Bytes => self.bytes(a, b),
            Rule::Number => number(a).cmp(&number(b)),
            Rule::Float => float(a).total_cmp(&float(b)),
            Rule::Human => human(a).cmp(&human(b)),
            Rule::Month => month(a).cmp(&month(b)),
            Rule::Version => {
                let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                crate::files::version::compare(&text(a), &text(b))
            }
            Rule::Random => random(a, seed).cmp(&random(b, seed)).then_with(|| a.cmp(b)),
        };
        if self.rules.reverse {
            order.reverse()
        } else {
            order
        }
    }

    fn bytes(&self, a: &[u8], b: &[u8]) -> Ordering {
        let rules = self.rules;
        if !(rules.fold || rules.dictionary || rules.printing) {
            return a.cmp(b);
        }
        let counted = move |byte: &&u8| {
            (!rules.dictionary || byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'\t'))
                && (!rules.printing || matches!(byte, 0x20..0x7f))
        };
        let fold = move |&byte: &u8| {
            if rules.fold {
                byte.to_ascii_uppercase()
            } else {
                byte
            }
        };
        a.iter()
            .filter(counted)
            .map(fold)
            .cmp(b.iter().filter(counted).map(fold))
    }

    fn part<'a>(&self, line: &'a [u8], separator: Option<u8>) -> &'a [u8] {
        let blanks = self.rules.blanks;
        let start = locate(line, self.start, separator, blanks || self.start.blanks);
        let end = match self.end {
            None => line.len(),
            Some(Place {
                field, letter: 0, ..
            }) => field_at(line, field, separator).1,
            Some(end) => {
                let at = locate(line, end, separator, blanks || end.blanks);
                (at + 1).min(line.len())
            }
        };
        let part = &line[start.min(end)..end];
        if blanks || self.start.blanks {
            skip_blanks(part)
        } else {
            part
        }
    }
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    let count = text
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    &text[count..]
}

fn place(text: &str, letter: usize, rules: &mut Rules) -> Option<Place> {
    let end = text
        .find(|letter: char| letter.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (numbers, letters) = text.split_at(end);
    let (field, letter) = match numbers.split_once('.') {
        Some((field, letter)) => (field, letter.parse().ok()?),
        None => (numbers, letter),
    };
    let field: usize = field.parse().ok().filter(|&field| field > 0)?;
    rules.blanks = false;
    for letter in letters.chars() {
        if !rules.letter(letter) {
            return None;
        }
    }
    Some(Place {
        field,
        letter,
        blanks: rules.blanks,
    })
}

/// Where field `number` begins and ends. Without a separator, blanks before a field belong to it.
fn field_at(line: &[u8], number: usize, separator: Option<u8>) -> (usize, usize) {
    let mut start = 0;
    for current in 1.. {
        let end = match separator {
            Some(separator) => line[start..].iter().position(|&byte| byte == separator),
            None => {
                let blanks = line.len() - start - skip_blanks(&line[start..]).len();
                let word = line[start + blanks..]
                    .iter()
                    .position(|byte| matches!(byte, b' ' | b'\t'));
                word.map(|word| blanks + word)
            }
        }
        .map_or(line.len(), |end| start + end);
        if current == number {
            return (start, end);
        }
        if end == line.len() {
            break;
        }
        start = end + usize::from(separator.is_some());
    }
    (line.len(), line.len())
}

/// Where in `line` the letter of `place` is.
fn locate(line: &[u8], place: Place, separator: Option<u8>, blanks: bool) -> usize {
    let (mut start, _) = field_at(line, place.field, separator);
    if blanks {
        start = line.len() - skip_blanks(&line[start..]).len();
    }
    (start + place.letter - 1).min(line.len())
}

/// A decimal number of any length: ordered by sign, length of the whole part, digits, fraction.
#[derive(Eq, PartialEq)]
struct Decimal<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = |a: &Self, b: &Self| {
            (a.whole.len().cmp(&b.whole.len()))
                .then_with(|| a.whole.cmp(b.whole))
                .then_with(|| a.fraction.cmp(b.fraction))
        };
        match (self.negative, other.negative) {
            (false, false) => size(self, other),
            (true, true) => size(other, self),
            (negative, _) => {
                if negative {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
        }
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn number(text: &[u8]) -> Decimal<'_> {
    decimal(text).0
}

/// The number at the start of `text`, and what follows it.
fn decimal(text: &[u8]) -> (Decimal<'_>, &[u8]) {
    let text = skip_blanks(text);
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (whole, rest) = text.split_at(digits(text));
    let zeros = whole.iter().take_while(|&&byte| byte == b'0').count();
    let whole = &whole[zeros..];
    let (fraction, rest) = match rest {
        [b'.', after @ ..] => after.split_at(digits(after)),
        _ => (&[][..], rest),
    };
    let trailing = fraction
        .iter()
        .rev()
        .take_while(|&&byte| byte == b'0')
        .count();
    let fraction = &fraction[..fraction.len() - trailing];
    let negative = negative && !(whole.is_empty() && fraction.is_empty());
    (
        Decimal {
            negative,
            whole,
            fraction,
        },
        rest,
    )
}

/// The suffix counts more than the number: `2K` is less than `1M`.
fn human(text: &[u8]) -> (i8, Decimal<'_>) {
    let (number, rest) = decimal(text);
    let zero = number.whole.is_empty() && number.fraction.is_empty();
    let unit = rest.first().and_then(|&byte| {
        b"KMGTPEZY"
            .iter()
            .position(|&unit| unit == byte.to_ascii_uppercase())
    });
    let rank = match unit {
        Some(unit) if !zero => unit as i8 + 1,
        _ => 0,
    };
    (if number.negative { -rank } else { rank }, number)
}

/// What is no number comes first.
fn float(text: &[u8]) -> f64 {
    let text = String::from_utf8_lossy(skip_blanks(text)).into_owned();
    let mut best = f64::NEG_INFINITY;
    let most = text.len().min(64);
    // The longest start that is a number.
    for end in (1..=most).rev() {
        if let Some(Ok(number)) = text.get(..end).map(str::parse::<f64>) {
            best = if number == 0.0 { 0.0 } else { number };
            break;
        }
    }
    best
}

fn month(text: &[u8]) -> usize {
    const MONTHS: [&[u8; 3]; 12] = [
        b"JAN", b"FEB", b"MAR", b"APR", b"MAY", b"JUN", b"JUL", b"AUG", b"SEP", b"OCT", b"NOV",
        b"DEC",
    ];
    let text = skip_blanks(text);
    let found = MONTHS.iter().position(|month| {
        text.get(..3)
            .is_some_and(|start| start.eq_ignore_ascii_case(*month))
    });
    found.map_or(0, |at| at + 1)
}

fn random(text: &[u8], seed: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(seed);
    hasher.write(text);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(key: &str, line: &str, separator: Option<u8>) -> String {
        let key = Key::parse(key).unwrap();
        String::from_utf8(key.part(line.as_bytes(), separator).to_vec()).unwrap()
    }

    #[test]
    fn a_key_is_a_part_of_a_line() {
        assert_eq!(part("2", "a b c", None), " b c");
        assert_eq!(part("2,2", "a  b c", None), "  b");
        assert_eq!(part("2b,2", "a  b c", None), "b");
        assert_eq!(part("2,2", "a:b:c", Some(b':')), "b");
        assert_eq!(part("2.2,2.3", "a:bcde:f", Some(b':')), "cd");
        assert_eq!(part("3", "a:b", Some(b':')), "");
        assert_eq!(part("1.3", "ab", None), "");
        for bad in ["0", "x", "1.0", "1,0", "1q", ""] {
            assert!(Key::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_of_any_length_are_ordered() {
        let sorted = [
            "-10",
            "-2.5",
            "-0",
            "x",
            "1",
            "1.5",
            "010",
            "100000000000000000000000",
        ];
        for pair in sorted.windows(2) {
            assert!(
                number(pair[0].as_bytes()) <= number(pair[1].as_bytes()),
                "{pair:?}"
            );
        }
        assert!(human(b"2K") < human(b"1M"));
        assert!(human(b"-2M") < human(b"1"));
        assert!(float(b"1e3x") > float(b"999"));
        assert!(month(b" feb") < month(b"MAR"));
        assert_eq!(month(b"xyz"), 0);
    }
}
