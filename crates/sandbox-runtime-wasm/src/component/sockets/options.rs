//! Options of sockets: hints for a network that is not there. What was set is remembered and shown;
//! nothing else follows from it.

use super::ErrorCode;

/// The largest buffer that is shown.
const MAX_BUFFER_BYTES: u64 = 1 << 20;

/// The options of one socket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    pub(super) keep_alive: bool,
    /// Nanoseconds.
    pub(super) keep_alive_idle: u64,
    /// Nanoseconds.
    pub(super) keep_alive_interval: u64,
    pub(super) keep_alive_count: u32,
    pub(super) hop_limit: u8,
    pub(super) receive_buffer: u64,
    pub(super) send_buffer: u64,
}

impl Default for Options {
    /// Linux's.
    fn default() -> Self {
        Self {
            keep_alive: false,
            keep_alive_idle: 7200 * 1_000_000_000,
            keep_alive_interval: 75 * 1_000_000_000,
            keep_alive_count: 9,
            hop_limit: 64,
            receive_buffer: 64 << 10,
            send_buffer: 64 << 10,
        }
    }
}

/// A value that cannot be zero.
///
/// # Errors
/// `invalid-argument`.
pub(super) fn positive<N: Default + PartialEq>(value: N) -> Result<N, ErrorCode> {
    if value == N::default() {
        return Err(ErrorCode::InvalidArgument);
    }
    Ok(value)
}

/// The size of a buffer that was asked for.
///
/// # Errors
/// `invalid-argument` for none.
pub(super) fn buffer(bytes: u64) -> Result<u64, ErrorCode> {
    positive(bytes).map(|bytes| bytes.min(MAX_BUFFER_BYTES))
}
