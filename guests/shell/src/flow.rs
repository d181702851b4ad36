//! How running a command can end other than with a status.

/// What stops the commands that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// `break` out of so many loops.
    Break(u32),
    /// `continue` with the so many-th enclosing loop.
    Continue(u32),
    /// `return`.
    Return(i32),
    /// `exit`, or `-e`.
    Exit(i32),
    /// An error that ends a shell without a prompt.
    Error(i32),
}

/// A status (or another value), or what stops the commands that follow.
pub type Run<T = i32> = Result<T, Flow>;

/// The status of a usage or syntax error.
pub const USAGE: i32 = 2;
/// The status of a command that was found but cannot be run.
pub const NOT_EXECUTABLE: i32 = 126;
/// The status of a command that was not found.
pub const NOT_FOUND: i32 = 127;
