//! The guest's memory, every access checked.

use wasmtime::Caller;

use crate::engine::ProcessState;
use crate::kernel::{Errno, Result};

/// The memory of the calling guest, borrowed for the time of a call. Pointers are offsets; what
/// lies outside is `FAULT`, and nothing is changed then.
#[derive(Debug)]
pub(crate) struct Guest<'a>(&'a mut [u8]);

impl<'a> Guest<'a> {
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
        let start = ptr as usize;
        self.0.get(start..start + len as usize).ok_or(Errno::FAULT)
    }

    /// The `len` bytes at `ptr`, to be changed.
    ///
    /// # Errors
    /// `FAULT`.
    pub(crate) fn bytes_mut(&mut self, ptr: u32, len: u32) -> Result<&mut [u8]> {
        let start = ptr as usize;
        self.0
            .get_mut(start..start + len as usize)
            .ok_or(Errno::FAULT)
    }

    /// The `len` bytes at `ptr` as text.
    ///
    /// # Errors
    /// `FAULT`; `ILSEQ` when they are not UTF-8.
    pub(crate) fn text(&self, ptr: u32, len: u32) -> Result<&str> {
        std::str::from_utf8(self.bytes(ptr, len)?).map_err(|_| Errno::ILSEQ)
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
