//! The error of a stream's last operation, as `wasi:io/error` keeps it.

use std::fmt;

use wasmtime_wasi_io::streams::StreamError;

use crate::kernel::Errno;

/// What a stream failed with.
#[derive(Debug)]
pub(super) struct StreamFailure(pub(super) Errno);

impl fmt::Display for StreamFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl std::error::Error for StreamFailure {}

/// The end of a stream by `errno`.
pub(super) fn stream_error(errno: Errno) -> StreamError {
    StreamError::LastOperationFailed(wasmtime::Error::new(StreamFailure(errno)))
}
