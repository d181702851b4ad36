//! Programs that pass data through.

pub mod cat;
pub mod dd;
pub mod dump;
pub mod head;
pub mod reverse;
pub mod seq;
pub mod simple;
pub mod tail;
pub mod tee;
pub mod wc;
