//! Running a piece of code in a language, by the interpreters that the sandbox has.

mod language;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use sandbox_core::{
    Command, Error, ExecOutput, Result, Sandbox, SandboxPath, User, WriteOptions, byte_stream,
};

pub use language::Language;

use self::language::Feed;
use crate::tools::program::{run, run_with_input};
use crate::tools::scratch::Scratch;

const OPERATION: &str = "code.run";
/// The most code that is run, in bytes.
pub const MAX_CODE_BYTES: usize = 16 << 20;

/// Code to run.
#[derive(Debug, Clone)]
pub struct CodeRequest {
    /// The language.
    pub language: Language,
    /// The code.
    pub code: String,
    /// Arguments of the program.
    pub arguments: Vec<String>,
    /// Environment variables over the sandbox's own.
    pub env: BTreeMap<String, String>,
    /// The working directory, from which the code also imports; without one, the sandbox's.
    pub cwd: Option<SandboxPath>,
    /// Who runs it; without one, the sandbox's user.
    pub user: Option<User>,
    /// Kills it after this long.
    pub timeout: Option<Duration>,
}

impl CodeRequest {
    /// Code without arguments, variables and time limit.
    pub fn new(language: Language, code: impl Into<String>) -> Self {
        Self {
            language,
            code: code.into(),
            arguments: Vec::new(),
            env: BTreeMap::new(),
            cwd: None,
            user: None,
            timeout: None,
        }
    }
}

/// Runs code to its end. Its standard input is empty.
///
/// Where the interpreter reads its program from standard input without harm, nothing is written to
/// the sandbox. For the others the code is in a file that only its user can read, in a directory
/// that is removed afterwards; it stays when this future is dropped before it answers.
///
/// # Errors
/// `InvalidSpec` with field `code` over [`MAX_CODE_BYTES`]; `Unsupported` with field `language`,
/// saying what to install, when the sandbox has no interpreter; as
/// [`Sandbox::spawn`] otherwise. Code that fails, or is killed by the time limit, is an `Ok` with its
/// status.
pub async fn run_code(sandbox: &dyn Sandbox, request: &CodeRequest) -> Result<ExecOutput> {
    if request.code.len() > MAX_CODE_BYTES {
        let bytes = request.code.len();
        let message = format!("has {bytes} bytes; the limit is {MAX_CODE_BYTES}");
        return Err(Error::invalid(OPERATION, "code", message));
    }
    let output = match request.language.feed() {
        Feed::Input => try_interpreters(sandbox, request, None).await?,
        Feed::File => {
            let scratch = Scratch::new(sandbox, request.user.as_ref()).await?;
            let output = run_file(sandbox, request, &scratch).await;
            scratch.remove(sandbox).await;
            output?
        }
    };
    output.ok_or_else(|| missing(request.language))
}

async fn run_file(
    sandbox: &dyn Sandbox,
    request: &CodeRequest,
    scratch: &Scratch,
) -> Result<Option<ExecOutput>> {
    let file = scratch.join(&format!("main.{}", request.language.extension()))?;
    let options = WriteOptions {
        mode: Some(0o600),
        user: request.user.clone(),
        create_parents: false,
    };
    let body = byte_stream(Bytes::from(request.code.clone()));
    sandbox.write(&file, body, options).await?;
    try_interpreters(sandbox, request, Some(&file)).await
}

/// Runs the first interpreter that the sandbox has; `None` when it has none.
async fn try_interpreters(
    sandbox: &dyn Sandbox,
    request: &CodeRequest,
    file: Option<&SandboxPath>,
) -> Result<Option<ExecOutput>> {
    for interpreter in request.language.interpreters() {
        let command = command(sandbox, request, interpreter, file);
        let output = match file {
            Some(_) => run(sandbox, command).await?,
            None => run_with_input(sandbox, command, Bytes::from(request.code.clone())).await?,
        };
        if output.is_some() {
            return Ok(output);
        }
    }
    Ok(None)
}

fn command(
    sandbox: &dyn Sandbox,
    request: &CodeRequest,
    interpreter: &[&str],
    file: Option<&SandboxPath>,
) -> Command {
    let program = interpreter.iter().map(|part| (*part).to_owned());
    let program = program.chain(file.map(|file| file.as_str().to_owned()));
    let mut command = Command::argv(program.chain(request.arguments.iter().cloned()));
    command.env.clone_from(&request.env);
    for (name, value) in request.language.variables() {
        let own = request.env.get(*name).or(sandbox.spec().env().get(*name));
        let value = match own {
            // A search path comes after what is needed here; anything else is the caller's.
            Some(own) if name.ends_with("PATH") => format!("{value}:{own}"),
            Some(own) => own.clone(),
            None => (*value).to_owned(),
        };
        command = command.env(*name, value);
    }
    command.cwd.clone_from(&request.cwd);
    command.user.clone_from(&request.user);
    command.timeout = request.timeout;
    command
}

fn missing(language: Language) -> Error {
    let names: Vec<&str> = language
        .interpreters()
        .iter()
        .filter_map(|interpreter| interpreter.first().copied())
        .collect();
    let message = format!(
        "{} needs {} in the sandbox, and there is none; {}",
        language.as_str(),
        names.join(" or "),
        language.install_hint()
    );
    Error::unsupported(OPERATION, "language", message)
}
