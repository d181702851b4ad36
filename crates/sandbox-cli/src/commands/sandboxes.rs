//! Making, listing, showing, keeping and destroying sandboxes on a server.

use std::future::Future;

use sandbox_api_types::{ListSandboxes, Sandbox, SandboxList};
use sandbox_client::{Client, SandboxCalls};
use sandbox_core::{Error, Result, SandboxId};
use serde_json::json;

use crate::args::{CreateArgs, FilterArgs, IdArgs, IdsArgs, KeepaliveArgs};
use crate::output::Printer;
use crate::{remote, show};

/// How many sandboxes are asked for at once: the most a server answers.
const PAGE: usize = 1000;

/// Makes a sandbox, and prints its id.
///
/// # Errors
/// What the server refuses it with.
pub(crate) async fn create(client: &Client, args: &CreateArgs, printer: Printer) -> Result<()> {
    let made = client.create_sandbox(&remote::create(args)?).await?;
    printer.document(&made, |made| vec![made.id.to_string()])
}

/// Lists sandboxes, newest first, all pages of them.
///
/// # Errors
/// `InvalidSpec` with field `status`; what the server refuses it with.
pub(crate) async fn list(client: &Client, filter: &FilterArgs, printer: Printer) -> Result<()> {
    let status = filter.status.as_deref().map(str::parse).transpose()?;
    let mut query = ListSandboxes {
        status,
        limit: Some(PAGE),
        metadata: filter.metadata.iter().cloned().collect(),
        ..ListSandboxes::default()
    };
    let mut all: Vec<Sandbox> = Vec::new();
    loop {
        let page = client.list_sandboxes(&query).await?;
        all.extend(page.sandboxes);
        match page.next_cursor {
            // A server that goes round in circles is not followed.
            Some(next) if query.cursor.as_ref() != Some(&next) => query.cursor = Some(next),
            Some(_) | None => break,
        }
    }
    let list = SandboxList {
        sandboxes: all,
        next_cursor: None,
    };
    printer.table(&list, |list| show::sandboxes(&list.sandboxes))
}

/// Shows a sandbox.
///
/// # Errors
/// What the server refuses it with.
pub(crate) async fn inspect(client: &Client, args: &IdArgs, printer: Printer) -> Result<()> {
    let sandbox = client.sandbox(args.id.clone()).get().await?;
    printer.document(&sandbox, show::sandbox)
}

/// Lets a sandbox live longer, and prints until when.
///
/// # Errors
/// What the server refuses it with.
pub(crate) async fn keepalive(
    client: &Client,
    args: &KeepaliveArgs,
    printer: Printer,
) -> Result<()> {
    let calls = client.sandbox(args.id.clone());
    let sandbox = calls.keepalive(args.timeout).await?;
    printer.document(&sandbox, |sandbox| {
        sandbox.expires_at.iter().map(|at| at.to_string()).collect()
    })
}

/// Destroys sandboxes. Ends with 1 when one of them was not.
///
/// # Errors
/// When standard output is gone.
pub(crate) async fn remove(client: &Client, args: &IdsArgs, printer: Printer) -> Result<u8> {
    let destroy = |calls: SandboxCalls| async move { calls.destroy().await };
    each(client, &args.ids, printer, destroy).await
}

/// Wakes sandboxes. Ends with 1 when one of them was not.
///
/// # Errors
/// When standard output is gone.
pub(crate) async fn wake(client: &Client, args: &IdsArgs, printer: Printer) -> Result<u8> {
    let wake = |calls: SandboxCalls| async move { calls.wake().await.map(|_| ()) };
    each(client, &args.ids, printer, wake).await
}

/// Suspends sandboxes. Ends with 1 when one of them was not.
///
/// # Errors
/// When standard output is gone.
pub(crate) async fn suspend(client: &Client, args: &IdsArgs, printer: Printer) -> Result<u8> {
    let suspend = |calls: SandboxCalls| async move { calls.suspend().await.map(|_| ()) };
    each(client, &args.ids, printer, suspend).await
}

async fn each<F: Future<Output = Result<()>>>(
    client: &Client,
    ids: &[SandboxId],
    printer: Printer,
    work: impl Fn(SandboxCalls) -> F,
) -> Result<u8> {
    let mut tally = Tally::new(printer);
    for id in ids {
        let done = work(client.sandbox(id.clone())).await;
        tally.note(id.as_str(), done)?;
    }
    Ok(tally.code())
}

/// What became of several things, one of which does not hold up the others.
#[derive(Debug)]
pub(super) struct Tally {
    printer: Printer,
    failed: bool,
}

impl Tally {
    /// Nothing so far.
    pub(super) fn new(printer: Printer) -> Self {
        Self {
            printer,
            failed: false,
        }
    }

    /// Prints what was done, or says why it was not.
    ///
    /// # Errors
    /// When standard output is gone.
    pub(super) fn note(&mut self, id: &str, done: Result<()>) -> Result<()> {
        match done {
            Ok(()) => self
                .printer
                .document(&json!({"id": id}), |_| vec![id.to_owned()]),
            Err(error) => {
                self.failed = true;
                self.printer.error(&about(id, error));
                Ok(())
            }
        }
    }

    /// The code to end with.
    pub(super) fn code(&self) -> u8 {
        u8::from(self.failed)
    }
}

/// `error`, which says which of several it is about.
fn about(id: &str, error: Error) -> Error {
    let message = match error.message() {
        message if message.split_whitespace().any(|word| word == id) => message.to_owned(),
        message => format!("{id}: {message}"),
    };
    let named = Error::new(error.kind(), "cli.each", message);
    match error.field() {
        // The id itself is at fault, and said already.
        None | Some("sandbox_id") => named,
        Some(field) => named.with_field(field),
    }
}
