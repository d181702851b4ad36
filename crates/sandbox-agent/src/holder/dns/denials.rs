//! Names that were refused, for whoever reports them.

use std::collections::VecDeque;

use sandbox_core::egress::DomainName;

const KEPT: usize = 64;

/// The last refused names, oldest first, and a count of those there was no room for.
#[derive(Debug, Default)]
pub(crate) struct Denials {
    names: VecDeque<String>,
    dropped: u64,
}

impl Denials {
    pub(crate) fn push(&mut self, name: &DomainName) {
        if self.names.len() == KEPT {
            self.names.pop_front();
            self.dropped = self.dropped.saturating_add(1);
        }
        self.names.push_back(name.to_string());
    }

    pub(crate) fn names(&self) -> &VecDeque<String> {
        &self.names
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
            denials.push(&DomainName::parse(&format!("n{number}.test")).unwrap());
        }
        assert_eq!(denials.names().len(), KEPT);
        assert_eq!(denials.dropped(), 3);
        assert_eq!(denials.names()[0], "n3.test");
    }
}
