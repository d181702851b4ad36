//! Expansions.

use std::collections::BTreeMap;

use super::syntax::{Form, Node, Parameter, Piece, Word};
use super::{Jump, Shell, arith};
use crate::fake::kernel::{CHUNK, Fd, pipe};

/// The fields that one word becomes.
#[derive(Default)]
struct Fields {
    done: Vec<String>,
    /// The field being built, if there is one.
    open: Option<String>,
}

impl Fields {
    fn add(&mut self, text: &str, quoted: bool) {
        if quoted {
            self.open.get_or_insert_default().push_str(text);
            return;
        }
        for c in text.chars() {
            if matches!(c, ' ' | '\t' | '\n') {
                self.done.extend(self.open.take());
            } else {
                self.open.get_or_insert_default().push(c);
            }
        }
    }
}

impl Shell {
    pub(super) async fn expand_all(&mut self, words: &[Word]) -> Result<Vec<String>, Jump> {
        let mut all = Vec::new();
        for word in words {
            all.extend(self.expand(word).await?);
        }
        Ok(all)
    }

    async fn expand(&mut self, word: &Word) -> Result<Vec<String>, Jump> {
        let mut fields = Fields::default();
        for piece in word {
            if let Piece::Text { text, .. } = piece {
                fields.open.get_or_insert_default().push_str(text);
            } else if let Some(arguments) = self.all_arguments(piece) {
                for (index, argument) in arguments.iter().enumerate() {
                    if index > 0 {
                        fields.done.extend(fields.open.take());
                    }
                    fields.add(argument, true);
                }
            } else {
                let (text, quoted) = self.expand_piece(piece).await?;
                fields.add(&text, quoted);
            }
        }
        fields.done.extend(fields.open);
        Ok(fields.done)
    }

    /// The arguments, for a piece that is `"$@"`.
    fn all_arguments(&self, piece: &Piece) -> Option<Vec<String>> {
        match piece {
            Piece::Parameter(Parameter { name, quoted, .. }) if name == "@" && *quoted => {
                Some(self.arguments.iter().skip(1).cloned().collect())
            }
            Piece::Parameter(_)
            | Piece::Text { .. }
            | Piece::Command { .. }
            | Piece::Arithmetic { .. } => None,
        }
    }

    /// A word as one text, as in an assignment.
    pub(super) async fn expand_joined(&mut self, word: &Word) -> Result<String, Jump> {
        let mut joined = String::new();
        for piece in word {
            joined.push_str(&self.expand_piece(piece).await?.0);
        }
        Ok(joined)
    }

    async fn expand_piece(&mut self, piece: &Piece) -> Result<(String, bool), Jump> {
        Ok(match piece {
            Piece::Text { text, quoted } => (text.clone(), *quoted),
            Piece::Parameter(parameter) => {
                let text = Box::pin(self.parameter(parameter)).await?;
                (text, parameter.quoted)
            }
            Piece::Command { body, quoted } => (self.capture(body).await?, *quoted),
            Piece::Arithmetic { expression, quoted } => {
                let expression = Box::pin(self.expand_joined(expression)).await?;
                let value = arith::evaluate(&expression, |name| {
                    let value = self.variables.get(name);
                    value.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
                });
                match value {
                    Ok(value) => (value.to_string(), *quoted),
                    Err(problem) => {
                        self.task.complain(&format!("sh: {problem}")).await;
                        return Err(Jump::Exit(2));
                    }
                }
            }
        })
    }

    async fn parameter(&mut self, parameter: &Parameter) -> Result<String, Jump> {
        let value = self.value_of(&parameter.name);
        Ok(match &parameter.form {
            Form::Value => value.unwrap_or_default(),
            Form::Length => value.unwrap_or_default().chars().count().to_string(),
            Form::Default(default) => match value {
                Some(value) if !value.is_empty() => value,
                Some(_) | None => self.expand_joined(default).await?,
            },
        })
    }

    fn value_of(&self, name: &str) -> Option<String> {
        match name {
            "?" => Some(self.last.to_string()),
            "$" => Some(self.shell_pid().to_string()),
            "!" => self.last_job.map(|pid| pid.to_string()),
            "#" => Some(self.arguments.len().saturating_sub(1).to_string()),
            "@" | "*" => Some(self.arguments.get(1..).unwrap_or_default().join(" ")),
            _ => match name.parse::<usize>() {
                Ok(index) => self.arguments.get(index).cloned(),
                Err(_) => self.variables.get(name).cloned(),
            },
        }
    }

    /// What `body` prints, without the line feeds at its end.
    async fn capture(&mut self, body: &Node) -> Result<String, Jump> {
        let (reader, writer) = pipe();
        let job = self.start(body, vec![(1, Fd::PipeOut(writer))]).await?;
        let mut printed = Vec::new();
        loop {
            let chunk = reader.read(CHUNK).await;
            if chunk.is_empty() {
                break;
            }
            printed.extend_from_slice(&chunk);
        }
        self.last = job.wait().await;
        let text = String::from_utf8_lossy(&printed);
        Ok(text.trim_end_matches('\n').to_owned())
    }

    /// Sets a variable, which takes memory.
    pub(super) fn assign(&mut self, name: &str, value: String) {
        let old = self.variables.get(name).map_or(0, String::len);
        self.held = self.held + value.len() as u64 - old as u64;
        self.variables.insert(name.to_owned(), value);
        self.task.kernel.account_memory(&self.task.proc, self.held);
    }

    pub(super) fn exported_variables(&self) -> BTreeMap<String, String> {
        let exported = |(name, _): &(&String, &String)| self.exported.contains(*name);
        self.variables
            .iter()
            .filter(exported)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}
