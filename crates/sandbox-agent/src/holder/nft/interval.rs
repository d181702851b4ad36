//! CIDRs as the disjoint ranges an interval set holds.

use ipnet::IpNet;

/// Which address family, with what differs between them on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// Bytes of an address.
    pub(crate) const fn width(self) -> usize {
        match self {
            Self::V4 => 4,
            Self::V6 => 16,
        }
    }

    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Self::V4 => "4",
            Self::V6 => "6",
        }
    }

    fn holds(self, net: &IpNet) -> bool {
        matches!(
            (self, net),
            (Self::V4, IpNet::V4(_)) | (Self::V6, IpNet::V6(_))
        )
    }

    const fn max(self) -> u128 {
        match self {
            Self::V4 => u32::MAX as u128,
            Self::V6 => u128::MAX,
        }
    }

    /// The last `width` bytes of `address`.
    pub(crate) fn key(self, address: u128) -> Vec<u8> {
        address.to_be_bytes()[16 - self.width()..].to_vec()
    }
}

/// A range of addresses: its first, and the first one after it, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) start: u128,
    pub(crate) end: Option<u128>,
}

/// The addresses of `nets` in `family` as sorted ranges that neither overlap nor touch.
pub(crate) fn intervals(nets: &[IpNet], family: Family) -> Vec<Interval> {
    let mut ranges: Vec<(u128, u128)> = nets
        .iter()
        .filter(|net| family.holds(net))
        .map(bounds)
        .collect();
    ranges.sort_unstable();
    let mut merged: Vec<(u128, u128)> = Vec::new();
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(previous) if first <= previous.1.saturating_add(1) => {
                previous.1 = previous.1.max(last);
            }
            _ => merged.push((first, last)),
        }
    }
    merged
        .into_iter()
        .map(|(start, last)| Interval {
            start,
            end: (last < family.max()).then(|| last + 1),
        })
        .collect()
}

fn bounds(net: &IpNet) -> (u128, u128) {
    match net {
        IpNet::V4(net) => (
            net.network().to_bits().into(),
            net.broadcast().to_bits().into(),
        ),
        IpNet::V6(net) => (net.network().to_bits(), net.broadcast().to_bits()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn ranges_that_overlap_or_touch_become_one() {
        let merged = intervals(
            &nets(&["10.0.0.0/25", "10.0.0.128/25", "10.0.0.0/30", "::/0"]),
            Family::V4,
        );
        let expected = Interval {
            start: 0x0a00_0000,
            end: Some(0x0a00_0100),
        };
        assert_eq!(merged, [expected]);
    }

    #[test]
    fn a_range_up_to_the_last_address_has_no_end() {
        for (text, family) in [("0.0.0.0/0", Family::V4), ("::/0", Family::V6)] {
            let all = Interval {
                start: 0,
                end: None,
            };
            assert_eq!(intervals(&nets(&[text]), family), [all]);
        }
    }

    proptest! {
        #[test]
        fn ranges_hold_exactly_the_addresses_of_the_nets(
            nets in prop::collection::vec((any::<u32>(), 0..=32u8), 0..6), near in 0..3u32, pick in any::<u32>(),
        ) {
            let nets: Vec<IpNet> = nets.into_iter()
                .map(|(bits, prefix)| IpNet::new_assert(std::net::Ipv4Addr::from_bits(bits).into(), prefix))
                .collect();
            let address = nets.get(near as usize).map_or(pick, |net| match net.broadcast() {
                std::net::IpAddr::V4(last) => last.to_bits().wrapping_add(near),
                std::net::IpAddr::V6(_) => pick,
            });
            let ip = std::net::IpAddr::from(std::net::Ipv4Addr::from_bits(address));
            let listed = nets.iter().any(|net| net.contains(&ip));
            let ranged = intervals(&nets, Family::V4).iter().any(|range| {
                range.start <= u128::from(address) && range.end.is_none_or(|end| u128::from(address) < end)
            });
            prop_assert_eq!(listed, ranged);
        }
    }
}
