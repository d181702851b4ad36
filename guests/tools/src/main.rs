//! The small programs of a sandbox, in one module: files with modes and owners, processes, and what scripts call most.

mod accounts;
mod date;
mod files;
mod find;
mod format;
mod info;
mod mode;
mod process;
mod size;
mod sort;
mod test;
mod text;

use sandbox_applet::Applet;

/// All programs by name. The file `applets` lists the same.
const APPLETS: &[Applet] = &[
    applet("[", test::run),
    applet("arch", info::system::arch),
    applet("basename", files::names::basename),
    applet("cat", text::cat::run),
    applet("chgrp", files::chmod::chown),
    applet("chmod", files::chmod::chmod),
    applet("chown", files::chmod::chown),
    applet("clear", text::simple::clear),
    applet("cp", files::cp::run),
    applet("date", date::run),
    applet("dd", text::dd::run),
    applet("df", files::du::df),
    applet("dir", files::ls::run),
    applet("dirname", files::names::dirname),
    applet("du", files::du::run),
    applet("echo", text::simple::echo),
    applet("env", process::env::run),
    applet("false", text::simple::no_code),
    applet("find", find::run),
    applet("free", info::system::free),
    applet("groups", info::id::groups),
    applet("hd", text::dump::hexdump),
    applet("head", text::head::run),
    applet("hexdump", text::dump::hexdump),
    applet("hostname", info::system::hostname),
    applet("id", info::id::id),
    applet("install", files::install::run),
    applet("kill", process::kill::run),
    applet("less", text::cat::pager),
    applet("link", files::ln::link),
    applet("ln", files::ln::run),
    applet("logname", info::id::whoami),
    applet("ls", files::ls::run),
    applet("mkdir", files::mkdir::run),
    applet("mktemp", files::mktemp::run),
    applet("more", text::cat::pager),
    applet("mv", files::mv::run),
    applet("nice", process::wrap::nice),
    applet("nohup", process::wrap::nohup),
    applet("nproc", info::system::nproc),
    applet("pgrep", info::ps::select),
    applet("pidof", info::ps::select),
    applet("pkill", info::ps::select),
    applet("printenv", text::simple::printenv),
    applet("ps", info::ps::ps),
    applet("pwd", text::simple::pwd),
    applet("readlink", files::names::readlink),
    applet("realpath", files::names::realpath),
    applet("rev", text::reverse::rev),
    applet("rm", files::rm::run),
    applet("rmdir", files::rm::rmdir),
    applet("seq", text::seq::run),
    applet("setsid", process::wrap::setsid),
    applet("sleep", text::simple::sleep),
    applet("sort", sort::run),
    applet("stat", files::stat::run),
    applet("stty", info::system::stty),
    applet("sync", text::simple::sync),
    applet("tac", text::reverse::tac),
    applet("tail", text::tail::run),
    applet("tee", text::tee::run),
    applet("test", test::run),
    applet("time", process::time::run),
    applet("timeout", process::timeout::run),
    applet("touch", files::touch::run),
    applet("true", text::simple::yes_code),
    applet("truncate", files::truncate::run),
    applet("tty", info::system::tty),
    applet("uname", info::system::uname),
    applet("unlink", files::rm::unlink),
    applet("uptime", info::system::uptime),
    applet("users", info::id::nobody),
    applet("vdir", files::ls::run),
    applet("watch", process::wrap::watch),
    applet("wc", text::wc::run),
    applet("which", info::which::run),
    applet("who", info::id::nobody),
    applet("whoami", info::id::whoami),
    applet("xargs", process::xargs::run),
    applet("xxd", text::dump::xxd),
    applet("yes", text::simple::yes),
];

const fn applet(
    name: &'static str,
    run: fn(sandbox_applet::Args) -> sandbox_applet::Outcome,
) -> Applet {
    Applet { name, run }
}

fn main() {
    sandbox_applet::main("tools", APPLETS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_for_images_names_every_program() {
        let listed: Vec<&str> = include_str!("../applets").lines().collect();
        let known: Vec<&str> = APPLETS.iter().map(|applet| applet.name).collect();
        assert_eq!(listed, known);
    }
}
