//! Commands of the shell itself.

mod directory;
mod echo;
mod flow;
mod getopts;
mod job;
mod limits;
mod lines;
mod names;
mod number;
mod printf;
mod read;
mod set;
mod shopt;
mod signals;
mod sleep;
pub mod test;
mod variables;

use crate::ast::Bytes;
use crate::flow::Run;
use crate::shell::Shell;

/// A builtin; its first argument is its own name.
pub type Builtin = fn(&mut Shell, &[Bytes]) -> Run;

/// The builtin called `name`, and whether it is one of POSIX's special ones.
pub fn find(name: &[u8]) -> Option<(bool, Builtin)> {
    let special: Option<Builtin> = match name {
        b":" => Some(flow::succeed),
        b"." | b"source" => Some(flow::source),
        b"break" | b"continue" => Some(flow::leave_loop),
        b"eval" => Some(flow::eval),
        b"exec" => Some(flow::exec),
        b"exit" => Some(flow::exit),
        b"export" | b"readonly" => Some(variables::export),
        b"return" => Some(flow::leave),
        b"set" => Some(set::set),
        b"shift" => Some(set::shift),
        b"times" => Some(limits::times),
        b"trap" => Some(signals::trap),
        b"unset" => Some(variables::unset),
        _ => None,
    };
    if let Some(builtin) = special {
        return Some((true, builtin));
    }
    let regular: Builtin = match name {
        b"[" | b"test" => test::test,
        b"alias" => names::alias,
        b"bg" | b"fg" => job::foreground,
        b"builtin" => names::builtin,
        b"cd" => directory::cd,
        b"command" => names::command,
        b"declare" | b"typeset" | b"local" => variables::declare,
        b"echo" => echo::echo,
        b"false" => flow::fail,
        b"getopts" => getopts::getopts,
        b"hash" => names::hash,
        b"jobs" => job::jobs,
        b"kill" => signals::kill,
        b"let" => number::calculate,
        b"mapfile" | b"readarray" => lines::mapfile,
        b"printf" => printf::printf,
        b"pwd" => directory::pwd,
        b"read" => read::read,
        b"shopt" => shopt::shopt,
        b"sleep" => sleep::sleep,
        b"true" => flow::succeed,
        b"type" => names::kind,
        b"ulimit" => limits::ulimit,
        b"umask" => limits::umask,
        b"unalias" => names::unalias,
        b"wait" => job::wait,
        _ => return None,
    };
    Some((false, regular))
}

/// Options with their values, and the operands after them.
pub(crate) type Parsed<'a> = (Vec<(u8, &'a [u8])>, &'a [Bytes]);

/// Single-letter options before the operands; `None` after complaining of one that is not in `known` (a `:` after a
/// letter: it takes a value).
pub(crate) fn options<'a>(shell: &Shell, args: &'a [Bytes], known: &str) -> Option<Parsed<'a>> {
    let mut found = Vec::new();
    let mut at = 1;
    while let Some(arg) = args.get(at) {
        if arg == b"--" {
            at += 1;
            break;
        }
        if arg.len() < 2 || arg[0] != b'-' {
            break;
        }
        let mut letters = 1;
        while letters < arg.len() {
            let letter = arg[letters];
            letters += 1;
            let Some(place) = known
                .bytes()
                .position(|byte| byte == letter && byte != b':')
            else {
                let name = crate::text::lossy(&args[0]);
                shell.complain(&format!("{name}: Illegal option -{}", char::from(letter)));
                return None;
            };
            if known.as_bytes().get(place + 1) != Some(&b':') {
                found.push((letter, &[][..]));
                continue;
            }
            let value = if letters < arg.len() {
                &arg[letters..]
            } else {
                at += 1;
                match args.get(at) {
                    Some(value) => value,
                    None => {
                        let name = crate::text::lossy(&args[0]);
                        shell.complain(&format!(
                            "{name}: No arg for -{} option",
                            char::from(letter)
                        ));
                        return None;
                    }
                }
            };
            found.push((letter, value));
            break;
        }
        at += 1;
    }
    Some((found, &args[at.min(args.len())..]))
}
