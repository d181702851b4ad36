//! What was refused, for whoever reports it.

use std::collections::VecDeque;

use sandbox_core::egress::Destination;

const KEPT: usize = 512;

/// The last refused destinations, oldest first, and a count of those there was no room for.
/// A destination is in it once.
#[derive(Debug, Default)]
pub(crate) struct Denials {
    refused: VecDeque<Destination>,
    dropped: u64,
}

impl Denials {
    pub(crate) fn push(&mut self, destination: Destination) {
        if self.refused.contains(&destination) {
            return;
        }
        if self.refused.len() == KEPT {
            self.refused.pop_front();
            self.dropped = self.dropped.saturating_add(1);
        }
        self.refused.push_back(destination);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Destination> {
        self.refused.iter()
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_keeps_the_last_and_counts_the_rest() {
        let mut denials = Denials::default();
        for number in 0..KEPT + 3 {
            for _ in 0..2 {
                denials.push(Destination::lookup(&format!("n{number}.test")).unwrap());
            }
        }
        assert_eq!(denials.iter().count(), KEPT);
        assert_eq!(denials.dropped(), 3);
        assert_eq!(
            denials.iter().next().unwrap().to_string(),
            "lookup of n3.test"
        );
    }
}
