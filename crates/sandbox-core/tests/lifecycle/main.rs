//! The lifecycle from outside: its clocks, and properties over arbitrary sequences of inputs.

mod checked;
mod clocks;
mod inputs;
mod properties;
mod world;
