//! API keys in a store on this machine, without a server's help.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sandbox_api_types::{ApiKey, ApiKeyList, CreatedApiKey, Scope};
use sandbox_core::{Error, ErrorKind, Result, Timestamp};
use sandbox_engine::owners::{
    KeyId, KeyRecord, NewKey, Organisation, Owners, Scope as OwnersScope, Scopes, SqliteOwners,
};

use crate::serve::DataDir;

/// The keys of the first organisation of a store.
#[derive(Debug)]
pub(crate) struct StoredKeys {
    owners: Owners,
    organisation: Organisation,
}

impl StoredKeys {
    /// The keys in the data directory `path` of a server, which may be running.
    ///
    /// # Errors
    /// `NotFound` with field `data_dir` when no server ever ran there.
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        let database = DataDir::existing(path).database();
        let owners = Owners::new(Arc::new(SqliteOwners::open(database).await?));
        match owners.organisations().await?.into_iter().next() {
            Some(organisation) => Ok(Self {
                owners,
                organisation,
            }),
            None => {
                let message = format!(
                    "{} has no organisation: start the server there once",
                    path.display()
                );
                Err(Error::new(ErrorKind::NotFound, "cli.keys", message).with_field("data_dir"))
            }
        }
    }

    /// Makes a key.
    ///
    /// # Errors
    /// `InvalidSpec` with the field; what the store fails with.
    pub(crate) async fn create(
        &self,
        name: &str,
        scope: Scope,
        expires_in: Option<Duration>,
    ) -> Result<CreatedApiKey> {
        let now = now();
        let mut new = NewKey {
            label: name.to_owned(),
            ..NewKey::default()
        };
        new.scopes = Scopes::up_to(to_core(scope));
        new.expires_at = expires_in.map(|expires_in| now.plus(expires_in));
        let created = self.owners.create_key(&self.organisation.id, new, now);
        let (key, record) = created.await?;
        Ok(CreatedApiKey {
            key: key.expose().to_owned(),
            record: to_wire(record),
        })
    }

    /// All keys, oldest first.
    ///
    /// # Errors
    /// What the store fails with.
    pub(crate) async fn list(&self) -> Result<ApiKeyList> {
        let keys = self.owners.keys(&self.organisation.id).await?;
        Ok(ApiKeyList {
            keys: keys.into_iter().map(to_wire).collect(),
        })
    }

    /// Revokes a key, also the last: whoever has the store can make another.
    ///
    /// # Errors
    /// `NotFound` with field `key`.
    pub(crate) async fn revoke(&self, id: &str) -> Result<()> {
        let id = KeyId::new(id)?;
        let revoked = self.owners.revoke_key(&self.organisation.id, &id, now());
        revoked.await
    }
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn to_core(scope: Scope) -> OwnersScope {
    match scope {
        Scope::Read => OwnersScope::Read,
        Scope::Write => OwnersScope::Write,
        Scope::Admin => OwnersScope::Admin,
    }
}

fn from_core(scope: OwnersScope) -> Scope {
    match scope {
        OwnersScope::Read => Scope::Read,
        OwnersScope::Write => Scope::Write,
        OwnersScope::Admin => Scope::Admin,
    }
}

fn to_wire(record: KeyRecord) -> ApiKey {
    ApiKey {
        id: record.id.to_string(),
        name: record.label,
        hint: record.hint,
        scopes: record.scopes.to_list().into_iter().map(from_core).collect(),
        created_at: record.created_at.into(),
        last_used_at: record.last_used_at.map(Into::into),
        expires_at: record.expires_at.map(Into::into),
        revoked_at: record.revoked_at.map(Into::into),
    }
}
