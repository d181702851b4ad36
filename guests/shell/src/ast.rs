//! The shape of a parsed script. It can be encoded, so that a subshell in another process runs it.

use std::cell::RefCell;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

/// Text of the shell: not always UTF-8.
pub type Bytes = Vec<u8>;

/// One word before expansion.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Word(pub Vec<Part>);

impl Word {
    /// The text, if it is one unquoted literal.
    pub fn literal(&self) -> Option<&[u8]> {
        match self.0.as_slice() {
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The text, if no expansion is needed to know it.
    pub fn constant(&self) -> Option<Bytes> {
        let mut out = Bytes::new();
        for part in &self.0 {
            match part {
                Part::Literal(text) | Part::Quoted(text) => out.extend_from_slice(text),
                Part::Double(parts) => match parts.as_slice() {
                    [] => {}
                    [Part::Quoted(text)] => out.extend_from_slice(text),
                    _ => return None,
                },
                _ => return None,
            }
        }
        Some(out)
    }
}

/// A stretch of a word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Part {
    /// Unquoted text.
    Literal(Bytes),
    /// Quoted text: `'…'`, `\x`, `$'…'`, text within `"…"`.
    Quoted(Bytes),
    /// `"…"`.
    Double(Vec<Part>),
    /// `$x`, `${…}`.
    Param(Box<Param>),
    /// `$(…)`, backquotes.
    Command(Rc<List>),
    /// `$((…))`.
    Arith(Word),
    /// `~` or `~name`.
    Tilde(Bytes),
    /// `<(…)` (true) or `>(…)`.
    Process(bool, Rc<List>),
}

/// A parameter expansion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Param {
    pub name: Name,
    pub index: Option<Index>,
    pub op: Op,
}

/// Which parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Name {
    Var(Bytes),
    Positional(usize),
    /// One of `@*#?-$!`.
    Special(u8),
}

/// Which element of an array.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Index {
    /// `[@]`
    All,
    /// `[*]`
    Joined,
    /// `[word]`
    At(Word),
}

/// What is done with a parameter's value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Op {
    Plain,
    /// `${#x}`
    Length,
    /// `${x-w}`; `null`: `${x:-w}`
    Default {
        null: bool,
        word: Word,
    },
    /// `${x=w}`
    Assign {
        null: bool,
        word: Word,
    },
    /// `${x?w}`
    Fail {
        null: bool,
        word: Word,
    },
    /// `${x+w}`
    Instead {
        null: bool,
        word: Word,
    },
    /// `${x#w}`, `${x%w}`
    Trim {
        suffix: bool,
        longest: bool,
        pattern: Word,
    },
    /// `${x:o:l}`
    Slice {
        offset: Word,
        length: Option<Word>,
    },
    /// `${x/p/r}`
    Replace {
        place: Place,
        pattern: Word,
        by: Word,
    },
    /// `${x^p}`, `${x,p}`
    Case {
        upper: bool,
        all: bool,
        pattern: Word,
    },
    /// `${!x}`
    Indirect,
    /// `${!x[@]}`
    Keys,
    /// `${!x@}`
    Names,
    /// `${x@Q}`
    Transform(u8),
    /// Not a substitution: an error when it is expanded.
    Bad(Bytes),
}

/// Where `${x/p/r}` looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    First,
    All,
    Start,
    End,
}

/// Commands in sequence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct List(pub Vec<Item>);

/// One and-or list of a sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    pub first: Pipeline,
    /// True: `&&`.
    pub rest: Vec<(bool, Pipeline)>,
    /// The text of the command, when it runs in the background.
    pub background: Option<Bytes>,
}

/// Commands joined by `|`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    pub negated: bool,
    pub timed: bool,
    pub commands: Vec<Command>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    Simple(Simple),
    Compound {
        body: Compound,
        redirects: Vec<Redirect>,
        line: u32,
    },
    Function(Rc<Function>),
}

/// Assignments, words and redirections.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Simple {
    pub line: u32,
    pub assigns: Vec<Assign>,
    pub words: Vec<Word>,
    /// Assignments among the arguments of `export`, `local` and their kin.
    pub declared: Vec<Assign>,
    pub redirects: Vec<Redirect>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assign {
    pub name: Bytes,
    pub index: Option<Word>,
    pub append: bool,
    pub value: AssignValue,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AssignValue {
    Scalar(Word),
    Array(Vec<(Option<Word>, Word)>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Redirect {
    pub fd: Option<u32>,
    pub kind: RedirectKind,
    pub target: Word,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RedirectKind {
    Read,
    Write,
    Append,
    ReadWrite,
    /// `>|`
    Clobber,
    /// `<&`
    DupRead,
    /// `>&`
    DupWrite,
    /// `<<`: the text, known after the line.
    Here(Rc<RefCell<Word>>),
    /// `<<<`
    HereString,
    /// `&>`
    Both,
    /// `&>>`
    BothAppend,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Compound {
    Subshell(Rc<List>),
    Group(List),
    If {
        branches: Vec<(List, List)>,
        otherwise: Option<List>,
    },
    For {
        name: Bytes,
        words: Option<Vec<Word>>,
        body: List,
    },
    ArithFor {
        parts: Box<[Word; 3]>,
        body: List,
    },
    While {
        until: bool,
        test: List,
        body: List,
    },
    Case {
        word: Word,
        arms: Vec<Arm>,
    },
    Test(Test),
    Arith(Word),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    pub patterns: Vec<Word>,
    pub body: List,
    pub then: ArmEnd,
}

/// What follows an arm of `case`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArmEnd {
    /// `;;`
    Leave,
    /// `;&`
    FallThrough,
    /// `;;&`
    TryNext,
}

/// An expression of `[[ ]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Test {
    Not(Box<Test>),
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
    Unary(Bytes, Word),
    Binary(Word, Bytes, Word),
    Word(Word),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Function {
    pub name: Bytes,
    pub body: Command,
}
