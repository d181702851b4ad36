//! `mktemp`.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher as _};
use std::io;

use sandbox_applet::{Args, Failure, Long, Out, Outcome, Short, Value, cwd, join, reason, text};
use sandbox_guest::files;

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// More names than this that all exist are no coincidence.
const TRIES: usize = 100;

/// Makes a file or directory of a new name that only its owner may use.
pub fn run(mut args: Args) -> Outcome {
    let (mut directory, mut dry, mut quiet) = (false, false, false);
    let mut suffix = String::new();
    let mut place = None;
    let mut template = None;
    while let Some(arg) = args.next()? {
        match arg {
            Short('d') | Long("directory") => directory = true,
            Short('u') | Long("dry-run") => dry = true,
            Short('q') | Long("quiet") => quiet = true,
            Short('t') => place = Some(temporary()),
            Short('p') => place = Some(args.string()?),
            Long("tmpdir") => {
                let given = args.optional_value();
                let given = given
                    .as_deref()
                    .map(text)
                    .transpose()?
                    .filter(|given| !given.is_empty());
                place = Some(given.map_or_else(temporary, str::to_owned));
            }
            Long("suffix") => suffix = args.string()?,
            Value(value) if template.is_none() => template = Some(text(&value)?.to_owned()),
            other => return Err(other.unexpected().into()),
        }
    }
    if template.is_none() && place.is_none() {
        place = Some(temporary());
    }
    let template = template.unwrap_or_else(|| "tmp.XXXXXXXXXX".to_owned());
    let (start, count, end) = parts(&template)
        .ok_or_else(|| Failure::new(format!("too few X's in template '{template}'")))?;
    if place.is_some() && template.starts_with('/') {
        return Err(Failure::new(format!(
            "invalid template, '{template}'; with --tmpdir, it may not be absolute"
        )));
    }
    for _ in 0..TRIES {
        let name = format!("{start}{}{end}{suffix}", random(count));
        let path = match &place {
            Some(place) => join(place, &name),
            None => name,
        };
        match make(&path, directory, dry) {
            Ok(()) => {
                let mut out = Out::new();
                out.line(path)?;
                out.finish()?;
                return Ok(0);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) if quiet => return Ok(1),
            Err(error) => {
                let what = if directory { "directory" } else { "file" };
                let shown = match &place {
                    Some(place) => join(place, &template),
                    None => template.clone(),
                };
                return Err(Failure::new(format!(
                    "failed to create {what} via template '{shown}': {}",
                    reason(&error)
                )));
            }
        }
    }
    Err(Failure::new(format!(
        "failed to create a new name from '{template}'"
    )))
}

fn temporary() -> String {
    std::env::var("TMPDIR")
        .ok()
        .filter(|dir| !dir.is_empty())
        .unwrap_or_else(|| "/tmp".to_owned())
}

/// What is before the last run of X, its length (at least 3), and what is after it.
fn parts(template: &str) -> Option<(&str, usize, &str)> {
    let end = template.rfind('X')? + 1;
    let start = template[..end].trim_end_matches('X').len();
    let valid = end - start >= 3 && !template[end..].contains('/');
    valid.then_some((&template[..start], end - start, &template[end..]))
}

fn random(count: usize) -> String {
    let letter = |_| {
        // Every `RandomState` has new keys: the cheapest random numbers of `std`.
        let value = RandomState::new().build_hasher().finish();
        char::from(LETTERS[(value % LETTERS.len() as u64) as usize])
    };
    (0..count).map(letter).collect()
}

fn make(path: &str, directory: bool, dry: bool) -> io::Result<()> {
    if dry {
        return match files::stat(&cwd(), path, false) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => Ok(()),
        };
    }
    let mode = if directory {
        fs::create_dir(path)?;
        0o700
    } else {
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)?;
        0o600
    };
    files::chmod(&cwd(), path, false, mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_has_at_least_three_x_in_its_last_part() {
        assert_eq!(parts("a.XXXX"), Some(("a.", 4, "")));
        assert_eq!(parts("XXX.txt"), Some(("", 3, ".txt")));
        assert_eq!(parts("aXX"), None);
        assert_eq!(parts("XXX/a"), None);
        assert_eq!(parts("plain"), None);
    }
}
