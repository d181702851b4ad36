//! API keys, of a server or of a store on this machine.

use std::time::Duration;

use sandbox_api_types::{ApiKeyList, CreateApiKey, CreatedApiKey, Scope};
use sandbox_client::Client;
use sandbox_core::Result;

use super::sandboxes::Tally;
use crate::args::{KeysArgs, KeysCommand};
use crate::keys::StoredKeys;
use crate::output::{Plain, Printer};
use crate::{remote, show};

/// Where keys are.
#[derive(Debug)]
enum Keys {
    Stored(Box<StoredKeys>),
    Served(Client),
}

impl Keys {
    async fn create(
        &self,
        name: &str,
        scope: Scope,
        expires_in: Option<Duration>,
    ) -> Result<CreatedApiKey> {
        match self {
            Self::Stored(keys) => keys.create(name, scope, expires_in).await,
            Self::Served(client) => {
                let request = CreateApiKey {
                    name: name.to_owned(),
                    scopes: vec![scope],
                    expires_in: expires_in.map(Into::into),
                };
                client.create_key(&request).await
            }
        }
    }

    async fn list(&self) -> Result<ApiKeyList> {
        match self {
            Self::Stored(keys) => keys.list().await,
            Self::Served(client) => {
                let keys = client.list_keys().await?;
                Ok(ApiKeyList { keys })
            }
        }
    }

    async fn revoke(&self, id: &str) -> Result<()> {
        match self {
            Self::Stored(keys) => keys.revoke(id).await,
            Self::Served(client) => client.revoke_key(id).await,
        }
    }
}

/// Makes, lists and revokes keys.
///
/// # Errors
/// What the store or the server refuses it with.
pub(crate) async fn keys(url: Option<&str>, args: &KeysArgs, printer: Printer) -> Result<u8> {
    let keys = match &args.data_dir {
        Some(path) => Keys::Stored(Box::new(StoredKeys::open(path).await?)),
        None => Keys::Served(remote::client(url)?),
    };
    match &args.command {
        KeysCommand::Create {
            name,
            scope,
            expires_in,
        } => {
            let created = keys.create(name, scope_of(scope), *expires_in).await?;
            printer.document(&created, |created| vec![Plain(&created.key).to_string()])?;
            printer.note(&format!("{} is shown this once", created.record.id));
        }
        KeysCommand::List => {
            let list = keys.list().await?;
            printer.table(&list, |list| show::keys(&list.keys))?;
        }
        KeysCommand::Revoke { ids } => {
            let mut tally = Tally::new(printer);
            for id in ids {
                tally.note(id, keys.revoke(id).await)?;
            }
            return Ok(tally.code());
        }
    }
    Ok(0)
}

/// A scope by its name, which the parser of arguments has checked.
fn scope_of(name: &str) -> Scope {
    match name {
        "admin" => Scope::Admin,
        "read" => Scope::Read,
        _ => Scope::Write,
    }
}
