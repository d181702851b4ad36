//! What happens to every request before and after its handler, in whichever dialect.

pub(crate) mod gate;
pub(crate) mod render;
