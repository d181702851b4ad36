//! Files of sandboxes of a server.

use sandbox_api_types::{FileList, SystemProcessList};
use sandbox_client::Client;
use sandbox_core::{Error, ListOptions, Result, SandboxId, SandboxPath};

use super::sandboxes;
use crate::args::{CpArgs, LsArgs, PsArgs};
use crate::output::{Failure, Printer};
use crate::show;
use crate::transfer::{CopyReport, Download, Place, Upload};

/// Lists sandboxes, or a directory of one.
///
/// # Errors
/// `InvalidSpec` for what is neither an id nor ID:/PATH; what the server refuses it with.
pub(crate) async fn ls(client: &Client, args: &LsArgs, printer: Printer) -> Result<()> {
    let Some(target) = &args.target else {
        return sandboxes::list(client, &args.filter, printer).await;
    };
    let (id, path) = match target.split_once(':') {
        None => (target.as_str(), SandboxPath::root()),
        Some((id, path)) => (id, SandboxPath::new(path)?),
    };
    let calls = client.sandbox(SandboxId::new(id)?);
    let files = calls.list_files(&path, ListOptions::default()).await?;
    printer.table(&FileList { files }, |list| show::files(&list.files))
}

/// Lists sandboxes, or what runs in one.
///
/// # Errors
/// What the server refuses it with.
pub(crate) async fn ps(client: &Client, args: &PsArgs, printer: Printer) -> Result<()> {
    let Some(id) = &args.id else {
        return sandboxes::list(client, &args.filter, printer).await;
    };
    let processes = client.sandbox(id.clone()).system_processes().await?;
    let list = SystemProcessList { processes };
    printer.table(&list, |list| show::system_processes(&list.processes))
}

/// Copies into a sandbox or out of one. Ends with 1 when something was left out.
///
/// # Errors
/// A usage error unless exactly one end is a sandbox; what reading and writing fails with.
pub(crate) async fn cp(client: &Client, args: &CpArgs, printer: Printer) -> Result<u8, Failure> {
    let quiet = printer.is_json();
    let follow = args.follow_links;
    let report = match (&args.from, &args.to) {
        (
            from,
            Place::Sandbox {
                id,
                path,
                directory,
            },
        ) if !is_sandbox(from) => {
            let calls = client.sandbox(id.clone());
            let upload = Upload::new(&calls, follow, quiet);
            match from {
                Place::Standard => upload.stdin(path).await?,
                Place::Local(from) => upload.local(from, path, *directory).await?,
                Place::Sandbox { .. } => return Err(both()),
            }
        }
        (Place::Sandbox { id, path, .. }, to) if !is_sandbox(to) => {
            let calls = client.sandbox(id.clone());
            let download = Download::new(&calls, follow, quiet);
            match to {
                // What is copied is the output.
                Place::Standard => return Ok(done(&download.stdout(path).await?, printer)),
                Place::Local(to) => download.local(path, to).await?,
                Place::Sandbox { .. } => return Err(both()),
            }
        }
        _ => return Err(both()),
    };
    if printer.is_json() {
        printer.json_line(&report)?;
    }
    Ok(done(&report, printer))
}

fn is_sandbox(place: &Place) -> bool {
    matches!(place, Place::Sandbox { .. })
}

fn both() -> Failure {
    let message = "one of the two paths has to be in a sandbox (ID:/PATH), and the other here";
    Failure::usage(Error::invalid("cli.cp", "path", message))
}

/// Names what was left out, and answers the code to end with.
fn done(report: &CopyReport, printer: Printer) -> u8 {
    for one in &report.skipped {
        printer.note(&format!("left out {}: {}", one.path, one.reason));
    }
    u8::from(!report.skipped.is_empty())
}
