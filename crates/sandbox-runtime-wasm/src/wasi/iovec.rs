//! Lists of buffers.

use super::memory::Guest;
use crate::kernel::{Errno, Result};

/// The most buffers of one call, as Linux has it.
pub(crate) const MAX_BUFFERS: u32 = 1024;
/// The most bytes that one call moves: 1 MiB. A longer request is answered in part, as POSIX
/// allows, so that no call holds the sandbox for long.
pub(crate) const MAX_BYTES: u32 = 1 << 20;

/// Where the buffers of one call lie. All of them are in memory, and not longer together than
/// [`MAX_BYTES`]: what goes past that was cut off.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    list: smallvec::SmallVec<[(u32, u32); 4]>,
    total: u32,
}

impl Buffers {
    /// Reads `count` pairs of address and length at `at`.
    ///
    /// # Errors
    /// `EINVAL` for more than [`MAX_BUFFERS`], `EFAULT` when the list or a buffer lies outside.
    pub(crate) fn read(memory: &Guest<'_>, at: u32, count: u32) -> Result<Self> {
        if count > MAX_BUFFERS {
            return Err(Errno::INVAL);
        }
        memory.check(at, count * 8)?;
        let mut buffers = Self::default();
        for index in 0..count {
            let pair = at + index * 8;
            let (start, len) = (memory.u32(pair)?, memory.u32(pair + 4)?);
            memory.check(start, len)?;
            let kept = len.min(MAX_BYTES - buffers.total);
            if kept > 0 {
                buffers.list.push((start, kept));
                buffers.total += kept;
            }
        }
        Ok(buffers)
    }

    /// Bytes in all of them.
    pub(crate) fn total(&self) -> u32 {
        self.total
    }

    /// Address and length of each that is not empty.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        self.list.iter().copied()
    }

    /// The only one that is not empty.
    pub(crate) fn single(&self) -> Option<(u32, u32)> {
        match self.list[..] {
            [] => Some((0, 0)),
            [single] => Some(single),
            _ => None,
        }
    }

    /// What is left of the buffer in which the byte number `skipped` of them all lies; empty at
    /// the end.
    pub(crate) fn from<'m>(&self, memory: &'m Guest<'_>, mut skipped: u32) -> Result<&'m [u8]> {
        for (start, len) in self.iter() {
            if skipped < len {
                return memory.bytes(start + skipped, len - skipped);
            }
            skipped -= len;
        }
        Ok(&[])
    }

    /// What they hold, in one piece: borrowed where there is one buffer only.
    pub(crate) fn gather<'m>(&self, memory: &'m Guest<'_>) -> Result<std::borrow::Cow<'m, [u8]>> {
        if let [(start, len)] = self.list[..] {
            return memory.bytes(start, len).map(Into::into);
        }
        let mut all = Vec::with_capacity(self.total as usize);
        for (start, len) in self.iter() {
            all.extend_from_slice(memory.bytes(start, len)?);
        }
        Ok(all.into())
    }

    /// Spreads `bytes` over them from their byte number `skipped` on; what does not fit is left
    /// out.
    pub(crate) fn scatter(
        &self,
        memory: &mut Guest<'_>,
        mut skipped: u32,
        mut bytes: &[u8],
    ) -> Result<()> {
        for (start, len) in self.iter() {
            let skip = skipped.min(len);
            skipped -= skip;
            let (now, later) = bytes.split_at(bytes.len().min((len - skip) as usize));
            memory.write(start + skip, now)?;
            bytes = later;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory_with(pairs: &[(u32, u32)], size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        for (index, (start, len)) in pairs.iter().enumerate() {
            bytes[index * 8..][..4].copy_from_slice(&start.to_le_bytes());
            bytes[index * 8 + 4..][..4].copy_from_slice(&len.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn a_list_that_lies_outside_is_a_fault() {
        let mut bytes = memory_with(&[(60, 4), (62, 4)], 64);
        let memory = Guest::new(&mut bytes);
        assert_eq!(Buffers::read(&memory, 0, 1).map(|b| b.total()), Ok(4));
        assert_eq!(
            Buffers::read(&memory, 0, 2).map(|b| b.total()),
            Err(Errno::FAULT)
        );
        assert_eq!(
            Buffers::read(&memory, 60, 1).map(|b| b.total()),
            Err(Errno::FAULT)
        );
        let many = Buffers::read(&memory, 0, u32::MAX).map(|b| b.total());
        assert_eq!(many, Err(Errno::INVAL));
    }

    #[test]
    fn a_call_moves_a_bounded_number_of_bytes() {
        let size = 2 * MAX_BYTES + 100;
        let mut bytes = memory_with(&[(50, MAX_BYTES - 1), (60, size - 60)], size as usize);
        let memory = Guest::new(&mut bytes);
        let buffers = Buffers::read(&memory, 0, 2).unwrap();
        assert_eq!(buffers.total(), MAX_BYTES);
        assert_eq!(buffers.gather(&memory).unwrap().len(), MAX_BYTES as usize);
    }

    #[test]
    fn bytes_are_spread_in_order() {
        let mut bytes = memory_with(&[(40, 3), (0, 0), (50, 2)], 64);
        let mut memory = Guest::new(&mut bytes);
        let buffers = Buffers::read(&memory, 0, 3).unwrap();
        buffers.scatter(&mut memory, 0, b"abcd").unwrap();
        assert_eq!(memory.bytes(40, 3), Ok(&b"abc"[..]));
        assert_eq!(memory.bytes(50, 2), Ok(&b"d\0"[..]));
        buffers.scatter(&mut memory, 2, b"xyz").unwrap();
        assert_eq!(memory.bytes(40, 3), Ok(&b"abx"[..]));
        assert_eq!(memory.bytes(50, 2), Ok(&b"yz"[..]));
    }
}
