//! The programs of a sandbox that pack and unpack, in one module.

mod codec;
mod compress;
mod restore;
mod tar;
mod zip;

use sandbox_applet::{Applet, Args, Outcome};

/// All programs by name. The file `applets` lists the same.
const APPLETS: &[Applet] = &[
    applet("bunzip2", compress::run),
    applet("bzcat", compress::run),
    applet("bzip2", compress::run),
    applet("gunzip", compress::run),
    applet("gzip", compress::run),
    applet("tar", tar::run),
    applet("unxz", compress::run),
    applet("unzip", zip::unzip),
    applet("xz", compress::run),
    applet("xzcat", compress::run),
    applet("zcat", compress::run),
    applet("zip", zip::zip),
];

const fn applet(name: &'static str, run: fn(Args) -> Outcome) -> Applet {
    Applet { name, run }
}

fn main() {
    sandbox_applet::main("archive", APPLETS)
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
