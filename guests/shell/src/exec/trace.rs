//! `set -x`, and `time`.

use sandbox_guest::system::{self, Times};

use crate::ast::{Assign, Bytes, Simple};
use crate::shell::Shell;
use crate::text;

impl Shell {
    /// Shows a command that is about to run, under `-x`.
    pub(super) fn trace(&mut self, simple: &Simple, words: &[Bytes]) {
        if !self.options.xtrace() {
            return;
        }
        let mut shown: Vec<Bytes> = simple
            .assigns
            .iter()
            .map(|assign| self.shown(assign))
            .collect();
        shown.extend(words.iter().map(|word| self.shown_word(word)));
        self.show(&shown.join(&b' '));
    }

    pub(super) fn trace_assignment(&mut self, assign: &Assign) {
        if self.options.xtrace() {
            let shown = self.shown(assign);
            self.show(&shown);
        }
    }

    fn shown_word(&self, word: &[u8]) -> Bytes {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./:=,+@%^".contains(byte);
        if self.bash && (word.is_empty() || !word.iter().all(plain)) {
            text::quoted(word)
        } else {
            word.to_vec()
        }
    }

    fn shown(&mut self, assign: &Assign) -> Bytes {
        let value = self.get(&assign.name).unwrap_or_default().into_owned();
        [assign.name.as_slice(), b"=", &self.shown_word(&value)].concat()
    }

    fn show(&mut self, line: &[u8]) {
        let prompt = self
            .get(b"PS4")
            .map_or(b"+ ".to_vec(), |text| text.into_owned());
        // The prompt's own substitutions are not shown.
        let options = self.options;
        self.options.set_letter(b'x', false);
        let prompt = self.expand_prompt(prompt);
        self.options = options;
        let _ = self.fds.write(2, &[&prompt, line, b"\n"].concat());
    }

    pub(super) fn report_times(&mut self, clock: u64, before: &Times) {
        let real = crate::clock::now().saturating_sub(clock);
        let after = system::times().unwrap_or_default();
        let user = (after.user + after.child_user).saturating_sub(before.user + before.child_user);
        let sys =
            (after.system + after.child_system).saturating_sub(before.system + before.child_system);
        let lines = [("real", real), ("user", user), ("sys", sys)]
            .map(|(name, ns)| format!("{name}\t{}\n", minutes(ns)));
        let _ = self
            .fds
            .write(2, format!("\n{}", lines.concat()).as_bytes());
    }
}

/// `1m2.345s`
pub fn minutes(ns: u64) -> String {
    let ms = ns / 1_000_000;
    format!("{}m{}.{:03}s", ms / 60_000, ms / 1000 % 60, ms % 1000)
}
