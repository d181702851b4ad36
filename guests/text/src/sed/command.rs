//! What a script is.

use std::rc::Rc;

use super::substitute::Substitution;
use crate::regex::Pattern;

/// Where a command applies.
pub enum Address {
    Line(u64),
    Last,
    /// `first~step`
    Step(u64, u64),
    /// `None`: the last expression used.
    Match(Option<Rc<Pattern>>),
}

/// The end of a range.
pub enum Until {
    Address(Address),
    /// `+N`
    Count(u64),
    /// `~N`
    Multiple(u64),
}

/// The lines that a command is for.
pub struct Lines {
    pub first: Option<Address>,
    pub until: Option<Until>,
    pub negated: bool,
}

pub struct Command {
    pub lines: Lines,
    pub action: Action,
}

pub enum Action {
    /// Skips to the command of this number when the lines do not match: `{`.
    Block(usize),
    EndBlock,
    Label,
    Append(String),
    Insert(String),
    Change(String),
    /// To the command of this number; at the end, the next cycle.
    Branch(usize),
    BranchIf(usize),
    BranchUnless(usize),
    Delete,
    DeleteFirst,
    Hold,
    HoldAppend,
    Get,
    GetAppend,
    Exchange,
    List,
    Next,
    NextAppend,
    Print,
    PrintFirst,
    Quit(u8),
    QuitSilently(u8),
    ReadFile(String),
    WriteFile(String),
    WriteFirst(String),
    Substitute(Box<Substitution>),
    Translate(Vec<(char, char)>),
    Number,
    FileName,
    Zap,
}
