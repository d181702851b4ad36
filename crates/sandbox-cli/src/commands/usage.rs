//! What was used.

use sandbox_api_types::{Organization, Usage};
use sandbox_client::Client;
use sandbox_core::Result;
use serde::Serialize;

use crate::args::UsageArgs;
use crate::output::Printer;
use crate::show;

/// A month and now, as one document.
#[derive(Debug, Serialize)]
struct Used {
    organization: Organization,
    usage: Usage,
}

/// Prints what was used in a month, what is used now, and what may be.
///
/// # Errors
/// What the server refuses it with.
pub(crate) async fn usage(client: &Client, args: &UsageArgs, printer: Printer) -> Result<()> {
    let used = Used {
        organization: client.organization().await?,
        usage: client.usage(args.month.as_deref()).await?,
    };
    printer.document(&used, |used| show::usage(&used.organization, &used.usage))
}
