//! Consistent overhead byte stuffing: any bytes without a zero, so that a zero can end a packet.
//!
//! Every block is a length byte `n` (1 to 255) and `n - 1` bytes that are not zero; a zero follows
//! each block but the last and those with `n == 255`.

use memchr::memchr;

/// The most bytes one block carries.
const BLOCK: usize = 254;

/// The most bytes that `len` bytes are encoded to, the ending zero not counted.
pub const fn max_encoded_len(len: usize) -> usize {
    len + len / BLOCK + 1
}

/// Appends `data` encoded to `out`, without the ending zero.
pub fn encode(data: &[u8], out: &mut Vec<u8>) {
    out.reserve(max_encoded_len(data.len()));
    let mut rest = data;
    loop {
        // Runs of zeros are common (sparse files, images), and a search for each would cost more
        // than all else.
        let zeros = rest.iter().take_while(|byte| **byte == 0).count();
        out.resize(out.len() + zeros, 1);
        rest = &rest[zeros..];
        let reach = rest.len().min(BLOCK);
        match memchr(0, &rest[..reach]) {
            Some(zero) => {
                push_block(&rest[..zero], out);
                rest = &rest[zero + 1..];
            }
            None => {
                push_block(&rest[..reach], out);
                rest = &rest[reach..];
                // A full block stands for no zero, so nothing has to follow it.
                if rest.is_empty() {
                    return;
                }
            }
        }
    }
}

/// How many times `byte` stands at the start of `data`.
fn run(data: &[u8], byte: u8) -> usize {
    let end = data.iter().position(|other| *other != byte);
    end.unwrap_or(data.len())
}

fn push_block(block: &[u8], out: &mut Vec<u8>) {
    // At most 254 bytes long, so the length fits.
    out.push(block.len() as u8 + 1);
    out.extend_from_slice(block);
}

/// Appends what `encoded` stands for to `out`; `None` when it is malformed. `out` may then hold a
/// part. It never grows by more than the length of `encoded`.
pub fn decode(encoded: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = encoded;
    while let Some((&code, tail)) = rest.split_first() {
        if code == 1 {
            let blocks = run(rest, 1);
            let zeros = blocks - usize::from(blocks == rest.len());
            out.resize(out.len() + zeros, 0);
            rest = &rest[blocks..];
            continue;
        }
        let len = usize::from(code.checked_sub(1)?);
        if tail.len() < len {
            return None;
        }
        let (block, after) = tail.split_at(len);
        if memchr(0, block).is_some() {
            return None;
        }
        out.extend_from_slice(block);
        if len < BLOCK && !after.is_empty() {
            out.push(0);
        }
        rest = after;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(data, &mut out);
        out
    }

    #[test]
    fn known_encodings() {
        assert_eq!(encoded(&[]), [1]);
        assert_eq!(encoded(&[0]), [1, 1]);
        assert_eq!(encoded(&[0x11, 0, 0x22]), [2, 0x11, 2, 0x22]);
        let long: Vec<u8> = vec![7; 254];
        let mut expected = vec![255];
        expected.extend_from_slice(&long);
        assert_eq!(encoded(&long), expected);
    }

    proptest! {
        #[test]
        fn decoding_gives_back_what_was_encoded(
            data in proptest::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..2000)
        ) {
            let encoded = encoded(&data);
            prop_assert!(!encoded.contains(&0));
            prop_assert!(encoded.len() <= max_encoded_len(data.len()));
            let mut back = Vec::new();
            prop_assert_eq!(decode(&encoded, &mut back), Some(()));
            prop_assert_eq!(back, data);
        }

        #[test]
        fn garbage_never_panics_nor_grows(data in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let mut out = Vec::new();
            let _ = decode(&data, &mut out);
            prop_assert!(out.len() <= data.len());
        }

        #[test]
        fn runs_of_zeros_survive(runs in proptest::collection::vec((0usize..600, 0usize..600), 0..6)) {
            let runs = runs.into_iter();
            let data: Vec<u8> = runs.flat_map(|(zeros, ones)| {
                std::iter::repeat_n(0, zeros).chain(std::iter::repeat_n(1, ones))
            }).collect();
            let mut back = Vec::new();
            prop_assert_eq!(decode(&encoded(&data), &mut back), Some(()));
            prop_assert_eq!(back, data);
        }

        #[test]
        fn runs_without_zeros_survive_every_length(len in 0usize..1100, byte in 1u8..) {
            let data = vec![byte; len];
            let mut back = Vec::new();
            prop_assert_eq!(decode(&encoded(&data), &mut back), Some(()));
            prop_assert_eq!(back, data);
        }
    }
}
