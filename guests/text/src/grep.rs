//! `grep`, `egrep`, `fgrep`.

mod options;
mod search;
mod source;

use sandbox_applet::{Args, Out, Outcome, reason, warn};

use options::Options;
use search::Searcher;

/// Prints the lines that match: 0 when there are any, 1 when there are none, 2 when something went wrong.
pub fn run(mut args: Args) -> Outcome {
    let name = args.name();
    let (options, files) = Options::parse(&mut args).map_err(|failure| failure.with_code(2))?;
    let mut searcher = Searcher {
        options: &options,
        out: Out::new(),
        any: false,
    };
    let mut failed = false;
    let mut stop = false;
    source::each(&files, &options, &mut |label, input| {
        let searched = input.and_then(|input| searcher.search(label, input));
        if let Err(error) = searched {
            failed = true;
            if !options.quiet_errors {
                searcher.out.finish()?;
                warn(name, format_args!("{label}: {}", reason(&error)));
            }
        }
        stop = options.quiet && searcher.any;
        Ok(!stop)
    })
    .map_err(|failure| failure.with_code(2))?;
    searcher
        .out
        .finish()
        .map_err(|failure| failure.with_code(2))?;
    Ok(match (searcher.any, failed) {
        (true, _) if stop => 0,
        (_, true) => 2,
        (true, false) => 0,
        (false, false) => 1,
    })
}
