//! The programs of a sandbox that search, edit and compare text, in one module.

mod awk;
mod diff;
mod expr;
mod grep;
mod regex;
mod sed;

use sandbox_applet::{Applet, Args, Outcome};

/// All programs by name. The file `applets` lists the same.
const APPLETS: &[Applet] = &[
    applet("awk", awk::run),
    applet("cmp", diff::cmp),
    applet("diff", diff::run),
    applet("egrep", grep::run),
    applet("expr", expr::run),
    applet("fgrep", grep::run),
    applet("gawk", awk::run),
    applet("grep", grep::run),
    applet("sed", sed::run),
];

const fn applet(name: &'static str, run: fn(Args) -> Outcome) -> Applet {
    Applet { name, run }
}

fn main() {
    sandbox_applet::main("text", APPLETS)
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
