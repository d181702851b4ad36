//! `awk`: the language of POSIX, with the functions of gawk that scripts use most.

mod ast;
mod builtins;
mod eval;
mod fields;
mod format;
mod input;
mod lexer;
mod output;
mod parser;
mod replace;
mod run;
mod value;

use sandbox_applet::{Args, Context, Failure, Outcome, Short, Value, text};

use run::Machine;

/// Runs a program for each record of the input.
pub fn run(mut args: Args) -> Outcome {
    interpret(&mut args).map_err(|failure| {
        if failure.code() == 1 {
            failure.with_code(2)
        } else {
            failure
        }
    })
}

fn interpret(args: &mut Args) -> Outcome {
    let mut source: Option<String> = None;
    let mut separator = None;
    let mut assignments = Vec::new();
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('F') => separator = Some(args.string()?),
            Short('v') => assignments.push(args.string()?),
            Short('f') => {
                let path = args.string()?;
                let mut content = String::new();
                let mut input = sandbox_applet::open(path.as_ref()).context(&path)?;
                std::io::Read::read_to_string(&mut input, &mut content).context(&path)?;
                let source = source.get_or_insert_default();
                source.push_str(&content);
                source.push('\n');
            }
            Value(word) => {
                operands = args.rest(Some(word))?;
                break;
            }
            sandbox_applet::Long("version") => {
                sandbox_applet::error_output("awk (POSIX, with some of gawk's functions)\n");
                return Ok(0);
            }
            sandbox_applet::Long("posix" | "re-interval" | "sandbox") => {}
            other => return Err(other.unexpected().into()),
        }
    }
    let source = match source {
        Some(source) => source,
        None if operands.is_empty() => return Err(Failure::new("no program given")),
        None => text(&operands.remove(0))?.to_owned(),
    };
    let program = parser::parse(&source)?;
    let mut machine = Machine::new(&program, &operands)?;
    if let Some(separator) = separator {
        // `-Ft` is a tab, as it has always been.
        let separator = if separator == "t" {
            "\t".to_owned()
        } else {
            separator
        };
        machine.assign(&format!("FS={separator}"))?;
    }
    for assignment in assignments {
        if !machine.assign(&assignment)? {
            return Err(Failure::new(format!("'{assignment}' is no assignment")));
        }
    }
    machine.main()
}
