use proptest::prelude::*;

use super::*;

fn header() -> impl Strategy<Value = Header> {
    (
        any::<u64>(),
        any::<u32>(),
        any::<u64>(),
        1u8..=10,
        any::<u8>(),
    )
        .prop_map(|(lease, channel, offset, kind, tag)| Header {
            lease,
            channel,
            offset,
            kind: Kind::from_byte(kind).unwrap(),
            tag,
        })
}

fn packets() -> impl Strategy<Value = Vec<Packet>> {
    let body = proptest::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..600);
    let packet = (header(), body).prop_map(|(header, body)| Packet {
        header,
        body: body.into(),
    });
    proptest::collection::vec(packet, 1..6)
}

fn encode(packets: &[Packet]) -> Vec<u8> {
    let mut encoder = Encoder::default();
    let mut out = Vec::new();
    for packet in packets {
        encoder.packet(&packet.header, &packet.body, &mut out);
    }
    out
}

/// Feeds `bytes` in pieces of `step` bytes.
fn decode(decoder: &mut Decoder, bytes: &[u8], step: usize) -> Vec<Result<Packet, Damaged>> {
    let mut found = Vec::new();
    for piece in bytes.chunks(step) {
        decoder.feed(piece, |one| found.push(one));
    }
    found
}

#[test]
fn an_endless_packet_is_dropped_and_the_next_one_found() {
    let mut decoder = Decoder::default();
    let mut found = Vec::new();
    for _ in 0..100 {
        decoder.feed(&[0x55; 10_000], |one| found.push(one));
        assert!(decoder.pending.capacity() <= 2 * MAX_ENCODED);
    }
    assert_eq!(found, []);
    decoder.feed(&[0], |one| found.push(one));
    assert_eq!(found, [Err(Damaged)]);
    let good = Packet {
        header: Header {
            lease: 1,
            channel: 2,
            offset: 3,
            kind: Kind::Data,
            tag: 4,
        },
        body: Bytes::from_static(b"back in step"),
    };
    decoder.feed(&encode(std::slice::from_ref(&good)), |one| found.push(one));
    assert_eq!(found[1..], [Ok(good)]);
}

#[test]
fn the_longest_body_passes() {
    for byte in [0, 1] {
        let packet = Packet {
            header: Header {
                lease: u64::MAX,
                channel: 1,
                offset: 0,
                kind: Kind::Data,
                tag: 0,
            },
            body: vec![byte; MAX_BODY].into(),
        };
        let bytes = encode(std::slice::from_ref(&packet));
        let found = decode(&mut Decoder::default(), &bytes, 4096);
        assert_eq!(found, [Ok(packet)]);
    }
}

#[test]
fn an_assembler_holds_no_more_than_its_limit() {
    let mut assembler = Assembler::new(100);
    let part = |channel, len: usize| Packet {
        header: Header {
            lease: 0,
            channel,
            offset: 0,
            kind: Kind::Request,
            tag: MORE,
        },
        body: vec![1; len].into(),
    };
    assert_eq!(assembler.take(part(1, 60)), Ok(None));
    assert_eq!(assembler.take(part(2, 30)), Ok(None));
    assert_eq!(assembler.take(part(2, 20)), Err(TooLong));
    // What was refused is forgotten, so there is room again.
    assert_eq!(assembler.take(part(3, 40)), Ok(None));
    for channel in 4..1000 {
        assert_eq!(assembler.take(part(channel, 0)), Ok(None));
    }
    assert_eq!(assembler.parts.len(), 2);
}

proptest! {
    #[test]
    fn packets_come_out_as_they_went_in(packets in packets(), step in 1usize..700) {
        let found = decode(&mut Decoder::default(), &encode(&packets), step);
        prop_assert_eq!(found, packets.into_iter().map(Ok).collect::<Vec<_>>());
    }

    #[test]
    fn garbage_in_front_costs_at_most_itself(
        garbage in proptest::collection::vec(any::<u8>(), 0..500),
        packets in packets(),
    ) {
        // A client starts with a zero, which ends whatever its predecessor left unfinished.
        let mut bytes = garbage;
        bytes.push(0);
        bytes.extend_from_slice(&encode(&packets));
        let found = decode(&mut Decoder::default(), &bytes, 64);
        let good: Vec<_> = packets.into_iter().map(Ok).collect();
        prop_assert!(found.ends_with(&good));
    }

    #[test]
    fn a_flipped_bit_is_noticed(packets in packets(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = encode(&packets);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let found = decode(&mut Decoder::default(), &bytes, 64);
        let intact = found.iter().flatten().filter(|one| packets.contains(one)).count();
        prop_assert_eq!(intact, found.iter().flatten().count());
        prop_assert!(intact < packets.len());
    }

    #[test]
    fn messages_of_any_length_are_put_together(len in 0usize..200_000, channel: u32) {
        let message: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        let header = Header { lease: 9, channel, offset: 0, kind: Kind::Request, tag: 0 };
        let mut bytes = Vec::new();
        Encoder::default().message(header, &message, &mut bytes);
        let mut assembler = Assembler::new(300_000);
        let mut whole = None;
        Decoder::default().feed(&bytes, |packet| {
            if let Some(message) = assembler.take(packet.unwrap()).unwrap() {
                whole = Some(message);
            }
        });
        prop_assert_eq!(whole.unwrap(), message);
        prop_assert_eq!(assembler.held, 0);
    }
}
