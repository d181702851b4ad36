//! Brace expansion, which only bash has: `a{b,c}`, `{1..5}`.

use crate::ast::{Part, Word};

/// More words than this are not made from one.
const MOST: usize = 100_000;

/// The words that `word` becomes: itself when it has no braces.
pub fn expand(word: &Word) -> Vec<Word> {
    let may = word
        .0
        .iter()
        .any(|part| matches!(part, Part::Literal(text) if text.contains(&b'{')));
    if !may {
        return vec![word.clone()];
    }
    let mut done = Vec::new();
    let mut waiting = vec![units(word)];
    while let Some(word) = waiting.pop() {
        match first_brace(&word) {
            Some((start, end, choices)) if done.len() + waiting.len() + choices.len() < MOST => {
                for choice in choices.into_iter().rev() {
                    waiting.push([&word[..start], &choice, &word[end..]].concat());
                }
            }
            _ => done.push(joined(word)),
        }
    }
    done
}

/// A byte of unquoted text, or a part that stays whole.
#[derive(Clone)]
enum Unit {
    Byte(u8),
    /// A byte that has been looked at, and is no brace.
    Plain(u8),
    Part(Part),
}

fn units(word: &Word) -> Vec<Unit> {
    let mut out = Vec::new();
    for part in &word.0 {
        match part {
            Part::Literal(text) => out.extend(text.iter().map(|&byte| Unit::Byte(byte))),
            other => out.push(Unit::Part(other.clone())),
        }
    }
    out
}

fn joined(units: Vec<Unit>) -> Word {
    let mut word = Word::default();
    for unit in units {
        match (unit, word.0.last_mut()) {
            (Unit::Byte(byte) | Unit::Plain(byte), Some(Part::Literal(text))) => text.push(byte),
            (Unit::Byte(byte) | Unit::Plain(byte), _) => word.0.push(Part::Literal(vec![byte])),
            (Unit::Part(part), _) => word.0.push(part),
        }
    }
    word
}

/// The first brace expression: where it is, and what it stands for.
fn first_brace(word: &[Unit]) -> Option<(usize, usize, Vec<Vec<Unit>>)> {
    for start in 0..word.len() {
        if !matches!(word[start], Unit::Byte(b'{')) {
            continue;
        }
        let mut depth = 0;
        let mut cuts = vec![start];
        for end in start..word.len() {
            match word[end] {
                Unit::Byte(b'{') => depth += 1,
                Unit::Byte(b',') if depth == 1 => cuts.push(end),
                Unit::Byte(b'}') => depth -= 1,
                _ => {}
            }
            if depth > 0 {
                continue;
            }
            cuts.push(end);
            if cuts.len() > 2 {
                let choices = cuts
                    .windows(2)
                    .map(|two| word[two[0] + 1..two[1]].to_vec())
                    .collect();
                return Some((start, end + 1, choices));
            }
            if let Some(choices) = sequence(&word[start + 1..end]) {
                return Some((start, end + 1, choices));
            }
            break;
        }
    }
    None
}

/// `1..5`, `a..e`, `1..9..2`.
fn sequence(inside: &[Unit]) -> Option<Vec<Vec<Unit>>> {
    let bytes: Option<Vec<u8>> = inside
        .iter()
        .map(|unit| {
            if let Unit::Byte(byte) = unit {
                Some(*byte)
            } else {
                None
            }
        })
        .collect();
    let text = String::from_utf8(bytes?).ok()?;
    let mut ends = text.split("..");
    let (from, to, step) = (ends.next()?, ends.next()?, ends.next());
    if ends.next().is_some() {
        return None;
    }
    let step = step
        .map_or(Some(1), |step| step.parse::<i64>().ok())?
        .unsigned_abs()
        .max(1);
    let plain = |text: &str| text.bytes().map(Unit::Plain).collect();
    if let (Ok(low), Ok(high)) = (from.parse::<i64>(), to.parse::<i64>()) {
        let padded = [from, to].iter().any(|text| {
            text.trim_start_matches('-').starts_with('0') && text.trim_start_matches('-').len() > 1
        });
        let width = if padded { from.len().max(to.len()) } else { 0 };
        return Some(
            range(low, high, step)?
                .into_iter()
                .map(|value| plain(&format!("{value:0width$}")))
                .collect(),
        );
    }
    match (from.as_bytes(), to.as_bytes()) {
        ([low], [high]) if low.is_ascii_alphabetic() && high.is_ascii_alphabetic() => {
            let values = range(i64::from(*low), i64::from(*high), step)?;
            Some(
                values
                    .into_iter()
                    .map(|value| vec![Unit::Plain(value.to_le_bytes()[0])])
                    .collect(),
            )
        }
        _ => None,
    }
}

fn range(from: i64, to: i64, step: u64) -> Option<Vec<i64>> {
    let count = from.abs_diff(to) / step;
    let most = u64::try_from(MOST).unwrap_or_default();
    if count >= most {
        return None;
    }
    let step = i64::try_from(step).ok()?;
    let step = if from <= to { step } else { -step };
    (0..=count)
        .map(|number| {
            i64::try_from(number)
                .ok()
                .map(|number| from + number * step)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let word = Word(vec![Part::Literal(text.into())]);
        expand(&word)
            .iter()
            .map(|word| String::from_utf8(word.constant().unwrap()).unwrap())
            .collect()
    }

    #[test]
    fn braces_multiply_and_nest() {
        assert_eq!(words("a{b,c}d"), ["abd", "acd"]);
        assert_eq!(words("{a,b}{1,2}"), ["a1", "a2", "b1", "b2"]);
        assert_eq!(words("{a,b{c,d}}"), ["a", "bc", "bd"]);
        assert_eq!(words("{1..4}"), ["1", "2", "3", "4"]);
        assert_eq!(words("{03..1}"), ["03", "02", "01"]);
        assert_eq!(words("{a..e..2}"), ["a", "c", "e"]);
    }

    #[test]
    fn what_is_no_brace_expression_stays() {
        for text in ["{}", "{a}", "{a,b", "a}", "{1..}", "{1..999999999}"] {
            assert_eq!(words(text), [text]);
        }
        assert!(words(&"{a,b}".repeat(40)).len() < MOST + 2);
    }
}
