//! Programs of uutils' coreutils that need nothing beyond WASI, in one module.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::exit;

type Main = fn(std::vec::IntoIter<OsString>) -> i32;

/// All programs by name. The file `applets` lists the same.
const PROGRAMS: &[(&str, Main)] = &[
    ("b2sum", uu_b2sum::uumain),
    ("base32", uu_base32::uumain),
    ("base64", uu_base64::uumain),
    ("basenc", uu_basenc::uumain),
    ("cksum", uu_cksum::uumain),
    ("comm", uu_comm::uumain),
    ("csplit", uu_csplit::uumain),
    ("cut", uu_cut::uumain),
    ("expand", uu_expand::uumain),
    ("factor", uu_factor::uumain),
    ("fmt", uu_fmt::uumain),
    ("fold", uu_fold::uumain),
    ("join", uu_join::uumain),
    ("md5sum", uu_md5sum::uumain),
    ("nl", uu_nl::uumain),
    ("numfmt", uu_numfmt::uumain),
    ("od", uu_od::uumain),
    ("paste", uu_paste::uumain),
    ("pathchk", uu_pathchk::uumain),
    ("printf", uu_printf::uumain),
    ("ptx", uu_ptx::uumain),
    ("sha1sum", uu_sha1sum::uumain),
    ("sha224sum", uu_sha224sum::uumain),
    ("sha256sum", uu_sha256sum::uumain),
    ("sha384sum", uu_sha384sum::uumain),
    ("sha512sum", uu_sha512sum::uumain),
    ("shuf", uu_shuf::uumain),
    ("split", uu_split::uumain),
    ("sum", uu_sum::uumain),
    ("tr", uu_tr::uumain),
    ("tsort", uu_tsort::uumain),
    ("unexpand", uu_unexpand::uumain),
    ("uniq", uu_uniq::uumain),
];

/// The program that this process was called as, by its own name or by its first argument.
fn chosen(args: &mut Vec<OsString>) -> (String, Option<Main>) {
    let name = |word: Option<&OsString>| {
        let name = word
            .and_then(|word| Path::new(word).file_name())
            .unwrap_or_default();
        name.to_string_lossy().into_owned()
    };
    let mut called = name(args.first());
    if called == "coreutils" && args.len() > 1 {
        args.remove(0);
        uucore::set_utility_is_second_arg();
        called = name(args.first());
    }
    let found = PROGRAMS.iter().find(|program| program.0 == called);
    (called, found.map(|program| program.1))
}

fn main() {
    sandbox_guest::start();
    uucore::panic::mute_sigpipe_panic();
    let mut args: Vec<OsString> = std::env::args_os().collect();
    let (name, Some(main)) = chosen(&mut args) else {
        eprintln!("coreutils: applet not found");
        exit(127);
    };
    if let Err(error) = uucore::locale::setup_localization(&name) {
        eprintln!("{name}: cannot prepare messages: {error}");
        exit(99);
    }
    let code = main(args.into_iter());
    if let Err(error) = std::io::stdout().flush() {
        eprintln!("{name}: write error: {error}");
        exit(1);
    }
    exit(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_for_images_names_every_program() {
        let listed: Vec<&str> = include_str!("../applets").lines().collect();
        let known: Vec<&str> = PROGRAMS.iter().map(|program| program.0).collect();
        assert_eq!(listed, known);
    }
}
