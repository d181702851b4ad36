//! The programs of a sandbox that use its network, in one module.

mod host;
mod nc;
mod nslookup;
mod ping;

use sandbox_applet::{Applet, Args, Outcome};

/// All programs by name. `tools.toml` lists the same.
const APPLETS: &[Applet] = &[
    applet("nc", nc::run),
    applet("netcat", nc::run),
    applet("nslookup", nslookup::run),
    applet("ping", ping::run),
    applet("ping6", ping::run),
];

const fn applet(name: &'static str, run: fn(Args) -> Outcome) -> Applet {
    Applet { name, run }
}

fn main() {
    sandbox_applet::main("nettools", APPLETS)
}
