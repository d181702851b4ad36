//! The guest's memory, every access checked.

use sandbox_core::MAX_PATH_BYTES;
use wasmtime::Caller;

use crate::engine::ProcessState;
use crate::kernel::{Errno, Result};

/// The memory of the calling guest, borrowed for the time of a call. Pointers are offsets; what
/// lies outside is `FAULT`, and nothing is changed then.
#[derive(Debug)]
pub(crate) struct Guest<'a>(&'a mut [u8]);

impl<'a> Guest<'a> {
    /// A memory by itself.
    #[cfg(test)]
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Self(bytes)
    }

    /// The caller's memory and its data.
    ///
    /// # Errors
    /// `FAULT` for a module without an exported `memory`.
    pub(crate) fn split(
        caller: &'a mut Caller<'_, ProcessState>,
    ) -> Result<(Self, &'a mut ProcessState)> {
        let memory = match caller.data().memory {
            Some(memory) => memory,
            // A start function runs before the exports are known to us.
            None => {
                let export = caller
                    .get_export("memory")
                    .and_then(|export| export.into_memory());
                export.ok_or(Errno::FAULT)?
            }
        };
        let (bytes, state) = memory.data_and_store_mut(caller);
        Ok((Self(bytes), state))
    }

    /// The caller's memory.
    ///
    /// # Errors
    /// As [`split`](Self::split).
    pub(crate) fn of(caller: &'a mut Caller<'_, ProcessState>) -> Result<Self> {
        Self::split(caller).map(|(guest, _)| guest)
    }

    /// The `len` bytes at `ptr`.
    ///
    /// # Errors
    /// `FAULT`.
    pub(crate) fn bytes(&self, ptr: u32, len: u32) -> Result<&[u8]> {
        let (start, end) = range(ptr, len);
        self.0.get(start..end).ok_or(Errno::FAULT)
    }

    /// The `len` bytes at `ptr`, to be changed.
    ///
    /// # Errors
    /// `FAULT`.
    pub(crate) fn bytes_mut(&mut self, ptr: u32, len: u32) -> Result<&mut [u8]> {
        let (start, end) = range(ptr, len);
        self.0.get_mut(start..end).ok_or(Errno::FAULT)
    }

    /// Whether the `len` bytes at `ptr` are there: asked before a call that cannot be taken back,
    /// so that its answer has a place to go.
    ///
    /// # Errors
    /// `FAULT`.
    pub(crate) fn check(&self, ptr: u32, len: u32) -> Result<()> {
        self.bytes(ptr, len).map(drop)
    }

    /// The `len` bytes at `ptr` as text.
    ///
    /// # Errors
    /// `FAULT`; `ILSEQ` when they are not UTF-8.
    pub(crate) fn text(&self, ptr: u32, len: u32) -> Result<&str> {
        std::str::from_utf8(self.bytes(ptr, len)?).map_err(|_| Errno::ILSEQ)
    }

    /// The `len` bytes at `ptr` as a path.
    ///
    /// # Errors
    /// `FAULT`; `NAMETOOLONG` before anything is copied, `ILSEQ` when they are not UTF-8, `INVAL`
    /// for a NUL among them.
    pub(crate) fn path(&self, ptr: u32, len: u32) -> Result<&str> {
        if len as usize > MAX_PATH_BYTES {
            self.check(ptr, len)?;
            return Err(Errno::NAMETOOLONG);
        }
        let path = self.text(ptr, len)?;
        if path.contains('\0') {
            return Err(Errno::INVAL);
        }
        Ok(path)
    }

    /// Whether a slash stands before `ptr`.
    pub(super) fn is_after_slash(&self, ptr: u32) -> bool {
        let before = ptr.checked_sub(1).and_then(|at| self.0.get(at as usize));
        before == Some(&b'/')
    }

    /// Writes `bytes` at `ptr`.
    ///
    /// # Errors
    /// `FAULT`.
    pub(crate) fn write(&mut self, ptr: u32, bytes: &[u8]) -> Result<()> {
        let len = u32::try_from(bytes.len()).map_err(|_| Errno::FAULT)?;
        self.bytes_mut(ptr, len)?.copy_from_slice(bytes);
        Ok(())
    }

    fn array<const N: usize>(&self, ptr: u32) -> Result<[u8; N]> {
        let bytes = self.bytes(ptr, N as u32)?;
        bytes.try_into().map_err(|_| Errno::FAULT)
    }

    /// The 16-bit number at `ptr`.
    ///
    /// # Errors
    /// `FAULT`.
    pub(crate) fn u16(&self, ptr: u32) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array(ptr)?))
    }

    /// The 32-bit number at `ptr`.
    ///
    /// # Errors
    /// `FAULT`.
    pub(crate) fn u32(&self, ptr: u32) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array(ptr)?))
    }

    /// The 64-bit number at `ptr`.
    ///
    /// # Errors
    /// `FAULT`.
    pub(crate) fn u64(&self, ptr: u32) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array(ptr)?))
    }

    /// Writes the 32-bit number `value` at `ptr`.
    ///
    /// # Errors
    /// `FAULT`.
    pub(crate) fn write_u32(&mut self, ptr: u32, value: u32) -> Result<()> {
        self.write(ptr, &value.to_le_bytes())
    }

    /// Writes the 64-bit number `value` at `ptr`.
    ///
    /// # Errors
    /// `FAULT`.
    pub(crate) fn write_u64(&mut self, ptr: u32, value: u64) -> Result<()> {
        self.write(ptr, &value.to_le_bytes())
    }
}

/// Where `len` bytes at `ptr` begin and end; the sum fits where addresses are wider than the
/// guest's, and is outside of any memory elsewhere.
fn range(ptr: u32, len: u32) -> (usize, usize) {
    let start = ptr as usize;
    (start, start.saturating_add(len as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_outside_is_a_fault() {
        let mut bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        let mut memory = Guest::new(&mut bytes);
        assert_eq!(memory.u32(4), Ok(0x0807_0605));
        assert_eq!(memory.u32(5), Err(Errno::FAULT));
        assert_eq!(memory.u64(u32::MAX), Err(Errno::FAULT));
        assert_eq!(memory.bytes(8, 0), Ok(&[][..]));
        assert_eq!(memory.bytes(9, 0), Err(Errno::FAULT));
        assert_eq!(memory.bytes(4, u32::MAX), Err(Errno::FAULT));
        assert_eq!(memory.write_u32(6, 0), Err(Errno::FAULT));
        assert_eq!(memory.u16(6), Ok(0x0807), "a failed write wrote nothing");
    }

    #[test]
    fn paths_are_text() {
        let mut bytes = *b"ab\0\xFFcd";
        let memory = Guest::new(&mut bytes);
        assert_eq!(memory.path(0, 2), Ok("ab"));
        assert_eq!(memory.path(0, 3), Err(Errno::INVAL));
        assert_eq!(memory.path(3, 2), Err(Errno::ILSEQ));
        assert_eq!(memory.path(4, 3), Err(Errno::FAULT));
        assert_eq!(memory.path(0, 5000), Err(Errno::FAULT));
        let mut long = vec![b'a'; 5000];
        let long = Guest::new(&mut long);
        assert_eq!(long.path(0, 5000), Err(Errno::NAMETOOLONG));
    }
}
