//! Programs of uutils.

use std::ffi::OsString;
use std::process::exit;

use sandbox_applet::{Args, Failure, Outcome};

/// `sed`
pub fn sed(mut args: Args) -> Outcome {
    let mut words: Vec<OsString> = vec![args.name().into()];
    words.extend(args.rest(None)?);
    uucore::panic::mute_sigpipe_panic();
    uucore::locale::setup_localization("sed")
        .or_else(|_| uucore::locale::setup_localization("cat"))
        .map_err(|error| Failure::new(format!("cannot prepare messages: {error}")))?;
    exit(sed::sed::uumain(words.into_iter()))
}
