//! What processes printed.

use futures_util::StreamExt;
use sandbox_api_types::{OutputEvent, OutputQuery, OutputStream, ProcessList, ProcessRef};
use sandbox_client::{Client, SandboxCalls};
use sandbox_core::{Error, ErrorKind, Result};
use serde::Serialize;
use tokio::io::AsyncWriteExt;

use crate::args::LogsArgs;
use crate::output::{Printer, output_gone};
use crate::show;

/// Prints what a process printed: its standard output here on standard output, and its standard
/// error on standard error; or lists the processes whose output is kept.
///
/// # Errors
/// `NotFound` with field `process`; what the server refuses it with.
pub(crate) async fn logs(client: &Client, args: &LogsArgs, printer: Printer) -> Result<()> {
    let calls = client.sandbox(args.id.clone());
    if args.list {
        let processes = calls.list_processes().await?;
        let list = ProcessList { processes };
        return printer.table(&list, |list| show::processes(&list.processes));
    }
    let process = match &args.process {
        Some(process) => process.parse()?,
        None => newest(&calls).await?,
    };
    let query = OutputQuery {
        from: args.from,
        follow: args.follow,
    };
    let mut events = calls.process_output(&process, query).await?;
    while let Some(event) = events.next().await {
        match event? {
            OutputEvent::Error(body) => return Err(body.error.into_error("cli.logs")),
            event if printer.is_json() => line(&event, printer)?,
            OutputEvent::Output(chunk) => {
                let stream = chunk.stream;
                raw(stream, &chunk.bytes()?).await?;
            }
            OutputEvent::Gap(gap) => {
                let message = format!("output {} to {} is no longer kept", gap.from, gap.to);
                printer.note(&message);
            }
            // Children that it left behind may go on printing.
            OutputEvent::Exit(_) if args.follow => break,
            OutputEvent::Exit(_) | OutputEvent::Start(_) => {}
        }
    }
    Ok(())
}

async fn newest(calls: &SandboxCalls) -> Result<ProcessRef> {
    let processes = calls.list_processes().await?;
    match processes.last() {
        Some(process) => Ok(ProcessRef::Id(process.id.clone())),
        None => {
            let message = "no process of the sandbox is kept; `exec --detach` starts one that is";
            Err(Error::new(ErrorKind::NotFound, "cli.logs", message).with_field("process"))
        }
    }
}

/// An event as programs read it: its fields, and which it is.
#[derive(Debug, Serialize)]
struct Line<'a, T> {
    event: &'a str,
    #[serde(flatten)]
    fields: &'a T,
}

fn line(event: &OutputEvent, printer: Printer) -> Result<()> {
    match event {
        OutputEvent::Output(fields) => named("output", fields, printer),
        OutputEvent::Gap(fields) => named("gap", fields, printer),
        OutputEvent::Exit(fields) => named("exit", fields, printer),
        OutputEvent::Start(_) | OutputEvent::Error(_) => Ok(()),
    }
}

fn named<T: Serialize>(event: &str, fields: &T, printer: Printer) -> Result<()> {
    printer.json_line(&Line { event, fields })
}

async fn raw(stream: OutputStream, data: &[u8]) -> Result<()> {
    let written = async {
        match stream {
            OutputStream::Stdout | OutputStream::Pty => {
                let mut out = tokio::io::stdout();
                out.write_all(data).await?;
                out.flush().await
            }
            OutputStream::Stderr => {
                let mut err = tokio::io::stderr();
                err.write_all(data).await?;
                err.flush().await
            }
        }
    };
    written.await.map_err(output_gone)
}
