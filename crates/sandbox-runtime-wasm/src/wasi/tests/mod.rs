//! Programs in a sandbox of their own.

mod guest;
mod programs;
