//! What is in memory, and what is being made.

use std::collections::HashMap;

use tokio::sync::oneshot;

use super::compiler::Source;
use super::digest::Digest;
use super::refused::Refused;
use crate::fs::Contents;

/// The most modules of tenants that stay loaded while nobody runs them.
const MAX_FILES: usize = 64;

type Made<C> = Result<C, Refused>;
type Answer<C> = oneshot::Sender<Made<C>>;

/// What became of a request.
pub(super) enum Begun<C> {
    /// The caller makes it, and has to [finish](Known::finish).
    Make,
    /// Somebody makes it already, and will tell.
    Waits,
    /// It has been made meanwhile.
    Done(Answer<C>, Made<C>),
}

/// What a look into memory found.
pub(super) enum Lookup<C> {
    /// The code, or why there is none.
    Done(Made<C>),
    /// The bytes are known, their code is not here.
    Digest(Digest),
    Nothing,
}

/// Code in memory, by digest; and files that were seen lately, by the chunks that they share.
///
/// Holding a file's [`Contents`] keeps their chunks from being changed in place, so that the same
/// chunks are the same bytes. So an `exec` of what was run before hashes nothing.
#[derive(Debug)]
pub(super) struct Known<C> {
    /// Of images: they stay.
    programs: HashMap<Digest, C>,
    /// Of tenants.
    files: HashMap<Digest, Used<Made<C>>>,
    seen: HashMap<(u64, usize), Used<(Contents, Digest)>>,
    /// Who waits for what is being made, for a tenant or an image.
    making: HashMap<(Digest, bool), Vec<Answer<C>>>,
    uses: u64,
}

#[derive(Debug)]
struct Used<T> {
    value: T,
    last: u64,
}

impl<C: Clone> Known<C> {
    pub(super) fn new() -> Self {
        Self {
            programs: HashMap::new(),
            files: HashMap::new(),
            seen: HashMap::new(),
            making: HashMap::new(),
            uses: 0,
        }
    }

    pub(super) fn look_up(&mut self, source: &Source) -> Lookup<C> {
        let digest = match source {
            Source::Program(program) => Some(program.digest()),
            Source::File(contents) => self.seen_before(contents),
        };
        let Some(digest) = digest else {
            return Lookup::Nothing;
        };
        match self.made(source, digest) {
            Some(made) => Lookup::Done(made),
            None => Lookup::Digest(digest),
        }
    }

    fn made(&mut self, source: &Source, digest: Digest) -> Option<Made<C>> {
        if let Some(made) = self.programs.get(&digest) {
            return Some(Ok(made.clone()));
        }
        self.uses += 1;
        let file = self.files.get_mut(&digest)?;
        if trusted(source) && file.value.is_err() {
            // Too large for a tenant, perhaps, and not for an image.
            return None;
        }
        file.last = self.uses;
        Some(file.value.clone())
    }

    fn seen_before(&mut self, contents: &Contents) -> Option<Digest> {
        self.uses += 1;
        let seen = self.seen.get_mut(&contents.fingerprint())?;
        let (held, digest) = &seen.value;
        if !held.shares_all_with(contents) {
            return None;
        }
        seen.last = self.uses;
        Some(*digest)
    }

    /// Asks for `source`, which has `digest`, to be made.
    pub(super) fn begin(&mut self, source: &Source, digest: Digest, answer: Answer<C>) -> Begun<C> {
        self.note_digest(source, digest);
        if let Some(made) = self.made(source, digest) {
            return Begun::Done(answer, made);
        }
        let answers = self.making.entry((digest, trusted(source))).or_default();
        answers.push(answer);
        match answers.len() {
            1 => Begun::Make,
            _ => Begun::Waits,
        }
    }

    fn note_digest(&mut self, source: &Source, digest: Digest) {
        if let Source::File(contents) = source {
            self.uses += 1;
            let value = (contents.clone(), digest);
            let last = self.uses;
            self.seen
                .insert(contents.fingerprint(), Used { value, last });
            forget_oldest(&mut self.seen);
        }
    }

    /// Keeps what was made; answers who waits for it.
    pub(super) fn finish(
        &mut self,
        source: &Source,
        digest: Digest,
        made: &Made<C>,
    ) -> Vec<Answer<C>> {
        match (source, made) {
            // Trying again may help: a file of the host that cannot be read, a full disk.
            (Source::Program(_), Err(_)) | (_, Err(Refused::Broken(_))) => {}
            (Source::Program(_), Ok(code)) => {
                self.programs.insert(digest, code.clone());
            }
            (Source::File(_), made) => {
                self.uses += 1;
                let (value, last) = (made.clone(), self.uses);
                self.files.insert(digest, Used { value, last });
                forget_oldest(&mut self.files);
            }
        }
        let answers = self.making.remove(&(digest, trusted(source)));
        answers.unwrap_or_default()
    }
}

fn trusted(source: &Source) -> bool {
    matches!(source, Source::Program(_))
}

fn forget_oldest<K: Copy + Eq + std::hash::Hash, T>(kept: &mut HashMap<K, Used<T>>) {
    while kept.len() > MAX_FILES {
        let oldest = kept.iter().min_by_key(|(_, used)| used.last);
        let Some(key) = oldest.map(|(key, _)| *key) else {
            return;
        };
        kept.remove(&key);
    }
}
