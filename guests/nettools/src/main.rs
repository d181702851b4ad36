//! The programs of a sandbox that use its network, in one module.

mod fetch;
mod host;
mod http;
mod ip;
mod nc;
mod nslookup;
mod ping;

use sandbox_applet::{Applet, Args, Outcome};

/// All programs by name. `tools.toml` lists the same.
const APPLETS: &[Applet] = &[
    applet("curl", fetch::curl),
    applet("ip", ip::run),
    applet("nc", nc::run),
    applet("netcat", nc::run),
    applet("nslookup", nslookup::run),
    applet("ping", ping::run),
    applet("ping6", ping::run),
    applet("wget", fetch::wget),
];

const fn applet(name: &'static str, run: fn(Args) -> Outcome) -> Applet {
    Applet { name, run }
}

fn main() {
    sandbox_applet::main("nettools", APPLETS)
}
