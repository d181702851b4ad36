//! The same calls here and on the machine's file system: same answers, same trees. Among them are
//! calls that nobody would make, which must fail and change nothing.
//!
//! `PROPTEST_CASES` says how many sequences of up to 60 calls are tried.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::host::{Answer, Host};
use super::ours::Ours;
use crate::kernel::Errno;

/// A call. Descriptors are by their place among the open ones; past them is one that is not open.
#[derive(Debug, Clone)]
pub(super) enum Call {
    Open {
        dir: usize,
        path: String,
        flags: u32,
        read: bool,
        write: bool,
        follow: bool,
        append: bool,
    },
    Close(usize),
    Renumber(usize, usize),
    Read(usize, Vec<usize>),
    Write(usize, Vec<usize>, u8),
    ReadAt(usize, u64, usize),
    WriteAt(usize, u64, usize, u8),
    Seek(usize, i64, u32),
    SetSize(usize, u64),
    Allocate(usize, u64, u64),
    Append(usize, bool),
    Stat(usize),
    List(usize, u32),
    StatPath(usize, String, bool),
    MakeDir(usize, String),
    RemoveDir(usize, String),
    Unlink(usize, String),
    Rename(usize, String, usize, String),
    Link(usize, String, bool, usize, String),
    Symlink(String, usize, String),
    ReadLink(usize, String, u32),
    SetTimes(usize, String, bool, u64),
    Hostile(usize, Hostile),
}

/// A call that must fail.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hostile {
    /// Where it reads from or writes to lies outside.
    Address(u8, u32),
    /// Flags that there are not.
    Flags(u8, u32),
    /// More buffers than there may be.
    Count(u8, u32),
}

struct Both {
    host: Host,
    ours: Ours,
}

impl Both {
    fn new() -> Self {
        Self {
            host: Host::new(),
            ours: Ours::new(),
        }
    }

    fn run(&mut self, call: &Call) -> (Result<Answer, Errno>, Result<Answer, Errno>) {
        let fds: Vec<u32> = self.host.open.keys().copied().collect();
        let fd = |slot: usize| fds.get(slot % (fds.len() + 1)).copied().unwrap_or(777);
        let ours = self.ours.run(call, &fd);
        let theirs = self.host.run(call, &fd);
        match call {
            // Which of two wrong things is told is nobody's concern.
            Call::Rename(_, _, dir, _) | Call::Link(_, _, _, dir, _) | Call::Symlink(_, dir, _)
                if !self.host.is_directory(fd(*dir)) =>
            {
                (ours.or(Err(Errno::BADF)), theirs.or(Err(Errno::BADF)))
            }
            _ => (ours, theirs),
        }
    }
}

fn path() -> impl Strategy<Value = String> {
    let names = prop::collection::vec("[abc]", 1..4).prop_map(|names| names.join("/"));
    let end = prop_oneof![12 => Just(""), 1 => Just("/"), 1 => Just("/."), 1 => Just("/..")];
    (names, end).prop_map(|(names, end)| names + end)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![6 => path(), 1 => Just("../b".to_owned()), 1 => Just(String::new())]
}

fn hostile() -> impl Strategy<Value = Hostile> {
    let outside = prop_oneof![Just(u32::MAX), Just(1 << 20), (1_u32 << 20)..u32::MAX];
    prop_oneof![
        3 => (any::<u8>(), outside).prop_map(|(which, at)| Hostile::Address(which, at)),
        1 => (any::<u8>(), 64..u32::MAX).prop_map(|(which, flags)| Hostile::Flags(which, flags)),
        1 => (any::<u8>(), 1025..u32::MAX).prop_map(|(which, many)| Hostile::Count(which, many)),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let slot = || 0..12_usize;
    let offset =
        || prop_oneof![3 => 0..200_u64, 1 => 65_500..65_600_u64, 1 => 130_000..200_000_u64];
    let some = || prop_oneof![1..50_usize, 65_000..70_000_usize];
    let more = || prop::collection::vec(prop_oneof![2 => 0..50_usize, 1 => some()], 0..3);
    // Linux asks nothing at all before it moves nothing.
    let lens = || (some(), more()).prop_map(|(first, more)| [vec![first], more].concat());
    let len = || prop_oneof![0..50_usize, 65_000..70_000_usize];
    let files = prop_oneof![
        8 => (slot(), path(), 0..16_u32, any::<(bool, bool, bool, bool)>()).prop_map(
            |(dir, path, flags, (read, write, follow, append))| Call::Open {
                dir, path, flags, read, write, follow, append
            }
        ),
        2 => slot().prop_map(Call::Close),
        1 => (slot(), slot()).prop_map(|(a, b)| Call::Renumber(a, b)),
        4 => (slot(), lens()).prop_map(|(s, l)| Call::Read(s, l)),
        6 => (slot(), lens(), 1..255_u8).prop_map(|(s, l, b)| Call::Write(s, l, b)),
        2 => (slot(), offset(), len()).prop_map(|(s, o, l)| Call::ReadAt(s, o, l)),
        2 => (slot(), offset(), len(), any::<u8>()).prop_map(|(s, o, l, b)| Call::WriteAt(s, o, l, b)),
        3 => (slot(), -300..200_000_i64, 0..3_u32).prop_map(|(s, o, w)| Call::Seek(s, o, w)),
        1 => (slot(), offset()).prop_map(|(s, n)| Call::SetSize(s, n)),
        1 => (slot(), offset(), 0..9_u64).prop_map(|(s, o, l)| Call::Allocate(s, o, l)),
        1 => (slot(), any::<bool>()).prop_map(|(s, a)| Call::Append(s, a)),
        2 => slot().prop_map(Call::Stat),
        2 => (slot(), 300..2000_u32).prop_map(|(s, l)| Call::List(s, l)),
    ];
    let names = prop_oneof![
        2 => (slot(), path(), any::<bool>()).prop_map(|(d, p, f)| Call::StatPath(d, p, f)),
        6 => (slot(), path()).prop_map(|(d, p)| Call::MakeDir(d, p)),
        1 => (slot(), path()).prop_map(|(d, p)| Call::RemoveDir(d, p)),
        2 => (slot(), path()).prop_map(|(d, p)| Call::Unlink(d, p)),
        4 => (slot(), path(), slot(), path()).prop_map(|(d, p, e, q)| Call::Rename(d, p, e, q)),
        3 => (slot(), path(), any::<bool>(), slot(), path())
            .prop_map(|(d, p, f, e, q)| Call::Link(d, p, f, e, q)),
        3 => (text(), slot(), path()).prop_map(|(t, d, p)| Call::Symlink(t, d, p)),
        1 => (slot(), path(), 0..8_u32).prop_map(|(d, p, l)| Call::ReadLink(d, p, l)),
        1 => (slot(), path(), any::<bool>(), 0..2_000_000_000_000_000_000_u64)
            .prop_map(|(d, p, f, t)| Call::SetTimes(d, p, f, t)),
        2 => (slot(), hostile()).prop_map(|(s, h)| Call::Hostile(s, h)),
    ];
    prop_oneof![3 => files, 2 => names]
}

fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked.map_or(150, |cases| {
        cases.parse().expect("PROPTEST_CASES is a number")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_answers_as_the_kernel_does(calls in prop::collection::vec(call(), 1..60)) {
        let mut both = Both::new();
        for call in &calls {
            let (ours, theirs) = both.run(call);
            prop_assert_eq!(ours, theirs, "{:?}", call);
        }
        let ours: BTreeMap<_, _> = both.ours.tree();
        let theirs: BTreeMap<_, _> = both.host.tree();
        prop_assert_eq!(ours, theirs);
    }
}
