//! Arithmetic of `$((…))`: signed 64-bit integers with all of C's operators, and `**`.

mod eval;
mod token;

pub use eval::{Variables, evaluate};

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Not an expression; near what.
    Syntax(String),
    /// Division or remainder by zero.
    DivisionByZero,
    /// An exponent below zero.
    NegativeExponent,
    /// Variables that refer to each other, or parentheses, too deeply.
    TooDeep,
    /// A variable could not be set (it is readonly, or unset under `-u`).
    Variable(String),
}

impl std::fmt::Display for Error {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Syntax(near) => {
                write!(out, "arithmetic expression: syntax error near \"{near}\"")
            }
            Self::DivisionByZero => out.write_str("arithmetic expression: division by zero"),
            Self::NegativeExponent => out.write_str("arithmetic expression: exponent less than 0"),
            Self::TooDeep => out.write_str("arithmetic expression: recursion too deep"),
            Self::Variable(message) => out.write_str(message),
        }
    }
}

pub type Result<T> = std::result::Result<T, Error>;
