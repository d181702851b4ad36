//! `conv=`: changes of bytes.

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Convert {
    pub lower: bool,
    pub upper: bool,
    /// Pairs of bytes change places.
    pub swap: bool,
}

impl Convert {
    pub fn apply(self, bytes: &mut [u8]) {
        if self.lower {
            bytes.make_ascii_lowercase();
        }
        if self.upper {
            bytes.make_ascii_uppercase();
        }
        if self.swap {
            for pair in bytes.chunks_exact_mut(2) {
                pair.swap(0, 1);
            }
        }
    }
}
