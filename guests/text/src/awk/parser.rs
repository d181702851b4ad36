//! From words to a program.

use std::collections::HashMap;
use std::rc::Rc;

use sandbox_applet::Failure;

use super::ast::{
    BUILTINS, Builtin, Comparison, Expr, Function, Operator, Place, Program, Redirect, Rule,
    SPECIAL, Source, Statement, Variable, When,
};
use super::lexer::{Token, tokens};
use crate::regex::{Flags, Pattern, Syntax};

/// Deeper nests are refused: the stack is not endless.
const MAX_DEPTH: usize = 250;

/// Understands `source`.
pub fn parse(source: &str) -> Result<Program, Failure> {
    let mut parser = Parser {
        tokens: tokens(source)?,
        at: 0,
        globals: SPECIAL
            .iter()
            .enumerate()
            .map(|(at, name)| ((*name).to_owned(), at))
            .collect(),
        locals: HashMap::new(),
        functions: HashMap::new(),
        bodies: Vec::new(),
        ranges: 0,
        no_in: false,
        no_greater: false,
        depth: 0,
    };
    parser.declare();
    parser.program()
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    globals: HashMap<String, usize>,
    locals: HashMap<String, usize>,
    functions: HashMap<String, usize>,
    bodies: Vec<Option<Function>>,
    ranges: usize,
    /// Within the head of `for (`: `in` is not an operator.
    no_in: bool,
    /// Behind `print`: `>` is where the output goes.
    no_greater: bool,
    depth: usize,
}

type Parsed<T> = Result<T, Failure>;

impl Parser {
    /// Functions may be called before they are defined: their numbers are known first.
    fn declare(&mut self) {
        let words: Vec<&Token> = self.tokens.iter().map(|token| &token.0).collect();
        for pair in words.windows(2) {
            if let [
                Token::Keyword("function"),
                Token::Name(name) | Token::Function(name),
            ] = pair
            {
                let number = self.functions.len();
                self.functions.entry(name.clone()).or_insert(number);
            }
        }
        self.bodies.resize_with(self.functions.len(), || None);
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn next(&mut self) -> Token {
        let token = self.tokens[self.at].0.clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn error(&self, what: &str) -> Failure {
        let near = match self.peek() {
            Token::End => "the end".to_owned(),
            Token::Newline => "the end of the line".to_owned(),
            Token::Sign(sign) => format!("'{sign}'"),
            Token::Keyword(word) => format!("'{word}'"),
            Token::Name(name) | Token::Function(name) => format!("'{name}'"),
            token => format!("{token:?}"),
        };
        Failure::new(format!("line {}: {what} at {near}", self.tokens[self.at].1)).with_code(2)
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.peek(), Token::Sign(found) if *found == sign)
    }

    fn eat(&mut self, sign: &str) -> bool {
        let is = self.is(sign);
        if is {
            self.next();
        }
        is
    }

    fn need(&mut self, sign: &str) -> Parsed<()> {
        if self.eat(sign) {
            Ok(())
        } else {
            Err(self.error(&format!("'{sign}' is missing")))
        }
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Keyword(found) if *found == word)
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let is = self.is_word(word);
        if is {
            self.next();
        }
        is
    }

    fn newlines(&mut self) {
        while *self.peek() == Token::Newline {
            self.next();
        }
    }

    /// Newlines and semicolons.
    fn ends(&mut self) {
        while *self.peek() == Token::Newline || self.is(";") {
            self.next();
        }
    }

    fn program(mut self) -> Parsed<Program> {
        let (mut begin, mut rules, mut end) = (Vec::new(), Vec::new(), Vec::new());
        self.ends();
        while *self.peek() != Token::End {
            if self.eat_word("BEGIN") {
                begin.push(self.block()?.into());
            } else if self.eat_word("END") {
                end.push(self.block()?.into());
            } else if self.eat_word("function") {
                self.function()?;
            } else {
                let rule = self.rule()?;
                rules.push(rule);
            }
            self.ends();
        }
        let functions = self.bodies.into_iter().collect::<Option<Vec<_>>>();
        let functions =
            functions.ok_or_else(|| Failure::new("a function has no body").with_code(2))?;
        let mut globals = vec![String::new(); self.globals.len()];
        for (name, place) in self.globals {
            globals[place] = name;
        }
        Ok(Program {
            begin,
            rules,
            end,
            functions,
            globals,
        })
    }

    fn rule(&mut self) -> Parsed<Rule> {
        if self.is("{") {
            return Ok(Rule {
                pattern: When::Always,
                body: Some(self.block()?.into()),
            });
        }
        let first = self.expr()?;
        let pattern = if self.eat(",") {
            self.newlines();
            self.ranges += 1;
            When::Range(first, self.expr()?, self.ranges - 1)
        } else {
            When::Test(first)
        };
        let body = if self.is("{") {
            Some(self.block()?.into())
        } else {
            None
        };
        Ok(Rule { pattern, body })
    }

    fn function(&mut self) -> Parsed<()> {
        let (Token::Name(name) | Token::Function(name)) = self.next() else {
            return Err(self.error("a function needs a name"));
        };
        self.need("(")?;
        self.locals.clear();
        self.newlines();
        while !self.is(")") {
            let (Token::Name(parameter) | Token::Function(parameter)) = self.next() else {
                return Err(self.error("a parameter needs a name"));
            };
            let place = self.locals.len();
            if self.locals.insert(parameter, place).is_some() {
                return Err(self.error("two parameters have one name"));
            }
            self.newlines();
            if !self.eat(",") {
                break;
            }
            self.newlines();
        }
        self.need(")")?;
        self.newlines();
        let body = self.block()?.into();
        let number = self.functions[&name];
        self.bodies[number] = Some(Function {
            name,
            parameters: self.locals.len(),
            body,
        });
        self.locals.clear();
        Ok(())
    }

    fn block(&mut self) -> Parsed<Vec<Statement>> {
        self.need("{")?;
        let mut found = Vec::new();
        self.ends();
        while !self.is("}") {
            if *self.peek() == Token::End {
                return Err(self.error("'}' is missing"));
            }
            self.statement(&mut found)?;
            self.ends();
        }
        self.need("}")?;
        Ok(found)
    }

    fn enter(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            Err(self.error("too deeply nested"))
        } else {
            Ok(())
        }
    }

    /// A statement, or a block of them, as the body of another.
    fn body(&mut self) -> Parsed<Vec<Statement>> {
        self.newlines();
        if self.eat(";") {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        self.statement(&mut found)?;
        Ok(found)
    }

    fn statement(&mut self, found: &mut Vec<Statement>) -> Parsed<()> {
        self.enter()?;
        if self.is("{") {
            found.extend(self.block()?);
        } else {
            found.push(self.one()?);
        }
        self.depth -= 1;
        Ok(())
    }

    fn one(&mut self) -> Parsed<Statement> {
        let statement = match self.peek() {
            Token::Keyword("if") => return self.if_else(),
            Token::Keyword("while") => {
                self.next();
                let test = self.condition()?;
                return Ok(Statement::While(test, self.body()?));
            }
            Token::Keyword("do") => {
                self.next();
                let body = self.body()?;
                self.ends();
                if !self.eat_word("while") {
                    return Err(self.error("'while' is missing"));
                }
                Statement::Do(body, self.condition()?)
            }
            Token::Keyword("for") => return self.for_loop(),
            _ => self.simple()?,
        };
        match self.peek() {
            Token::Newline | Token::End | Token::Sign(";" | "}") => Ok(statement),
            _ => Err(self.error("a syntax error")),
        }
    }

    fn condition(&mut self) -> Parsed<Expr> {
        self.need("(")?;
        let test = self.expr()?;
        self.need(")")?;
        Ok(test)
    }

    fn if_else(&mut self) -> Parsed<Statement> {
        self.next();
        let test = self.condition()?;
        let then = self.body()?;
        let before = self.at;
        self.ends();
        if self.eat_word("else") {
            return Ok(Statement::If(test, then, self.body()?));
        }
        self.at = before;
        Ok(Statement::If(test, then, Vec::new()))
    }

    fn for_loop(&mut self) -> Parsed<Statement> {
        self.next();
        self.need("(")?;
        if let [
            (Token::Name(name), _),
            (Token::Keyword("in"), _),
            (Token::Name(array), _),
            (Token::Sign(")"), _),
            ..,
        ] = &self.tokens[self.at..]
        {
            let (name, array) = (name.clone(), array.clone());
            self.at += 4;
            let (name, array) = (self.variable(&name), self.variable(&array));
            return Ok(Statement::ForIn(name, array, self.body()?));
        }
        let start = if self.is(";") {
            None
        } else {
            Some(Box::new(self.simple()?))
        };
        self.need(";")?;
        self.newlines();
        let test = if self.is(";") {
            None
        } else {
            Some(self.expr()?)
        };
        self.need(";")?;
        self.newlines();
        let step = if self.is(")") {
            None
        } else {
            Some(Box::new(self.simple()?))
        };
        self.need(")")?;
        Ok(Statement::For(start, test, step, self.body()?))
    }

    fn value(&mut self) -> Parsed<Option<Expr>> {
        match self.peek() {
            Token::Newline | Token::End | Token::Sign(";" | "}") => Ok(None),
            _ => self.expr().map(Some),
        }
    }

    fn simple(&mut self) -> Parsed<Statement> {
        let Token::Keyword(word) = *self.peek() else {
            return self.expr().map(Statement::Expr);
        };
        if matches!(word, "getline" | "in") {
            return self.expr().map(Statement::Expr);
        }
        self.next();
        Ok(match word {
            "print" | "printf" => {
                let args = self.print_args()?;
                let redirect = self.redirect()?;
                match word {
                    "print" => Statement::Print(args, redirect),
                    _ if args.is_empty() => return Err(self.error("printf needs a format")),
                    _ => Statement::Printf(args, redirect),
                }
            }
            "next" => Statement::Next,
            "nextfile" => Statement::NextFile,
            "break" => Statement::Break,
            "continue" => Statement::Continue,
            "exit" => Statement::Exit(self.value()?),
            "return" => Statement::Return(self.value()?),
            "delete" => {
                let (Token::Name(name) | Token::Function(name)) = self.next() else {
                    return Err(self.error("delete needs an array"));
                };
                let array = self.variable(&name);
                let index = if self.eat("[") {
                    Some(self.index()?)
                } else {
                    None
                };
                Statement::Delete(array, index)
            }
            _ => return Err(self.error("a syntax error")),
        })
    }

    fn print_args(&mut self) -> Parsed<Vec<Expr>> {
        if matches!(
            self.peek(),
            Token::Newline | Token::End | Token::Sign(";" | "}" | ">" | ">>" | "|")
        ) {
            return Ok(Vec::new());
        }
        let before = std::mem::replace(&mut self.no_greater, true);
        let mut args = vec![self.expr()?];
        while self.eat(",") {
            self.newlines();
            args.push(self.expr()?);
        }
        self.no_greater = before;
        // `print (a, b)`
        if let [Expr::List(_)] = &args[..]
            && let Some(Expr::List(inner)) = args.pop()
        {
            return Ok(inner);
        }
        Ok(args)
    }

    fn redirect(&mut self) -> Parsed<Option<Redirect>> {
        let make = match self.peek() {
            Token::Sign(">") => Redirect::File,
            Token::Sign(">>") => Redirect::Append,
            Token::Sign("|") => Redirect::Pipe,
            _ => return Ok(None),
        };
        self.next();
        let before = std::mem::replace(&mut self.no_greater, true);
        let target = self.concat()?;
        self.no_greater = before;
        Ok(Some(make(target)))
    }

    fn variable(&mut self, name: &str) -> Variable {
        if let Some(&place) = self.locals.get(name) {
            return Variable::Local(place);
        }
        let next = self.globals.len();
        Variable::Global(*self.globals.entry(name.to_owned()).or_insert(next))
    }

    /// The rest of `[a, b]`.
    fn index(&mut self) -> Parsed<Vec<Expr>> {
        let before = (
            std::mem::take(&mut self.no_in),
            std::mem::take(&mut self.no_greater),
        );
        let found = self.list("]")?;
        (self.no_in, self.no_greater) = before;
        Ok(found)
    }

    /// Expressions up to `end`.
    fn list(&mut self, end: &str) -> Parsed<Vec<Expr>> {
        let mut found = Vec::new();
        self.newlines();
        while !self.is(end) {
            found.push(self.expr()?);
            self.newlines();
            if !self.eat(",") {
                break;
            }
            self.newlines();
        }
        self.need(end)?;
        Ok(found)
    }

    fn expr(&mut self) -> Parsed<Expr> {
        self.enter()?;
        let left = self.ternary()?;
        let operator = match self.peek() {
            Token::Sign("=") => None,
            Token::Sign("+=") => Some(Operator::Add),
            Token::Sign("-=") => Some(Operator::Subtract),
            Token::Sign("*=") => Some(Operator::Multiply),
            Token::Sign("/=") => Some(Operator::Divide),
            Token::Sign("%=") => Some(Operator::Remainder),
            Token::Sign("^=") => Some(Operator::Power),
            _ => {
                self.depth -= 1;
                return Ok(left);
            }
        };
        let found = self.assign(left, operator)?;
        self.depth -= 1;
        Ok(found)
    }

    /// The right side of an assignment to what `left` ends with: `a && b = 1` assigns to `b`.
    fn assign(&mut self, left: Expr, operator: Option<Operator>) -> Parsed<Expr> {
        Ok(match left {
            Expr::Read(place) => {
                self.next();
                self.newlines();
                Expr::Assign(place, operator, Box::new(self.expr()?))
            }
            Expr::And(a, b) => Expr::And(a, Box::new(self.assign(*b, operator)?)),
            Expr::Or(a, b) => Expr::Or(a, Box::new(self.assign(*b, operator)?)),
            Expr::Not(a) => Expr::Not(Box::new(self.assign(*a, operator)?)),
            Expr::Choose(a, b, c) => Expr::Choose(a, b, Box::new(self.assign(*c, operator)?)),
            Expr::Compare(comparison, a, b) => {
                Expr::Compare(comparison, a, Box::new(self.assign(*b, operator)?))
            }
            _ => return Err(self.error("nothing to assign to")),
        })
    }

    fn ternary(&mut self) -> Parsed<Expr> {
        let test = self.or()?;
        if !self.eat("?") {
            return Ok(test);
        }
        self.newlines();
        let yes = self.expr()?;
        self.newlines();
        self.need(":")?;
        self.newlines();
        let no = self.expr()?;
        Ok(Expr::Choose(Box::new(test), Box::new(yes), Box::new(no)))
    }

    fn or(&mut self) -> Parsed<Expr> {
        let mut left = self.and()?;
        while self.eat("||") {
            self.newlines();
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed<Expr> {
        let mut left = self.membership()?;
        while self.eat("&&") {
            self.newlines();
            left = Expr::And(Box::new(left), Box::new(self.membership()?));
        }
        Ok(left)
    }

    fn membership(&mut self) -> Parsed<Expr> {
        let mut left = self.matching()?;
        while !self.no_in && self.eat_word("in") {
            let (Token::Name(name) | Token::Function(name)) = self.next() else {
                return Err(self.error("'in' needs an array"));
            };
            let array = self.variable(&name);
            left = match left {
                Expr::List(keys) => Expr::In(keys, array),
                key => Expr::In(vec![key], array),
            };
        }
        Ok(left)
    }

    fn matching(&mut self) -> Parsed<Expr> {
        let mut left = self.comparison()?;
        loop {
            let negated = match self.peek() {
                Token::Sign("~") => false,
                Token::Sign("!~") => true,
                _ => return Ok(left),
            };
            self.next();
            let pattern = Box::new(self.comparison()?);
            left = Expr::Match {
                negated,
                text: Box::new(left),
                pattern,
            };
        }
    }

    fn comparison(&mut self) -> Parsed<Expr> {
        let left = self.concat()?;
        let comparison = match self.peek() {
            Token::Sign("<") => Comparison::Less,
            Token::Sign("<=") => Comparison::LessEqual,
            Token::Sign("==") => Comparison::Equal,
            Token::Sign("!=") => Comparison::NotEqual,
            Token::Sign(">") if !self.no_greater => Comparison::Greater,
            Token::Sign(">=") => Comparison::GreaterEqual,
            _ => return Ok(left),
        };
        self.next();
        Ok(Expr::Compare(
            comparison,
            Box::new(left),
            Box::new(self.concat()?),
        ))
    }

    fn concat(&mut self) -> Parsed<Expr> {
        let mut left = self.additive()?;
        loop {
            if self.is("|") && self.tokens[self.at + 1].0 == Token::Keyword("getline") {
                self.next();
                self.next();
                let place = self.getline_place()?;
                left = Expr::Getline(Source::Command(Box::new(left)), place);
                continue;
            }
            let more = match self.peek() {
                Token::Number(_)
                | Token::Text(_)
                | Token::Regex(_)
                | Token::Name(_)
                | Token::Function(_)
                | Token::Builtin(_)
                | Token::Sign("$" | "(" | "++" | "--") => true,
                _ => false,
            };
            if !more {
                return Ok(left);
            }
            left = Expr::Concat(Box::new(left), Box::new(self.additive()?));
        }
    }

    fn additive(&mut self) -> Parsed<Expr> {
        let mut left = self.multiplicative()?;
        loop {
            let operator = match self.peek() {
                Token::Sign("+") => Operator::Add,
                Token::Sign("-") => Operator::Subtract,
                _ => return Ok(left),
            };
            self.next();
            left = Expr::Arithmetic(operator, Box::new(left), Box::new(self.multiplicative()?));
        }
    }

    fn multiplicative(&mut self) -> Parsed<Expr> {
        let mut left = self.unary()?;
        loop {
            let operator = match self.peek() {
                Token::Sign("*") => Operator::Multiply,
                Token::Sign("/") => Operator::Divide,
                Token::Sign("%") => Operator::Remainder,
                _ => return Ok(left),
            };
            self.next();
            left = Expr::Arithmetic(operator, Box::new(left), Box::new(self.unary()?));
        }
    }

    fn unary(&mut self) -> Parsed<Expr> {
        self.enter()?;
        let found = if self.eat("!") {
            Expr::Not(Box::new(self.unary()?))
        } else if self.eat("-") {
            Expr::Minus(Box::new(self.unary()?))
        } else if self.eat("+") {
            Expr::Plus(Box::new(self.unary()?))
        } else {
            self.power()?
        };
        self.depth -= 1;
        Ok(found)
    }

    fn power(&mut self) -> Parsed<Expr> {
        let base = self.postfix()?;
        if !self.eat("^") {
            return Ok(base);
        }
        // To the right, and above a sign: 2^-3, -2^2.
        let exponent = self.unary()?;
        Ok(Expr::Arithmetic(
            Operator::Power,
            Box::new(base),
            Box::new(exponent),
        ))
    }

    fn postfix(&mut self) -> Parsed<Expr> {
        let found = self.primary()?;
        let by = match self.peek() {
            Token::Sign("++") => 1.0,
            Token::Sign("--") => -1.0,
            _ => return Ok(found),
        };
        match found {
            Expr::Read(place) => {
                self.next();
                Ok(Expr::Step {
                    place,
                    by,
                    before: true,
                })
            }
            found => Ok(found),
        }
    }

    fn place(&mut self) -> Parsed<Place> {
        match self.primary()? {
            Expr::Read(place) => Ok(place),
            _ => Err(self.error("nothing to assign to")),
        }
    }

    fn getline_place(&mut self) -> Parsed<Option<Place>> {
        match self.peek() {
            Token::Name(_) | Token::Sign("$") => self.place().map(Some),
            _ => Ok(None),
        }
    }

    fn primary(&mut self) -> Parsed<Expr> {
        match self.next() {
            Token::Number(number) => Ok(Expr::Number(number)),
            Token::Text(bytes) => Ok(Expr::Text(bytes.into())),
            Token::Regex(source) => {
                let pattern = Pattern::posix(
                    &source,
                    Syntax::Awk,
                    Flags {
                        newline: true,
                        ..Flags::default()
                    },
                )
                .map_err(|error| self.error(&format!("/{source}/: {error}")))?;
                Ok(Expr::Regex(Rc::new(pattern)))
            }
            Token::Name(name) => {
                let variable = self.variable(&name);
                Ok(Expr::Read(if self.eat("[") {
                    Place::Element(variable, self.index()?)
                } else {
                    Place::Variable(variable)
                }))
            }
            Token::Function(name) => {
                let number = self.functions.get(&name).copied();
                let number = number
                    .ok_or_else(|| self.error(&format!("function '{name}' is not defined")))?;
                Ok(Expr::Call(number, self.arguments()?))
            }
            Token::Builtin(builtin) => self.builtin(builtin),
            Token::Keyword("getline") => {
                let place = self.getline_place()?;
                let source = if self.eat("<") {
                    Source::File(Box::new(self.postfix()?))
                } else {
                    Source::Main
                };
                Ok(Expr::Getline(source, place))
            }
            Token::Sign("$") => {
                let inner = match self.peek() {
                    Token::Sign("-") => self.unary()?,
                    Token::Sign("++" | "--") => self.primary()?,
                    _ => self.primary()?,
                };
                Ok(Expr::Read(Place::Field(Box::new(inner))))
            }
            Token::Sign("++") => Ok(Expr::Step {
                place: self.place()?,
                by: 1.0,
                before: false,
            }),
            Token::Sign("--") => Ok(Expr::Step {
                place: self.place()?,
                by: -1.0,
                before: false,
            }),
            Token::Sign("(") => {
                self.enter()?;
                let before = (
                    std::mem::take(&mut self.no_in),
                    std::mem::take(&mut self.no_greater),
                );
                let mut found = self.list(")")?;
                (self.no_in, self.no_greater) = before;
                self.depth -= 1;
                match found.len() {
                    0 => Err(self.error("an expression is missing")),
                    1 => Ok(Expr::Group(Box::new(found.remove(0)))),
                    _ => Ok(Expr::List(found)),
                }
            }
            _ => {
                self.at = self.at.saturating_sub(1);
                Err(self.error("a syntax error"))
            }
        }
    }

    fn arguments(&mut self) -> Parsed<Vec<Expr>> {
        self.enter()?;
        self.need("(")?;
        let before = (
            std::mem::take(&mut self.no_in),
            std::mem::take(&mut self.no_greater),
        );
        let found = self.list(")")?;
        (self.no_in, self.no_greater) = before;
        self.depth -= 1;
        Ok(found)
    }

    fn builtin(&mut self, builtin: Builtin) -> Parsed<Expr> {
        let args = if self.is("(") {
            self.arguments()?
        } else if builtin == Builtin::Length {
            Vec::new()
        } else {
            return Err(self.error("'(' is missing"));
        };
        let known = BUILTINS.iter().find(|known| known.1 == builtin);
        if let Some(&(name, _, least, most)) = known
            && !(least..=most).contains(&args.len())
        {
            return Err(self.error(&format!("{name}: wrong number of arguments")));
        }
        Ok(Expr::Builtin(builtin, args))
    }
}
