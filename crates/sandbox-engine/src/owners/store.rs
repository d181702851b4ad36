//! What is kept about owners, and where: the trait, and the one in memory.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use sandbox_core::{Error, ErrorKind, Result, Timestamp};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{KeyId, OrganisationId, Quotas, Scope, Scopes};

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// Its id.
    pub id: OrganisationId,
    /// Its name, for people: 1 to 128 bytes.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// What it may use.
    pub quotas: Quotas,
}

/// The SHA-256 of an API key. Compared in constant time.
#[derive(Clone, Copy)]
pub struct KeyHash(pub [u8; 32]);

impl KeyHash {
    /// The hash of a key as it is presented.
    pub fn of(presented: &str) -> Self {
        super::key::hash(presented)
    }
}

impl PartialEq for KeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for KeyHash {}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

/// An API key as it is kept and listed: everything but the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Its id.
    pub id: KeyId,
    /// Whose it is.
    pub organisation: OrganisationId,
    /// What it is for, in its owner's words: at most 128 bytes.
    pub label: String,
    /// The key's first characters, to recognise it by.
    pub hint: String,
    /// What it may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// From when on it is no key any more; `None`: not by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl KeyRecord {
    /// Whether it is a key at `now`: neither revoked nor expired.
    pub fn works(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// The most keys of an organisation that work at once.
pub const MAX_KEYS: usize = 100;
/// The most keys of an organisation that are kept, those that ended included: of more, those that
/// ended go, the oldest first.
pub const MAX_KEPT_KEYS: usize = 1_000;

/// What became of a request to revoke a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// It is revoked, now or before.
    Done,
    /// It is the last of its organisation that works and may manage keys, and stays.
    LastAdmin,
    /// The organisation has no such key.
    NoSuchKey,
}

/// Keeps organisations and keys. Every method is atomic: it happens whole or not at all.
#[async_trait]
pub trait OwnersStore: fmt::Debug + Send + Sync + 'static {
    /// Adds an organisation.
    ///
    /// # Errors
    /// `Conflict` with field `organisation` when there is one with its id.
    async fn add_organisation(&self, organisation: &Organisation) -> Result<()>;

    /// Replaces an organisation's name and quotas; `false` when there is none.
    async fn update_organisation(&self, organisation: &Organisation) -> Result<bool>;

    /// An organisation.
    async fn organisation(&self, id: &OrganisationId) -> Result<Option<Organisation>>;

    /// Every organisation, oldest first.
    async fn organisations(&self) -> Result<Vec<Organisation>>;

    /// Adds a key.
    ///
    /// # Errors
    /// `Conflict` with field `key` when there is one with its id or hash; `NotFound` with field
    /// `organisation`; `LimitExceeded` with field `keys` when [`MAX_KEYS`] work when it is made.
    async fn add_key(&self, key: &KeyRecord, hash: &KeyHash) -> Result<()>;

    /// The key with this hash, revoked or not, and whose it is.
    async fn find_key(&self, hash: &KeyHash) -> Result<Option<(KeyRecord, Organisation)>>;

    /// The keys of an organisation, revoked ones included, oldest first.
    async fn keys(&self, organisation: &OrganisationId) -> Result<Vec<KeyRecord>>;

    /// Notes that a key was used.
    async fn touch_key(&self, id: &KeyId, at: Timestamp) -> Result<()>;

    /// Revokes a key of `organisation`; one that is revoked keeps its time. With `keep_admin` a key
    /// that works at `at` and has the scope `admin` goes only if another such key stays: of two
    /// that are revoked at once, one does.
    async fn revoke_key(
        &self,
        organisation: &OrganisationId,
        id: &KeyId,
        at: Timestamp,
        keep_admin: bool,
    ) -> Result<Revocation>;
}

/// Owners kept in memory: gone with the process.
#[derive(Debug, Default)]
pub struct MemoryOwners(Mutex<Tables>);

#[derive(Debug, Default)]
struct Tables {
    organisations: Vec<Organisation>,
    /// Keys in the order in which they were added.
    keys: Vec<KeyRecord>,
    /// Where in `keys` the key with a hash is.
    by_hash: HashMap<[u8; 32], usize>,
}

impl MemoryOwners {
    fn lock(&self) -> MutexGuard<'_, Tables> {
        // Nothing below the lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn organisation(&self, id: &OrganisationId) -> Option<&Organisation> {
        self.organisations.iter().find(|one| one.id == *id)
    }

    /// Forgets the oldest key of `organisation` that has ended.
    fn forget_one(&mut self, organisation: &OrganisationId, now: Timestamp) {
        let ended = |one: &KeyRecord| one.organisation == *organisation && !one.works(now);
        let Some(gone) = self.keys.iter().position(ended) else {
            return;
        };
        self.keys.remove(gone);
        self.by_hash.retain(|_, index| *index != gone);
        for index in self.by_hash.values_mut().filter(|index| **index > gone) {
            *index -= 1;
        }
    }
}

pub(super) fn too_many_keys() -> Error {
    let message = format!("the organisation has {MAX_KEYS} keys that work, which is the limit");
    Error::new(ErrorKind::LimitExceeded, "owners.add", message).with_field("keys")
}

pub(super) fn taken(field: &'static str) -> Error {
    let message = "there is one already";
    Error::new(ErrorKind::Conflict, "owners.add", message).with_field(field)
}

pub(super) fn no_organisation() -> Error {
    let message = "there is no such organisation";
    Error::new(ErrorKind::NotFound, "owners.find", message).with_field("organisation")
}

#[async_trait]
impl OwnersStore for MemoryOwners {
    async fn add_organisation(&self, organisation: &Organisation) -> Result<()> {
        let mut tables = self.lock();
        if tables.organisation(&organisation.id).is_some() {
            return Err(taken("organisation"));
        }
        tables.organisations.push(organisation.clone());
        Ok(())
    }

    async fn update_organisation(&self, organisation: &Organisation) -> Result<bool> {
        let mut tables = self.lock();
        let found = tables
            .organisations
            .iter_mut()
            .find(|one| one.id == organisation.id);
        let Some(one) = found else { return Ok(false) };
        one.name.clone_from(&organisation.name);
        one.quotas = organisation.quotas.clone();
        Ok(true)
    }

    async fn organisation(&self, id: &OrganisationId) -> Result<Option<Organisation>> {
        Ok(self.lock().organisation(id).cloned())
    }

    async fn organisations(&self) -> Result<Vec<Organisation>> {
        Ok(self.lock().organisations.clone())
    }

    async fn add_key(&self, key: &KeyRecord, hash: &KeyHash) -> Result<()> {
        let mut tables = self.lock();
        if tables.organisation(&key.organisation).is_none() {
            return Err(no_organisation());
        }
        if tables.by_hash.contains_key(&hash.0) || tables.keys.iter().any(|one| one.id == key.id) {
            return Err(taken("key"));
        }
        let now = key.created_at;
        let mine = |one: &&KeyRecord| one.organisation == key.organisation;
        let working = tables.keys.iter().filter(mine).filter(|one| one.works(now));
        if working.count() >= MAX_KEYS {
            return Err(too_many_keys());
        }
        if tables.keys.iter().filter(mine).count() >= MAX_KEPT_KEYS {
            tables.forget_one(&key.organisation, now);
        }
        let index = tables.keys.len();
        tables.keys.push(key.clone());
        tables.by_hash.insert(hash.0, index);
        Ok(())
    }

    async fn find_key(&self, hash: &KeyHash) -> Result<Option<(KeyRecord, Organisation)>> {
        let tables = self.lock();
        let found = tables.by_hash.get_key_value(&hash.0);
        let Some((stored, index)) = found else {
            return Ok(None);
        };
        if KeyHash(*stored) != *hash {
            return Ok(None);
        }
        let key = tables.keys.get(*index).cloned();
        Ok(key.and_then(|key| {
            let organisation = tables.organisation(&key.organisation)?.clone();
            Some((key, organisation))
        }))
    }

    async fn keys(&self, organisation: &OrganisationId) -> Result<Vec<KeyRecord>> {
        let tables = self.lock();
        let mine = tables
            .keys
            .iter()
            .filter(|key| key.organisation == *organisation);
        Ok(mine.cloned().collect())
    }

    async fn touch_key(&self, id: &KeyId, at: Timestamp) -> Result<()> {
        let mut tables = self.lock();
        if let Some(key) = tables.keys.iter_mut().find(|key| key.id == *id) {
            key.last_used_at = key.last_used_at.max(Some(at));
        }
        Ok(())
    }

    async fn revoke_key(
        &self,
        organisation: &OrganisationId,
        id: &KeyId,
        at: Timestamp,
        keep_admin: bool,
    ) -> Result<Revocation> {
        let mut tables = self.lock();
        let is_admin = |key: &KeyRecord| key.works(at) && key.scopes.allows(Scope::Admin);
        let admins = tables
            .keys
            .iter()
            .filter(|key| key.organisation == *organisation && is_admin(key))
            .count();
        let found = tables
            .keys
            .iter_mut()
            .find(|key| key.id == *id && key.organisation == *organisation);
        let Some(key) = found else {
            return Ok(Revocation::NoSuchKey);
        };
        if keep_admin && is_admin(key) && admins == 1 {
            return Ok(Revocation::LastAdmin);
        }
        key.revoked_at.get_or_insert(at);
        Ok(Revocation::Done)
    }
}
