//! Owners as the rest of the engine sees them.

use std::sync::{Arc, Mutex, PoisonError};

use sandbox_core::{Error, ErrorKind, Resources, Result, SandboxId, Timestamp};
use tokio::sync::watch;

use super::cache::QuotaCache;
use super::key::{MAX_KEY_BYTES, hash};
use super::reservations::Reservations;
use super::store::{KeyHash, Revocation, no_organisation, taken};
use super::{
    ApiKey, Held, KeyId, KeyRecord, KeyShape, MonthUsage, Organisation, OrganisationId,
    OwnersStore, Quotas, RateDecision, RateLimiter, Reservation, Scope, Scopes,
};

/// How exact [`KeyRecord::last_used_at`] is: at most so many writes to the store a key.
const TOUCHES_PER_MINUTE: u32 = 1;
/// The longest name or label in bytes.
const MAX_NAME_BYTES: usize = 128;

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What it is for: at most 128 bytes.
    pub label: String,
    /// What it may do.
    pub scopes: Scopes,
    /// What it looks like.
    pub shape: KeyShape,
    /// From when on it is no key any more; `None`: not by itself.
    pub expires_at: Option<Timestamp>,
}

impl Default for NewKey {
    /// A native key without a label that may read and write.
    fn default() -> Self {
        Self {
            label: String::new(),
            scopes: Scopes::up_to(Scope::Write),
            shape: KeyShape::Native,
            expires_at: None,
        }
    }
}

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The organisation.
    pub organisation: OrganisationId,
    /// The key that was presented.
    pub key_id: KeyId,
    /// What it may do.
    pub scopes: Scopes,
    /// When the key ends by itself.
    pub expires_at: Option<Timestamp>,
    /// The organisation's quotas when it was looked up.
    pub quotas: Quotas,
}

impl Principal {
    /// Refuses what needs `scope` unless the key has it.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] naming the scope.
    pub fn require(&self, scope: Scope) -> Result<()> {
        self.scopes.require(scope)
    }
}

/// Organisations, keys and quotas over an [`OwnersStore`]. Share it behind an [`Arc`].
#[derive(Debug)]
pub struct Owners {
    store: Arc<dyn OwnersStore>,
    quotas: QuotaCache,
    reservations: Reservations,
    rates: Mutex<RateLimiter<OrganisationId>>,
    /// Forgets keys that nobody uses: an organisation makes and revokes any number.
    touched: Mutex<RateLimiter<KeyId>>,
}

impl Owners {
    /// Owners kept in `store`, nothing reserved yet.
    pub fn new(store: Arc<dyn OwnersStore>) -> Self {
        Self {
            store,
            quotas: QuotaCache::default(),
            reservations: Reservations::default(),
            rates: Mutex::default(),
            touched: Mutex::default(),
        }
    }

    /// Makes an organisation.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`] with field `name` unless that is 1 to 128 bytes without control
    /// characters, or with the field of a quota.
    pub async fn create_organisation(
        &self,
        name: &str,
        quotas: Quotas,
        now: Timestamp,
    ) -> Result<Organisation> {
        let organisation = Organisation {
            id: OrganisationId::generate()?,
            name: name.to_owned(),
            created_at: now,
            quotas,
        };
        check_organisation(&organisation)?;
        self.store.add_organisation(&organisation).await?;
        Ok(organisation)
    }

    /// Replaces an organisation's name and quotas. Sandboxes that run stay, also over a new quota.
    ///
    /// # Errors
    /// As [`create_organisation`](Self::create_organisation), and [`ErrorKind::NotFound`] with
    /// field `organisation`.
    pub async fn update_organisation(&self, organisation: &Organisation) -> Result<()> {
        check_organisation(organisation)?;
        let updated = self.store.update_organisation(organisation).await;
        // Also when that failed: it may have been written.
        self.quotas.changed(&organisation.id);
        match updated? {
            true => Ok(()),
            false => Err(no_organisation()),
        }
    }

    /// An organisation.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] with field `organisation`.
    pub async fn organisation(&self, id: &OrganisationId) -> Result<Organisation> {
        self.store
            .organisation(id)
            .await?
            .ok_or_else(no_organisation)
    }

    /// Every organisation, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn organisations(&self) -> Result<Vec<Organisation>> {
        self.store.organisations().await
    }

    /// Makes a key. The [`ApiKey`] is the only copy there will ever be.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`] with field `keys` when the organisation has
    /// [`MAX_KEYS`](super::MAX_KEYS) that work,
    /// [`ErrorKind::InvalidSpec`] with field `label`, or with field `expires_at` for a time that is
    /// not to come; [`ErrorKind::NotFound`] with field `organisation`.
    pub async fn create_key(
        &self,
        organisation: &OrganisationId,
        new: NewKey,
        now: Timestamp,
    ) -> Result<(ApiKey, KeyRecord)> {
        let key = ApiKey::generate(new.shape)?;
        let record = self.add_key(organisation, &key, new, now).await?;
        Ok((key, record))
    }

    /// Adds a key that the operator chose. Importing the same key again is no error and changes
    /// nothing.
    ///
    /// # Errors
    /// As [`create_key`](Self::create_key); [`ErrorKind::Conflict`] with field `key` when another
    /// organisation has it, or it was revoked.
    pub async fn import_key(
        &self,
        organisation: &OrganisationId,
        key: &ApiKey,
        label: &str,
        scopes: Scopes,
        now: Timestamp,
    ) -> Result<KeyRecord> {
        let new = NewKey {
            label: label.to_owned(),
            scopes,
            ..NewKey::default()
        };
        match self.add_key(organisation, key, new, now).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            other => return other,
        }
        match self.store.find_key(&key.hash()).await? {
            Some((record, _)) if record.revoked_at.is_some() => {
                let message = "was revoked; choose another one";
                Err(Error::new(ErrorKind::Conflict, "owners.import_key", message).with_field("key"))
            }
            Some((record, _)) if record.organisation == *organisation => Ok(record),
            Some(_) | None => Err(taken("key")),
        }
    }

    async fn add_key(
        &self,
        organisation: &OrganisationId,
        key: &ApiKey,
        new: NewKey,
        now: Timestamp,
    ) -> Result<KeyRecord> {
        check_text("label", &new.label, 0)?;
        if new.expires_at.is_some_and(|end| end <= now) {
            let message = "must lie in the future";
            return Err(Error::invalid("owners.create_key", "expires_at", message));
        }
        let record = KeyRecord {
            id: KeyId::generate()?,
            organisation: organisation.clone(),
            label: new.label,
            hint: key.hint(),
            scopes: new.scopes,
            created_at: now,
            last_used_at: None,
            expires_at: new.expires_at,
            revoked_at: None,
        };
        self.store.add_key(&record, &key.hash()).await?;
        Ok(record)
    }

    /// The keys of an organisation, revoked ones included, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn keys(&self, organisation: &OrganisationId) -> Result<Vec<KeyRecord>> {
        self.store.keys(organisation).await
    }

    /// Revokes a key, from the next request on. Idempotent.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] with field `key` when the organisation has no such key.
    pub async fn revoke_key(
        &self,
        organisation: &OrganisationId,
        id: &KeyId,
        now: Timestamp,
    ) -> Result<()> {
        let done = self.store.revoke_key(organisation, id, now, false);
        revoked(done.await?)
    }

    /// As [`revoke_key`](Self::revoke_key), for an organisation that manages its own keys: the last
    /// one that works and may manage keys stays, as without it only the operator could make
    /// another. Of two that are revoked at once, one stays.
    ///
    /// # Errors
    /// As there, and [`ErrorKind::Conflict`] with field `key` for that last one.
    pub async fn revoke_spare_key(
        &self,
        organisation: &OrganisationId,
        id: &KeyId,
        now: Timestamp,
    ) -> Result<()> {
        let done = self.store.revoke_key(organisation, id, now, true);
        revoked(done.await?)
    }

    /// Who presents `key`; `None` when it is not a key, unknown, revoked or expired, which of them
    /// is nobody's business.
    ///
    /// # Errors
    /// The store's.
    pub async fn authenticate(&self, key: &str, now: Timestamp) -> Result<Option<Principal>> {
        if !(1..=MAX_KEY_BYTES).contains(&key.len()) {
            return Ok(None);
        }
        let hash: KeyHash = hash(key);
        let began = self.quotas.began();
        let Some((record, organisation)) = self.store.find_key(&hash).await? else {
            return Ok(None);
        };
        if !record.works(now) {
            return Ok(None);
        }
        self.quotas
            .saw(&organisation.id, &organisation.quotas, now, began);
        self.touch(&record.id, now).await;
        Ok(Some(Principal {
            organisation: organisation.id,
            key_id: record.id,
            scopes: record.scopes,
            expires_at: record.expires_at,
            quotas: organisation.quotas,
        }))
    }

    /// Whether the key with this hash still is one, for whoever presented it a while ago and has
    /// been let in since. This is no use of it.
    ///
    /// # Errors
    /// The store's.
    pub async fn still_works(&self, key: &KeyHash, now: Timestamp) -> Result<bool> {
        let found = self.store.find_key(key).await?;
        Ok(found.is_some_and(|(record, _)| record.works(now)))
    }

    /// Notes the use of a key, at most once a minute. A store that cannot take the note (a full
    /// disk) keeps nobody out.
    async fn touch(&self, id: &KeyId, now: Timestamp) {
        {
            let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
            if !touched.check(id, TOUCHES_PER_MINUTE, now).allowed {
                return;
            }
        }
        if let Err(error) = self.store.touch_key(id, now).await {
            tracing::warn!(key_id = %id, %error, "cannot note the use of an API key");
        }
    }

    #[cfg(test)]
    pub(super) fn remembered_uses(&self) -> usize {
        let touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        touched.remembered()
    }

    /// Takes the share of a sandbox that is about to be made. Of two that race for the last one,
    /// exactly one gets it. `used_seconds` is what the organisation's sandboxes ran this month, as
    /// the engine's store has it.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`] with the quota as the field (`quotas.concurrent_sandboxes`) and
    /// the limit in the message; [`ErrorKind::NotFound`] with field `organisation`;
    /// [`ErrorKind::Conflict`] with field `id` when the sandbox has a share.
    pub async fn reserve(
        &self,
        organisation: &OrganisationId,
        sandbox: &SandboxId,
        resources: &Resources,
        used_seconds: u64,
        now: Timestamp,
    ) -> Result<Reservation> {
        let quotas = self.quotas(organisation, now).await?;
        MonthUsage::new(&quotas, used_seconds, now).check()?;
        self.reservations
            .reserve(organisation, sandbox, resources, &quotas)
    }

    /// What an organisation may use. What another process changed less than a second ago may be
    /// missing.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] with field `organisation`.
    pub async fn quotas(&self, organisation: &OrganisationId, now: Timestamp) -> Result<Quotas> {
        self.quotas.get(&*self.store, organisation, now).await
    }

    /// Changes whenever the quotas of an organisation do, as far as this process knows.
    pub fn quota_changes(&self) -> watch::Receiver<u64> {
        self.quotas.changes()
    }

    /// Gives a share back, when the sandbox is destroyed. Idempotent; `false` when it has none.
    pub fn release(&self, sandbox: &SandboxId) -> bool {
        self.reservations.release(sandbox)
    }

    /// Takes the share of a sandbox that was found alive after a restart, whatever the quotas say.
    pub fn restore(
        &self,
        organisation: &OrganisationId,
        sandbox: &SandboxId,
        resources: &Resources,
    ) {
        self.reservations.restore(organisation, sandbox, resources);
    }

    /// What an organisation's sandboxes hold now.
    pub fn held(&self, organisation: &OrganisationId) -> Held {
        self.reservations.held(organisation)
    }

    /// How `used_seconds` of this month stand to the organisation's allowance.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] with field `organisation`.
    pub async fn month_usage(
        &self,
        organisation: &OrganisationId,
        used_seconds: u64,
        now: Timestamp,
    ) -> Result<MonthUsage> {
        let quotas = self.quotas(organisation, now).await?;
        Ok(MonthUsage::new(&quotas, used_seconds, now))
    }

    /// Counts one request; `None` when the organisation has no limit.
    pub fn check_rate(&self, principal: &Principal, now: Timestamp) -> Option<RateDecision> {
        let limit = principal.quotas.requests_per_minute?;
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        Some(rates.check(&principal.organisation, limit, now))
    }
}

/// What became of a request to revoke a key, as its caller is told.
fn revoked(outcome: Revocation) -> Result<()> {
    let (kind, message) = match outcome {
        Revocation::Done => return Ok(()),
        Revocation::LastAdmin => (
            ErrorKind::Conflict,
            "is the organisation's last key that may manage keys: make another one first",
        ),
        Revocation::NoSuchKey => (ErrorKind::NotFound, "the organisation has no such key"),
    };
    Err(Error::new(kind, "owners.revoke_key", message).with_field("key"))
}

fn check_organisation(organisation: &Organisation) -> Result<()> {
    check_text("name", &organisation.name, 1)?;
    organisation.quotas.validate()
}

fn check_text(field: &'static str, text: &str, min: usize) -> Result<()> {
    let fits = (min..=MAX_NAME_BYTES).contains(&text.len()) && !text.contains(char::is_control);
    if fits {
        return Ok(());
    }
    let message = format!("must be {min} to {MAX_NAME_BYTES} bytes without control characters");
    Err(Error::invalid("owners.check", field, message))
}
