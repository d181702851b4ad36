//! What distinguishes one dialect's answers from another's.

use std::fmt;

use axum::response::Response;

use crate::error::ApiError;
use crate::extract::RequestId;

/// A dialect, as the shared layers see it.
pub(crate) struct Dialect {
    /// Its name, as it appears in metrics and spans.
    pub(crate) name: &'static str,
    /// Whether requests count against
    /// [`max_concurrent_requests`](crate::ApiConfig::max_concurrent_requests).
    pub(crate) is_limited: bool,
    /// An error in the dialect's shape; what its sender is not told is in the log.
    pub(crate) render: fn(&ApiError, &RequestId) -> Response,
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialect")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
