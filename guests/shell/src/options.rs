//! Options of `set`.

use serde::{Deserialize, Serialize};

/// What `set -x` and `set -o name` turn on and off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options(u32);

/// Options by letter (0: none) and name. The position is the bit.
const ALL: [(u8, &str); 18] = [
    (b'a', "allexport"),
    (b'C', "noclobber"),
    (b'e', "errexit"),
    (b'f', "noglob"),
    (b'h', "hashall"),
    (b'i', "interactive"),
    (b'm', "monitor"),
    (b'n', "noexec"),
    (b's', "stdin"),
    (b'u', "nounset"),
    (b'v', "verbose"),
    (b'x', "xtrace"),
    (b'b', "notify"),
    (0, "pipefail"),
    (0, "ignoreeof"),
    (0, "nolog"),
    (0, "vi"),
    (0, "posix"),
];

macro_rules! getters {
    ($($name:ident = $name_text:literal;)*) => {
        $(pub fn $name(self) -> bool {
            const BIT: u32 = bit($name_text);
            self.0 & BIT != 0
        })*
    };
}

const fn bit(name: &str) -> u32 {
    let mut at = 0;
    while at < ALL.len() {
        let (known, name) = (ALL[at].1.as_bytes(), name.as_bytes());
        if known.len() == name.len() {
            let mut same = 0;
            while same < known.len() && known[same] == name[same] {
                same += 1;
            }
            if same == known.len() {
                return 1 << at;
            }
        }
        at += 1;
    }
    panic!("no such option")
}

impl Options {
    getters! {
        allexport = "allexport";
        noclobber = "noclobber";
        errexit = "errexit";
        noglob = "noglob";
        interactive = "interactive";
        noexec = "noexec";
        nounset = "nounset";
        verbose = "verbose";
        xtrace = "xtrace";
        pipefail = "pipefail";
    }

    fn put(&mut self, at: usize, on: bool) {
        self.0 = if on {
            self.0 | 1 << at
        } else {
            self.0 & !(1 << at)
        };
    }

    /// Sets the option with `letter`; false when there is none.
    pub fn set_letter(&mut self, letter: u8, on: bool) -> bool {
        match ALL
            .iter()
            .position(|&(known, _)| known == letter && known != 0)
        {
            Some(at) => {
                self.put(at, on);
                true
            }
            None => false,
        }
    }

    /// Sets the option called `name`; false when there is none.
    pub fn set_name(&mut self, name: &[u8], on: bool) -> bool {
        match ALL.iter().position(|(_, known)| known.as_bytes() == name) {
            Some(at) => {
                self.put(at, on);
                true
            }
            None => false,
        }
    }

    /// `$-`.
    pub fn letters(self) -> Vec<u8> {
        self.iter()
            .filter(|&(letter, _, on)| on && letter != 0)
            .map(|(letter, ..)| letter)
            .collect()
    }

    /// Letter, name and whether it is on, of each option.
    pub fn iter(self) -> impl Iterator<Item = (u8, &'static str, bool)> {
        ALL.iter()
            .enumerate()
            .map(move |(at, &(letter, name))| (letter, name, self.0 & 1 << at != 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_set_by_letter_and_by_name() {
        let mut options = Options::default();
        assert!(options.set_letter(b'e', true) && options.set_name(b"pipefail", true));
        assert!(options.errexit() && options.pipefail() && !options.xtrace());
        assert!(
            !options.set_letter(b'Z', true)
                && !options.set_letter(0, true)
                && !options.set_name(b"nope", true)
        );
        assert_eq!(options.letters(), b"e");
    }
}
