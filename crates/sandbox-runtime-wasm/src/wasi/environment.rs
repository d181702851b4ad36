//! Arguments, environment, clocks and randomness: what a program asks about itself and its time.

use super::call::Call;
use super::memory::Guest;
use crate::kernel::{Errno, Result};

/// Random bytes that are made without a pause.
pub(super) const RANDOM_BYTES: u32 = 64 << 10;

impl Call<'_> {
    pub(super) fn args_sizes_get(&mut self, count: u32, bytes: u32) -> Result<()> {
        let image = self.process.image();
        write_sizes(&mut self.memory, &image.argv, count, bytes)
    }

    pub(super) fn args_get(&mut self, pointers: u32, bytes: u32) -> Result<()> {
        let image = self.process.image();
        write_strings(&mut self.memory, &image.argv, pointers, bytes)
    }

    pub(super) fn environ_sizes_get(&mut self, count: u32, bytes: u32) -> Result<()> {
        let image = self.process.image();
        write_sizes(&mut self.memory, &image.env, count, bytes)
    }

    pub(super) fn environ_get(&mut self, pointers: u32, bytes: u32) -> Result<()> {
        let image = self.process.image();
        write_strings(&mut self.memory, &image.env, pointers, bytes)
    }

    pub(super) fn clock_res_get(&mut self, id: u32, out: u32) -> Result<()> {
        self.clock(id)?;
        self.memory.write_u64(out, 1)
    }

    /// The precision is a hint, and not needed here.
    pub(super) fn clock_time_get(&mut self, id: u32, _precision: u64, out: u32) -> Result<()> {
        let time = self.clock(id)?;
        self.memory.write_u64(out, time)
    }

    /// What clock `id` shows, in nanoseconds.
    ///
    /// # Errors
    /// `INVAL` for a clock that there is not.
    fn clock(&self, id: u32) -> Result<u64> {
        match id {
            0 => Ok(self.now()),
            1 => Ok(self.process.machine.clock.monotonic()),
            // A process has one thread.
            2 | 3 => Ok(crate::kernel::nanos(self.process.cpu_time())),
            _ => Err(Errno::INVAL),
        }
    }

    /// Fills the first [`RANDOM_BYTES`] of what is asked for; answers how much is left.
    pub(super) fn random_get(&mut self, at: u32, len: u32) -> Result<u32> {
        self.memory.check(at, len)?;
        let now = len.min(RANDOM_BYTES);
        let into = self.memory.bytes_mut(at, now)?;
        if !self.process.machine.entropy.fill(into) {
            return Err(Errno::IO);
        }
        Ok(len - now)
    }
}

fn size_of(strings: &[String]) -> Result<u32> {
    let size: usize = strings.iter().map(|string| string.len() + 1).sum();
    u32::try_from(size).map_err(|_| Errno::OVERFLOW)
}

fn write_sizes(memory: &mut Guest<'_>, strings: &[String], count: u32, bytes: u32) -> Result<()> {
    memory.check(bytes, 4)?;
    memory.write_u32(count, strings.len() as u32)?;
    memory.write_u32(bytes, size_of(strings)?)
}

/// Writes the strings one after the other, each ended by a NUL, and where each begins.
fn write_strings(
    memory: &mut Guest<'_>,
    strings: &[String],
    mut pointers: u32,
    mut bytes: u32,
) -> Result<()> {
    memory.check(pointers, (strings.len() as u32).saturating_mul(4))?;
    memory.check(bytes, size_of(strings)?)?;
    for string in strings {
        memory.write_u32(pointers, bytes)?;
        memory.write(bytes, string.as_bytes())?;
        // Both lists were seen to lie in memory: these stay below 2³² but at its very end.
        bytes = bytes.wrapping_add(string.len() as u32);
        memory.write(bytes, &[0])?;
        bytes = bytes.wrapping_add(1);
        pointers = pointers.wrapping_add(4);
    }
    Ok(())
}
