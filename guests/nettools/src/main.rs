//! The programs of a sandbox that use its network, in one module.

mod fetch;
mod host;
mod http;
mod ip;
mod nc;
mod nslookup;
mod ping;

use sandbox_applet::{Applet, Args, Outcome};

/// All programs by name. The file `applets` lists the same.
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
