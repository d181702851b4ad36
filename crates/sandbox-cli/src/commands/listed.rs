//! Templates and snapshots of a server.

use sandbox_api_types::{SnapshotList, TemplateList};
use sandbox_client::Client;
use sandbox_core::{Result, TemplateName};

use super::sandboxes::Tally;
use crate::args::{SnapshotsCommand, TemplatesArgs};
use crate::output::Printer;
use crate::show;

/// Lists templates, or shows one.
///
/// # Errors
/// What the server refuses it with.
pub(crate) async fn templates(
    client: &Client,
    args: &TemplatesArgs,
    printer: Printer,
) -> Result<()> {
    match &args.name {
        Some(name) => {
            let template = client.get_template(&TemplateName::new(name)?).await?;
            printer.document(&template, show::template)
        }
        None => {
            let templates = client.list_templates().await?;
            let list = TemplateList { templates };
            printer.table(&list, |list| show::templates(&list.templates))
        }
    }
}

/// Takes, lists and removes snapshots.
///
/// # Errors
/// What the server refuses it with.
pub(crate) async fn snapshots(
    client: &Client,
    command: &SnapshotsCommand,
    printer: Printer,
) -> Result<u8> {
    match command {
        SnapshotsCommand::List => {
            let snapshots = client.list_snapshots().await?;
            let list = SnapshotList { snapshots };
            printer.table(&list, |list| show::snapshots(&list.snapshots))?;
        }
        SnapshotsCommand::Create { id } => {
            let snapshot = client.sandbox(id.clone()).snapshot().await?;
            printer.document(&snapshot, |snapshot| vec![snapshot.id.to_string()])?;
        }
        SnapshotsCommand::Rm { ids } => {
            let mut tally = Tally::new(printer);
            for id in ids {
                tally.note(id.as_str(), client.remove_snapshot(id).await)?;
            }
            return Ok(tally.code());
        }
    }
    Ok(0)
}
