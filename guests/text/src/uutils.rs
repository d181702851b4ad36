//! Programs of uutils.

use std::ffi::OsString;
use std::process::exit;

use sandbox_applet::{Args, Failure, Outcome, cwd};
use sandbox_guest::files::{self, Stat};

/// `sed`
pub fn sed(mut args: Args) -> Outcome {
    let rest = args.rest(None)?;
    let in_place = rest.iter().filter_map(|word| word.to_str()).any(|word| {
        word.starts_with("--in-place")
            || word.starts_with('-') && !word.starts_with("--") && word.contains('i')
    });
    let before = if in_place {
        regular_files(&rest)
    } else {
        Vec::new()
    };
    let mut words: Vec<OsString> = vec![args.name().into()];
    words.extend(rest);
    uucore::panic::mute_sigpipe_panic();
    uucore::locale::setup_localization("sed")
        .map_err(|error| Failure::new(format!("cannot prepare messages: {error}")))?;
    let code = sed::sed::uumain(words.into_iter());
    for (path, stat) in before {
        restore(&path, &stat);
    }
    exit(code)
}

/// The files among `words`, as they are now.
fn regular_files(words: &[OsString]) -> Vec<(String, Stat)> {
    let here = cwd();
    let names = words.iter().filter_map(|word| word.to_str());
    let found =
        names.filter_map(|name| Some((name.to_owned(), files::stat(&here, name, true).ok()?)));
    found.filter(|(_, stat)| stat.is_file()).collect()
}

/// `-i` writes a new file in place of the old one, and knows of no modes and owners on this target.
fn restore(path: &str, before: &Stat) {
    let here = cwd();
    let Ok(now) = files::stat(&here, path, true) else {
        return;
    };
    if now.ino != before.ino {
        let _ = files::chown(&here, path, true, before.uid, before.gid);
        let _ = files::chmod(&here, path, true, before.mode & 0o7777);
    }
}
