//! `wasi:random`, by the machine's own random source.

use wasmtime::{Result, bail};

use super::MAX_CALL_BYTES;
use super::bindings::wasi::random::{insecure, insecure_seed, random};
use super::state::Host;

impl Host<'_> {
    fn random<const N: usize>(&self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill_random(&mut bytes)?;
        Ok(bytes)
    }

    fn fill_random(&self, into: &mut [u8]) -> Result<()> {
        // The interface knows no error here, and bytes that are not random would be worse.
        if !self.process.machine.entropy.fill(into) {
            bail!("there is no randomness to be had");
        }
        Ok(())
    }

    fn random_bytes(&self, len: u64) -> Result<Vec<u8>> {
        let len = usize::try_from(len)
            .ok()
            .filter(|len| *len <= MAX_CALL_BYTES);
        let Some(len) = len else {
            bail!("more than {MAX_CALL_BYTES} random bytes in one call");
        };
        let mut bytes = vec![0; len];
        self.fill_random(&mut bytes)?;
        Ok(bytes)
    }
}

impl random::Host for Host<'_> {
    fn get_random_bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        self.random_bytes(len)
    }

    fn get_random_u64(&mut self) -> Result<u64> {
        self.random().map(u64::from_le_bytes)
    }
}

impl insecure::Host for Host<'_> {
    fn get_insecure_random_bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        self.random_bytes(len)
    }

    fn get_insecure_random_u64(&mut self) -> Result<u64> {
        self.random().map(u64::from_le_bytes)
    }
}

impl insecure_seed::Host for Host<'_> {
    fn insecure_seed(&mut self) -> Result<(u64, u64)> {
        let [first, second] = [self.random()?, self.random()?].map(u64::from_le_bytes);
        Ok((first, second))
    }
}
