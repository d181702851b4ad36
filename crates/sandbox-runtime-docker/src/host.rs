//! This machine, when the daemon runs on it: its addresses and name servers.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where resolvers are listed; the second has the real ones where the first has a local stub.
const RESOLVERS: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/// Every address of every interface, loopback left out: a sandbox's loopback is its own.
pub(crate) fn addresses() -> Vec<IpAddr> {
    let v4 = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    let v6 = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let mut found: Vec<IpAddr> = local_v4(&v4).into_iter().map(IpAddr::V4).collect();
    found.extend(local_v6(&v6).into_iter().map(IpAddr::V6));
    found.retain(|address| !address.is_loopback());
    found.sort();
    found.dedup();
    found
}

/// Resolvers a container can reach: not the loopback ones.
pub(crate) fn name_servers() -> Vec<IpAddr> {
    RESOLVERS
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .map(|text| reachable(&text))
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

fn reachable(resolv_conf: &str) -> Vec<IpAddr> {
    let lines = resolv_conf.lines().map(str::split_ascii_whitespace);
    let servers = lines.filter_map(|mut words| {
        words.next().filter(|word| *word == "nameserver")?;
        words.next()?.parse::<IpAddr>().ok()
    });
    servers.filter(|address| !address.is_loopback()).collect()
}

/// The routing table lists an address, and below it `/32 host LOCAL` when it is this machine's.
fn local_v4(fib_trie: &str) -> Vec<Ipv4Addr> {
    let mut last: Option<Ipv4Addr> = None;
    let mut found = Vec::new();
    for line in fib_trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(last);
        }
    }
    found
}

/// 32 hexadecimal digits at the start of each line.
fn local_v6(if_inet6: &str) -> Vec<Ipv6Addr> {
    let digits = if_inet6.lines().filter_map(|line| line.split(' ').next());
    digits
        .filter(|digits| digits.len() == 32)
        .filter_map(|digits| u128::from_str_radix(digits, 16).ok())
        .map(Ipv6Addr::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_addresses_are_told_from_routes() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n\
                    Local:\n  |-- 10.0.0.0\n     /24 link UNICAST\n  |-- 10.0.0.5\n     \
                    /32 host LOCAL\n  |-- 10.0.0.255\n     /32 link BROADCAST\n";
        assert_eq!(local_v4(trie), [Ipv4Addr::new(10, 0, 0, 5)]);
        let v6 = "fe80000000000000000000000000000a 02 40 20 80     eth0\n";
        assert_eq!(local_v6(v6), ["fe80::a".parse::<Ipv6Addr>().unwrap()]);
    }

    #[test]
    fn loopback_resolvers_are_left_out() {
        let text = "# x\nnameserver 127.0.0.53\nnameserver 192.0.2.1\nsearch a\n";
        assert_eq!(reachable(text), ["192.0.2.1".parse::<IpAddr>().unwrap()]);
    }
}
