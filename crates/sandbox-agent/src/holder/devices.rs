//! The interfaces of this network namespace.

use std::{fs, io};

/// The names of every interface but loopback.
pub(super) fn list() -> io::Result<Vec<String>> {
    fs::read_to_string("/proc/self/net/dev").map(|table| parse(&table))
}

fn parse(table: &str) -> Vec<String> {
    let names = table
        .lines()
        .skip(2)
        .filter_map(|line| line.split_once(':'));
    names
        .map(|(name, _)| name.trim().to_owned())
        .filter(|name| name != "lo")
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_what_stands_before_the_colon() {
        let table = "Inter-|   Receive\n face |bytes\n    lo: 0 0\n  eth0:12 3\n";
        assert_eq!(super::parse(table), ["eth0"]);
    }
}
