//! Order of names with numbers in them.

use std::cmp::Ordering;

/// Compares `a` and `b` so that `x9` comes before `x10`.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    while !left.is_empty() && !right.is_empty() {
        let order = if left[0].is_ascii_digit() && right[0].is_ascii_digit() {
            let (x, y) = (take_number(&mut left), take_number(&mut right));
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            let order = left[0].cmp(&right[0]);
            (left, right) = (&left[1..], &right[1..]);
            order
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// The digits at the start of `text`, without zeros before them.
fn take_number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    let zeros = digits.iter().take_while(|&&byte| byte == b'0').count();
    &digits[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_within_names_count_as_numbers() {
        let mut names = ["x10", "x9", "x1.2", "x1.10", "a", "x09"];
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(names, ["a", "x1.2", "x1.10", "x09", "x9", "x10"]);
    }
}
