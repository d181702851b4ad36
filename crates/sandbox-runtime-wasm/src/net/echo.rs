//! Answers to echo requests that a sandbox sends to itself.

use std::net::IpAddr;

const REQUEST_V4: u8 = 8;
const REPLY_V4: u8 = 0;
const REQUEST_V6: u8 = 128;
const REPLY_V6: u8 = 129;
const ICMP_V6: u8 = 58;

/// The reply to the echo request `message`; `None` when it is none.
pub(super) fn reply(own: IpAddr, message: &[u8]) -> Option<Vec<u8>> {
    let (request, reply) = match own {
        IpAddr::V4(_) => (REQUEST_V4, REPLY_V4),
        IpAddr::V6(_) => (REQUEST_V6, REPLY_V6),
    };
    // Type, code, checksum, identifier, sequence number.
    if message.len() < 8 || message[..2] != [request, 0] {
        return None;
    }
    let mut answer = message.to_vec();
    answer[0] = reply;
    answer[2..4].fill(0);
    let sum = match own {
        IpAddr::V4(_) => sum(&answer),
        IpAddr::V6(own) => {
            let length = u32::try_from(answer.len()).ok()?;
            let mut pseudo = own.octets().to_vec();
            pseudo.extend(own.octets());
            pseudo.extend(length.to_be_bytes());
            pseudo.extend([0, 0, 0, ICMP_V6]);
            sum(&pseudo) + sum(&answer)
        }
    };
    answer[2..4].copy_from_slice(&fold(sum).to_be_bytes());
    Some(answer)
}

fn sum(bytes: &[u8]) -> u64 {
    let words = bytes.chunks(2).map(|word| match *word {
        [high, low] => u64::from(u16::from_be_bytes([high, low])),
        [high] => u64::from(high) << 8,
        _ => 0,
    });
    words.sum()
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn a_request_is_answered_with_a_sum_that_adds_up() {
        let request = [8, 0, 1, 2, 0, 7, 0, 1, b'a', b'b', b'c'];
        let answer = reply(Ipv4Addr::LOCALHOST.into(), &request).unwrap();
        assert_eq!(answer[0], 0);
        assert_eq!(answer[4..], request[4..]);
        assert_eq!(fold(sum(&answer)), 0);
    }

    #[test]
    fn what_is_no_request_of_the_family_gets_no_answer() {
        let v4 = [8, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(reply(Ipv6Addr::LOCALHOST.into(), &v4), None);
        for message in [&v4[..7], &[0; 8], &[8, 1, 0, 0, 0, 0, 0, 0]] {
            assert_eq!(reply(Ipv4Addr::LOCALHOST.into(), message), None);
        }
    }
}
