//! The shell's own arguments.

use crate::ast::Bytes;

/// Where commands come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `-c`
    Text(Bytes),
    /// A script.
    File(Bytes),
    Input,
}

/// What the arguments say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    pub source: Source,
    /// `$0`
    pub name: Bytes,
    pub args: Vec<Bytes>,
    /// Letters to turn on or off.
    pub letters: Vec<(u8, bool)>,
    /// `-o` names to turn on or off.
    pub names: Vec<(Bytes, bool)>,
    pub login: bool,
    pub interactive: bool,
}

/// Reads the arguments; the text of an error when they are wrong.
pub fn parse(argv: Vec<Bytes>) -> Result<Invocation, String> {
    let mut words = argv.into_iter();
    let name = words.next().unwrap_or_else(|| b"sh".to_vec());
    let mut invocation = Invocation {
        source: Source::Input,
        login: name.starts_with(b"-"),
        name,
        args: Vec::new(),
        letters: Vec::new(),
        names: Vec::new(),
        interactive: false,
    };
    let mut words: Vec<Bytes> = words.collect();
    words.reverse();
    let (mut command, mut input) = (false, false);
    while let Some(word) = words.pop() {
        let (on, letters) = match word.as_slice() {
            b"--" | b"-" => break,
            b"--login" => {
                invocation.login = true;
                continue;
            }
            b"--norc" | b"--noprofile" | b"--posix" => continue,
            [b'-', b'-', ..] => {
                return Err(format!("Illegal option {}", crate::text::lossy(&word)));
            }
            [b'-', letters @ ..] => (true, letters),
            [b'+', letters @ ..] if !letters.is_empty() => (false, letters),
            _ => {
                words.push(word);
                break;
            }
        };
        for &letter in letters {
            match letter {
                b'c' => command = true,
                b's' => input = true,
                b'l' => invocation.login = true,
                b'i' => invocation.interactive = on,
                b'o' | b'O' => {
                    let Some(name) = words.pop() else {
                        return Err("-o needs a name".to_owned());
                    };
                    if letter == b'o' {
                        invocation.names.push((name, on));
                    }
                }
                _ => invocation.letters.push((letter, on)),
            }
        }
    }
    if command {
        let Some(text) = words.pop() else {
            return Err("-c requires an argument".to_owned());
        };
        invocation.source = Source::Text(text);
        if let Some(name) = words.pop() {
            invocation.name = name;
        }
    } else if !input && let Some(file) = words.pop() {
        invocation.name.clone_from(&file);
        invocation.source = Source::File(file);
    }
    words.reverse();
    invocation.args = words;
    Ok(invocation)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invoked(words: &str) -> Invocation {
        parse(
            words
                .split(' ')
                .map(|word| word.as_bytes().to_vec())
                .collect(),
        )
        .unwrap()
    }

    #[test]
    fn commands_files_and_input_are_told_apart() {
        assert_eq!(
            invoked("sh -c x name a b").source,
            Source::Text(b"x".to_vec())
        );
        let command = invoked("sh -ec x name a b");
        assert_eq!(
            (
                command.name.as_slice(),
                command.args.len(),
                command.letters.as_slice()
            ),
            (&b"name"[..], 2, &[(b'e', true)][..])
        );
        let file = invoked("sh -o pipefail script a");
        assert_eq!(
            (file.source, file.args.len(), file.names.len()),
            (Source::File(b"script".to_vec()), 1, 1)
        );
        let input = invoked("sh -s a b");
        assert_eq!((input.source, input.args.len()), (Source::Input, 2));
        assert!(invoked("-sh").login && parse(vec![b"sh".to_vec(), b"-c".to_vec()]).is_err());
    }
}
