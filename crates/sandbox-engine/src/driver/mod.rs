//! One task per sandbox that carries out what its life demands.
//!
//! ```text
//!   requests ──► inbox ─┐                          ┌─► store, then
//!   observations ───────┤                          │   view (what everybody sees), then
//!   deadline ───────────┼─► step: Lifecycle::handle┤   gate and waiters, then
//!   end of the work ────┘   (step.rs, nowhere else)└─► work (one at a time, work.rs)
//! ```
//!
//! The status of a sandbox changes in one place, [`Driver::step`] in `step.rs`: the machine is asked,
//! its answer is written to the store, then shown, and only then carried out. Everything else here
//! turns what happens into inputs of that one function.
//!
//! The task sleeps until its next deadline and costs nothing until then: uses of a running sandbox do
//! not wake it (see [`gate`](crate::gate)).

mod allowance;
mod message;
mod month;
mod run;
mod start;
mod step;
mod waiters;
mod work;

pub(crate) use message::{Goal, Message};
pub(crate) use month::by_month;
pub(crate) use run::{Beginning, Driver};
