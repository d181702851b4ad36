//! Tests of the policy as a whole.

mod cases;
mod laws;
mod parsing;
