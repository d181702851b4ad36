//! What somebody may have meant.

/// How alike two names have to be for one to be taken for the other, 0 to 1.
const ALIKE: f64 = 0.75;

/// That `name` is none of `known`, and which of them it may have been meant to be.
pub(super) fn not_one_of(name: &str, known: &[&str]) -> String {
    let shown: String = name.chars().take(64).collect();
    let scored = known
        .iter()
        .map(|known| (strsim::jaro_winkler(&shown.to_lowercase(), known), known));
    let best = scored
        .filter(|(score, _)| *score >= ALIKE)
        .max_by(|left, right| left.0.total_cmp(&right.0));
    match best {
        Some((_, best)) => format!("{shown:?} is not known here; did you mean {best:?}?"),
        None => format!(
            "{shown:?} is not known here; known are {}",
            known.join(", ")
        ),
    }
}
