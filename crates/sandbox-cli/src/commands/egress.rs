//! What sandboxes of a server may connect to.

use sandbox_api_types::DestinationBody;
use sandbox_client::Client;
use sandbox_core::Error;

use crate::args::EgressCommand;
use crate::output::{Failure, Printer};
use crate::show;

/// Shows, replaces and explains egress rules.
///
/// # Errors
/// A usage error for `set` without rules; what the server refuses it with.
pub(crate) async fn egress(
    client: &Client,
    command: &EgressCommand,
    printer: Printer,
) -> Result<(), Failure> {
    match command {
        EgressCommand::Show { id } => {
            let policy = client.sandbox(id.clone()).egress().await?;
            printer.document(&policy, show::policy)?;
        }
        EgressCommand::Set { id, egress } => {
            let Some(policy) = egress.policy()? else {
                let message = "say what: --egress, --allow-cidr, --allow-domain or --deny-cidr";
                return Err(Failure::usage(Error::invalid(
                    "cli.egress",
                    "egress",
                    message,
                )));
            };
            let rules = policy.clone().into_core()?;
            client.sandbox(id.clone()).set_egress(&rules).await?;
            printer.document(&policy, show::policy)?;
        }
        EgressCommand::Explain { id, destination } => {
            let destination = DestinationBody::Text(destination.clone());
            // What makes no sense is said without asking.
            destination.clone().into_core()?;
            let explanation = client
                .sandbox(id.clone())
                .explain_egress(destination)
                .await?;
            printer.document(&explanation, show::explanation)?;
        }
    }
    Ok(())
}
