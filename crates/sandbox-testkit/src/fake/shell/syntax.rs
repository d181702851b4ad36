//! What a line of shell means, before anything is expanded.

/// A part of a word.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    Text { text: String, quoted: bool },
    Parameter(Parameter),
    Command { body: Box<Node>, quoted: bool },
    Arithmetic { expression: Word, quoted: bool },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) form: Form,
    pub(crate) quoted: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Form {
    Value,
    Length,
    /// `${name:-word}`.
    Default(Word),
}

pub(crate) type Word = Vec<Piece>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RedirectKind {
    Read,
    Write,
    Append,
    Duplicate,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Redirect {
    pub(crate) fd: u32,
    pub(crate) kind: RedirectKind,
    pub(crate) target: Word,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Simple {
    pub(crate) assignments: Vec<(String, Word)>,
    pub(crate) words: Vec<Word>,
    pub(crate) redirects: Vec<Redirect>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Compound {
    Subshell(Node),
    Group(Node),
    Loop {
        until: bool,
        condition: Node,
        body: Node,
    },
    If {
        arms: Vec<(Node, Node)>,
        otherwise: Option<Node>,
    },
    For {
        name: String,
        words: Vec<Word>,
        body: Node,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// Commands in order, each with whether it runs in the background.
    Sequence(Vec<(Node, bool)>),
    /// A command, then others, each with whether it runs on success.
    AndOr(Box<Node>, Vec<(bool, Node)>),
    Pipeline {
        negated: bool,
        stages: Vec<Node>,
    },
    Simple(Simple),
    Compound(Box<Compound>, Vec<Redirect>),
}
