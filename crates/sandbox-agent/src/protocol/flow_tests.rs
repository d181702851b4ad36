use proptest::prelude::*;
use sandbox_core::OutputStream;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Produce(u8, usize),
    Carry,
    Consume(usize),
    Acknowledge,
    /// The link breaks: what was carried last may be lost, and both go on.
    Relink,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1u8..=3, 1usize..50_000).prop_map(|(tag, len)| Step::Produce(tag, len)),
        Just(Step::Carry),
        (1usize..60_000).prop_map(Step::Consume),
        Just(Step::Acknowledge),
        Just(Step::Relink),
    ]
}

fn consume(inflow: &mut Inflow, len: usize, seen: &mut Vec<(u8, u8)>) {
    if let Some((tag, data)) = inflow.front() {
        let len = len.min(data.len());
        seen.extend(data[..len].iter().map(|byte| (tag.byte(), *byte)));
        inflow.consume(len);
    }
}

#[test]
fn pieces_of_a_byte_each_are_taken_up_to_the_window_and_kept_together() {
    let mut inn = Inflow::default();
    for offset in 0..WINDOW {
        let piece = Bytes::from(vec![offset as u8]);
        inn.take(offset, Tag::Bytes, piece).unwrap();
    }
    assert!(inn.queue.len() <= 2 * WINDOW as usize / DATA_CHUNK);
    let mut next = 0;
    while let Some((tag, data)) = inn.pop() {
        assert_eq!(tag, Tag::Bytes);
        for byte in data {
            assert_eq!(byte, next as u8);
            next += 1;
        }
    }
    assert_eq!(next, WINDOW);
}

#[test]
fn pieces_of_changing_kinds_are_refused_before_they_cost_more_than_the_window() {
    let mut inn = Inflow::default();
    let refused = (0..WINDOW).find(|offset| {
        let stream = [OutputStream::Stdout, OutputStream::Stderr][*offset as usize % 2];
        let piece = Bytes::from_static(b"x");
        inn.take(*offset, Tag::Output(stream), piece).is_err()
    });
    assert_eq!(refused, Some(2 * MAX_RECORDS as u64));
}

#[test]
fn what_arrived_before_is_not_kept_with_what_is_new() {
    let mut inn = Inflow::default();
    let first = Bytes::from(vec![1; MAX_BODY]);
    inn.take(0, Tag::Bytes, first).unwrap();
    let again = Bytes::from(vec![1; MAX_BODY]);
    inn.take(1, Tag::Bytes, again.clone()).unwrap();
    assert!(again.is_unique(), "one new byte keeps {MAX_BODY} old ones");
    assert_eq!(inn.received(), MAX_BODY as u64 + 1);
}

#[test]
fn what_an_earlier_sender_left_counts_against_the_window() {
    let mut inn = Inflow::default();
    let before = 100_000;
    inn.take(0, Tag::Bytes, vec![1; 50_000].into()).unwrap();
    inn.take(50_000, Tag::Bytes, vec![1; 50_000].into())
        .unwrap();
    let mut out = Outflow::starting_at(inn.consumed(), inn.received());
    assert_eq!(out.room() as u64, WINDOW - before);
    out.push(Tag::Bytes, vec![2; out.room()]);
    while let Some((offset, tag, data)) = out.next_piece() {
        inn.take(offset, tag, Bytes::copy_from_slice(data)).unwrap();
    }
    assert_eq!(inn.received(), WINDOW);
    while inn.pop().is_some() {}
    out.acknowledge(inn.consumed()).unwrap();
    assert_eq!(out.room() as u64, WINDOW);
}

proptest! {
    #[test]
    fn no_byte_is_lost_or_repeated_over_broken_links(
        steps in proptest::collection::vec(step(), 0..200)
    ) {
        let (mut out, mut inn) = (Outflow::default(), Inflow::default());
        let (mut made, mut seen) = (Vec::new(), Vec::new());
        let mut counter = 0u8;
        for step in steps {
            match step {
                Step::Produce(tag, len) => {
                    let data: Vec<u8> = (0..len.min(out.room())).map(|_| {
                        counter = counter.wrapping_add(1);
                        counter
                    }).collect();
                    made.extend(data.iter().map(|byte| (tag, *byte)));
                    out.push(Tag::from_byte(tag).unwrap(), data);
                }
                Step::Carry => if let Some((offset, tag, data)) = out.next_piece() {
                    inn.take(offset, tag, Bytes::copy_from_slice(data)).unwrap();
                },
                Step::Consume(len) => consume(&mut inn, len, &mut seen),
                Step::Acknowledge => if let Some(offset) = inn.acknowledge() {
                    out.acknowledge(offset).unwrap();
                },
                Step::Relink => {
                    let _lost = out.next_piece();
                    out.resume(inn.received(), inn.consumed()).unwrap();
                }
            }
            prop_assert!(out.kept() <= WINDOW);
        }
        out.push(Tag::End, b"null".to_vec());
        while !out.is_finished() {
            while let Some((offset, tag, data)) = out.next_piece() {
                inn.take(offset, tag, Bytes::copy_from_slice(data)).unwrap();
            }
            while inn.front().is_some() {
                consume(&mut inn, usize::MAX, &mut seen);
            }
            out.acknowledge(inn.consumed()).unwrap();
        }
        prop_assert!(inn.is_ended());
        seen.truncate(made.len());
        prop_assert!(seen == made);
    }

    #[test]
    fn hostile_pieces_are_refused_or_bounded(
        pieces in proptest::collection::vec((any::<u64>(), 0u8..6, 0usize..60_000), 0..60)
    ) {
        let mut inflow = Inflow::default();
        for (offset, tag, len) in pieces {
            // Half of them fit, so that the window is reached too.
            let offset = if offset % 2 == 0 { inflow.received() } else { offset };
            let _ = inflow.take(offset, Tag::from_byte(tag).unwrap(), vec![0; len].into());
            prop_assert!(inflow.received() <= WINDOW + MAX_BODY as u64);
        }
    }

    #[test]
    fn hostile_acknowledgements_are_refused(offsets in proptest::collection::vec(any::<u64>(), 0..20)) {
        let mut out = Outflow::default();
        out.push(Tag::Bytes, vec![1; 1000]);
        for offset in offsets {
            let fits = offset <= 1000;
            prop_assert_eq!(out.acknowledge(offset).is_ok(), fits);
            let _ = out.resume(offset, offset);
            prop_assert!(out.kept() <= 1000);
        }
    }
}
