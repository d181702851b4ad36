//! What happens to every request before and after its handler, in whichever dialect.
//!
//! ```text
//!  edge   every request, also one of no route:
//!           request id → span → metrics → room → panics → errors written → security headers
//!  gate   every route, by its policy:
//!           key → rate → scope → share → body limits → idempotency → deadline → handler
//! ```

mod authenticate;
pub(crate) mod body;
mod deadline;
mod detached;
mod drain;
pub(crate) mod edge;
mod failures;
pub(crate) mod gate;
mod idempotency;
pub(crate) mod metrics;
mod panics;
mod rate;
mod replay;
mod security;
mod share;
mod span;
mod streams;

#[cfg(test)]
mod tests;

pub(crate) use detached::Detached;
pub(crate) use failures::Failures;
pub(crate) use metrics::Metrics;
