//! What somebody may have meant.

/// The most suggestions made.
const MAX_SUGGESTIONS: usize = 3;
/// How much of what was asked for is looked at and shown.
const MAX_SHOWN: usize = 64;

/// "`name` is not …", with what comes near, or everything where that is little.
pub(super) fn not_known<'a>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'a String>,
) -> String {
    let shown: String = name.chars().take(MAX_SHOWN).collect();
    let known: Vec<&str> = known.map(String::as_str).collect();
    let near = nearest(&shown, &known);
    if near.is_empty() {
        let some: Vec<&str> = known.into_iter().take(16).collect();
        return format!(
            "{shown:?} is not {what} here; known are: {}",
            some.join(", ")
        );
    }
    format!(
        "{shown:?} is not {what} here; did you mean {}?",
        near.join(" or ")
    )
}

/// The known names nearest to `name`, best first; none that needs more than a third of its
/// letters changed.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Vec<&'a str> {
    let name = name.to_lowercase();
    let mut scored: Vec<(usize, &str)> = known
        .iter()
        .filter_map(|candidate| {
            let lower = candidate.to_lowercase();
            let related = name.len() >= 3 && (lower.contains(&name) || name.contains(&lower));
            let distance = if related { 1 } else { distance(&name, &lower) };
            let limit = (name.chars().count().max(lower.chars().count()) / 3).max(1);
            (distance <= limit).then_some((distance, *candidate))
        })
        .collect();
    scored.sort();
    scored
        .into_iter()
        .take(MAX_SUGGESTIONS)
        .map(|(_, candidate)| candidate)
        .collect()
}

/// The Levenshtein distance: single letters inserted, removed or replaced.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, from) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in right.iter().enumerate() {
            let replace = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_single_letters() {
        for (left, right, letters) in [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("pyhton", "python", 2),
            ("node", "node", 0),
        ] {
            assert_eq!(distance(left, right), letters, "{left} {right}");
            assert_eq!(distance(right, left), letters);
        }
    }

    #[test]
    fn only_near_names_are_suggested() {
        let known = ["python", "node", "go", "rust"];
        assert_eq!(nearest("pyton", &known), ["python"]);
        assert_eq!(nearest("python3", &known), ["python"]);
        assert_eq!(nearest("Rust", &known), ["rust"]);
        assert!(nearest("haskell", &known).is_empty());
    }
}
