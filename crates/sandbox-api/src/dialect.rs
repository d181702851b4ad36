//! What distinguishes one dialect's answers from another's.

use std::fmt;

use axum::response::Response;

use crate::error::ApiError;

/// A dialect, as the shared layers see it.
pub(crate) struct Dialect {
    /// Its name, as it appears in metrics and spans.
    pub(crate) name: &'static str,
    /// An error in the dialect's shape; the text is the request's id.
    pub(crate) render: fn(&ApiError, &str) -> Response,
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialect")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
