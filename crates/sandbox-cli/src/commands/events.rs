//! What happened on a server.

use futures_util::StreamExt;
use sandbox_api_types::{EventQuery, EventStreamItem};
use sandbox_client::Client;
use sandbox_core::Result;

use crate::args::EventsArgs;
use crate::output::Printer;
use crate::show;

/// Prints what happened, a line an event.
///
/// # Errors
/// What the server refuses it with.
pub(crate) async fn events(client: &Client, args: &EventsArgs, printer: Printer) -> Result<()> {
    let query = EventQuery {
        from: match (args.from, args.follow) {
            (None, false) => Some(0),
            (from, _) => from,
        },
        sandbox_id: args.sandbox.clone(),
        follow: args.follow,
    };
    let mut events = client.events(&query).await?;
    while let Some(item) = events.next().await {
        match item? {
            EventStreamItem::Event(event) => {
                printer.document(&event, |event| vec![show::event(event)])?;
            }
            EventStreamItem::Gap(gap) => {
                let message = format!("events {} to {} are no longer kept", gap.from, gap.to);
                printer.note(&message);
            }
            EventStreamItem::Error(body) => return Err(body.error.into_error("cli.events")),
        }
    }
    Ok(())
}
