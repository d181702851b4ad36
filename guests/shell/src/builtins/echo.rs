//! `echo`: as `sh` it decodes escapes always and knows `-n` alone, as dash does; as `bash` it decodes them after `-e`.

use crate::ast::Bytes;
use crate::escape::{self, Kind};
use crate::flow::Run;
use crate::shell::Shell;

pub(super) fn echo(shell: &mut Shell, args: &[Bytes]) -> Run {
    let mut words = &args[1..];
    let mut newline = true;
    let mut escapes = !shell.bash;
    while let Some(word) = words.first() {
        let known: &[u8] = if shell.bash { b"neE" } else { b"n" };
        let is_flag =
            word.len() > 1 && word[0] == b'-' && word[1..].iter().all(|byte| known.contains(byte));
        if !is_flag || (!shell.bash && word.len() > 2) {
            break;
        }
        for flag in &word[1..] {
            match flag {
                b'n' => newline = false,
                b'e' => escapes = true,
                _ => escapes = false,
            }
        }
        words = &words[1..];
        if !shell.bash {
            break;
        }
    }
    let text = words.join(&b' ');
    let mut out = Bytes::with_capacity(text.len() + 1);
    if escapes && text.contains(&b'\\') {
        newline &= escape::unescape(&text, Kind::Echo, &mut out);
    } else {
        out = text;
    }
    if newline {
        out.push(b'\n');
    }
    shell.print("echo", &out)
}
