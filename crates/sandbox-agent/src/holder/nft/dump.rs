//! Reading counters and sets back.

use std::collections::BTreeMap;
use std::io;

use super::attributes::{self, Attributes, find};
use super::batch::{QUOTA, SUBSYSTEM, Table, message};
use super::socket::Session;

const DUMP: u16 = 0x300;

/// Packets and bytes a counter has seen.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Count {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

/// Reads every counter of `table` and sets it to zero, so that nothing is counted twice.
pub(crate) fn take_counters(
    session: &mut Session,
    table: Table,
) -> io::Result<BTreeMap<String, Count>> {
    const COUNTER: u32 = 1;
    let answers = take_objects(session, table, COUNTER)?;
    Ok(answers.iter().filter_map(|answer| parse(answer)).collect())
}

/// Sets every alarm of `table` again.
pub(crate) fn set_alarms(session: &mut Session, table: Table) -> io::Result<()> {
    take_objects(session, table, QUOTA).map(|_| ())
}

fn take_objects(session: &mut Session, table: Table, kind: u32) -> io::Result<Vec<Vec<u8>>> {
    const GET_OBJECT_RESET: u16 = 21;
    const NEW_OBJECT: u16 = 18;
    let filter = Attributes::new().string(1, table.name).u32(3, kind);
    let kind = SUBSYSTEM << 8 | GET_OBJECT_RESET;
    let request = message(kind, DUMP, 1, table.family, 0, filter);
    session.dump(&request, NEW_OBJECT)
}

/// The keys in `set`.
pub(crate) fn keys(session: &mut Session, table: Table, set: &str) -> io::Result<Vec<Vec<u8>>> {
    const GET_ELEMENTS: u16 = 13;
    const NEW_ELEMENTS: u16 = 12;
    let which = Attributes::new().string(1, table.name).string(2, set);
    let kind = SUBSYSTEM << 8 | GET_ELEMENTS;
    let request = message(kind, DUMP, 1, table.family, 0, which);
    let answers = session.dump(&request, NEW_ELEMENTS)?;
    let lists = answers.iter().filter_map(|answer| find(answer, 3));
    let elements = lists.flat_map(attributes::parse);
    let keys = elements.filter_map(|(_, element)| find(find(element, 1)?, 1));
    Ok(keys.map(<[u8]>::to_vec).collect())
}

fn parse(answer: &[u8]) -> Option<(String, Count)> {
    let name = find(answer, 2)?;
    let name = std::str::from_utf8(name).ok()?.trim_end_matches('\0');
    let data = find(answer, 4)?;
    let number = |kind| Some(u64::from_be_bytes(find(data, kind)?.try_into().ok()?));
    let count = Count {
        bytes: number(1)?,
        packets: number(2)?,
    };
    Some((name.to_owned(), count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_read_from_its_attributes() {
        let data = Attributes::new().u64(1, 840).u64(2, 10);
        let answer = Attributes::new().string(2, "c").nest(4, data).into_bytes();
        let count = Count {
            packets: 10,
            bytes: 840,
        };
        assert_eq!(parse(&answer), Some(("c".to_owned(), count)));
        assert_eq!(parse(&answer[..20]), None);
    }
}
